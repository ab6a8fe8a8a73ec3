"""`ClientAuthority`: the certificate authority (CA) that signs clients, which is another one than the server's own.

A client certificate is valid only if the keys know it (`accounting/keys`). The CA is for the handshake, in which a client proves
that it has the private key. So a CA that was replaced stays in the list of the handshake: its former clients get a clear
refusal instead of a broken connection, and a stolen CA key makes no certificate that the keys know.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
import secrets
import ssl
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ...accounting.keys.certificates import CERTIFICATE_DAYS
from .certificates import AUTHORITY_DAYS, Identity, certificate_builder, is_due, key_usage, to_pem
from .identity_files import IdentityFiles, TlsError

if TYPE_CHECKING:
    from .signing_request import ClientPublicKey

_FORMER = 4
"""Replaced CAs that the handshake still knows."""
NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME. The keys check the expiry, by this server's clock, with an answer that says so."""
_PREFIX_LENGTH = 8


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A new client certificate."""

    der: bytes
    pem: str
    authority_pem: str
    """The CA that signed it."""
    prefix: str
    """The first characters of its serial number, by which the owner recognizes it."""
    expires: float
    """Seconds since the epoch."""


def _now() -> datetime:
    return datetime.now(UTC)


class ClientAuthority:
    """The CA for the clients of one server. Its methods block."""

    def __init__(self, folder: Path, title: str, context: ssl.SSLContext, *, now: Callable[[], datetime] = _now) -> None:
        """`folder` is that of the server's certificate. `context` is the server's, whose handshakes use the CA after `load`."""
        self._files = IdentityFiles(folder)
        self._title = title
        self._context = context
        self._now = now
        self._authority: Identity | None = None

    def load(self) -> None:
        """Read the CA, or make it if it is missing or due, and let handshakes accept its certificates. Raises TlsError."""
        authority = self._files.client_authority()
        if authority is None or is_due(authority.certificate, self._now()):
            self.replace()
        else:
            self._use(authority)

    def replace(self) -> None:
        """Make a CA with another key, which signs from now on. Raises TlsError.

        The certificates of the former one stay valid until the keys end them (`KeyStore.end_certificates`).
        """
        former = self._files.client_authority()
        if former is not None:
            kept = [*self._files.former_client_authorities(), former.certificate][-_FORMER:]
            self._files.save_former_client_authorities(kept)
        self._use(self._make())

    def ask(self, *, wanted: bool) -> None:
        """Whether the handshakes of new connections ask clients for a certificate, which they need not have.

        A browser may ask its user for one then, so it is not wanted before a client has one.
        """
        self._context.verify_mode = ssl.CERT_OPTIONAL if wanted else ssl.CERT_NONE

    def issue(self, key: "ClientPublicKey") -> IssuedCertificate:
        """Sign a certificate for a client's public key."""
        assert self._authority is not None
        authority = self._authority
        serial = x509.random_serial_number()
        # The subject means nothing: what the client may do is with its key.
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"ZeroConf AI client {serial:x}"[:64])])
        now = self._now()
        certificate = (
            certificate_builder(subject, authority.certificate.subject, key, now, CERTIFICATE_DAYS, serial)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
            .sign(authority.key, hashes.SHA256())
        )
        pem = to_pem([certificate]).decode()
        der = certificate.public_bytes(Encoding.DER)
        expires = certificate.not_valid_after_utc.timestamp()
        return IssuedCertificate(der, pem, to_pem([authority.certificate]).decode(), f"{serial:040x}"[:_PREFIX_LENGTH], expires)

    def _make(self) -> Identity:
        """A CA, stored. Its name is another one each time: OpenSSL finds the issuer of a certificate by its name."""
        key = ec.generate_private_key(ec.SECP256R1())
        title = f"{self._title[:40]} clients {secrets.token_hex(4)}"
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
        certificate = (
            certificate_builder(name, name, key.public_key(), self._now(), AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(key, hashes.SHA256())
        )
        made = Identity(certificate, key)
        self._files.save_client_authority(made)
        return made

    def _use(self, authority: Identity) -> None:
        """Let handshakes accept certificates of this CA and of the former ones, at once for new connections. Raises TlsError."""
        known = to_pem([*self._files.former_client_authorities(), authority.certificate])
        try:
            self._context.load_verify_locations(cadata=known.decode())
        except (OSError, ValueError) as err:  # ssl.SSLError is an OSError
            raise TlsError(f"The certificate authority for clients cannot be used: {err}.") from None
        self._context.verify_flags |= NO_CHECK_TIME
        self._authority = authority
