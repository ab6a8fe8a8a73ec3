"""The files of a TLS server: its authority, its certificate, both with their private keys, and the hand-over of its pins.

Private keys are in files of their own that only the system's user can read, and never in the database. All functions block.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
import logging
import os
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
import orjson

from ...protocol import json
from ...protocol.hand_over import MAX_STEPS, Step, fingerprint_of, parse_steps
from .certificates import Identity, key_to_pem, to_pem

_LOGGER = logging.getLogger(__name__)

AUTHORITY = "ca.pem"
"""The authority's certificate, for programs that know no pin."""
_AUTHORITY_KEY = "ca-private.pem"
CLIENT_AUTHORITY = "client-ca.pem"
"""The certificate of the authority that signs clients, for other servers that shall accept them."""
_CLIENT_AUTHORITY_KEY = "client-ca-private.pem"
_FORMER_CLIENT_AUTHORITIES = "client-ca-former.pem"
_SERVER = "server.pem"
_HAND_OVER = "hand-over.json"
_MAX_BYTES = 256 * 1024


class TlsError(Exception):
    """A certificate or private key cannot be used. The message says which file and why."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """The steps that lead to the current certificate, oldest first."""

    certificate: bytes
    """The current certificate (DER)."""
    steps: tuple[Step, ...] = ()


class IdentityFiles:
    """The files of one server, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        """The folder is created when something is written."""
        self._folder = folder

    @property
    def server_file(self) -> Path:
        """The server's certificate and private key, as `SSLContext.load_cert_chain` reads it."""
        return self._folder / _SERVER

    def authority(self) -> Identity | None:
        """The authority; None if it was not made yet. Raises TlsError for a file that cannot be read."""
        return _read(self._folder / _AUTHORITY_KEY)

    def server(self) -> Identity | None:
        """The server's certificate; None if it was not made yet. Raises TlsError for a file that cannot be read."""
        return _read(self.server_file)

    def save_authority(self, authority: Identity) -> None:
        """Replace the authority. Raises TlsError."""
        certificate = to_pem([authority.certificate])
        self._write(_AUTHORITY_KEY, key_to_pem(authority.key) + certificate)
        self._write(AUTHORITY, certificate)

    def save_server(self, server: Identity) -> None:
        """Replace the server's certificate and key. The former key is gone then. Raises TlsError."""
        self._write(_SERVER, key_to_pem(server.key) + to_pem([server.certificate]))

    def client_authority(self) -> Identity | None:
        """The authority that signs clients; None if it was not made yet. Raises TlsError for a file that cannot be read."""
        return _read(self._folder / _CLIENT_AUTHORITY_KEY)

    def save_client_authority(self, authority: Identity) -> None:
        """Replace the authority that signs clients. Raises TlsError."""
        certificate = to_pem([authority.certificate])
        self._write(_CLIENT_AUTHORITY_KEY, key_to_pem(authority.key) + certificate)
        self._write(CLIENT_AUTHORITY, certificate)

    def former_client_authorities(self) -> list[x509.Certificate]:
        """The certificates of replaced authorities for clients, oldest first. Raises TlsError for a file that cannot be read."""
        file = self._folder / _FORMER_CLIENT_AUTHORITIES
        if not file.exists():
            return []
        found: list[x509.Certificate] = _load(file, x509.load_pem_x509_certificates, "certificates")
        return found

    def save_former_client_authorities(self, certificates: Sequence[x509.Certificate]) -> None:
        """Replace the list of replaced authorities for clients. Raises TlsError."""
        self._write(_FORMER_CLIENT_AUTHORITIES, to_pem(certificates))

    def hand_over(self) -> HandOver | None:
        """The stored hand-over; None if none is stored, or if it cannot be read."""
        try:
            found: Any = json.loads((self._folder / _HAND_OVER).read_bytes()[:_MAX_BYTES])
            current = Step.parse({**found, "signature": "AA"})
            return None if current is None else HandOver(current.certificate, parse_steps(found.get("steps")))
        except FileNotFoundError:
            return None
        except (OSError, json.JSONDecodeError, TypeError, AttributeError) as err:
            _LOGGER.warning("%s cannot be read: %s", self._folder / _HAND_OVER, type(err).__name__)
            return None

    def save_hand_over(self, found: HandOver) -> None:
        """Replace the hand-over. Raises TlsError."""
        steps = [step.to_json() for step in found.steps[-MAX_STEPS:]]
        certificate = Step(found.certificate, b"\0").to_json()["certificate"]
        self._write(_HAND_OVER, orjson.dumps({"certificate": certificate, "steps": steps}))

    def _write(self, name: str, content: bytes) -> None:
        """Write a file that only this user can read, and replace the former one by it at once."""
        fresh = self._folder / f"{name}.new"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                fresh.unlink()
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
                opened.write(content)
                opened.flush()
                os.fsync(opened.fileno())
            fresh.replace(self._folder / name)
        except OSError as err:
            raise TlsError(f"{self._folder / name} cannot be written: {err.strerror or err}.") from None


def load_private_key(file: Path) -> Any:
    """The private key of a PEM file. Raises TlsError."""
    return _load(file, lambda content: serialization.load_pem_private_key(content, None), "a private key without a password")


def load_certificate(file: Path) -> x509.Certificate:
    """The first certificate of a PEM file. Raises TlsError."""
    found: x509.Certificate = _load(file, x509.load_pem_x509_certificate, "a certificate")
    return found


def der_of(certificate: x509.Certificate) -> bytes:
    """The certificate as DER."""
    return certificate.public_bytes(serialization.Encoding.DER)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of a certificate, as in the advertisement's `fp`."""
    return fingerprint_of(der_of(certificate))


def _read(file: Path) -> Identity | None:
    """The key and certificate of a file of ours; None if it does not exist. Raises TlsError."""
    if not file.exists():
        return None
    key = load_private_key(file)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TlsError(f"{file} does not contain a private key of this program.")
    return Identity(load_certificate(file), key)


def _load(file: Path, parse: Callable[[bytes], Any], what: str) -> Any:
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_BYTES)
    except OSError as err:
        raise TlsError(f"{file} cannot be read: {err.strerror or err}.") from None
    try:
        return parse(content)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise TlsError(f"{file} does not contain {what} in PEM format.") from None
