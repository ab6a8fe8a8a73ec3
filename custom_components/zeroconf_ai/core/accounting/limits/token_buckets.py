"""Token buckets and permits: the interfaces, and the implementations in memory for a gateway with its own database."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
import time
from typing import NamedTuple, override

MINUTE = 60.0
MAX_BUCKETS = 50_000
"""Maximum number in memory; the least recently used are dropped. A bucket that is unused for a minute is full."""


class BucketDraw(NamedTuple):
    """An amount to take from a bucket that fills to `capacity` within a minute."""

    name: str
    capacity: int
    amount: float


class BucketShortfall(NamedTuple):
    """A bucket that does not contain enough, and the seconds until it does."""

    draw: BucketDraw
    wait: float


class TokenBuckets(ABC):
    """Token buckets: the amount of a minute may be used at once, and is refilled evenly. Used on one event loop."""

    @abstractmethod
    async def draw(self, draws: Sequence[BucketDraw]) -> BucketShortfall | Mapping[str, float]:
        """Take from all buckets, or from none if one does not contain enough; returns the new levels. May raise DatabaseError.

        An amount above the capacity is taken from a full bucket, which is then overdrawn.
        """

    @abstractmethod
    def give(self, amounts: Mapping[str, float]) -> None:
        """Put unused amounts back; negative amounts are taken in addition. Never blocks and never raises."""

    @abstractmethod
    async def level(self, name: str, capacity: int) -> float:
        """The level of a bucket. May raise DatabaseError."""

    @abstractmethod
    async def upkeep(self) -> None:
        """Periodic maintenance. May raise DatabaseError."""


class MemoryTokenBuckets(TokenBuckets):
    """Token buckets in memory."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is a monotonic clock in seconds."""
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    @override
    async def draw(self, draws: Sequence[BucketDraw]) -> BucketShortfall | Mapping[str, float]:
        now = self._clock()
        levels: dict[str, float] = {}
        for draw in draws:
            level = self._level(draw.name, draw.capacity, now)
            if (missing := min(draw.amount, draw.capacity) - level) > 0:
                return BucketShortfall(draw, missing * MINUTE / draw.capacity)
            levels[draw.name] = level - draw.amount
        for name, level in levels.items():
            self._levels[name] = level, now
            self._levels.move_to_end(name)
        while len(self._levels) > MAX_BUCKETS:
            self._levels.popitem(last=False)
        return levels

    @override
    def give(self, amounts: Mapping[str, float]) -> None:
        for name, amount in amounts.items():
            if (found := self._levels.get(name)) is not None:
                self._levels[name] = found[0] + amount, found[1]

    @override
    async def level(self, name: str, capacity: int) -> float:
        return self._level(name, capacity, self._clock())

    @override
    async def upkeep(self) -> None:
        """Does nothing: the number of buckets is limited."""

    def _level(self, name: str, capacity: int, now: float) -> float:
        found = self._levels.get(name)
        if found is None:
            return float(capacity)
        level, since = found
        return min(float(capacity), level + (now - since) * capacity / MINUTE)


class Permits(ABC):
    """Limits of concurrent requests. Used on one event loop."""

    @abstractmethod
    async def acquire(self, name: str, limit: int) -> str | None:
        """Acquire one of `limit` permits; returns its id, or None if all are in use. May raise DatabaseError."""

    @abstractmethod
    def release(self, permit: str) -> None:
        """Release a permit. Never blocks and never raises."""

    @abstractmethod
    async def in_use(self, name: str) -> int:
        """The number of permits in use. May raise DatabaseError."""

    @abstractmethod
    async def flush(self) -> None:
        """Write pending releases."""

    @abstractmethod
    async def close(self) -> None:
        """Write pending releases and stop."""


class MemoryPermits(Permits):
    """Permits in memory."""

    def __init__(self) -> None:
        """Starts with all permits free."""
        self._in_use: dict[str, int] = {}

    @override
    async def acquire(self, name: str, limit: int) -> str | None:
        in_use = self._in_use.get(name, 0)
        if in_use >= limit:
            return None
        self._in_use[name] = in_use + 1
        return name

    @override
    def release(self, permit: str) -> None:
        left = self._in_use.get(permit, 0) - 1
        if left > 0:
            self._in_use[permit] = left
        else:
            self._in_use.pop(permit, None)

    @override
    async def in_use(self, name: str) -> int:
        return self._in_use.get(name, 0)

    @override
    async def flush(self) -> None:
        """Does nothing: nothing is written."""

    @override
    async def close(self) -> None:
        """Does nothing: nothing is written."""
