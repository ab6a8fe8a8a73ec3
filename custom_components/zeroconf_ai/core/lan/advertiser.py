"""Advertises a provider on the network: `Advertiser` (docs/protocol.md, section 1).

Both service types carry the same name, so that one provider never looks like two. Times are seconds.
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

_LOGGER = logging.getLogger(__name__)

TTL = 120
"""Of all records; python-zeroconf's own 75 minutes for TXT would keep a dead provider that long."""
REFRESH_SECONDS = 55.0
"""All records are announced again before half of their life is over."""
COALESCE_SECONDS = 2.0
"""At most one announcement of changes in so long."""
PROBE_MILLISECONDS = 1500
"""Time to answer for whoever has the name: enough for three questions."""
_MAX_NAME_BYTES = 63
_MOST_NAMES = 100


class Advertiser:
    """Keeps one provider advertised, from `start` to `close`. Lives on one event loop."""

    def __init__(self, zeroconf: AsyncZeroconf, record: ServiceRecord, *, saturn: bool = True) -> None:
        """`zeroconf` is shared and stays open. `saturn`: advertise under Saturn's service type too, in its words.

        Raises RecordError for a record that cannot be advertised.
        """
        self._zeroconf = zeroconf
        self._types = (SERVICE_TYPE, SATURN_TYPE) if saturn else (SERVICE_TYPE,)
        self._wanted_name = _instance_name(record.name)
        self._record = replace(record, name=self._wanted_name)
        self._infos = self._describe(self._record)
        self._rivals = _RivalListener(self)
        self._started = False
        self._giving_way = False
        self._announced_at = 0.0
        self._change: asyncio.TimerHandle | None = None
        self._refresh: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Future[None]] = set()

    @property
    def record(self) -> ServiceRecord:
        """What is advertised; its name is the one that was free."""
        return self._record

    async def start(self) -> None:
        """Find a free name, which takes about 1.5 s, and announce the provider under it."""
        for name in _names(self._wanted_name):
            self._record = replace(self._record, name=name)
            self._infos = self._describe(self._record)
            if await self._is_free() and await self._register():
                break
        else:
            raise NonUniqueNameException(f"{self._wanted_name} and {_MOST_NAMES} names like it are taken")
        self._started = True
        self._zeroconf.zeroconf.async_add_listener(self._rivals, None)
        self._announced()

    def update(self, record: ServiceRecord) -> None:
        """Advertise the provider as `record` has it, all but its name, from now on: at once, but at most every 2 s.

        Raises RecordError for a record that cannot be advertised; the former stays.
        """
        record = replace(record, name=self._record.name)
        self._describe(record)
        if record == self._record:
            return
        self._record = record
        if self._started and self._change is None:
            loop = asyncio.get_running_loop()
            self._change = loop.call_at(max(loop.time(), self._announced_at + COALESCE_SECONDS), self._announce_change)

    async def close(self) -> None:
        """Say goodbye. Safe to call twice, and before `start`."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._started:
            self._stop()
            with suppress(NotRunningException):
                goodbyes = [await self._zeroconf.async_unregister_service(info) for info in self._infos]
                await asyncio.gather(*goodbyes)

    def lost_name(self, rival: str) -> None:
        """Take another name: `rival`, another host, has the same and the older right to it."""
        if not self._started or self._giving_way:
            return
        self._giving_way = True
        _LOGGER.warning("%s is also called %r; taking another name", rival, self._record.name)
        self._spawn(self._rename(), "rename")

    def owns(self, name: str, host: str) -> bool:
        """Whether an SRV record of that name is this provider's own (True), another's of the same name (False) is a conflict."""
        return name.lower() not in {info.key for info in self._infos} or host.lower() == self._record.host.lower()

    def _describe(self, record: ServiceRecord) -> list[AsyncServiceInfo]:
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
        """Whether no other host answers to the name.

        python-zeroconf's own check asks for unicast answers only. Where another responder runs on the same machine (avahi,
        a second provider), these end up at one of the two, so here it is asked by multicast too.
        """
        found = [AsyncServiceInfo(info.type, info.name) for info in self._infos]
        await asyncio.gather(*(info.async_request(self._zeroconf.zeroconf, PROBE_MILLISECONDS) for info in found))
        return all(info.server is None or info.server.lower() == self._record.host.lower() for info in found)

    async def _register(self) -> bool:
        """Announce under the name that was found free; False where this very program has it already."""
        for position, info in enumerate(self._infos):
            try:
                # Asked for already, both types at once: `cooperating_responders` leaves that out.
                broadcast = await self._zeroconf.async_register_service(info, cooperating_responders=True)
            except ServiceNameAlreadyRegistered:
                for registered in self._infos[:position]:
                    await (await self._zeroconf.async_unregister_service(registered))
                return False
            self._keep(asyncio.ensure_future(broadcast))
        return True

    def _announce_change(self) -> None:
        self._change = None
        self._infos = self._describe(self._record)
        for info in self._infos:
            self._spawn(self._update_service(info), "update")
        self._announced()

    async def _update_service(self, info: AsyncServiceInfo) -> None:
        await (await self._zeroconf.async_update_service(info))

    def _announced(self) -> None:
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
        for info in self._infos:  # without a goodbye, which would take the other's pointer out of everybody's cache too
            self._zeroconf.zeroconf.registry.async_remove(info)
        self._giving_way = False
        await self.start()

    def _stop(self) -> None:
        self._started = False
        for handle in (self._change, self._refresh):
            if handle is not None:
                handle.cancel()
        self._change = self._refresh = None
        self._zeroconf.zeroconf.async_remove_listener(self._rivals)

    def _spawn(self, coroutine: Coroutine[Any, Any, None], what: str) -> None:
        self._keep(asyncio.get_running_loop().create_task(coroutine, name=f"zeroconf_ai {what} {self._record.name}"))

    def _keep(self, task: asyncio.Future[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _RivalListener(RecordUpdateListener):
    """Notices another host that took the same name, at the same moment or while the network was in two parts.

    Both notice it, and the one whose host name sorts later gives way (RFC 6762, 9, leaves the choice to the program).
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
    """`name` as an instance name: without dots, which python-zeroconf would take for the ends of labels, and at most 63 bytes."""
    return _cut(" ".join(name.replace(".", " ").split()), _MAX_NAME_BYTES) or "ZeroConf AI"


def _names(wanted: str) -> Iterator[str]:
    """The wanted name, then "Name (2)", "Name (3)" and so on."""
    yield wanted
    for number in itertools.islice(itertools.count(2), _MOST_NAMES):
        suffix = f" ({number})"
        yield _cut(wanted, _MAX_NAME_BYTES - len(suffix)) + suffix


def _cut(text: str, size: int) -> str:
    """`text` in at most `size` bytes of UTF-8, cut between characters."""
    return text.encode()[:size].decode(errors="ignore").strip()
