"""`RelayMembers`: the providers of paired connectors as members of the pool."""

import asyncio
from collections.abc import Callable, Coroutine
import logging
from typing import Any, override

import aiohttp

from ..accounting.connectors import ConnectorStore, PairedConnector
from ..accounting.storage.database import DatabaseError
from ..backends.base import BackendInfo, Endpoint
from ..engine import Engine
from ..presence.provider_backend import ProviderBackend
from ..protocol.errors import ApiError
from ..protocol.reasons import CONNECTOR_AWAY
from .hub import RelayHub
from .session import relay_session, relay_url
from .uplink import Uplink

_LOGGER = logging.getLogger(__name__)

POLL_SECONDS = 2.0
"""How soon a connector that another process has removed or disabled is disconnected here."""


class RelayBackend(ProviderBackend):
    """The provider of a connector. It is not at home, wherever that is."""

    @property
    @override
    def home_page(self) -> str | None:
        return None

    @override
    async def leaves_home(self) -> bool:
        return True


def member_id(connector_id: str) -> str:
    """The id in the pool: configured ids contain no colon."""
    return f"relay:{connector_id}"


class RelayMembers:
    """Keeps the pool like the stored connectors, from `start` to `close`."""

    def __init__(self, engine: Engine, hub: RelayHub, store: ConnectorStore) -> None:
        """Nothing is added before `start`."""
        self._engine = engine
        self._hub = hub
        self._store = store
        self._known: dict[str, PairedConnector] = {}
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._stops: dict[str, Callable[[], None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()
        self._stop: Callable[[], None] = lambda: None

    @property
    def connectors(self) -> tuple[PairedConnector, ...]:
        """The stored connectors, as of the last look."""
        return tuple(self._known.values())

    async def start(self) -> None:
        """Add the stored connectors. Raises DatabaseError."""
        self._stop = self._hub.listen(self._on_connector)
        await self.refresh()
        self._spawn(self._poll())

    async def close(self) -> None:
        """Remove all members. The hub is closed before."""
        self._stop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connector_id in tuple(self._sessions):
            await self._remove(connector_id)

    async def refresh(self) -> None:
        """Follow the database now. Raises DatabaseError."""
        async with self._lock:
            found = {connector.id: connector for connector in await self._store.list()}
            for connector_id, former in tuple(self._known.items()):
                connector = found.get(connector_id)
                if connector is None or not connector.enabled:
                    if former.enabled:
                        await self._hub.forget(connector_id)
                    await self._remove(connector_id)
            self._known = found
            for connector in found.values():
                if connector.enabled:
                    await self._add(connector)

    async def _add(self, connector: PairedConnector) -> None:
        known = self._engine.pool.get(member_id(connector.id))
        if known is not None and known.name == connector.name:
            return
        if known is not None:
            await self._remove(connector.id)
        session = self._sessions[connector.id] = relay_session(self._hub.uplink(connector.id))
        info = BackendInfo(member_id(connector.id), connector.name)
        self._engine.add(RelayBackend(session, info, Endpoint(relay_url(connector.id))))
        uplink = self._hub.uplink(connector.id)
        self._stops[connector.id] = uplink.listen(lambda: self._on_uplink(connector.id, uplink))
        self._apply(connector.id, uplink)

    async def _remove(self, connector_id: str) -> None:
        self._stops.pop(connector_id, lambda: None)()
        if (session := self._sessions.pop(connector_id, None)) is not None:
            await self._engine.remove(member_id(connector_id))
            self._engine.pool.notify_state(member_id(connector_id))
            await session.close()

    def _on_connector(self, connector: PairedConnector) -> None:
        """A connector has connected, or says what it offers now."""
        if connector.id in self._known:
            self._spawn(self._check(connector.id))
        else:
            self._spawn(self._look())

    def _on_uplink(self, connector_id: str, uplink: Uplink) -> None:
        self._apply(connector_id, uplink)
        self._spawn(self._record(connector_id))

    def _apply(self, connector_id: str, uplink: Uplink) -> None:
        member = self._engine.pool.get(member_id(connector_id))
        if member is None:
            return
        if uplink.connected:
            self._spawn(self._check(connector_id))
        else:
            self._engine.pool.record_goodbye(member, CONNECTOR_AWAY)

    async def _check(self, connector_id: str) -> None:
        member = self._engine.pool.get(member_id(connector_id))
        if member is not None:
            await self._engine.checker.check(member, models=True)

    async def _record(self, connector_id: str) -> None:
        try:
            await self._store.seen(connector_id)
        except DatabaseError as err:
            _LOGGER.debug("The time of a connector was not stored: %s", err)

    async def _look(self) -> None:
        try:
            await self.refresh()
        except (DatabaseError, ApiError) as err:
            _LOGGER.debug("The connectors cannot be read: %s", err)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self._look()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine, name="zeroconf_ai relay members")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
