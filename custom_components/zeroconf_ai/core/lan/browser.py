"""`AdvertisementBrowser`: browses for both service types by mDNS and resolves what it hears to service records."""

import asyncio
from collections.abc import Callable, Coroutine
import logging
from typing import Any, override

from zeroconf import DNSQuestionType, IPVersion, RecordUpdate, RecordUpdateListener, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from ..protocol.addresses import unmapped
from ..protocol.record import SERVICE_TYPES, RecordError, ServiceRecord
from .advertisements import Key
from .own_host import without_foreign_loopback

_LOGGER = logging.getLogger(__name__)

RESOLVE_MILLISECONDS = 3000
MAX_PARALLEL = 32
"""Maximum number of concurrent address lookups."""
MAX_RESOLVING = 1024
"""Maximum number of pending address lookups; beyond it the oldest is cancelled until its name is heard again."""


class AdvertisementBrowser:
    """Browses from `start` to `close`. Not thread-safe: all calls come from one event loop."""

    def __init__(
        self,
        zeroconf: AsyncZeroconf | None,
        *,
        found: Callable[[Key, ServiceRecord], None],
        lost: Callable[[Key], None],
        repeated: Callable[[Key], bool],
    ) -> None:
        """A given `zeroconf` stays open; without one, a new one is created.

        `found` receives new and changed advertisements, `lost` those that ended or have no usable address. `repeated` is called
        after an unchanged advertisement and returns False to have it resolved again.
        """
        self._shared_zeroconf = zeroconf
        self._zeroconf: AsyncZeroconf | None = None
        self._found = found
        self._lost = lost
        self._repeated = repeated
        self._browser: AsyncServiceBrowser | None = None
        self._repeat_listener = _RepeatListener(self._on_repeat)
        self._limit = asyncio.Semaphore(MAX_PARALLEL)
        self._tasks: set[asyncio.Task[None]] = set()
        self._resolving: dict[Key, asyncio.Task[None]] = {}

    @property
    def running(self) -> bool:
        """Whether browsing is active."""
        return self._browser is not None

    async def start(self) -> None:
        """Start browsing."""
        self._zeroconf = self._shared_zeroconf or AsyncZeroconf(ip_version=IPVersion.All)
        self._zeroconf.zeroconf.async_add_listener(self._repeat_listener, None)
        # Multicast questions from the start: if another responder runs on this machine (avahi), it may receive the unicast
        # answers instead.
        self._browser = AsyncServiceBrowser(
            self._zeroconf.zeroconf, list(SERVICE_TYPES), handlers=[self._on_change], question_type=DNSQuestionType.QM
        )

    async def close(self) -> None:
        """Stop browsing and all address lookups. May be called twice."""
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

    async def usable(self, record: ServiceRecord) -> ServiceRecord | None:
        """The record reduced to addresses that may be probed; None if there are none."""
        if record.addresses and not any(unmapped(address).is_loopback for address in record.addresses):
            return record
        async with self._limit:
            return await without_foreign_loopback(record)

    def _on_change(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        """Handle an event of the browser. A newer event about a name cancels its pending address lookup."""
        key = (service_type, name)
        if (running := self._resolving.pop(key, None)) is not None:
            running.cancel()
        if state_change is ServiceStateChange.Removed:
            self._lost(key)
            return
        if len(self._resolving) >= MAX_RESOLVING:
            self._resolving.pop(next(iter(self._resolving))).cancel()
        self._resolving[key] = self._spawn(self._resolve(zeroconf, key), f"resolve {name}")
        self._resolving[key].add_done_callback(lambda task: self._resolved(key, task))

    def _resolved(self, key: Key, task: asyncio.Task[None]) -> None:
        if self._resolving.get(key) is task:
            del self._resolving[key]

    def _on_repeat(self, service_type: str, name: str) -> None:
        """Handle an unchanged advertisement: it only shows that the provider is alive."""
        key = (service_type, name)
        if not self._repeated(key) and key not in self._resolving and self._zeroconf is not None:  # it was displaced
            self._on_change(self._zeroconf.zeroconf, service_type, name, ServiceStateChange.Added)

    async def _resolve(self, zeroconf: Zeroconf, key: Key) -> None:
        service_type, name = key
        info = AsyncServiceInfo(service_type, name)
        if not info.load_from_cache(zeroconf):
            async with self._limit:
                if not await info.async_request(zeroconf, RESOLVE_MILLISECONDS):
                    _LOGGER.debug("%r was advertised without an address", name)
                    return
        if (record := read_info(info)) is None:
            return
        if (record := await self.usable(record)) is None:
            _LOGGER.info("The advertisement of %r is ignored: it has no usable address", name)
            self._lost(key)
            return
        self._found(key, record)

    def _spawn(self, coroutine: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine, name=f"zeroconf_ai {what}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _RepeatListener(RecordUpdateListener):
    """Receives advertisements that the browser does not report because nothing changed.

    A provider that restarts after a crash advertises what all caches still have; this detects it before the next probe.
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
