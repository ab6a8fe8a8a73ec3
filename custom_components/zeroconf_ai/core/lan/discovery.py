"""`DiscoveryManager`: finds providers on the network and keeps the list up to date.

    async with DiscoveryManager(health_probe=ask_health(session)) as discovery:  # `ask_health` is the engine's
        for provider in await discovery.scan_network():
            print(provider.record.name, provider.base_url, provider.state)

An advertisement is only a hint. A provider that sends a goodbye is removed at once; one that crashes stays in all mDNS caches for
at least 1125 s (python-zeroconf's minimum PTR lifetime), so a health probe decides whether a provider is alive.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
import time
from typing import Self

from zeroconf.asyncio import AsyncZeroconf

from ..protocol.errors import ApiError
from ..protocol.record import Auth, Capability, Cost, Placement, ServiceRecord
from ..protocol.status import Located, ProviderState
from .browser import AdvertisementBrowser
from .providers import ChangeCallback, Provider, ProviderRegistry
from .trust import Trust, TrustStore

SCAN_SECONDS = 2.0
"""The maximum duration of a scan."""
QUIET_SECONDS = 1.5
"""A scan without news for this long ends. Responders may delay a repeated answer by a second (RFC 6762, 6)."""
CACHE_SECONDS = 300.0
"""How long the result of a scan is reused."""
PROBE_SECONDS = 30.0
"""The pause between two probes of all providers."""
FAILURES_UNTIL_OFFLINE = 3
MAX_PARALLEL = 32
"""Maximum number of concurrent probes."""

type HealthProbe = Callable[[ServiceRecord], Awaitable[Located]]
"""Requests the health of a record's provider without a key. Raises ApiError if no address answers."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """Criteria of `select_best_provider`."""

    capabilities: frozenset[Capability] = frozenset()
    model: str | None = None
    free_only: bool = False
    prefer_local: bool = False


class DiscoveryManager:
    """Browses for providers and probes their health. Not thread-safe: all calls come from one event loop."""

    def __init__(
        self,
        zeroconf: AsyncZeroconf | None = None,
        *,
        health_probe: HealthProbe | None = None,
        trust: TrustStore | None = None,
        own_ids: Iterable[str] = (),
    ) -> None:
        """A given `zeroconf` stays open; without one, a new one is created. Without `health_probe`, providers are not probed.

        `own_ids` are advertised by this program and not reported.
        """
        self.registry = ProviderRegistry(trust or TrustStore(), own_ids)
        self._browser = AdvertisementBrowser(
            zeroconf, found=self.registry.put, lost=self.registry.remove, repeated=self.registry.repeated
        )
        self._health_probe = health_probe
        self._limit = asyncio.Semaphore(MAX_PARALLEL)
        self._probing: asyncio.Task[None] | None = None
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
        if self._browser.running:
            return
        await self._browser.start()
        if self._health_probe is not None:
            self._probing = asyncio.get_running_loop().create_task(self._probe_periodically(), name="zeroconf_ai probe")

    async def close(self) -> None:
        """Stop browsing and probing; a given `AsyncZeroconf` stays open."""
        probing, self._probing = self._probing, None
        if probing is not None:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
        await self._browser.close()

    @property
    def running(self) -> bool:
        """Whether browsing is active."""
        return self._browser.running

    @property
    def own_ids(self) -> set[str]:
        """Ids that this program advertises; their providers are not reported."""
        return self.registry.own_ids

    @property
    def kept_ids(self) -> set[str]:
        """Ids of providers in use: a flood of advertisements does not displace them."""
        return self.registry.kept_ids

    @property
    def providers(self) -> list[Provider]:
        """The known providers in order of preference."""
        return self.registry.providers

    def get(self, provider_id: str) -> Provider | None:
        """The advertised provider with an id, or None."""
        return self.registry.get(provider_id)

    def watch_for_changes(self, callback: ChangeCallback) -> Callable[[], None]:
        """Call `callback` on the event loop after every change; returns a function that unsubscribes. Requires `start`."""
        return self.registry.subscribe(callback)

    async def scan_network(self, seconds: float = SCAN_SECONDS, *, force: bool = False) -> list[Provider]:
        """Return the providers on the network, probed for their health if `health_probe` was given.

        Without `force`, the result of a scan in the last five minutes is reused; advertisements keep it up to date.
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

    def record_answer(self, provider_id: str, base_url: str | None) -> None:
        """Record that the provider answered, and at which base URL. Its advertisement is then protected from displacement."""
        self.registry.record_answer(provider_id, base_url)

    async def usable(self, record: ServiceRecord) -> ServiceRecord | None:
        """The record reduced to addresses that may be probed; None if there are none."""
        return await self._browser.usable(record)

    async def probe(self, provider_id: str) -> Provider | None:
        """Probe one provider now. None for an unknown provider; unchanged without `health_probe`."""
        provider = self.registry.get(provider_id)
        if provider is None or self._health_probe is None:
            return provider
        started = time.perf_counter()
        state, error, latency, failures = ProviderState.HEALTHY, None, provider.latency, 0
        try:
            located = await self._health_probe(provider.record)
        except ApiError as err:
            failures = provider.failures + 1
            gone = failures >= FAILURES_UNTIL_OFFLINE or provider.state is None
            state, error = (ProviderState.OFFLINE if gone else provider.state or ProviderState.OFFLINE), err.message
        else:
            latency = time.perf_counter() - started
            if located.health is None:  # reachable, but requires a key
                what = "a client certificate" if provider.record.auth is Auth.MTLS else "an API key"
                state, error = ProviderState.UNAUTHORIZED, f"{provider.record.name} requires {what}"
            elif located.health.status != "ok":
                state = ProviderState.DEGRADED
            self.registry.record_answer(provider_id, located.base_url)
        return self.registry.record_probe(provider_id, state, error=error, latency=latency, failures=failures)

    async def _wait_until_quiet(self) -> None:
        """Wait until no news arrived for QUIET_SECONDS."""
        activity = self.registry.activity
        while True:
            activity.clear()
            try:
                async with asyncio.timeout(QUIET_SECONDS):
                    await activity.wait()
            except TimeoutError:
                return

    async def _probe_all(self) -> None:
        async def probe(provider: Provider) -> None:
            async with self._limit:
                await self.probe(provider.id)

        await asyncio.gather(*map(probe, self.registry.providers))

    async def _probe_periodically(self) -> None:
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            await self._probe_all()


def _may_serve_model(record: ServiceRecord, model: str | None) -> bool:
    """Whether the record lists the model or has an incomplete list."""
    return model is None or model in record.models or record.models_truncated or not record.models
