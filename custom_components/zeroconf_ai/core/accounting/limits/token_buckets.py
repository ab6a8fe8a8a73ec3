"""Token buckets and places: the interface, and those of a gateway by itself."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
import time
from typing import NamedTuple, override

MINUTE = 60.0
MAX_BUCKETS = 50_000
"""Of memory: those of whom nothing was heard for longest are forgotten first. One that is not used for a minute is full."""


class BucketDraw(NamedTuple):
    """So much to be taken from a bucket that fills to `capacity` within a minute."""

    name: str
    capacity: int
    amount: float


class BucketShortfall(NamedTuple):
    """A bucket that does not hold enough, and the seconds until it does."""

    draw: BucketDraw
    wait: float


class TokenBuckets(ABC):
    """Token buckets: a minute's worth may be used at once, and comes back evenly. Lives on one event loop."""

    @abstractmethod
    async def draw(self, draws: Sequence[BucketDraw]) -> BucketShortfall | Mapping[str, float]:
        """Take from all, or from none where one of them does not hold enough; the levels after that. May raise DatabaseError.

        What exceeds a bucket's capacity is taken from a full one, which owes the rest then.
        """

    @abstractmethod
    def give(self, amounts: Mapping[str, float]) -> None:
        """Put back what was not used, or with amounts below nothing take what was used beyond. Never blocks, never raises."""

    @abstractmethod
    async def level(self, name: str, capacity: int) -> float:
        """What a bucket holds. May raise DatabaseError."""

    @abstractmethod
    async def upkeep(self) -> None:
        """What is to be done every now and then. May raise DatabaseError."""


class MemoryTokenBuckets(TokenBuckets):
    """The buckets of a gateway by itself."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds, and never goes back."""
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
        """Nothing: there is a bound to the buckets."""

    def _level(self, name: str, capacity: int, now: float) -> float:
        found = self._levels.get(name)
        if found is None:
            return float(capacity)
        level, since = found
        return min(float(capacity), level + (now - since) * capacity / MINUTE)


class Permits(ABC):
    """So many at a time. Lives on one event loop."""

    @abstractmethod
    async def take(self, name: str, limit: int) -> str | None:
        """Take a place; what it is left by, None where all are taken. May raise DatabaseError."""

    @abstractmethod
    def leave(self, place: str) -> None:
        """Give a place back. Never blocks, never raises."""

    @abstractmethod
    async def taken(self, name: str) -> int:
        """How many are taken. May raise DatabaseError."""

    @abstractmethod
    async def flush(self) -> None:
        """Write what waits to be given back."""

    @abstractmethod
    async def close(self) -> None:
        """Write what is left."""


class MemoryPermits(Permits):
    """The places of a gateway by itself."""

    def __init__(self) -> None:
        """None is taken."""
        self._taken: dict[str, int] = {}

    @override
    async def take(self, name: str, limit: int) -> str | None:
        taken = self._taken.get(name, 0)
        if taken >= limit:
            return None
        self._taken[name] = taken + 1
        return name

    @override
    def leave(self, place: str) -> None:
        left = self._taken.get(place, 0) - 1
        if left > 0:
            self._taken[place] = left
        else:
            self._taken.pop(place, None)

    @override
    async def taken(self, name: str) -> int:
        return self._taken.get(name, 0)

    @override
    async def flush(self) -> None:
        """Nothing is written."""

    @override
    async def close(self) -> None:
        """Nothing is written."""
