"""A clock that tests advance, and advertisements."""

import asyncio
import heapq
from ipaddress import ip_address
import itertools
from typing import Any

from zeroconf_ai.protocol.record import ServiceRecord

from ..waiting import next_turn


class Clock:
    """A clock that advances only in `run`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._numbers = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Return after this many seconds of the clock."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._numbers), woken))
        await woken

    async def run(self, seconds: float) -> None:
        """Advance the clock, and run the tasks that become due."""
        end = self.now + seconds
        while True:
            await _settle()
            while self._sleepers and self._sleepers[0][2].done():
                heapq.heappop(self._sleepers)
            if not self._sleepers or self._sleepers[0][0] > end:
                break
            self.now, _, woken = heapq.heappop(self._sleepers)
            woken.set_result(None)
        self.now = end


async def _settle() -> None:
    """Run tasks until they wait for the clock."""
    for _ in range(12):
        await next_turn()


def advert(number: int, **changes: Any) -> ServiceRecord:
    """An advertisement with a unique address and id."""
    fields: dict[str, Any] = {
        "name": f"P{number}",
        "host": f"p{number}.local.",
        "port": 8000,
        "id": f"id-{number}",
        "addresses": (ip_address(f"10.0.{number // 200}.{number % 200 + 1}"),),
    }
    return ServiceRecord(**(fields | changes))
