"""The private key of one side of the relay, in a file of its own that only the system's user can read. All functions block."""

from contextlib import suppress
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_MAX_BYTES = 16 * 1024


class KeyFileError(Exception):
    """The file cannot be read or written. The message says which and why."""


def load_or_create(file: Path) -> "Ed25519PrivateKey":
    """The key in a file; a new one if there is no file. Raises KeyFileError: a damaged file is never replaced."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - only homes with connectors need `cryptography`
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - as above

    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_BYTES)
    except FileNotFoundError:
        return _create(file)
    except OSError as err:
        raise KeyFileError(f"{file} cannot be read: {err.strerror or err}.") from None
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{file} does not contain an Ed25519 private key in PEM format.")
    return key


def _create(file: Path) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat  # noqa: PLC0415 - as above

    key = Ed25519PrivateKey.generate()
    fresh = file.with_name(f"{file.name}.new")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            fresh.unlink()
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            opened.flush()
            os.fsync(opened.fileno())
        fresh.replace(file)
    except OSError as err:
        raise KeyFileError(f"{file} cannot be written: {err.strerror or err}.") from None
    return key
