"""`ConfiguredMembers`: applies a configuration to an engine's backends."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import aiohttp

from ..accounting.prices.price_book import PriceBook
from ..backends.base import Endpoint
from ..backends.catalogue import Catalogue
from ..engine import Engine
from ..routing.policy import Terms
from ..routing.pool.member import Member
from .backend_config import BackendConfig


def make_backend(upstream: BackendConfig, session: aiohttp.ClientSession) -> Catalogue:
    """Create a backend from its configuration, without network requests. `session` is shared and stays open."""
    backend_type = upstream.type if upstream.health_path is None else upstream.type.with_health_path(upstream.health_path)
    key, headers = upstream.key, dict(upstream.headers)
    if upstream.key_header is not None and key is not None:
        scheme = "Bearer " if upstream.key_header.lower() == "authorization" else ""
        headers[upstream.key_header], key = f"{scheme}{key}", None
    endpoint = Endpoint(upstream.endpoint, key, upstream.verify_ssl, headers)
    info = backend_type.info(upstream.id, upstream.name)
    return Catalogue(backend_type.make(session, info, endpoint, timeouts=upstream.timeouts), upstream.wishes)


class ConfiguredMembers:
    """The configured backends of an engine."""

    def __init__(self, engine: Engine, session: aiohttp.ClientSession, prices: PriceBook | None = None) -> None:
        """`session` is shared and stays open; `prices` may be shared too."""
        self._engine = engine
        self._session = session
        self._prices = prices or PriceBook()
        self._running: dict[str, tuple[BackendConfig, Catalogue]] = {}
        self._lock = asyncio.Lock()

    async def apply(self, wanted: Iterable[BackendConfig]) -> None:
        """Add, change and remove backends as configured, and check all of them. Running requests are not interrupted.

        A backend is recreated only if its connection settings change; all other settings are updated in place.
        """
        async with self._lock:
            by_id = {upstream.id: upstream for upstream in wanted}
            for backend_id in self._running.keys() - by_id.keys():
                await self._remove(backend_id)
            await asyncio.gather(*(self._put(upstream) for upstream in by_id.values()))

    async def _put(self, upstream: BackendConfig) -> None:
        former, backend = self._running.get(upstream.id, (None, None))
        member = self._engine.pool.get(upstream.id)
        if former is None or backend is None or member is None:
            await self._add(upstream)
        elif former == upstream:
            if member.enabled:
                await self._engine.checker.check(member, models=True)
        elif _connection_settings(former) == _connection_settings(upstream):
            self._running[upstream.id] = upstream, backend
            await self._update_in_place(member, upstream, backend)
        elif upstream.enabled:
            backend = make_backend(upstream, self._session)
            self._running[upstream.id] = upstream, backend
            await self._engine.replace(backend, await self._terms(upstream))
        else:  # `replace` would check a disabled backend
            await self._remove(upstream.id)
            await self._add(upstream)

    async def _add(self, upstream: BackendConfig) -> None:
        backend = make_backend(upstream, self._session)
        self._running[upstream.id] = upstream, backend
        member = self._engine.add(backend, await self._terms(upstream))
        member.enabled = upstream.enabled
        if member.enabled:
            await self._engine.checker.check(member, models=True)

    async def _update_in_place(self, member: Member, upstream: BackendConfig, backend: Catalogue) -> None:
        terms = await self._terms(upstream)
        backend.wishes = upstream.wishes
        member.terms = terms
        member.limiter.queue_length = member.terms.queue_length
        member.update_slots()
        member.enabled = upstream.enabled
        if member.enabled:
            await self._engine.checker.check(member, models=True)
        self._engine.pool.notify_state(upstream.id)

    async def _terms(self, upstream: BackendConfig) -> Terms:
        """The routing terms, with the list prices if there are any."""
        listed = await self._prices.lookup(upstream.type.price_list, upstream.endpoint)
        if listed is None:
            return upstream.terms
        aliases = upstream.aliases
        return replace(upstream.terms, listed=lambda model: listed(aliases.get(model, model)))

    async def _remove(self, backend_id: str) -> None:
        del self._running[backend_id]
        await self._engine.remove(backend_id)
        self._engine.pool.notify_state(backend_id)


def _connection_settings(upstream: BackendConfig) -> BackendConfig:
    """The configuration reduced to its connection settings."""
    return replace(
        BackendConfig(upstream.id, upstream.name, upstream.type, upstream.endpoint, upstream.key),
        timeouts=upstream.timeouts,
        headers=upstream.headers,
        key_header=upstream.key_header,
        verify_ssl=upstream.verify_ssl,
        health_path=upstream.health_path,
    )
