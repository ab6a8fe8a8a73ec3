"""Places for so many requests at a time, and a bounded queue for those that wait for one."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
import time
from typing import Self

from ...protocol.errors import UnavailableError
from ...protocol.request import Urgency

QUEUE_LENGTH = 32
MAX_WAIT = 60.0
"""Seconds that a request waits for its turn."""
_GUESS = 5.0
"""Seconds that a request is taken to last before any has ended here."""
_WEIGHT = 0.2
"""Of the newest in the running mean of how long a place is held."""


class Permit:
    """A place that is held until `release`, or to the end of a `with` block."""

    __slots__ = ("_since", "_slots")

    def __init__(self, slots: ConcurrencyLimiter) -> None:
        """Made by `ConcurrencyLimiter`."""
        self._slots: ConcurrencyLimiter | None = slots
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        """Hold it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        self.release()

    def release(self) -> None:
        """Give it back. Never waits, for clean-ups; safe to call twice."""
        slots, self._slots = self._slots, None
        if slots is not None:
            slots._release(time.monotonic() - self._since)


@dataclass(frozen=True, slots=True, eq=False)
class Waiter:
    """A request that waits."""

    turn: asyncio.Future[Permit]
    request_id: str | None
    key_id: str | None


class ConcurrencyLimiter:
    """Urgent requests go first, equals in the order in which they came. No limit: nobody ever waits."""

    def __init__(self, limit: int | None = None, queue_length: int = QUEUE_LENGTH) -> None:
        """`limit` places (None or 0: any number), and how many may wait for one."""
        self.queue_length = queue_length
        self.active = 0
        self.changed: Callable[[], None] | None = None
        """Called when one more or one less waits."""
        self.mean_seconds: float | None = None
        """How long a place is held, on the average of late; None before any was given back."""
        self._limit = limit or None
        self._queues: dict[Urgency, dict[Waiter, None]] = {urgency: {} for urgency in sorted(Urgency)}

    @property
    def limit(self) -> int | None:
        """How many places there are; None: any number. May be set at any time: who holds a place keeps it."""
        return self._limit

    @limit.setter
    def limit(self, limit: int | None) -> None:
        if self._limit != (limit or None):
            self._limit = limit or None
            self._hand_out()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._queues.values()))

    @property
    def free(self) -> bool:
        """Whether a place can be had at once."""
        return self._limit is None or self.active < self._limit

    @property
    def full(self) -> bool:
        """Whether there is not even a place to wait."""
        return not self.free and self.waiting >= self.queue_length

    def waiters(self) -> Iterator[Waiter]:
        """Who waits, the next one first."""
        for queue in self._queues.values():
            yield from queue

    def estimate(self, position: int) -> float:
        """Seconds until the request at that position (1 is the next) has its turn, if all goes as it did of late."""
        if self._limit is None:
            return 0.0
        return position * (_GUESS if self.mean_seconds is None else self.mean_seconds) / self._limit

    @property
    def wait(self) -> float:
        """Seconds that a request would presumably wait that came now."""
        return 0.0 if self.free else self.estimate(self.waiting + 1)

    async def acquire(
        self,
        urgency: Urgency = Urgency.NORMAL,
        *,
        seconds: float = MAX_WAIT,
        request_id: str | None = None,
        key_id: str | None = None,
    ) -> Permit:
        """Wait for a place, at most so long. Raises UnavailableError where the queue is full or the wait was too long."""
        if self.free:  # then nobody waits: a place that becomes free is handed out in the same moment
            self.active += 1
            return Permit(self)
        if self.full:
            raise self._busy(f"{self.active} requests are running and {self.waiting} wait already")
        waiter = Waiter(asyncio.get_running_loop().create_future(), request_id, key_id)
        queue = self._queues[urgency]
        queue[waiter] = None
        self._tell()
        try:
            async with asyncio.timeout(seconds):
                return await waiter.turn
        except BaseException as err:
            if waiter in queue:
                del queue[waiter]
                self._tell()
            if waiter.turn.done() and not waiter.turn.cancelled():
                waiter.turn.result().release()  # it was handed over in the moment of the cancellation
            if isinstance(err, TimeoutError):
                raise self._busy(f"no place became free within {seconds:g} s") from None
            raise

    def _busy(self, why: str) -> UnavailableError:
        wait = max(1.0, self.wait)
        return UnavailableError(f"Busy: {why}. Try again later.", code="provider_capacity_exceeded", retry_after=wait)

    def _release(self, held: float) -> None:
        self.active -= 1
        self.mean_seconds = held if self.mean_seconds is None else self.mean_seconds + _WEIGHT * (held - self.mean_seconds)
        self._hand_out()

    def _hand_out(self) -> None:
        for queue in self._queues.values():
            while queue and self.free:
                waiter = next(iter(queue))
                del queue[waiter]
                if not waiter.turn.done():
                    self.active += 1
                    waiter.turn.set_result(Permit(self))
                    self._tell()

    def _tell(self) -> None:
        if self.changed is not None:
            self.changed()
