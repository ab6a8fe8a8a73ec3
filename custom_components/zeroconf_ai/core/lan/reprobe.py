"""`Reprober`: probes advertised providers until they answer, since a provider may announce itself before it listens."""

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
"""The pause between two attempts in the first minute grows from the first value to the second."""
LONGEST_PAUSE = 300.0
PARALLEL = 32
"""Maximum number of concurrent attempts."""
RATE = 64.0
"""Maximum number of attempts per second, for all providers together."""
MAX_TARGETS = 256
JITTER = 0.1
"""The maximum random reduction of a pause, as a fraction."""

type Probe = Callable[[ServiceRecord], Awaitable[bool]]
"""Probes the provider of a record once; True ends the probing."""


def pause_after(age: float) -> float:
    """Seconds until the next attempt at a provider that has not answered for `age` seconds."""
    if age < OVERDUE_SECONDS:
        return min(max(age / 2, FIRST_PAUSE), LONGEST_FIRST_PAUSE)
    return min(age / 10, LONGEST_PAUSE)


@dataclass(slots=True, eq=False)
class _Target:
    """A provider that has not answered yet. Times are values of the reprober's clock."""

    record: ServiceRecord
    since: float
    due: float
    attempts: int = 0
    overdue: bool = False
    task: asyncio.Task[None] | None = None
    attempted: asyncio.Event = field(default_factory=asyncio.Event)
    """Set after the first attempt, or when the target is discarded."""


class Reprober:
    """Probes all targets in one loop, each when it is due, those with the fewest attempts first.

    Advertisements that never answer thus delay the first attempt at a new provider by at most the duration of one attempt.
    """

    def __init__(
        self,
        probe: Probe,
        overdue: Callable[[ServiceRecord], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`overdue` is called once for a provider that has not answered within OVERDUE_SECONDS."""
        self._probe = probe
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
        """Whether the provider is still being probed."""
        return provider_id in self._targets

    def add(self, record: ServiceRecord) -> None:
        """Start probing a provider, or restart if it is being probed.

        Beyond MAX_TARGETS, the target with the most attempts is discarded.
        """
        now = self._clock()
        target = self._targets.get(record.id)
        if target is None:
            if len(self._targets) >= MAX_TARGETS:
                self.discard(max(self._targets.values(), key=lambda target: target.attempts).record.id)
            target = self._targets[record.id] = _Target(record, now, now)
        elif _without_load(target.record) != _without_load(record):
            target.record, target.since, target.due, target.overdue = record, now, now, False
        else:  # advertised again: it may have been restarted
            target.record = record
            if now - target.since >= OVERDUE_SECONDS:
                target.since, target.due = now, min(target.due, now + FIRST_PAUSE)
        if self._loop is None:
            self._loop = asyncio.get_running_loop().create_task(self._run(), name="zeroconf_ai reprobe")
        self._wake.set()

    def discard(self, provider_id: str) -> None:
        """Stop probing a provider, if it is being probed."""
        target = self._targets.pop(provider_id, None)
        if target is not None:
            target.attempted.set()
            if target.task is not None:
                target.task.cancel()

    async def attempted(self, provider_id: str) -> None:
        """Wait for the first attempt at the provider, or until it is discarded."""
        target = self._targets.get(provider_id)
        if target is not None:
            await target.attempted.wait()

    async def close(self) -> None:
        """Stop all probing."""
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
        """Wait for `delay` seconds (None: indefinitely), or until `_wake` is set."""
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
        """Start all attempts that are due and allowed; returns the seconds until the next one, None if unknown."""
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
                self._attempt(target, now), name=f"zeroconf_ai probe {target.record.name}"
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
            answered = await self._probe(record)
        except Exception:
            _LOGGER.exception("Probing %s failed", record.name)
            answered = False
        finally:
            target.task = None
            target.attempts += 1
            target.attempted.set()
        if self._targets.get(record.id) is not target:
            return
        now = self._clock()
        if target.record is not record and _without_load(target.record) != _without_load(record):
            target.due = now  # it was advertised at another address in the meantime
            return
        if answered:
            del self._targets[record.id]
            return
        age = now - target.since
        target.due = max(started + pause_after(age) * random.uniform(1 - JITTER, 1), now + FIRST_PAUSE)
        if age >= OVERDUE_SECONDS and not target.overdue:
            target.overdue = True
            self._overdue(record)


def _without_load(record: ServiceRecord) -> ServiceRecord:
    """The record without its load, to compare address and properties."""
    return replace(record, load=None)
