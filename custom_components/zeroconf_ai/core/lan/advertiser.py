"""Advertises a provider on the network: `Advertiser` (docs/protocol.md, section 1).

Both service types use the same instance name, so that one provider never looks like two. Times are in seconds.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from dataclasses import replace
import itertools
import logging
from typing import Any, override

from zeroconf import (  # type: ignore[attr-defined]  # DNSService is public in all but `__all__`
    DNSService,
    NonUniqueNameException,
    NotRunningException,
    RecordUpdate,
    RecordUpdateListener,
    ServiceNameAlreadyRegistered,
    Zeroconf,
)
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from ..protocol.record import SATURN_TYPE, SERVICE_TYPE, ServiceRecord
from ..protocol.values import clean

_LOGGER = logging.getLogger(__name__)

TTL = 120
"""The TTL of all records; python-zeroconf's default of 75 minutes for TXT would keep a dead provider that long."""
REFRESH_SECONDS = 55.0
"""All records are announced again before half of their TTL."""
COALESCE_SECONDS = 2.0
"""The minimum interval between two announcements of changes."""
PROBE_MILLISECONDS = 1500
"""How long to wait for an owner of the name to answer: enough for three queries."""
_MAX_NAME_BYTES = 63
_MAX_NAMES = 100


class Advertiser:
    """Advertises one provider from `start` to `close`. Not thread-safe: all calls come from one event loop."""

    def __init__(self, zeroconf: AsyncZeroconf, record: ServiceRecord, *, saturn: bool = True) -> None:
        """`zeroconf` is shared and stays open. `saturn`: also advertise under Saturn's service type with its TXT keys.

        Raises RecordError for an invalid record.
        """
        self._zeroconf = zeroconf
        self._types = (SERVICE_TYPE, SATURN_TYPE) if saturn else (SERVICE_TYPE,)
        self._wanted_name = _instance_name(record.name)
        self._record = replace(record, name=self._wanted_name)
        self._infos = self._service_infos(self._record)
        self._conflict_listener = _NameConflictListener(self)
        self._started = False
        self._renaming = False
        self._announced_at = 0.0
        self._change: asyncio.TimerHandle | None = None
        self._refresh: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Future[None]] = set()

    @property
    def record(self) -> ServiceRecord:
        """The advertised record, with the name that was free."""
        return self._record

    async def start(self) -> None:
        """Find a free name, which takes about 1.5 s, and announce the provider."""
        for name in _names(self._wanted_name):
            self._record = replace(self._record, name=name)
            self._infos = self._service_infos(self._record)
            if await self._is_free() and await self._register():
                break
        else:
            raise NonUniqueNameException(f"{self._wanted_name} and {_MAX_NAMES} variants of it are in use")
        self._started = True
        self._zeroconf.zeroconf.async_add_listener(self._conflict_listener, None)
        self._schedule_refresh()

    def update(self, record: ServiceRecord) -> None:
        """Replace the advertised record except for its name. Announced at once, but at most every 2 s.

        Raises RecordError for an invalid record; the former one stays.
        """
        record = replace(record, name=self._record.name)
        self._service_infos(record)
        if record == self._record:
            return
        self._record = record
        if self._started and self._change is None:
            loop = asyncio.get_running_loop()
            self._change = loop.call_at(max(loop.time(), self._announced_at + COALESCE_SECONDS), self._announce_change)

    async def close(self) -> None:
        """Withdraw the advertisement. May be called twice, and before `start`."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._started:
            self._stop()
            with suppress(NotRunningException):
                goodbyes = [await self._zeroconf.async_unregister_service(info) for info in self._infos]
                await asyncio.gather(*goodbyes)

    def lost_name(self, rival: str) -> None:
        """Rename after a conflict with the host `rival`, which keeps the name."""
        if not self._started or self._renaming:
            return
        self._renaming = True
        _LOGGER.warning("The host %s also uses the name %r; choosing another name", rival, self._record.name)
        self._spawn(self._rename(), "rename")

    def owns(self, name: str, host: str) -> bool:
        """Whether an SRV record causes no conflict: it has another name, or is this provider's own."""
        return name.lower() not in {info.key for info in self._infos} or host.lower() == self._record.host.lower()

    def _service_infos(self, record: ServiceRecord) -> list[AsyncServiceInfo]:
        texts = {SERVICE_TYPE: record.to_txt, SATURN_TYPE: record.to_saturn_txt}
        return [
            AsyncServiceInfo(
                service_type,
                f"{record.name}.{service_type}",
                port=record.port,
                priority=record.priority,
                properties=texts[service_type](),
                server=record.host,
                host_ttl=TTL,
                other_ttl=TTL,
                parsed_addresses=[str(address) for address in record.addresses],
            )
            for service_type in self._types
        ]

    async def _is_free(self) -> bool:
        """Whether no other host uses the name.

        python-zeroconf's own check requests unicast answers. If another responder runs on the same machine (avahi, a second
        provider), only one of the two receives them, so this check uses multicast.
        """
        found = [AsyncServiceInfo(info.type, info.name) for info in self._infos]
        await asyncio.gather(*(info.async_request(self._zeroconf.zeroconf, PROBE_MILLISECONDS) for info in found))
        return all(info.server is None or info.server.lower() == self._record.host.lower() for info in found)

    async def _register(self) -> bool:
        """Register the services under the current name; False if this process has registered the name already."""
        for position, info in enumerate(self._infos):
            try:
                # `cooperating_responders` skips the probe, which `_is_free` has already done for both types at once.
                broadcast = await self._zeroconf.async_register_service(info, cooperating_responders=True)
            except ServiceNameAlreadyRegistered:
                for registered in self._infos[:position]:
                    await (await self._zeroconf.async_unregister_service(registered))
                return False
            self._track(asyncio.ensure_future(broadcast))
        return True

    def _announce_change(self) -> None:
        self._change = None
        self._infos = self._service_infos(self._record)
        for info in self._infos:
            self._spawn(self._update_service(info), "update")
        self._schedule_refresh()

    async def _update_service(self, info: AsyncServiceInfo) -> None:
        await (await self._zeroconf.async_update_service(info))

    def _schedule_refresh(self) -> None:
        loop = asyncio.get_running_loop()
        self._announced_at = loop.time()
        if self._refresh is not None:
            self._refresh.cancel()
        self._refresh = loop.call_later(REFRESH_SECONDS, self._announce_again)

    def _announce_again(self) -> None:
        zeroconf = self._zeroconf.zeroconf
        for info in self._infos:
            zeroconf.async_send(zeroconf.generate_service_broadcast(info, None))
        self._refresh = asyncio.get_running_loop().call_later(REFRESH_SECONDS, self._announce_again)

    async def _rename(self) -> None:
        self._stop()
        for info in self._infos:  # without a goodbye, which would also remove the other host's PTR record from all caches
            self._zeroconf.zeroconf.registry.async_remove(info)
        self._renaming = False
        await self.start()

    def _stop(self) -> None:
        self._started = False
        for handle in (self._change, self._refresh):
            if handle is not None:
                handle.cancel()
        self._change = self._refresh = None
        self._zeroconf.zeroconf.async_remove_listener(self._conflict_listener)

    def _spawn(self, coroutine: Coroutine[Any, Any, None], what: str) -> None:
        self._track(asyncio.get_running_loop().create_task(coroutine, name=f"zeroconf_ai {what} {self._record.name}"))

    def _track(self, task: asyncio.Future[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _NameConflictListener(RecordUpdateListener):
    """Detects another host with the same name, after a simultaneous start or a network partition.

    Both hosts detect it, and the one whose host name sorts later renames (RFC 6762, 9, leaves the choice to the program).
    """

    def __init__(self, advertiser: Advertiser) -> None:
        super().__init__()
        self._advertiser = advertiser

    @override
    def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:
        for update in records:
            record = update.new
            if not isinstance(record, DNSService) or record.ttl == 0 or self._advertiser.owns(record.name, record.server):
                continue
            if record.server.lower() < self._advertiser.record.host.lower():
                self._advertiser.lost_name(record.server)
                return


def _instance_name(name: str) -> str:
    """Convert `name` to an instance name of at most 63 bytes.

    It has no dots, which python-zeroconf treats as label ends, and no control characters, which it refuses.
    """
    return _truncate(" ".join(clean(name.replace(".", " ")).split()), _MAX_NAME_BYTES) or "ZeroConf AI"


def _names(wanted: str) -> Iterator[str]:
    """The wanted name, then "Name (2)", "Name (3)" and so on."""
    yield wanted
    for number in itertools.islice(itertools.count(2), _MAX_NAMES):
        suffix = f" ({number})"
        yield _truncate(wanted, _MAX_NAME_BYTES - len(suffix)) + suffix


def _truncate(text: str, size: int) -> str:
    """Truncate `text` to `size` bytes of UTF-8, at a character boundary."""
    return text.encode()[:size].decode(errors="ignore").strip()
