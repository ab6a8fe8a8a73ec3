"""`DiscoveryManager`: finds providers on the network and keeps the list up to date.

    async with DiscoveryManager(ask=ask_health(session)) as discovery:  # `ask_health` is the engine's
        for provider in await discovery.scan_network():
            print(provider.record.name, provider.base_url, provider.state)

An advertisement is only a hint. A provider that sends a goodbye is removed at once; one that crashes stays in all mDNS caches for
at least 1125 s (python-zeroconf's minimum PTR lifetime), so a health probe decides whether a provider is alive.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
import logging
import time
from typing import Any, Self, override

from zeroconf import DNSQuestionType, IPVersion, RecordUpdate, RecordUpdateListener, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from ..protocol.errors import ApiError
from ..protocol.record import SERVICE_TYPE, SERVICE_TYPES, Auth, Capability, Cost, Placement, RecordError, ServiceRecord
from ..protocol.status import Located, ProviderState
from .advertisements import Advertisements
from .own_host import without_foreign_loopback
from .trust import Trust, TrustStore

_LOGGER = logging.getLogger(__name__)

SCAN_SECONDS = 2.0
"""The maximum duration of a scan."""
QUIET_SECONDS = 1.5
"""A scan without news for this long ends. Responders may delay a repeated answer by a second (RFC 6762, 6)."""
CACHE_SECONDS = 300.0
RESOLVE_MILLISECONDS = 3000
PROBE_SECONDS = 30.0
FAILURES_UNTIL_OFFLINE = 3
MAX_PARALLEL = 32
"""Maximum number of concurrent probes and of concurrent address lookups."""
MAX_RESOLVING = 1024
"""Maximum number of pending address lookups; beyond it the oldest is cancelled until its name is heard again."""


class ChangeKind(StrEnum):
    """The kind of a change."""

    ADDED = "added"
    UPDATED = "updated"
    MOVED = "moved"
    """Its addresses or port changed."""
    HEARD = "heard"
    """It announced itself again, unchanged except for its load."""
    REMOVED = "removed"
    """It sent a goodbye, or its record expired."""
    STATE = "state"
    """The result of its health probe changed."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider: its best advertisement and the result of the latest probe."""

    record: ServiceRecord
    trust: Trust = Trust.NEW
    state: ProviderState | None = None
    """None before the first probe."""
    latency: float | None = None
    """Duration of the last successful probe in seconds."""
    error: str | None = None
    last_seen: float = field(default_factory=time.time)
    failures: int = 0
    answered_at: str | None = None
    """The base URL of its last answer."""
    rivals: tuple[ServiceRecord, ...] = ()
    """Other advertisements of the same id; those from other hosts may be an impostor's."""

    @property
    def records(self) -> tuple[ServiceRecord, ...]:
        """All advertisements, best first."""
        return (self.record, *self.rivals)

    @property
    def id(self) -> str:
        """The advertised identity."""
        return self.record.id

    @property
    def base_url(self) -> str:
        """The base URL to use: the advertised address that answered, else the first one."""
        return self.answered_at if self.answered_at in self.record.urls() else self.record.base_url()


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one provider."""

    kind: ChangeKind
    provider: Provider


@dataclass(frozen=True, slots=True)
class Preferences:
    """Criteria of `select_best_provider`."""

    capabilities: frozenset[Capability] = frozenset()
    model: str | None = None
    free_only: bool = False
    prefer_local: bool = False


type ChangeCallback = Callable[[Change], None]
type HealthProbe = Callable[[ServiceRecord], Awaitable[Located]]
"""Requests the health of a record's provider without a key. Raises ApiError if no address answers."""


class DiscoveryManager:
    """Browses for both service types and merges their records. Not thread-safe: all calls come from one event loop."""

    def __init__(
        self,
        zeroconf: AsyncZeroconf | None = None,
        *,
        ask: HealthProbe | None = None,
        trust: TrustStore | None = None,
        own_ids: Iterable[str] = (),
    ) -> None:
        """A given `zeroconf` stays open; without one, a new one is created. With `ask`, providers are probed for their health.

        `own_ids` are advertised by this program and not reported.
        """
        self.own_ids = set(own_ids)
        self.kept_ids: set[str] = set()
        """Ids of providers in use: a flood of advertisements does not displace them."""
        self._shared_zeroconf = zeroconf
        self._zeroconf: AsyncZeroconf | None = None
        self._health_probe = ask
        self._trust = trust or TrustStore()
        self._browser: AsyncServiceBrowser | None = None
        self._repeat_listener = _RepeatListener(self._on_repeat)
        self._answered: set[str] = set()
        self._records = Advertisements(self._is_known)
        self._limit = asyncio.Semaphore(MAX_PARALLEL)
        self._providers: dict[str, Provider] = {}
        self._callbacks: list[ChangeCallback] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._resolving: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._heard = asyncio.Event()
        self._scanned_at: float | None = None

    async def __aenter__(self) -> Self:
        """Start browsing."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop browsing."""
        await self.close()

    async def start(self) -> None:
        """Start browsing, unless it is running."""
        if self._browser is not None:
            return
        self._zeroconf = self._shared_zeroconf or AsyncZeroconf(ip_version=IPVersion.All)
        self._zeroconf.zeroconf.async_add_listener(self._repeat_listener, None)
        # Multicast questions from the start: if another responder runs on this machine (avahi), it may receive the unicast
        # answers instead.
        self._browser = AsyncServiceBrowser(
            self._zeroconf.zeroconf, list(SERVICE_TYPES), handlers=[self._on_change], question_type=DNSQuestionType.QM
        )
        if self._health_probe is not None:
            self._spawn(self._probe_periodically(), "probe")

    async def close(self) -> None:
        """Stop browsing and probing; a given `AsyncZeroconf` stays open."""
        browser, self._browser = self._browser, None
        if browser is not None and self._zeroconf is not None:
            self._zeroconf.zeroconf.async_remove_listener(self._repeat_listener)
            await browser.async_cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._zeroconf is not None and self._shared_zeroconf is None:
            await self._zeroconf.async_close()
        self._zeroconf = None

    @property
    def running(self) -> bool:
        """Whether browsing is active."""
        return self._browser is not None

    @property
    def providers(self) -> list[Provider]:
        """The known providers in order of preference."""
        return sorted(self._providers.values(), key=_rank)

    def get(self, provider_id: str) -> Provider | None:
        """The advertised provider with an id, or None."""
        return self._providers.get(provider_id)

    async def scan_network(self, seconds: float = SCAN_SECONDS, *, force: bool = False) -> list[Provider]:
        """Return the providers on the network, probed for their health if `ask` was given.

        Without `force`, the result of a scan in the last five minutes is reused; it is kept up to date by announcements.
        """
        await self.start()
        fresh = self._scanned_at is not None and time.monotonic() - self._scanned_at < CACHE_SECONDS
        if force or not fresh:
            deadline = asyncio.get_running_loop().time() + seconds
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._wait_until_quiet()
            await self._probe_all()
            self._scanned_at = time.monotonic()
        return self.providers

    def watch_for_changes(self, callback: ChangeCallback) -> Callable[[], None]:
        """Call `callback` on the event loop after every change; returns a function that unsubscribes. Requires `start`."""
        self._callbacks.append(callback)

        def stop() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return stop

    def filter_by_capabilities(
        self, capabilities: Iterable[Capability], providers: Iterable[Provider] | None = None
    ) -> list[Provider]:
        """The providers that have all `capabilities`."""
        wanted = frozenset(capabilities)
        return [provider for provider in providers or self.providers if wanted <= provider.record.capabilities]

    def select_best_provider(self, preferences: Preferences | None = None) -> Provider | None:
        """The most preferred provider that matches, is not known to be offline and has an unchanged identity, or None."""
        wanted = preferences or Preferences()
        fitting = [
            provider
            for provider in self.filter_by_capabilities(wanted.capabilities)
            if provider.trust is not Trust.CHANGED
            and provider.state in (None, ProviderState.HEALTHY, ProviderState.DEGRADED)
            and (provider.trust is not Trust.MOVED or provider.record.auth is Auth.NONE)
            and (not wanted.free_only or provider.record.cost is Cost.FREE)
            and _may_serve_model(provider.record, wanted.model)
        ]
        if wanted.prefer_local:
            fitting.sort(key=lambda provider: provider.record.placement is not Placement.LOCAL)
        return fitting[0] if fitting else None

    def note_answer(self, provider_id: str, base_url: str | None) -> None:
        """Record that the provider answered, and where. Its advertisement is then protected from displacement."""
        if (provider := self._providers.get(provider_id)) is not None:
            self._answered.add(provider_id)
            self._providers[provider_id] = replace(provider, answered_at=base_url)

    async def usable(self, record: ServiceRecord) -> ServiceRecord | None:
        """The record reduced to addresses that may be probed; None if there are none."""
        if record.addresses and not any(address.is_loopback for address in record.addresses):
            return record
        async with self._limit:
            return await without_foreign_loopback(record)

    async def probe(self, provider_id: str) -> Provider | None:
        """Probe one provider now. None for an unknown provider; unchanged without `ask`."""
        provider = self._providers.get(provider_id)
        if provider is None or self._health_probe is None:
            return provider
        started = time.perf_counter()
        state, error, latency, failures, url = ProviderState.HEALTHY, None, provider.latency, 0, provider.answered_at
        try:
            located = await self._health_probe(provider.record)
            latency, url = time.perf_counter() - started, located.base_url
            if located.health is None:  # reachable, but requires a key
                state, error = ProviderState.UNAUTHORIZED, f"{provider.record.name} requires an API key"
            elif located.health.status != "ok":
                state = ProviderState.DEGRADED
            self.note_answer(provider_id, url)
        except ApiError as err:
            failures = provider.failures + 1
            gone = failures >= FAILURES_UNTIL_OFFLINE or provider.state is None
            state, error = (ProviderState.OFFLINE if gone else provider.state or ProviderState.OFFLINE), err.message
        current = self._providers.get(provider_id)
        if current is None:
            return None
        fresh = replace(current, state=state, error=error, latency=latency, failures=failures, answered_at=url)
        if failures == 0:
            fresh = replace(fresh, last_seen=time.time())
        self._providers[provider_id] = fresh
        if state is not provider.state:
            self._notify(ChangeKind.STATE, fresh)
        return fresh

    def _spawn(self, coroutine: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine, name=f"zeroconf_ai {what}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _wait_until_quiet(self) -> None:
        """Wait until no news arrived for QUIET_SECONDS."""
        while True:
            self._heard.clear()
            try:
                async with asyncio.timeout(QUIET_SECONDS):
                    await self._heard.wait()
            except TimeoutError:
                return

    async def _probe_all(self) -> None:
        async def probe(provider_id: str) -> None:
            async with self._limit:
                await self.probe(provider_id)

        await asyncio.gather(*map(probe, tuple(self._providers)))

    async def _probe_periodically(self) -> None:
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            await self._probe_all()

    def _on_change(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        """Handle an event of the browser. A newer event about a name cancels its pending address lookup."""
        key = (service_type, name)
        if (running := self._resolving.pop(key, None)) is not None:
            running.cancel()
        if state_change is ServiceStateChange.Removed:
            self._forget(key)
            return
        if len(self._resolving) >= MAX_RESOLVING:
            self._resolving.pop(next(iter(self._resolving))).cancel()
        self._resolving[key] = self._spawn(self._resolve(zeroconf, key), f"resolve {name}")
        self._resolving[key].add_done_callback(lambda task: self._resolved(key, task))

    def _resolved(self, key: tuple[str, str], task: asyncio.Task[None]) -> None:
        if self._resolving.get(key) is task:
            del self._resolving[key]

    def _on_repeat(self, service_type: str, name: str) -> None:
        """Handle an unchanged announcement: it only shows that the provider is alive."""
        key = (service_type, name)
        record = self._records.get(key)
        if record is None and key not in self._resolving and self._zeroconf is not None:  # it was displaced
            self._on_change(self._zeroconf.zeroconf, service_type, name, ServiceStateChange.Added)
        provider = self._providers.get(record.id) if record is not None else None
        if provider is not None:
            self._providers[provider.id] = provider = replace(provider, last_seen=time.time())
            self._notify(ChangeKind.HEARD, provider)

    async def _resolve(self, zeroconf: Zeroconf, key: tuple[str, str]) -> None:
        service_type, name = key
        info = AsyncServiceInfo(service_type, name)
        if not info.load_from_cache(zeroconf):
            async with self._limit:
                if not await info.async_request(zeroconf, RESOLVE_MILLISECONDS):
                    _LOGGER.debug("%r was announced without an address", name)
                    return
        if (record := read_info(info)) is None:
            return
        if (record := await self.usable(record)) is None:
            _LOGGER.info("The advertisement of %r is ignored: it has no usable address", name)
            self._forget(key)
            return
        self._remember(key, record)

    def _remember(self, key: tuple[str, str], record: ServiceRecord) -> None:
        if record.id in self.own_ids:
            return
        try:
            displaced = self._records.to_displace(key)
        except OverflowError as err:
            _LOGGER.debug("The advertisement of %r is not stored: %s", record.name, err)
            return
        if displaced is not None:
            self._forget(displaced)
        former_record = self._records.get(key)
        if former_record is not None and former_record.id != record.id:
            self._forget(key)
        self._records.set(key, record)
        self._refresh(record.id)

    def _forget(self, key: tuple[str, str]) -> None:
        record = self._records.pop(key)
        if record is not None:
            self._refresh(record.id)

    def _refresh(self, provider_id: str) -> None:
        """Rebuild a provider from its advertisements (one per service type and host)."""
        records = [record for record in self._records if record.id == provider_id]
        former = self._providers.get(provider_id)
        self._heard.set()
        if not records:
            if former is not None:
                del self._providers[provider_id]
                self._answered.discard(provider_id)
                self._notify(ChangeKind.REMOVED, former)
            return
        # Our own service type has more fields; of two hosts with the same id, the first one wins.
        first_host = former.record.host if former is not None else records[0].host
        best = min(records, key=lambda record: (record.host != first_host, record.service_type != SERVICE_TYPE))
        if any(record.host != best.host for record in records):
            _LOGGER.warning("Several hosts advertise the same id: %s and others as %s", best.host, best.name)
        rivals = tuple(record for record in records if record is not best)
        trust = self._trust.judge(best)
        if former is None:
            self._providers[provider_id] = Provider(best, trust, rivals=rivals)
            self._notify(ChangeKind.ADDED, self._providers[provider_id])
            return
        provider = replace(former, record=best, trust=trust, rivals=rivals, last_seen=time.time())
        self._providers[provider_id] = provider
        moved = (best.addresses, best.port, best.tls) != (former.record.addresses, former.record.port, former.record.tls)
        if moved or _other_base_urls(provider) - _other_base_urls(former):
            self._notify(ChangeKind.MOVED, provider)
        elif (replace(best, load=None), trust) != (replace(former.record, load=None), former.trust):
            self._notify(ChangeKind.UPDATED, provider)
        elif best.load is not former.record.load:
            self._notify(ChangeKind.HEARD, provider)

    def _is_known(self, record: ServiceRecord) -> bool:
        """Whether the record's provider has answered or was confirmed."""
        confirmed = self._trust.judge(record) in (Trust.KNOWN, Trust.MOVED)
        return confirmed or record.id in self._answered or record.id in self.kept_ids

    def _notify(self, kind: ChangeKind, provider: Provider) -> None:
        for callback in tuple(self._callbacks):
            try:
                callback(Change(kind, provider))
            except Exception:
                _LOGGER.exception("A listener for changes of %s failed", provider.record.name)


class _RepeatListener(RecordUpdateListener):
    """Receives announcements that the browser does not report because nothing changed.

    A provider that restarts after a crash announces what all caches still have; this detects it before the next probe.
    """

    def __init__(self, heard: Callable[[str, str], None]) -> None:
        self._heard = heard

    @override
    def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:
        for update in records:
            known, record = update.old, update.new
            if known is not None and record.name in SERVICE_TYPES and not record.is_expired(now):
                self._heard(record.name, getattr(record, "alias", ""))


def read_info(info: AsyncServiceInfo) -> ServiceRecord | None:
    """Parse a resolved service; an invalid one is logged and gives None."""
    try:
        return ServiceRecord.from_txt(
            info.decoded_properties,
            name=info.name.removesuffix(f".{info.type}"),
            host=info.server or "",
            port=info.port,
            addresses=info.parsed_scoped_addresses(IPVersion.All),
            service_type=info.type,
            srv_priority=info.priority,
        )
    except (RecordError, ValueError) as err:
        _LOGGER.info("The advertisement of %r is ignored: %s", info.name, err)
        return None


def _other_base_urls(provider: Provider) -> frozenset[str]:
    """The base URLs that only the rivals advertise."""
    return frozenset(url for rival in provider.rivals for url in rival.base_urls()) - provider.record.base_urls()


def _may_serve_model(record: ServiceRecord, model: str | None) -> bool:
    """Whether the record lists the model or has an incomplete list."""
    return model is None or model in record.models or record.models_truncated or not record.models


def _rank(provider: Provider) -> tuple[bool, int, float, str]:
    unusable = provider.state in (ProviderState.OFFLINE, ProviderState.UNAUTHORIZED)
    return unusable, provider.record.priority, provider.latency or 0.0, provider.record.name
