"""`DiscoveredMembers`: offers the network's providers beside one's own backends."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
import logging
from typing import Any

import aiohttp

from ..backends.base import BackendInfo, Endpoint
from ..backends.identity_probe import IdentityProbe
from ..backends.zeroconfai import ZeroconfAIBackend, endpoint_of_record
from ..engine import Engine
from ..lan.discovery import Change, ChangeKind, DiscoveryManager, Provider
from ..lan.identity import Confirmed, Identification, identify_any
from ..lan.provider_cache import CachedProvider, ProviderCache
from ..lan.reprobe import Reprober
from ..lan.trust import Trust
from ..protocol.errors import ApiError
from ..protocol.record import Auth, ServiceRecord, names_public_host
from ..routing.pool.pool import Member

_LOGGER = logging.getLogger(__name__)

AFTER_OWN = 65536
"""Added to the priority that a provider claims: whoever is on the network comes after the backends that the owner named."""


class DiscoveredMembers:
    """Keeps the providers that a `DiscoveryManager` finds in the engine, from `start` to `close`.

    Those that ask for a key are left out, and those that took another's name. One that is advertised elsewhere is followed by the
    rule of `identity`: no request goes to the new address before the same id answered there, and none answers at the former one.
    """

    def __init__(
        self,
        engine: Engine,
        discovery: DiscoveryManager,
        session: aiohttp.ClientSession,
        remembered: ProviderCache | None = None,
    ) -> None:
        """`discovery` is running, and leaves out this server's own id; it and `session` are shared and stay open.

        Who is `remembered` is tried at the start, heard or not, and offered where the same one answers.
        """
        self._engine = engine
        self._discovery = discovery
        self._session = session
        self._remembered = remembered
        self._backends: dict[str, ZeroconfAIBackend] = {}
        self._confirmed: dict[str, Confirmed] = {}
        """What each provider was taken in with, by its id."""
        self._reprober = Reprober(self._answers, lambda record: self._reprober.discard(record.id))  # then the watch is enough
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop: Callable[[], None] | None = None

    def start(self) -> None:
        """Take in who is known, and who comes."""
        self._stop = self._discovery.watch_for_changes(self._on_change)
        for provider in self._discovery.providers:
            self._take(provider)
        for place in self._remembered.places if self._remembered is not None else ():
            if place.id not in self._backends and place.id not in self._discovery.own_ids:
                self._spawn(self._try(place), "try")

    async def close(self) -> None:
        """Let them go."""
        if self._stop is not None:
            self._stop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._reprober.close()
        for provider_id in tuple(self._backends):
            await self._remove(provider_id)
        if self._remembered is not None:
            await self._remembered.close()

    def _on_change(self, change: Change) -> None:
        provider = change.provider
        if not _usable(provider) and self._remembered is not None:
            self._remembered.forget(provider.id)
        if change.kind is ChangeKind.REMOVED or not _usable(provider):
            self._spawn(self._drop(provider.id), "drop")
        elif change.kind is not ChangeKind.STATE:
            self._take(provider, heard=change.kind is ChangeKind.HEARD)

    def _take(self, provider: Provider, *, heard: bool = False) -> None:
        """Take a provider in, or what is new of it. One that was only heard is asked how it is, if it was gone."""
        if not _usable(provider):
            return
        record = provider.record
        backend = self._backends.get(provider.id)
        if backend is None:
            try:
                endpoint = replace(endpoint_of_record(record), base_url=provider.base_url, key=None)
            except ValueError:
                _LOGGER.warning("The certificate fingerprint of %s is invalid", record.name)
                return
            backend = self._backend(provider.id, record.name, endpoint)
            backend.identity = None if record.id_derived else record.id
            self._offer(provider.id, backend, record.fingerprint)
        elif backend.base_url not in record.base_urls():
            self._spawn(self._follow(backend, provider), "follow")
            return
        self._update(backend, record, heard=heard)

    async def _follow(self, backend: ZeroconfAIBackend, provider: Provider) -> None:
        """Move to another advertised address where that is allowed."""
        found = await self._identify(backend, provider)
        if found is not None and backend.base_url in found.record.base_urls():
            self._update(backend, found.record)
        elif (member := self._engine.pool.get(_member_id(provider.id))) is not None:
            await self._engine.checker.check(member)

    async def _identify(
        self, backend: ZeroconfAIBackend, provider: Provider, *, beyond_confirmed: bool = False
    ) -> Identification | None:
        """What a provider's advertisements are, after the backend was moved where that is allowed. None: it was let go."""
        known = self._confirmed.get(provider.id)
        if known is None:
            return None
        probe = IdentityProbe(self._session, provider.record.name, provider.id)
        found = await identify_any(provider.records, known, probe, beyond_confirmed=beyond_confirmed)
        if self._backends.get(provider.id) is not backend:
            return None
        if found.follow and found.base_url is not None:
            self._confirmed[provider.id] = replace(known, base_url=found.base_url)
            backend.move(replace(backend.endpoint, base_url=found.base_url, public_only=False))
        return found

    def _update(self, backend: ZeroconfAIBackend, record: ServiceRecord, *, heard: bool = False) -> None:
        """Take over what a provider's advertisement at its address says."""
        if self._remembered is not None and not record.id_derived:  # another could not be told from it later
            self._remembered.note(CachedProvider.of(record, backend.base_url))
        backend.announce(record)
        member = self._engine.pool.get(_member_id(record.id))
        if member is None:
            return
        member.priority_override = record.priority + AFTER_OWN
        if not heard or not member.online:
            self._spawn(self._ask(member, record), "ask")

    async def _ask(self, member: Member, record: ServiceRecord) -> None:
        """Ask how it is; one that announces itself before it listens is asked again soon."""
        await self._engine.checker.check(member, models=True)
        if not member.online and record.id in self._backends:
            self._reprober.add(record)

    async def _answers(self, record: ServiceRecord) -> bool:
        """Whether it answers now, or is not offered any more."""
        member = self._engine.pool.get(_member_id(record.id))
        if member is None:
            return True
        await self._engine.checker.check(member, models=True)
        return member.online

    async def _try(self, place: CachedProvider) -> None:
        """Offer one that was there before, if it still is and nobody has heard of it by then."""
        endpoint = Endpoint(place.base_url, public_only=names_public_host(place.base_url))
        backend = self._backend(place.id, place.name, endpoint)
        backend.identity = place.id
        try:
            await backend.health()
        except ApiError as err:
            _LOGGER.info("%s is not at %s any more: %s", place.name, place.base_url, err.log_text)
            return
        if backend.answered_as != place.id or place.id in self._backends:
            return
        member = self._offer(place.id, backend, None)
        member.priority_override = place.priority + AFTER_OWN
        await self._engine.checker.check(member, models=True)

    def _backend(self, provider_id: str, name: str, endpoint: Endpoint) -> ZeroconfAIBackend:
        return ZeroconfAIBackend(self._session, BackendInfo(_member_id(provider_id), name), endpoint)

    def _offer(self, provider_id: str, backend: ZeroconfAIBackend, fingerprint: str | None) -> Member:
        self._backends[provider_id] = backend
        self._confirmed[provider_id] = Confirmed(
            provider_id, backend.base_url, fingerprint, public_only=backend.endpoint.public_only
        )
        backend.relocate = partial(self._relocate, provider_id, backend)
        _LOGGER.info("Offering %s at %s too", backend.info.name, backend.base_url)
        return self._engine.add(backend)

    async def _relocate(self, provider_id: str, backend: ZeroconfAIBackend) -> bool:
        """Move the backend to the advertised address that answers, if that is another one."""
        provider = self._discovery.get(provider_id)
        if provider is None:
            return False
        found = await self._identify(backend, provider, beyond_confirmed=True)
        return found is not None and found.follow

    async def _drop(self, provider_id: str) -> None:
        if (back := self._discovery.get(provider_id)) is None or not _usable(back):
            await self._remove(provider_id)

    async def _remove(self, provider_id: str) -> None:
        self._confirmed.pop(provider_id, None)
        self._reprober.discard(provider_id)
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
