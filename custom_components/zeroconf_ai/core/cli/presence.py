"""Keeps a server advertised when the machine's addresses change, such as on a laptop that changes networks."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from ipaddress import ip_address
import logging

import click

from ..lan.advertiser import Advertiser
from ..lan.interfaces import Address, InterfaceAddress, interface_addresses, reachable_addresses
from ..protocol.record import ServiceRecord
from .network import open_zeroconf

_LOGGER = logging.getLogger(__name__)

WATCH_SECONDS = 15.0
"""Interval between checks of the addresses."""


def reachable_at(bound: Iterable[str], found: Iterable[InterfaceAddress]) -> tuple[Address, ...]:
    """The addresses to advertise for a server that listens on `bound`; `0.0.0.0` and `::` stand for all of their IP version."""
    listening = [ip_address(text) for text in bound]
    anywhere = {address.version for address in listening if address.is_unspecified}
    return reachable_addresses(entry for entry in found if entry.address.version in anywhere or entry.address in listening)


class Presence:
    """The advertisement of a server on its own port, from `start` to `close`."""

    def __init__(self, record: ServiceRecord, bound: Sequence[str], *, saturn: bool, renamed: Callable[[str], None]) -> None:
        """`record` has no addresses; the server listens on the addresses `bound`.

        `renamed` is called with the advertised name if another server already uses the record's.
        """
        self._record = record
        self._bound = bound
        self._saturn = saturn
        self._renamed = renamed
        self._watching: asyncio.Task[None] | None = None
        self._stack = AsyncExitStack()
        self._advertised_at: tuple[Address, ...] | None = None
        self._advertiser: Advertiser | None = None

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses at which the server can be reached now."""
        return reachable_at(self._bound, interface_addresses())

    @property
    def record(self) -> ServiceRecord | None:
        """The advertised record, with the name that was free; None while the advertisement is restarted."""
        return self._advertiser.record if self._advertiser is not None else None

    async def start(self) -> None:
        """Start advertising. Raises click.ClickException if multicast DNS is not available; then nothing is left running."""
        await self._advertise()
        self._watching = asyncio.create_task(self._watch(), name="zeroconf_ai presence")

    def update(self, record: ServiceRecord) -> None:
        """Advertise `record`, with the current name and addresses.

        Raises RecordError if it cannot be advertised; the former record stays advertised.
        """
        if self._advertiser is not None:
            self._advertiser.update(record.with_addresses(self._advertised_at or ()))
        self._record = record

    async def close(self) -> None:
        """Withdraw the advertisement."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._stack.aclose()

    async def _advertise(self) -> None:
        addresses = self.addresses
        record = self._record.with_addresses(addresses)
        everywhere = any(ip_address(text).is_unspecified for text in self._bound)
        async with AsyncExitStack() as stack:
            zeroconf = await stack.enter_async_context(open_zeroconf(() if everywhere else self._bound))
            advertiser = Advertiser(zeroconf, record, saturn=self._saturn)
            stack.push_async_callback(advertiser.close)
            await advertiser.start()
            self._renamed(advertiser.record.name)
            self._stack = stack.pop_all()
        self._advertiser = advertiser
        self._advertised_at = addresses

    async def _watch(self) -> None:
        """Restart the advertisement, on the current interfaces, whenever the addresses change."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if (now := self.addresses) == self._advertised_at:
                continue
            _LOGGER.info("The addresses of this machine are now %s", ", ".join(map(str, now)) or "none")
            self._advertised_at = self._advertiser = None
            await self._stack.aclose()
            try:
                await self._advertise()
            except (click.ClickException, OSError) as err:
                _LOGGER.warning("Not advertised, trying again in %g s: %s", WATCH_SECONDS, err)
