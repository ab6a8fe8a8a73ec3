"""Limits parallel requests by permits, with a bounded queue by urgency."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
import time
from typing import Self

from ...protocol.errors import UnavailableError
from ...protocol.request import Urgency

QUEUE_LENGTH = 32
MAX_WAIT = 60.0
"""Seconds that a request waits for a permit."""
_GUESS = 5.0
"""Assumed seconds per request before the first one has ended."""
_WEIGHT = 0.2
"""Weight of the newest value in the running mean of how long permits are held."""


class Permit:
    """The right to run one request until `release`, or to the end of a `with` block."""

    __slots__ = ("_limiter", "_since")

    def __init__(self, limiter: "ConcurrencyLimiter") -> None:
        """Made by `ConcurrencyLimiter`."""
        self._limiter: ConcurrencyLimiter | None = limiter
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        """The permit itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the permit."""
        self.release()

    def release(self) -> None:
        """Release the permit. Never waits; safe to call twice."""
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            limiter._release(time.monotonic() - self._since)


@dataclass(frozen=True, slots=True, eq=False)
class Waiter:
    """A waiting request."""

    permit: asyncio.Future[Permit]
    request_id: str | None
    key_id: str | None


class ConcurrencyLimiter:
    """Urgent requests go first, equal ones in the order of arrival. Without a limit no request waits."""

    def __init__(self, limit: int | None = None, queue_length: int = QUEUE_LENGTH) -> None:
        """`limit`: parallel requests (None or 0: unlimited); `queue_length`: how many may wait."""
        self.queue_length = queue_length
        self.active = 0
        self.changed: Callable[[], None] | None = None
        """Called when the number of waiting requests changes."""
        self.mean_seconds: float | None = None
        """Running mean of how long permits are held; None before the first release."""
        self._limit = limit or None
        self._queues: dict[Urgency, dict[Waiter, None]] = {urgency: {} for urgency in sorted(Urgency)}

    @property
    def limit(self) -> int | None:
        """The maximum of parallel requests; None: unlimited. May be set at any time; running requests keep their permits."""
        return self._limit

    @limit.setter
    def limit(self, limit: int | None) -> None:
        if self._limit != (limit or None):
            self._limit = limit or None
            self._grant()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return sum(map(len, self._queues.values()))

    @property
    def free(self) -> bool:
        """Whether a permit is available at once."""
        return self._limit is None or self.active < self._limit

    @property
    def full(self) -> bool:
        """Whether the queue is full."""
        return not self.free and self.waiting >= self.queue_length

    def waiters(self) -> Iterator[Waiter]:
        """The waiting requests, the next one first."""
        for queue in self._queues.values():
            yield from queue

    def estimate(self, position: int) -> float:
        """Estimated seconds until the request at a position in the queue (1 is the next) gets a permit."""
        if self._limit is None:
            return 0.0
        return position * (_GUESS if self.mean_seconds is None else self.mean_seconds) / self._limit

    @property
    def wait(self) -> float:
        """Estimated seconds that a new request would wait."""
        return 0.0 if self.free else self.estimate(self.waiting + 1)

    async def acquire(
        self,
        urgency: Urgency = Urgency.NORMAL,
        *,
        seconds: float = MAX_WAIT,
        request_id: str | None = None,
        key_id: str | None = None,
    ) -> Permit:
        """Wait for a permit, at most `seconds`. Raises UnavailableError if the queue is full or the wait takes too long."""
        if self.free:  # no request waits then: a released permit is passed on at once
            self.active += 1
            return Permit(self)
        if self.full:
            raise self._busy(f"{self.active} requests are running and {self.waiting} are waiting")
        waiter = Waiter(asyncio.get_running_loop().create_future(), request_id, key_id)
        queue = self._queues[urgency]
        queue[waiter] = None
        self._notify()
        try:
            async with asyncio.timeout(seconds):
                return await waiter.permit
        except BaseException as err:
            if waiter in queue:
                del queue[waiter]
                self._notify()
            if waiter.permit.done() and not waiter.permit.cancelled():
                waiter.permit.result().release()  # the permit was granted at the moment of the cancellation
            if isinstance(err, TimeoutError):
                raise self._busy(f"no running request ended within {seconds:g} s") from None
            raise

    def _busy(self, why: str) -> UnavailableError:
        wait = max(1.0, self.wait)
        return UnavailableError(f"Busy: {why}. Try again later.", code="provider_capacity_exceeded", retry_after=wait)

    def _release(self, held: float) -> None:
        self.active -= 1
        self.mean_seconds = held if self.mean_seconds is None else self.mean_seconds + _WEIGHT * (held - self.mean_seconds)
        self._grant()

    def _grant(self) -> None:
        for queue in self._queues.values():
            while queue and self.free:
                waiter = next(iter(queue))
                del queue[waiter]
                if not waiter.permit.done():
                    self.active += 1
                    waiter.permit.set_result(Permit(self))
                    self._notify()

    def _notify(self) -> None:
        if self.changed is not None:
            self.changed()
