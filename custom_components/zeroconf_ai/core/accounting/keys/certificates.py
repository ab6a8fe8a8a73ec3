"""Client certificates among the keys: by which hash a certificate is found, and the errors of invalid ones."""

import hashlib

from ...protocol.errors import AuthenticationError

_CONTEXT = b"zai-client-certificate"
CERTIFICATE_DAYS = 90
"""How long a client certificate is valid."""


def certificate_digest(der: bytes) -> bytes:
    """The hash (32 bytes) by which the keys find a client certificate (DER). No text that a client sends as a secret has it."""
    return hashlib.sha256(_CONTEXT + hashlib.sha256(der).digest()).digest()


class UnknownCertificateError(AuthenticationError):
    """The client certificate was revoked or replaced, or another server's clients use it."""

    default_code = "invalid_certificate"

    def __init__(self) -> None:
        super().__init__("This client certificate is not valid here any more. Enrol again.")


class ExpiredCertificateError(AuthenticationError):
    """The client certificate has expired."""

    default_code = "certificate_expired"

    def __init__(self) -> None:
        super().__init__("This client certificate has expired. Enrol again.")
