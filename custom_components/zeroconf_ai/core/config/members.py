"""`ConfiguredMembers`: applies a configuration to an engine's backends."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from ssl import SSLContext

import aiohttp

from ..accounting.prices.price_book import PriceBook
from ..backends.base import Endpoint
from ..backends.catalogue import Catalogue
from ..backends.ollama.backend import OllamaOptions
from ..engine import Engine
from ..routing.policy import Terms
from ..routing.pool.member import Member
from .backend_config import BackendConfig

_AT_ONCE = 64
"""How many backends are added and checked at a time."""


type TlsAt = Callable[[str], SSLContext | None]
"""The TLS context of an address at which this client has a certificate; None for any other one."""


def make_backend(config: BackendConfig, session: aiohttp.ClientSession, tls_at: TlsAt = lambda _: None) -> Catalogue:
    """Create a backend from its configuration, without network requests. `session` is shared and stays open."""
    backend_type = config.type if config.health_path is None else config.type.with_health_path(config.health_path)
    backend_type = backend_type.with_options(OllamaOptions(num_ctx=config.num_ctx, keep_alive=config.keep_alive))
    key, headers = config.key, dict(config.headers)
    if config.key_header is not None and key is not None:
        scheme = "Bearer " if config.key_header.lower() == "authorization" else ""
        headers[config.key_header], key = f"{scheme}{key}", None
    endpoint = Endpoint(config.endpoint, key, tls_at(config.endpoint) or config.verify_ssl, headers)
    info = backend_type.info(config.id, config.name)
    return Catalogue(backend_type.make(session, info, endpoint, timeouts=config.timeouts), config.backend_overrides)


class ConfiguredMembers:
    """The configured backends of an engine."""

    def __init__(
        self,
        engine: Engine,
        session: aiohttp.ClientSession,
        prices: PriceBook | None = None,
        tls_at: TlsAt = lambda _: None,
    ) -> None:
        """`session` is shared and stays open; `prices` may be shared too."""
        self._engine = engine
        self._session = session
        self._prices = prices or PriceBook()
        self._tls_at = tls_at
        self._running: dict[str, tuple[BackendConfig, Catalogue]] = {}
        self._lock = asyncio.Lock()

    async def apply(self, wanted: Iterable[BackendConfig]) -> None:
        """Add, change and remove backends as configured, and check all of them. Running requests are not interrupted.

        A backend is recreated only if its connection settings change; all other settings are updated in place.
        """
        async with self._lock:
            by_id = {config.id: config for config in wanted}
            for backend_id in self._running.keys() - by_id.keys():
                await self._remove(backend_id)
            waiting = iter(by_id.values())
            await asyncio.gather(*(self._put_all(waiting) for _ in range(min(_AT_ONCE, len(by_id)))))

    async def reconnect(self, is_meant: Callable[[str], bool]) -> None:
        """Use another TLS context for the backends at the addresses that are meant. Running requests are not interrupted."""
        async with self._lock:
            for config, _ in [*self._running.values()]:
                if config.enabled and is_meant(config.endpoint):
                    backend = make_backend(config, self._session, self._tls_at)
                    self._running[config.id] = config, backend
                    await self._engine.replace(backend, await self._terms(config, backend))

    async def _put_all(self, waiting: Iterator[BackendConfig]) -> None:
        """Put one after the other while there are any; several of these share the iterator."""
        for config in waiting:
            await self._put(config)

    async def _put(self, config: BackendConfig) -> None:
        former, backend = self._running.get(config.id, (None, None))
        member = self._engine.pool.get(config.id)
        if former is None or backend is None or member is None:
            await self._add(config)
        elif former == config:
            if member.enabled:
                await self._engine.checker.check(member, models=True)
        elif _connection_settings(former) == _connection_settings(config):
            self._running[config.id] = config, backend
            await self._update_in_place(member, config, backend)
        elif config.enabled:
            backend = make_backend(config, self._session, self._tls_at)
            self._running[config.id] = config, backend
            await self._engine.replace(backend, await self._terms(config, backend))
        else:  # `replace` would check a disabled backend
            await self._remove(config.id)
            await self._add(config)

    async def _add(self, config: BackendConfig) -> None:
        backend = make_backend(config, self._session, self._tls_at)
        self._running[config.id] = config, backend
        member = self._engine.add(backend, await self._terms(config, backend))
        member.enabled = config.enabled
        if member.enabled:
            await self._engine.checker.check(member, models=True)

    async def _update_in_place(self, member: Member, config: BackendConfig, backend: Catalogue) -> None:
        terms = await self._terms(config, backend)
        backend.overrides = config.backend_overrides
        member.terms = terms
        member.limiter.queue_length = member.terms.queue_length
        member.update_slots()
        member.enabled = config.enabled
        if member.enabled:
            await self._engine.checker.check(member, models=True)
        self._engine.pool.notify_state(config.id)

    async def _terms(self, config: BackendConfig, backend: Catalogue) -> Terms:
        """The routing terms, with the list prices if there are any; gives the backend what the list says of its models."""
        backend.describe = await self._prices.describe(config.type.price_list, config.endpoint)
        listed = await self._prices.lookup(config.type.price_list, config.endpoint)
        if listed is None:
            return config.terms
        aliases = config.aliases
        return replace(config.terms, listed=lambda model: listed(aliases.get(model, model)))

    async def _remove(self, backend_id: str) -> None:
        del self._running[backend_id]
        await self._engine.remove(backend_id)
        self._engine.pool.notify_state(backend_id)


def _connection_settings(config: BackendConfig) -> BackendConfig:
    """The configuration reduced to its connection settings."""
    return replace(
        BackendConfig(config.id, config.name, config.type, config.endpoint, config.key),
        timeouts=config.timeouts,
        headers=config.headers,
        key_header=config.key_header,
        verify_ssl=config.verify_ssl,
        health_path=config.health_path,
        num_ctx=config.num_ctx,
        keep_alive=config.keep_alive,
    )
