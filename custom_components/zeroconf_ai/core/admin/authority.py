"""The server's certificate authority, as the page offers it to programs that know no pin."""

import hashlib
import ssl
from typing import Any


def describe_authority(pem: bytes | None) -> dict[str, Any] | None:
    """The certificate (PEM) and its fingerprint as `openssl x509 -fingerprint -sha256` prints it, or None."""
    if pem is None:
        return None
    text = pem.decode("ascii")
    return {"pem": text, "sha256": hashlib.sha256(ssl.PEM_cert_to_DER_cert(text)).digest().hex(":").upper()}
