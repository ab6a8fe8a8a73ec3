"""Hand-over: the private key of a pinned certificate signs the fingerprint of its successor, so that pins survive a renewal.

A client that pinned an earlier certificate asks `GET /v1/health?handover=FINGERPRINT` over a connection to the new certificate.
The answer's `handover` lists the steps from the pinned to the presented certificate (docs/protocol.md, section 1). `cryptography`
is imported only where a step is signed or verified.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import hashlib
from typing import TYPE_CHECKING, Any, Self

from .key_proof import decode, encode

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

MAX_STEPS = 8
"""Maximum number of steps of an answer: more than five years of renewals."""
FINGERPRINT_BYTES = 32
_MAX_CERTIFICATE_BYTES = 8 * 1024
_MAX_SIGNATURE_BYTES = 1024
_CONTEXT = b"zai-handover-1"
_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Step:
    """One renewal: the former certificate (DER), and the signature by its key over the fingerprint of the next one."""

    certificate: bytes
    signature: bytes

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the former certificate."""
        return fingerprint_of(self.certificate)

    @classmethod
    def parse(cls, data: object) -> Self | None:
        """A step of an answer; None if it is malformed."""
        if not isinstance(data, Mapping):
            return None
        certificate = _bytes(data.get("certificate"), _MAX_CERTIFICATE_BYTES)
        signature = _bytes(data.get("signature"), _MAX_SIGNATURE_BYTES)
        return None if certificate is None or signature is None else cls(certificate, signature)

    def to_json(self) -> dict[str, str]:
        """The step as JSON: both fields are base64url without padding."""
        return {"certificate": encode(self.certificate), "signature": encode(self.signature)}


def fingerprint_of(certificate: bytes) -> str:
    """SHA-256 of a certificate (DER) as base64url without padding, as in the advertisement's `fp`."""
    return encode(hashlib.sha256(certificate).digest())


def pin_of(text: str) -> str:
    """A fingerprint that a person has copied, as in the advertisement.

    It has 64 hexadecimal digits, with or without colons, or is base64url. Raises ValueError for any other text.
    """
    joined = text.strip().replace(":", "").replace(" ", "")
    try:
        raw = bytes.fromhex(joined) if len(joined) == 2 * FINGERPRINT_BYTES else decode(joined.rstrip("="), FINGERPRINT_BYTES)
    except ValueError:
        raise ValueError("not a SHA-256 fingerprint") from None
    return encode(raw)


def parse_steps(data: object) -> tuple[Step, ...]:
    """The steps of an answer; empty if one is malformed or there are too many."""
    if not isinstance(data, Sequence) or isinstance(data, str) or not 0 < len(data) <= MAX_STEPS:
        return ()
    steps = tuple(map(Step.parse, data))
    return () if None in steps else tuple(step for step in steps if step is not None)


def sign(provider_id: str, certificate: bytes, key: "PrivateKeyTypes", successor: str) -> Step:
    """The step from `certificate` (DER), whose private key is `key`, to the certificate with the fingerprint `successor`.

    Raises ValueError for a key that is neither EC nor RSA nor Ed25519, or an invalid fingerprint.
    """
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa  # noqa: PLC0415

    message = _message(provider_id, fingerprint_of(certificate), successor)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return Step(certificate, key.sign(message, ec.ECDSA(hashes.SHA256())))
    if isinstance(key, rsa.RSAPrivateKey):
        return Step(certificate, key.sign(message, padding.PKCS1v15(), hashes.SHA256()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Step(certificate, key.sign(message))
    raise ValueError("the private key is neither EC nor RSA nor Ed25519")


def is_handed_over(provider_id: str, pinned: str, presented: str, steps: Sequence[Step]) -> bool:
    """Whether `steps` lead from the pinned fingerprint to the presented one, each signed by the key of the certificate before.

    The dates of the former certificates are not checked: a client may have been away for longer than they were valid.
    """
    current = pinned
    successors = (*(step.fingerprint for step in steps[1:]), presented)
    for step, successor in zip(steps, successors, strict=False):  # without steps, there is nothing to compare
        if step.fingerprint != current or not _verifies(provider_id, step, successor):
            return False
        current = successor
    return bool(steps)


def _verifies(provider_id: str, step: Step, successor: str) -> bool:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa  # noqa: PLC0415

    try:
        message = _message(provider_id, step.fingerprint, successor)
        key = x509.load_der_x509_certificate(step.certificate).public_key()
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(step.signature, message, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(step.signature, message, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(step.signature, message)
        else:
            return False
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _message(provider_id: str, former: str, successor: str) -> bytes:
    """The signed bytes: each field with its length before it. Raises ValueError for an invalid fingerprint."""
    fields = (_CONTEXT, provider_id.encode(), decode(former, FINGERPRINT_BYTES), decode(successor, FINGERPRINT_BYTES))
    return b"".join(len(field).to_bytes(_LENGTH_BYTES, "big") + field for field in fields)


def _bytes(value: Any, limit: int) -> bytes | None:
    """Base64url of at most `limit` bytes; None for any other value."""
    if not isinstance(value, str) or len(value) > limit * 2:
        return None
    try:
        raw = base64.b64decode(value.encode("ascii") + b"=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    return raw if 0 < len(raw) <= limit else None
