"""`Upstreams`: keeps an engine's backends as a configuration wants them."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import aiohttp

from ..backends.allowed import AllowedModels
from ..backends.base import Backend
from ..backends.zeroconfai import Endpoint
from ..engine import Engine
from .config import UpstreamConfig


class Upstreams:
    """The configured backends of an engine."""

    def __init__(self, engine: Engine, session: aiohttp.ClientSession) -> None:
        """`session` is shared and stays open."""
        self._engine = engine
        self._session = session
        self._running: dict[str, UpstreamConfig] = {}
        self._lock = asyncio.Lock()

    async def apply(self, wanted: Iterable[UpstreamConfig]) -> None:
        """Make it so, and ask everybody for their models. Running requests stay where they are, unchanged backends too."""
        async with self._lock:
            by_id = {upstream.id: upstream for upstream in wanted}
            for backend_id in self._running.keys() - by_id.keys():
                del self._running[backend_id]
                await self._engine.remove(backend_id)
                self._engine.pool.tell(backend_id)
            await asyncio.gather(*(self._put(upstream) for upstream in by_id.values()))

    async def _put(self, upstream: UpstreamConfig) -> None:
        former = self._running.get(upstream.id)
        self._running[upstream.id] = upstream
        if former is None:
            member = self._engine.add(self._make(upstream))
            await self._engine.checker.check(member, models=True)
        elif former != upstream:
            await self._engine.replace(self._make(upstream))
        elif (known := self._engine.pool.get(upstream.id)) is not None:
            await self._engine.checker.check(known, models=True)

    def _make(self, upstream: UpstreamConfig) -> Backend:
        info = replace(upstream.kind.info(upstream.id, upstream.name), priority=upstream.priority)
        endpoint = Endpoint(upstream.endpoint, upstream.key)
        backend = upstream.kind.make(self._session, info, endpoint, upstream.timeouts)
        return AllowedModels(backend, upstream.models) if upstream.models else backend
