"""`EnrolmentStore`: the certificates by which providers know this client, in files that only its user can read.

Each provider has a folder, named by its id, with two files. `client.pem` has the private key and the certificate; a renewed pair
waits in `client-next.pem` until the provider has accepted it. `enrolment.json` has what the client must know of the provider: the
pinned certificate, the authority for clients, and the address. All functions block.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
import logging
import os
from pathlib import Path
import re
import shutil
import ssl
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
import orjson

from ..protocol import json
from .client_tls import is_due, pin_digest, pinned_context

_LOGGER = logging.getLogger(__name__)

_CERTIFICATE: Final = "client.pem"
_NEXT: Final = "client-next.pem"
_ENROLMENT: Final = "enrolment.json"
_MAX_BYTES: Final = 256 * 1024
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""The valid ids of providers for an enrolment: the id is the name of a folder."""
_FIELDS: Final = ("provider_id", "name", "base_url", "pin", "authority")


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What this client knows of a provider that has given it a certificate."""

    provider_id: str
    name: str
    base_url: str
    pin: str
    """SHA-256 of the provider's own certificate, base64url."""
    authority: str = field(repr=False)
    """The provider's authority for clients (PEM)."""
    begin: datetime
    """From when the client's certificate is valid."""
    end: datetime
    """Until when the client's certificate is valid."""

    def is_due(self, now: datetime | None = None) -> bool:
        """Whether the client's certificate must be renewed: a third of its lifetime or less is left."""
        return is_due(self.begin, self.end, now)

    def is_at(self, base_url: str) -> bool:
        """Whether a base URL is on the provider's server: the same host and port, by https."""
        origin = _origin(base_url)
        return origin is not None and origin == _origin(self.base_url)

    def is_expired(self, now: datetime | None = None) -> bool:
        """Whether the client's certificate is not valid any more."""
        return (now or datetime.now(UTC)) > self.end


class EnrolmentStore:
    """The enrolments of one user."""

    def __init__(self, folder: Path) -> None:
        """`folder` is created when something is written."""
        self._folder = folder

    def get(self, provider_id: str) -> Enrolment | None:
        """The enrolment with a provider, or None: never enrolled, or its files cannot be read, which is logged."""
        if not is_usable_id(provider_id):
            return None
        folder = self._folder / provider_id
        try:
            found = json.loads((folder / _ENROLMENT).read_bytes()[:_MAX_BYTES])
            certificate = x509.load_pem_x509_certificate((folder / _CERTIFICATE).read_bytes()[:_MAX_BYTES])
            if not isinstance(found, Mapping):
                raise TypeError
            values = {name: str(found[name]) for name in _FIELDS}
            pin_digest(values["pin"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as err:
            _LOGGER.warning("The client certificate in %s cannot be read: %s", folder, type(err).__name__)
            return None
        if values["provider_id"] != provider_id:
            return None
        return Enrolment(**values, begin=certificate.not_valid_before_utc, end=certificate.not_valid_after_utc)

    def all(self) -> list[Enrolment]:
        """All enrolments, by name."""
        try:
            names = [entry.name for entry in self._folder.iterdir() if entry.is_dir()]
        except OSError:
            return []
        found = [enrolment for name in names if (enrolment := self.get(name)) is not None]
        return sorted(found, key=lambda enrolment: (enrolment.name.casefold(), enrolment.provider_id))

    def save(self, enrolment: Enrolment, certificate: bytes) -> None:
        """Store a new enrolment with private key and certificate (PEM), in place of the former one. Raises OSError."""
        self._write(enrolment.provider_id, _CERTIFICATE, certificate)
        self.update(enrolment)
        with suppress(FileNotFoundError):
            (self._folder / enrolment.provider_id / _NEXT).unlink()

    def update(self, enrolment: Enrolment) -> None:
        """Store what the client knows of the provider, such as another pin. Raises OSError."""
        values = {name: value for name, value in asdict(enrolment).items() if name in _FIELDS}
        self._write(enrolment.provider_id, _ENROLMENT, orjson.dumps(values, option=orjson.OPT_INDENT_2))

    def stage(self, provider_id: str, certificate: bytes) -> None:
        """Store a renewed private key and certificate beside the present ones. Raises OSError."""
        self._write(provider_id, _NEXT, certificate)

    def commit(self, provider_id: str) -> None:
        """Replace the present private key and certificate by the renewed ones. Raises OSError."""
        folder = self._folder / provider_id
        (folder / _NEXT).replace(folder / _CERTIFICATE)

    def context(self, enrolment: Enrolment, *, staged: bool = False) -> ssl.SSLContext:
        """The TLS context of connections to the provider; `staged`: with the renewed certificate.

        Raises OSError (ssl.SSLError among them) if the files cannot be used, and ValueError for an invalid pin.
        """
        return pinned_context(enrolment.pin, self._folder / enrolment.provider_id / (_NEXT if staged else _CERTIFICATE))

    def forget(self, provider_id: str) -> bool:
        """Delete the enrolment with a provider; returns whether there was one. Raises OSError."""
        if not is_usable_id(provider_id) or not (folder := self._folder / provider_id).is_dir():
            return False
        shutil.rmtree(folder)
        return True

    def _write(self, provider_id: str, name: str, content: bytes) -> None:
        """Write a file that only this user can read, and replace the former one by it at once."""
        if not is_usable_id(provider_id):
            raise ValueError("the provider's id cannot name a folder")
        folder = self._folder / provider_id
        fresh = folder / f"{name}.new"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            fresh.unlink()
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        fresh.replace(folder / name)


def is_usable_id(provider_id: str) -> bool:
    """Whether a provider with this id can be enrolled with."""
    return _ID.fullmatch(provider_id) is not None


def moved(enrolment: Enrolment, *, base_url: str | None = None, pin: str | None = None) -> Enrolment:
    """The enrolment with another address or another pin."""
    return replace(enrolment, base_url=base_url or enrolment.base_url, pin=pin or enrolment.pin)


def _origin(url: str) -> tuple[str, int] | None:
    """Host and port of an https address; None for any other one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return ((parts.hostname or "").casefold(), port or 443) if parts.scheme == "https" else None
