"""Trust on first use: pins the confirmed identity of each provider (docs/protocol.md, section 1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
import logging
from pathlib import Path

import orjson

from ..protocol import json
from ..protocol.record import ServiceRecord, names_public_host

_LOGGER = logging.getLogger(__name__)

_MAX_BYTES = 4 * 1024**2
"""Maximum size of the file. A larger file is cut off, so that it is not valid JSON."""


class Trust(StrEnum):
    """The result of comparing an advertisement with the pins."""

    NEW = "new"
    """Neither its id nor its name is pinned."""
    KNOWN = "known"
    """A pinned id with the pinned certificate, or without certificate at the pinned address."""
    MOVED = "moved"
    """A pinned id at another address. An id proves nothing: see `identity`."""
    CHANGED = "changed"
    """A pinned name with another id, or a pinned id with another certificate: unusable until confirmed again."""


@dataclass(frozen=True, slots=True)
class Pin:
    """The confirmed identity of one provider."""

    id: str
    name: str
    fingerprint: str | None = None
    base_url: str | None = None
    """The confirmed address; None in files of older versions."""


class TrustStore:
    """The confirmed identities, stored in a file if one is given."""

    def __init__(self, file: Path | None = None) -> None:
        """`file` is read if it exists; an unreadable file is renamed, not overwritten."""
        self._file = file
        self._pins: dict[str, Pin] = {}
        if file is not None and file.exists():
            self._pins = _load(file)

    def judge(self, record: ServiceRecord) -> Trust:
        """Compare an advertisement with the pins."""
        pin = self._pins.get(record.id)
        if pin is not None:
            if pin.fingerprint:
                return Trust.KNOWN if pin.fingerprint == record.fingerprint else Trust.CHANGED
            return Trust.KNOWN if pin.base_url in record.base_urls() else Trust.MOVED
        return Trust.CHANGED if any(pin.name == record.name for pin in self._pins.values()) else Trust.NEW

    def pin(self, provider_id: str) -> Pin | None:
        """The pin of an id, or None."""
        return self._pins.get(provider_id)

    def certificate_at(self, base_url: str) -> str | None:
        """The fingerprint of the certificate that was confirmed at a base URL of the local network; None if none was confirmed.

        Public names have certificates of an authority, which are renewed without a hand-over.
        """
        if names_public_host(base_url):
            return None
        return next((pin.fingerprint for pin in self._pins.values() if pin.base_url == base_url), None)

    def confirm(self, record: ServiceRecord, base_url: str | None = None) -> None:
        """Pin this identity at one of its addresses (default: the first), replacing the name's former pin."""
        self._pins = {key: pin for key, pin in self._pins.items() if pin.name != record.name}
        self._pins[record.id] = Pin(record.id, record.name, record.fingerprint, base_url or record.base_url())
        self._save()

    def forget(self, provider_id: str) -> None:
        """Remove the pin of an id, if there is one."""
        if self._pins.pop(provider_id, None) is not None:
            self._save()

    def _save(self) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(list(self._pins.values()), option=orjson.OPT_INDENT_2))
        fresh.replace(self._file)


def _load(file: Path) -> dict[str, Pin]:
    try:
        with file.open("rb") as opened:
            listed = json.loads(opened.read(_MAX_BYTES))
        entries = [item for item in listed if isinstance(item, Mapping)]
        pins = [Pin(item["id"], item["name"], item.get("fingerprint"), item.get("base_url")) for item in entries]
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as err:
        aside = file.with_suffix(".unreadable")
        _LOGGER.warning("The confirmed providers in %s cannot be read (%s); the file was renamed to %s", file, err, aside)
        file.replace(aside)
        return {}
    return {pin.id: pin for pin in pins}
