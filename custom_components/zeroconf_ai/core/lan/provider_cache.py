"""`ProviderCache`: the providers that were found last, kept in a file for a start on which the network is silent."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
import logging
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

from ..protocol import json
from ..protocol.record import DEFAULT_PRIORITY, ServiceRecord
from ..protocol.values import clean, mapping, whole

_LOGGER = logging.getLogger(__name__)

MOST_PROVIDERS = 64
_MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class CachedProvider:
    """Where a provider was: what it is asked by, and no secret."""

    id: str
    name: str
    base_url: str
    priority: int = DEFAULT_PRIORITY

    @classmethod
    def of(cls, record: ServiceRecord, base_url: str) -> Self:
        """What is kept of an advertisement."""
        return cls(record.id, record.name, base_url, record.priority)

    @classmethod
    def parse(cls, data: object) -> Self | None:
        """One entry of the file, or None for one that makes no sense."""
        entry = mapping(data)
        provider_id, name, base_url = (clean(entry.get(key) or "") for key in ("id", "name", "base_url"))
        found = cls(provider_id, name, base_url, whole(entry.get("priority"), largest=65535))
        return found if found.id and found.name and _is_url(found.base_url) else None


class ProviderCache:
    """The places, the newest last. Bounded; written whole, off the event loop, whenever one changes."""

    def __init__(self, file: Path) -> None:
        """Reads the file, where there is one. Blocks: made before the event loop has anything to do."""
        self._file = file
        self._places = _load(file)
        self._saving: asyncio.Task[None] | None = None
        self._dirty = False

    @property
    def places(self) -> tuple[CachedProvider, ...]:
        """All of them."""
        return tuple(self._places.values())

    def note(self, place: CachedProvider) -> None:
        """It is there."""
        if self._places.get(place.id) == place:
            return
        self._places.pop(place.id, None)
        self._places[place.id] = place
        while len(self._places) > MOST_PROVIDERS:
            del self._places[next(iter(self._places))]
        self._save()

    def forget(self, provider_id: str) -> None:
        """It is not to be asked unseen; does nothing where it is not known."""
        if self._places.pop(provider_id, None) is not None:
            self._save()

    async def close(self) -> None:
        """Wait until all is written."""
        if self._saving is not None:
            await asyncio.wait([self._saving])

    def _save(self) -> None:
        self._dirty = True
        if self._saving is None or self._saving.done():
            self._saving = asyncio.get_running_loop().create_task(self._write(), name="zeroconf_ai remembered providers")

    async def _write(self) -> None:
        while self._dirty:
            self._dirty = False
            try:
                await asyncio.to_thread(_store, self._file, self.places)
            except OSError as err:
                _LOGGER.warning("The providers that were found cannot be kept in %s: %s", self._file, err.strerror)


def _store(file: Path, places: tuple[CachedProvider, ...]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_bytes(orjson.dumps(list(places), option=orjson.OPT_INDENT_2))
    fresh.replace(file)


def _load(file: Path) -> dict[str, CachedProvider]:
    """What the file holds; one that cannot be read is as good as none: it is written anew with what is found."""
    try:
        with file.open("rb") as opened:
            listed: Any = json.loads(opened.read(_MAX_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, json.JSONDecodeError) as err:
        _LOGGER.warning("The providers that were found before cannot be read from %s: %s", file, err)
        return {}
    entries = listed if isinstance(listed, list) else ()
    found = [place for entry in entries if isinstance(entry, Mapping) and (place := CachedProvider.parse(entry)) is not None]
    return {place.id: place for place in found[-MOST_PROVIDERS:]}


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return False
