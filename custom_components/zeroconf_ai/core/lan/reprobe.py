"""Asks advertised providers until they answer: a provider may announce itself before it listens."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
import logging
import random
import time

from ..protocol.record import ServiceRecord

_LOGGER = logging.getLogger(__name__)

OVERDUE_SECONDS = 60.0
"""A provider that has not answered for this long is reported as overdue."""
FIRST_PAUSE, LONGEST_FIRST_PAUSE = 0.25, 2.0
"""Seconds between two attempts of the first minute: they grow from the former to the latter."""
LONGEST_PAUSE = 300.0
PARALLEL = 32
"""Attempts at a time."""
RATE = 64.0
"""Attempts per second, of all providers together."""
MAX_TARGETS = 256
JITTER = 0.1
"""Share of a pause by which it is shortened at random."""

type Ask = Callable[[ServiceRecord], Awaitable[bool]]
"""Asks the provider of a record once; True ends the asking."""


def pause_after(age: float) -> float:
    """Seconds until the next attempt at a provider that has not answered for `age` seconds."""
    if age < OVERDUE_SECONDS:
        return min(max(age / 2, FIRST_PAUSE), LONGEST_FIRST_PAUSE)
    return min(age / 10, LONGEST_PAUSE)


@dataclass(slots=True, eq=False)
class _Target:
    """One provider that has not answered yet. Times are the clock's."""

    record: ServiceRecord
    since: float
    due: float
    attempts: int = 0
    overdue: bool = False
    task: asyncio.Task[None] | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set after the first attempt, and when the target is given up."""


class Reprober:
    """One loop that asks all targets, each when it is due, those with the fewest attempts first.

    A flood of advertisements that never answer delays the first attempts at a new provider no longer than one attempt takes.
    """

    def __init__(
        self,
        ask: Ask,
        overdue: Callable[[ServiceRecord], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`overdue` is called once for a provider that has not answered within OVERDUE_SECONDS."""
        self._ask = ask
        self._overdue = overdue
        self._clock = clock
        self._sleep = sleep
        self._targets: dict[str, _Target] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._allowance = RATE
        self._refilled = clock()

    def __contains__(self, provider_id: str) -> bool:
        """Whether the provider is still asked."""
        return provider_id in self._targets

    def add(self, record: ServiceRecord) -> None:
        """Ask the provider from now on. One that is asked already is asked as if it were new.

        Where there are MAX_TARGETS already, the one with the most attempts is given up.
        """
        now = self._clock()
        target = self._targets.get(record.id)
        if target is None:
            if len(self._targets) >= MAX_TARGETS:
                self.discard(max(self._targets.values(), key=lambda target: target.attempts).record.id)
            target = self._targets[record.id] = _Target(record, now, now)
        elif _place(target.record) != _place(record):
            target.record, target.since, target.due, target.overdue = record, now, now, False
        else:  # announced again: it may have been restarted
            target.record = record
            if now - target.since >= OVERDUE_SECONDS:
                target.since, target.due = now, min(target.due, now + FIRST_PAUSE)
        if self._loop is None:
            self._loop = asyncio.get_running_loop().create_task(self._run(), name="zeroconf_ai reprobe")
        self._wake.set()

    def discard(self, provider_id: str) -> None:
        """Ask the provider no more; does nothing for one that is not asked."""
        target = self._targets.pop(provider_id, None)
        if target is not None:
            target.asked.set()
            if target.task is not None:
                target.task.cancel()

    async def asked(self, provider_id: str) -> None:
        """Wait until the provider was asked once, or is asked no more."""
        target = self._targets.get(provider_id)
        if target is not None:
            await target.asked.wait()

    async def close(self) -> None:
        """Ask nobody any more."""
        for provider_id in tuple(self._targets):
            self.discard(provider_id)
        loop, self._loop = self._loop, None
        tasks = [*self._running] if loop is None else [loop, *self._running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            delay = self._start_due(self._clock())
            await self._pause(delay)

    async def _pause(self, delay: float | None) -> None:
        """Wait for `delay` seconds (None: without end), or until something has changed."""
        if delay is None:
            await self._wake.wait()
            return
        waits = [asyncio.ensure_future(self._sleep(delay)), asyncio.ensure_future(self._wake.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _start_due(self, now: float) -> float | None:
        """Start the attempts that are due and allowed. Returns the seconds until there may be another; None: unknown."""
        self._allowance = min(RATE, self._allowance + (now - self._refilled) * RATE)
        self._refilled = now
        waiting = sorted((target for target in self._targets.values() if target.task is None), key=lambda found: found.attempts)
        for target in waiting:
            if target.due > now:
                continue
            if len(self._running) >= PARALLEL:
                return None  # the end of an attempt wakes the loop
            if self._allowance < 1:
                return 1 / RATE
            self._allowance -= 1
            task = asyncio.get_running_loop().create_task(
                self._attempt(target, now), name=f"zeroconf_ai ask {target.record.name}"
            )
            target.task = task
            self._running.add(task)
            task.add_done_callback(self._ended)
        pending = [target.due - now for target in waiting if target.task is None]
        return min(pending, default=None)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake.set()

    async def _attempt(self, target: _Target, started: float) -> None:
        record = target.record
        try:
            answered = await self._ask(record)
        except Exception:
            _LOGGER.exception("%s could not be asked", record.name)
            answered = False
        finally:
            target.task = None
            target.attempts += 1
            target.asked.set()
        if self._targets.get(record.id) is not target:
            return
        now = self._clock()
        if target.record is not record and _place(target.record) != _place(record):
            target.due = now  # it is advertised elsewhere meanwhile
            return
        if answered:
            del self._targets[record.id]
            return
        age = now - target.since
        target.due = max(started + pause_after(age) * random.uniform(1 - JITTER, 1), now + FIRST_PAUSE)
        if age >= OVERDUE_SECONDS and not target.overdue:
            target.overdue = True
            self._overdue(record)


def _place(record: ServiceRecord) -> ServiceRecord:
    """The record without its load, which says nothing of where and what the provider is."""
    return replace(record, load=None)
