"""`ProviderCache`: recently found providers, stored in a file for starts without mDNS answers."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
import logging
from pathlib import Path
from typing import Any, Self

import orjson

from ..protocol import json
from ..protocol.addresses import url_parts
from ..protocol.record import DEFAULT_PRIORITY, ServiceRecord
from ..protocol.values import clean, mapping, parse_count

_LOGGER = logging.getLogger(__name__)

MAX_PROVIDERS = 64
_MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class CachedProvider:
    """The last address of a provider, without secrets."""

    id: str
    name: str
    base_url: str
    priority: int = DEFAULT_PRIORITY

    @classmethod
    def of(cls, record: ServiceRecord, base_url: str) -> Self:
        """Build the cache entry of an advertisement."""
        return cls(record.id, record.name, base_url, record.priority)

    @classmethod
    def parse(cls, data: object) -> Self | None:
        """Parse one entry of the file; None if it is invalid."""
        entry = mapping(data)
        provider_id, name, base_url = (clean(entry.get(key) or "") for key in ("id", "name", "base_url"))
        found = cls(provider_id, name, base_url, parse_count(entry.get("priority"), largest=65535))
        return found if found.id and found.name and _is_url(found.base_url) else None


class ProviderCache:
    """A bounded cache, newest last. The whole file is rewritten in a worker thread after each change."""

    def __init__(self, file: Path) -> None:
        """Reads the file, if it exists. Blocking: call before the event loop is in use."""
        self._file = file
        self._providers = _load(file)
        self._saving: asyncio.Task[None] | None = None
        self._has_changes = False

    @property
    def providers(self) -> tuple[CachedProvider, ...]:
        """All cached providers."""
        return tuple(self._providers.values())

    def put(self, provider: CachedProvider) -> None:
        """Add or update a provider."""
        if self._providers.get(provider.id) == provider:
            return
        self._providers.pop(provider.id, None)
        self._providers[provider.id] = provider
        while len(self._providers) > MAX_PROVIDERS:
            del self._providers[next(iter(self._providers))]
        self._save()

    def forget(self, provider_id: str) -> None:
        """Remove a provider, if it is cached."""
        if self._providers.pop(provider_id, None) is not None:
            self._save()

    async def close(self) -> None:
        """Wait for pending writes."""
        if self._saving is not None:
            await asyncio.wait([self._saving])

    def _save(self) -> None:
        self._has_changes = True
        if self._saving is None or self._saving.done():
            self._saving = asyncio.get_running_loop().create_task(self._write(), name="zeroconf_ai provider cache")

    async def _write(self) -> None:
        while self._has_changes:
            self._has_changes = False
            try:
                await asyncio.to_thread(_store, self._file, self.providers)
            except OSError as err:
                _LOGGER.warning("The provider cache cannot be written to %s: %s", self._file, err.strerror)


def _store(file: Path, providers: tuple[CachedProvider, ...]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_bytes(orjson.dumps(list(providers), option=orjson.OPT_INDENT_2))
    fresh.replace(file)


def _load(file: Path) -> dict[str, CachedProvider]:
    """Read the file; an unreadable file counts as empty and is overwritten later."""
    try:
        with file.open("rb") as opened:
            listed: Any = json.loads(opened.read(_MAX_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, json.JSONDecodeError) as err:
        _LOGGER.warning("The provider cache cannot be read from %s: %s", file, err)
        return {}
    entries = listed if isinstance(listed, list) else ()
    found = [
        provider for entry in entries if isinstance(entry, Mapping) and (provider := CachedProvider.parse(entry)) is not None
    ]
    return {provider.id: provider for provider in found[-MAX_PROVIDERS:]}


def _is_url(text: str) -> bool:
    parts = url_parts(text)
    return (
        parts is not None
        and parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and parts.port != 0
        and "@" not in parts.netloc
    )
