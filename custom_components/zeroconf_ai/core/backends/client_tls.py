"""TLS to a server whose certificate is pinned and that knows this client by a certificate of its own.

aiohttp takes either a pin or a context with a client certificate for a request, not both. So the context itself checks the pin:
when the handshake ends, and before a byte of a request is sent.
"""

import base64
import binascii
from datetime import UTC, datetime
import hashlib
import hmac
from pathlib import Path
import ssl
from typing import Final, override

_DIGEST_BYTES: Final = 32

_REFUSALS: Final = {
    "CERTIFICATE_EXPIRED": "the client certificate has expired",
    "CERTIFICATE_REVOKED": "the client certificate was revoked",
    "CERTIFICATE_REQUIRED": "it requires a client certificate",
    "UNKNOWN_CA": "its authority for clients is another one than that of the client certificate",
    "BAD_CERTIFICATE": "it does not accept the client certificate",
    "CERTIFICATE_UNKNOWN": "it does not accept the client certificate",
    "UNSUPPORTED_CERTIFICATE": "it does not accept the client certificate",
    "ACCESS_DENIED": "it does not accept the client certificate",
}
"""TLS alerts of a server about a client's certificate (RFC 8446, section 6.2) → what they mean, as OpenSSL names them."""
_CAUSES: Final = 4
"""The maximum number of chained exceptions that are followed."""


class PinMismatchError(ssl.SSLCertVerificationError):
    """The server presents another certificate than the pinned one. Nothing was sent to it."""


def pin_digest(fingerprint: str) -> bytes:
    """The digest of a pin, which is SHA-256 as base64url. Raises ValueError if it does not have 32 bytes."""
    try:
        digest = base64.urlsafe_b64decode(fingerprint + "=" * (-len(fingerprint) % 4))
    except binascii.Error:
        digest = b""
    if len(digest) != _DIGEST_BYTES:
        raise ValueError("a pin is the SHA-256 of a certificate as base64url")
    return digest


def pinned_context(fingerprint: str, certificate: Path | None = None) -> ssl.SSLContext:
    """A context that accepts only the server certificate with this fingerprint. Names and dates are not verified.

    `certificate`: a PEM file with the client's private key and certificates. Blocking. Raises ValueError for an invalid
    fingerprint, OSError (ssl.SSLError among them) for a file that cannot be read.
    """
    expected = pin_digest(fingerprint)

    class Pinned(ssl.SSLObject):
        """A connection that ends with the handshake unless the pinned certificate was presented."""

        @override
        def do_handshake(self) -> None:
            super().do_handshake()
            presented = self.getpeercert(binary_form=True) or b""
            if not hmac.compare_digest(hashlib.sha256(presented).digest(), expected):
                raise PinMismatchError("the server presents another certificate than the pinned one")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslobject_class = Pinned
    if certificate is not None:
        context.load_cert_chain(certificate, password=_no_password)
    return context


def unverified_context() -> ssl.SSLContext:
    """A context that accepts every certificate, to find out which one a server presents. Nothing may be sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def refusal(err: BaseException) -> str | None:
    """Why the server refused the client's certificate in TLS, as a clause; None for any other error of a connection."""
    cause: BaseException | None = err
    for _ in range(_CAUSES):
        # aiohttp's error is an SSLError without a reason.
        if "ALERT_" in (reason := str(getattr(cause, "reason", None) or "")):
            return _REFUSALS.get(reason.partition("ALERT_")[2])
        if cause is None:
            break
        cause = cause.__cause__ or getattr(cause, "os_error", None) or cause.__context__
    return None


def is_due(begin: datetime, end: datetime, now: datetime | None = None) -> bool:
    """Whether a certificate must be renewed: a third of its lifetime or less is left."""
    return (now or datetime.now(UTC)) > end - (end - begin) / 3


def _no_password() -> str:
    """Instead of OpenSSL's question on the terminal. Raises ValueError."""
    raise ValueError("the private key has a password")
