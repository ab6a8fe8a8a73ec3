"""Trust on first use: which identity a name was first confirmed with (docs/protocol.md, section 1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
import logging
from pathlib import Path

import orjson

from ..protocol import json
from ..protocol.record import ServiceRecord

_LOGGER = logging.getLogger(__name__)


class Trust(StrEnum):
    """What the pins say of an advertisement."""

    NEW = "new"
    """Neither its id nor its name was confirmed before."""
    KNOWN = "known"
    """The id that was confirmed, with its certificate, or at its address where it has none."""
    MOVED = "moved"
    """The id that was confirmed, at another address. An id proves nothing: see `identity`."""
    CHANGED = "changed"
    """A confirmed name under another id, or a confirmed id with another certificate: to be confirmed anew, never used before."""


@dataclass(frozen=True, slots=True)
class Pin:
    """What was confirmed of one provider."""

    id: str
    name: str
    fingerprint: str | None = None
    base_url: str | None = None
    """Where it was confirmed; None in files of versions that did not keep it."""


class TrustStore:
    """The confirmed identities of one user or program. With a file, they outlive the program."""

    def __init__(self, file: Path | None = None) -> None:
        """`file` is read when it exists; one that cannot be read is kept aside, not overwritten."""
        self._file = file
        self._pins: dict[str, Pin] = {}
        if file is not None and file.exists():
            self._pins = _load(file)

    def judge(self, record: ServiceRecord) -> Trust:
        """What the pins say of this advertisement."""
        pin = self._pins.get(record.id)
        if pin is not None:
            if pin.fingerprint:
                return Trust.KNOWN if pin.fingerprint == record.fingerprint else Trust.CHANGED
            return Trust.KNOWN if pin.base_url in record.base_urls() else Trust.MOVED
        return Trust.CHANGED if any(pin.name == record.name for pin in self._pins.values()) else Trust.NEW

    def pin(self, provider_id: str) -> Pin | None:
        """What was confirmed under an id."""
        return self._pins.get(provider_id)

    def confirm(self, record: ServiceRecord, base_url: str | None = None) -> None:
        """Pin this identity, at one of its addresses (by default its first); the name's former one, if any, is let go."""
        self._pins = {key: pin for key, pin in self._pins.items() if pin.name != record.name}
        self._pins[record.id] = Pin(record.id, record.name, record.fingerprint, base_url or record.base_url())
        self._save()

    def forget(self, provider_id: str) -> None:
        """Let an identity go; does nothing for one that was not confirmed."""
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
        listed = json.loads(file.read_bytes())
        entries = [item for item in listed if isinstance(item, Mapping)]
        pins = [Pin(item["id"], item["name"], item.get("fingerprint"), item.get("base_url")) for item in entries]
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as err:
        aside = file.with_suffix(".unreadable")
        _LOGGER.warning("The confirmed providers in %s cannot be read (%s); kept as %s, starting afresh", file, err, aside)
        file.replace(aside)
        return {}
    return {pin.id: pin for pin in pins}
