"""`DiscoveredMembers`: adds discovered providers to the pool beside the configured backends."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
import logging
from ssl import SSLContext
from typing import TYPE_CHECKING, Any

import aiohttp

from ..backends.base import BackendInfo, Endpoint
from ..backends.identity_probe import IdentityProbe, confirmed_key
from ..backends.zeroconfai import endpoint_of_record, fingerprint_ssl
from ..engine import Engine
from ..lan.discovery import DiscoveryManager
from ..lan.identity import MAX_RECORDS, Confirmed, Identification, identify_any
from ..lan.provider_cache import CachedProvider, ProviderCache
from ..lan.providers import Change, ChangeKind, Provider
from ..lan.reprobe import Reprober
from ..lan.trust import Trust
from ..protocol.errors import ApiError, CertificateError
from ..protocol.record import Auth, ServiceRecord, names_public_host
from ..routing.pool.member import Member
from .household_access import HouseholdAccess
from .provider_backend import ProviderBackend

if TYPE_CHECKING:
    from ..backends.enrolments import Enrolment
    from .own_certificates import OwnCertificates

_LOGGER = logging.getLogger(__name__)

DISCOVERED_PRIORITY_OFFSET = 65536
"""Added to a provider's advertised priority, so that discovered providers come after configured backends."""


class DiscoveredMembers:
    """Adds the providers of a `DiscoveryManager` to the engine, from `start` to `close`.

    Providers that require a key or use another provider's name are ignored. Those of the household need none: they are added
    when they have proved the household token that they advertise. A provider at a new address is followed by the rules
    of `identity`: no request goes there before the same id answered there and no longer at the former address.
    """

    def __init__(
        self,
        engine: Engine,
        discovery: DiscoveryManager,
        session: aiohttp.ClientSession,
        remembered: ProviderCache | None = None,
        household: HouseholdAccess | None = None,
        certificates: "OwnCertificates | None" = None,
    ) -> None:
        """`discovery` must be running and exclude this server's own id; it and `session` are shared and stay open.

        Providers in the cache `remembered` are probed at the start and added if the same id answers. `household`: also add its
        providers. `certificates`: also add the providers that know this client by one.
        """
        self._engine = engine
        self._discovery = discovery
        self._session = session
        self._provider_cache = remembered
        self._household = household
        self._certificates = certificates
        self._backends: dict[str, ProviderBackend] = {}
        self._confirmed: dict[str, Confirmed] = {}
        """The properties with which each provider was added, by id."""
        self._reprober = Reprober(self._answers, lambda record: self._reprober.discard(record.id))  # the health loop goes on
        self._tasks: set[asyncio.Task[object]] = set()
        self._stops: list[Callable[[], None]] = []

    def start(self) -> None:
        """Add the known providers and listen for changes."""
        self._stops.append(self._discovery.watch_for_changes(self._on_change))
        if self._certificates is not None:
            self._stops.append(self._certificates.listen(self._on_certificate))
        for provider in self._discovery.providers:
            self._add_or_update(provider)
        for cached in self._provider_cache.providers if self._provider_cache is not None else ():
            if cached.id not in self._backends and cached.id not in self._discovery.own_ids:
                self._spawn(self._try_cached(cached), "try")

    async def close(self) -> None:
        """Remove all discovered providers."""
        while self._stops:
            self._stops.pop()()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._reprober.close()
        for provider_id in tuple(self._backends):
            await self._remove(provider_id)
        if self._provider_cache is not None:
            await self._provider_cache.close()

    def _on_change(self, change: Change) -> None:
        provider = change.provider
        if not _open(provider) and self._provider_cache is not None:
            self._provider_cache.forget(provider.id)
        if change.kind is ChangeKind.REMOVED or not self._usable(provider):
            self._spawn(self._remove_unless_usable(provider.id), "drop")
        elif change.kind is not ChangeKind.STATE:
            self._add_or_update(provider, heard=change.kind is ChangeKind.HEARD)

    def _add_or_update(self, provider: Provider, *, heard: bool = False) -> None:
        """Add or update a provider. After an unchanged announcement (`heard`) it is checked only if it was offline."""
        if not self._usable(provider):
            return
        record = provider.record
        backend = self._backends.get(provider.id)
        if backend is None and not _open(provider):
            self._spawn(self._admit(provider), "admit")
            return
        if backend is None:
            try:
                endpoint = replace(endpoint_of_record(record), base_url=provider.base_url, key=None)
            except ValueError:
                _LOGGER.warning("The certificate fingerprint of %s is invalid", record.name)
                return
            backend = self._backend(provider.id, record.name, endpoint)
            backend.identity = None if record.id_derived else record.id
            self._offer(provider.id, backend, record.fingerprint)
        elif backend.base_url not in record.base_urls() or self._confirmed[provider.id].fingerprint != record.fingerprint:
            self._spawn(self._follow(backend, provider), "follow")
            return
        self._update(backend, record, heard=heard)

    async def _follow(self, backend: ProviderBackend, provider: Provider) -> None:
        """Switch the backend to another advertised address if `identity` allows it."""
        found = await self._identify(backend, provider)
        if found is not None and backend.base_url in found.record.base_urls():
            self._update(backend, found.record)
        elif (member := self._engine.pool.get(_member_id(provider.id))) is not None:
            await self._engine.checker.check(member)

    async def _identify(
        self, backend: ProviderBackend, provider: Provider, *, beyond_confirmed: bool = False
    ) -> Identification | None:
        """Identify a provider and switch its backend if allowed; None if the backend was removed in the meantime."""
        known = self._confirmed.get(provider.id)
        if known is None:
            return None
        key = backend.key
        if key is not None and self._household is not None and (opening := self._household.opening(provider.records)) is not None:
            key = self._household.token(opening)
        probe = IdentityProbe(self._session, provider.record.name, provider.id, key)
        found = await identify_any(provider.records, known, probe, beyond_confirmed=beyond_confirmed)
        if self._backends.get(provider.id) is not backend:
            return None
        if found.follow and found.base_url is not None:
            pin = found.fingerprint or known.fingerprint
            ssl = backend.endpoint.ssl if found.fingerprint is None else fingerprint_ssl(found.fingerprint)
            if self._certificates is not None and isinstance(backend.endpoint.ssl, SSLContext):
                held = await self._certificates.move(provider.id, base_url=found.base_url, pin=found.fingerprint)
                ssl = backend.endpoint.ssl if held is None else held.context
            self._confirmed[provider.id] = replace(known, base_url=found.base_url, fingerprint=pin)
            backend.move(replace(backend.endpoint, base_url=found.base_url, key=key, ssl=ssl, public_only=False))
        return found

    def _update(self, backend: ProviderBackend, record: ServiceRecord, *, heard: bool = False) -> None:
        """Update the backend and its member from the provider's advertisement."""
        if (
            self._provider_cache is not None and record.auth is Auth.NONE and not record.id_derived
        ):  # a derived id cannot be verified later
            self._provider_cache.put(CachedProvider.of(record, backend.base_url))
        backend.update_record(record)
        member = self._engine.pool.get(_member_id(record.id))
        if member is None:
            return
        member.priority_override = record.priority + DISCOVERED_PRIORITY_OFFSET
        if not heard or not member.online:
            self._spawn(self._check(member, record), "ask")
        elif backend.key is not None:
            self._spawn(self._renew(record.id, backend), "renew")

    async def _admit(self, provider: Provider) -> bool:
        """Add a provider of the household at the first address that proves its token; returns whether it is added."""
        if self._certificates is not None and self._certificates.of(provider.id) is not None:
            return await self._admit_enrolled(provider, self._certificates)
        for record in provider.records[:MAX_RECORDS]:
            if (endpoint := await self._proven(record)) is None:
                continue
            if record.id not in self._backends and self._discovery.get(record.id) is not None:
                backend = self._backend(record.id, record.name, endpoint)
                backend.identity = record.id
                backend.renew_key_by(partial(self._renew, record.id, backend))
                self._offer(record.id, backend, record.fingerprint)
                self._update(backend, record)
            return True
        _LOGGER.info("%s does not prove its household token at an advertised address, and is not used", provider.record.name)
        self._reprober.add(provider.record)
        return False

    async def _proven(self, record: ServiceRecord) -> Endpoint | None:
        """The first advertised address that proves the household token of the advertisement, with this token; else None."""
        household = self._household
        if household is None or household.opening((record,)) is None:
            return None
        try:
            advertised = endpoint_of_record(record)
        except ValueError:
            _LOGGER.warning("The certificate fingerprint of %s is invalid", record.name)
            return None
        for base_url in record.urls():
            endpoint = replace(advertised, base_url=base_url, key=None)
            if (token := await household.proven_token(record, endpoint)) is not None:
                return replace(endpoint, key=token)
        return None

    async def _admit_enrolled(self, provider: Provider, certificates: "OwnCertificates") -> bool:
        """Add a provider that knows this client by a certificate, if its own one is the pinned one; returns True in any case."""
        try:
            found = await certificates.locate(provider)
        except (CertificateError, OSError) as err:
            _LOGGER.warning("%s", err)
            return True  # probing it again would not help
        if found is not None and provider.id not in self._backends and self._discovery.get(provider.id) is not None:
            record, held = found
            backend = self._backend(provider.id, record.name, Endpoint(held.enrolment.base_url, ssl=held.context))
            backend.identity = provider.id
            self._offer(provider.id, backend, held.enrolment.pin)
            self._update(backend, record)
        return True

    def _on_certificate(self, enrolment: "Enrolment") -> None:
        """Use a new or renewed certificate from the next connection on."""
        backend, provider = self._backends.get(enrolment.provider_id), self._discovery.get(enrolment.provider_id)
        held = None if self._certificates is None else self._certificates.of(enrolment.provider_id)
        if backend is not None and held is not None and isinstance(backend.endpoint.ssl, SSLContext):
            backend.move(replace(backend.endpoint, ssl=held.context))
        elif provider is not None and backend is None:
            self._add_or_update(provider)

    async def _renew(self, provider_id: str, backend: ProviderBackend) -> bool:
        """Use the newest token of a provider of the household; returns whether it is another one than before."""
        provider = self._discovery.get(provider_id)
        if provider is None or self._household is None or self._backends.get(provider_id) is not backend:
            return False
        record = self._household.opening(provider.records) or provider.record
        return await self._household.renew(backend, record)

    async def _check(self, member: Member, record: ServiceRecord) -> None:
        """Check a member's health; one that is still offline is probed again soon."""
        if (backend := self._backends.get(record.id)) is not None and backend.key is not None:
            await self._renew(record.id, backend)
        await self._engine.checker.check(member, models=True)
        if not member.online and record.id in self._backends:
            self._reprober.add(record)

    async def _answers(self, record: ServiceRecord) -> bool:
        """Whether probing can end: the provider answers or was removed."""
        member = self._engine.pool.get(_member_id(record.id))
        if member is None:
            provider = self._discovery.get(record.id)
            return provider is None or not self._usable(provider) or await self._admit(provider)
        await self._engine.checker.check(member, models=True)
        return member.online

    async def _try_cached(self, cached: CachedProvider) -> None:
        """Add a cached provider if the same id still answers and discovery has not added it by then."""
        endpoint = Endpoint(cached.base_url, public_only=names_public_host(cached.base_url))
        backend = self._backend(cached.id, cached.name, endpoint)
        backend.identity = cached.id
        try:
            await backend.health()
        except ApiError as err:
            _LOGGER.info("The cached provider %s does not answer at %s: %s", cached.name, cached.base_url, err.log_text)
            return
        if backend.answered_as != cached.id or cached.id in self._backends:
            return
        member = self._offer(cached.id, backend, None)
        member.priority_override = cached.priority + DISCOVERED_PRIORITY_OFFSET
        await self._engine.checker.check(member, models=True)

    def _backend(self, provider_id: str, name: str, endpoint: Endpoint) -> ProviderBackend:
        return ProviderBackend(self._session, BackendInfo(_member_id(provider_id), name), endpoint)

    def _offer(self, provider_id: str, backend: ProviderBackend, fingerprint: str | None) -> Member:
        self._backends[provider_id] = backend
        self._confirmed[provider_id] = Confirmed(
            provider_id,
            backend.base_url,
            fingerprint,
            public_only=backend.endpoint.public_only,
            **confirmed_key(backend.key),
        )
        backend.relocate = partial(self._relocate, provider_id, backend)
        _LOGGER.info("Added the discovered provider %s at %s", backend.info.name, backend.base_url)
        return self._engine.add(backend)

    async def _relocate(self, provider_id: str, backend: ProviderBackend) -> bool:
        """Switch the backend to another advertised address that answers; returns whether it did."""
        provider = self._discovery.get(provider_id)
        if provider is None:
            return False
        found = await self._identify(backend, provider, beyond_confirmed=True)
        return found is not None and found.follow

    async def _remove_unless_usable(self, provider_id: str) -> None:
        if (back := self._discovery.get(provider_id)) is None or not self._usable(back):
            await self._remove(provider_id)

    async def _remove(self, provider_id: str) -> None:
        self._confirmed.pop(provider_id, None)
        self._reprober.discard(provider_id)
        if self._backends.pop(provider_id, None) is not None:
            await self._engine.remove(_member_id(provider_id))
            self._engine.pool.notify_state(_member_id(provider_id))

    def _usable(self, provider: Provider) -> bool:
        """Whether a provider needs no key, or advertises a token that our household can open."""
        if _open(provider) or (self._certificates is not None and self._certificates.of(provider.id) is not None):
            return True
        household = self._household
        if household is None or provider.trust is Trust.CHANGED:
            return False
        return household.opening(provider.records) is not None or household.opens(provider.record)

    def _spawn(self, coroutine: Coroutine[Any, Any, object], what: str) -> None:
        task = asyncio.get_running_loop().create_task(coroutine, name=f"zeroconf_ai discovered {what}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _open(provider: Provider) -> bool:
    """Whether a provider needs no key."""
    return provider.record.auth is Auth.NONE and provider.trust is not Trust.CHANGED


def _member_id(provider_id: str) -> str:
    """The id in the pool: configured ids contain no colon, so a provider cannot impersonate one."""
    return f"lan:{provider_id}"
