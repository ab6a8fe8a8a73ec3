"""Asks all backends how they are, again and again. Home Assistant asks by intervals of its own."""

import asyncio
import random

from .health import HealthChecker
from .pool import Pool

INTERVAL = 30.0
"""Seconds (PROTOCOL 3)."""
JITTER = 0.1
"""Share of the interval by which rounds vary, so that gateways that started together do not ask together."""


class HealthWatch:
    """Checks every member once per interval, from `start` to `close`. No member waits for another."""

    def __init__(self, pool: Pool, checker: HealthChecker, *, interval: float = INTERVAL) -> None:
        """`interval` in seconds."""
        self._pool = pool
        self._checker = checker
        self._interval = interval
        self._loop: asyncio.Task[None] | None = None
        self._checks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin; the first round is one interval away."""
        self._loop = asyncio.create_task(self._run(), name="zeroconf_ai health watch")

    async def close(self) -> None:
        """End it, checks under way included."""
        tasks = [*self._checks] if self._loop is None else [self._loop, *self._checks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval * random.uniform(1 - JITTER, 1 + JITTER))
            for member in self._pool:
                task = asyncio.create_task(self._checker.check(member), name=f"zeroconf_ai watch {member.id}")
                self._checks.add(task)
                task.add_done_callback(self._checks.discard)
