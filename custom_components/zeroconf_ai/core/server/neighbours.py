"""`Neighbours`: offers the network's providers beside one's own backends."""

import asyncio
from collections.abc import Callable, Coroutine
import logging
from typing import Any

import aiohttp

from ..backends.base import BackendInfo
from ..backends.zeroconfai import Endpoint, ZeroconfAIBackend
from ..discovery import Change, ChangeKind, DiscoveryManager, Provider
from ..engine import Engine
from ..protocol.record import Auth
from ..trust import Trust

_LOGGER = logging.getLogger(__name__)

AFTER_OWN = 65536
"""Added to the priority that a provider claims: whoever is on the network comes after the backends that the owner named."""


class Neighbours:
    """Keeps the providers that a `DiscoveryManager` finds in the engine, from `start` to `close`.

    Those that ask for a key are left out, and those that took another's name.
    """

    def __init__(self, engine: Engine, discovery: DiscoveryManager, session: aiohttp.ClientSession) -> None:
        """`discovery` is running, and leaves out this server's own id; it and `session` are shared and stay open."""
        self._engine = engine
        self._discovery = discovery
        self._session = session
        self._backends: dict[str, ZeroconfAIBackend] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop: Callable[[], None] | None = None

    def start(self) -> None:
        """Take in who is known, and who comes."""
        self._stop = self._discovery.watch_for_changes(self._on_change)
        for provider in self._discovery.providers:
            self._take(provider)

    async def close(self) -> None:
        """Let them go."""
        if self._stop is not None:
            self._stop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for provider_id in tuple(self._backends):
            await self._remove(provider_id)

    def _on_change(self, change: Change) -> None:
        provider = change.provider
        if change.kind is ChangeKind.REMOVED or not _usable(provider):
            self._spawn(self._drop(provider.id), "drop")
        elif change.kind is not ChangeKind.STATE:
            self._take(provider, heard=change.kind is ChangeKind.HEARD)

    def _take(self, provider: Provider, *, heard: bool = False) -> None:
        """Take a provider in, or what is new of it. One that was only heard is asked how it is, if it was gone."""
        if not _usable(provider):
            return
        record, endpoint = provider.record, Endpoint(provider.base_url)
        backend = self._backends.get(provider.id)
        if backend is None:
            backend = ZeroconfAIBackend(self._session, BackendInfo(_member_id(provider.id), record.name), endpoint)
            backend.identity = None if record.id_derived else record.id
            self._backends[provider.id] = backend
            self._engine.add(backend)
            _LOGGER.info("Offering %s at %s too", record.name, endpoint.base_url)
        elif backend.base_url != endpoint.base_url:
            backend.move(endpoint)
        backend.announce(record)
        member = self._engine.pool.get(_member_id(provider.id))
        if member is None:
            return
        member.priority_override = record.priority + AFTER_OWN
        if not heard or not member.online:
            self._spawn(self._engine.checker.check(member, models=True), "ask")

    async def _drop(self, provider_id: str) -> None:
        if (back := self._discovery.get(provider_id)) is None or not _usable(back):
            await self._remove(provider_id)

    async def _remove(self, provider_id: str) -> None:
        if self._backends.pop(provider_id, None) is not None:
            await self._engine.remove(_member_id(provider_id))
            self._engine.pool.tell(_member_id(provider_id))

    def _spawn(self, coroutine: Coroutine[Any, Any, None], what: str) -> None:
        task = asyncio.get_running_loop().create_task(coroutine, name=f"zeroconf_ai neighbour {what}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _usable(provider: Provider) -> bool:
    return provider.record.auth is Auth.NONE and provider.trust is not Trust.CHANGED


def _member_id(provider_id: str) -> str:
    """What it is called in the pool: no configured id holds a colon, whatever a provider claims to be."""
    return f"lan:{provider_id}"
