"""Checks backends periodically. Providers with an entry in Home Assistant are checked by their coordinators."""

import asyncio
from collections.abc import Callable
import random
import time

from .health import HealthChecker
from .member import Member
from .pool import Pool

INTERVAL = 30.0
"""Seconds (PROTOCOL 3)."""
JITTER = 0.1
"""Share of the interval by which rounds vary, so that gateways that started together do not check together."""


_AT_ONCE = 64
"""Checks started in one turn of the event loop: thousands would block it for seconds."""


class HealthLoop:
    """Checks every enabled member once per interval, from `start` to `close`, independently of each other."""

    def __init__(
        self,
        pool: Pool,
        checker: HealthChecker,
        *,
        interval: float = INTERVAL,
        only: Callable[[Member], bool] | None = None,
    ) -> None:
        """`interval` in seconds, for members whose terms name none. `only` selects the members; None: all."""
        self._pool = pool
        self._only = only
        self._checker = checker
        self._interval = interval
        self._loop: asyncio.Task[None] | None = None
        self._checks: set[asyncio.Task[None]] = set()
        self._checked_at: dict[str, float] = {}
        """When each was checked last, by `time.monotonic()`."""

    def start(self) -> None:
        """Start; the first round is after one interval."""
        self._loop = asyncio.create_task(self._run(), name="zeroconf_ai health loop")

    async def close(self) -> None:
        """Stop, and cancel running checks."""
        tasks = [*self._checks] if self._loop is None else [self._loop, *self._checks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._pause() * random.uniform(1 - JITTER, 1 + JITTER))
            for number, member in enumerate(self._due(time.monotonic()), 1):
                task = asyncio.create_task(self._checker.check(member), name=f"zeroconf_ai watch {member.id}")
                self._checks.add(task)
                task.add_done_callback(self._checks.discard)
                if number % _AT_ONCE == 0:
                    await asyncio.sleep(0)

    def _members(self) -> list[Member]:
        return [member for member in self._pool if member.enabled and (self._only is None or self._only(member))]

    def _pause(self) -> float:
        """The default interval, or the shortest of a member."""
        return min([self._interval, *map(self._every, self._members())])

    def _due(self, now: float) -> list[Member]:
        """The members whose interval has passed, rounded to the nearest round."""
        members = self._members()
        checked_at = {member.id: self._checked_at[member.id] for member in members if member.id in self._checked_at}
        due = [
            member for member in members if now - checked_at.get(member.id, float("-inf")) >= self._every(member) * (1 - JITTER)
        ]
        self._checked_at = checked_at | dict.fromkeys((member.id for member in due), now)
        return due

    def _every(self, member: Member) -> float:
        return member.terms.check_every or self._interval
