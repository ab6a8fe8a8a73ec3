"""Reads the certificate signing request (CSR) of a client: only its public key counts. No I/O."""

from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ...protocol.errors import InvalidRequestError

type ClientPublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

MAX_CHARACTERS: Final = 8 * 1024
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1)
_RSA_BITS: Final = range(2048, 4096 + 1)
_RSA_EXPONENT: Final = 65537
"""Others make the check of a signature slow, or are a sign of a broken key."""
_KINDS: Final = "EC P-256 or P-384, Ed25519, or RSA with 2048 to 4096 bits"


def read_request(text: object) -> ClientPublicKey:
    """The public key of a CSR (PEM). Its subject and extensions are ignored. Takes about 1 ms.

    Raises InvalidRequestError for a malformed one, another kind of key, or a signature that is not by this key.
    """
    if not isinstance(text, str) or not text or len(text) > MAX_CHARACTERS:
        raise _invalid(f"must be a certificate signing request in PEM format, of at most {MAX_CHARACTERS} characters")
    try:
        request = x509.load_pem_x509_csr(text.encode("ascii"))
        key = request.public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):  # UnicodeEncodeError is a ValueError
        raise _invalid("must be a certificate signing request in PEM format") from None
    if not _is_allowed(key):
        raise _invalid(f"must be for a key of {_KINDS}")
    assert isinstance(key, (ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, rsa.RSAPublicKey))
    try:
        valid = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        valid = False
    if not valid:
        raise _invalid("must be signed with the private key of its public key, with a usual algorithm such as SHA-256")
    return key


def public_der(key: ClientPublicKey) -> bytes:
    """The public key as DER (SubjectPublicKeyInfo), to which a pairing is bound."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _is_allowed(key: object) -> bool:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return isinstance(key.curve, _CURVES)
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size in _RSA_BITS and key.public_numbers().e == _RSA_EXPONENT
    return isinstance(key, ed25519.Ed25519PublicKey)


def _invalid(what: str) -> InvalidRequestError:
    return InvalidRequestError(f"'csr' {what}.", param="csr", code="invalid_csr")
