"""The certificate signing request of a client, and the certificate that a provider issues for it. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
import hashlib
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .enrolment_wire import EnrolmentError, text_of


def identity_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """SHA-256 of a public key, as the pairing is bound to it."""
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).digest()


def make_csr(key: ec.EllipticCurvePrivateKey) -> str:
    """A certificate signing request for a key (PEM). Servers ignore its subject."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "zeroconf-ai client")])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate as a provider has issued it."""

    leaf: x509.Certificate
    certificate: bytes = field(repr=False)
    """The private key and the certificates (PEM)."""
    authority: str = field(repr=False)
    """PEM."""


def issued(answer: Mapping[str, Any], key: ec.EllipticCurvePrivateKey, name: str) -> Issued:
    """The certificate of an answer, which must be for `key`, and signed by the answer's authority. Raises EnrolmentError."""
    try:
        chain = x509.load_pem_x509_certificates(text_of(answer, "certificate").encode())
        authority = x509.load_pem_x509_certificate(text_of(answer, "authority").encode())
        chain[0].verify_directly_issued_by(authority)
        if chain[0].public_key() != key.public_key():
            raise ValueError
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        raise EnrolmentError(f"{name} answered with a certificate that is not for this client") from None
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    certificates = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain)
    return Issued(chain[0], private + certificates, authority.public_bytes(serialization.Encoding.PEM).decode())
