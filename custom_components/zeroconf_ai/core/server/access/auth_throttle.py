"""How often an address may fail before it is told to wait."""

from collections import OrderedDict
from collections.abc import Callable
import logging
import math
import time

from ...protocol.addresses import subscriber

_LOGGER = logging.getLogger(__name__)

FAILURES = 10
WINDOW = 60.0
"""Seconds in which so many failures are forgiven: one every `WINDOW / FAILURES`."""
LONGEST_WAIT = 60.0
MAX_ADDRESSES = 10_000
_STEPS = 6
"""Failures over the limit until the wait, which doubles with each, is the longest: 2 s, 4 s, … 64 s."""


class AuthThrottle:
    """Failures of each address, in a bucket that leaks. Bounded: the address that was quiet for longest is forgotten first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, what: str = "failed") -> None:
        """`clock` tells seconds; `what` says in the log what an address did too often."""
        self._clock = clock
        self._what = what
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def failed(self, address: str | None) -> float:
        """Note a failure; the seconds to wait before the next try, 0 while there are few."""
        key = subscriber(address)
        now = self._clock()
        level, since = self._levels.pop(key, (0.0, now))
        before = max(0.0, level - (now - since) * FAILURES / WINDOW)
        level = min(before + 1.0, FAILURES + _STEPS)
        self._levels[key] = (level, now)
        if len(self._levels) > MAX_ADDRESSES:
            self._levels.popitem(last=False)
        if level <= FAILURES:
            return 0.0
        if before <= FAILURES:
            _LOGGER.warning("%s %s more than %d times within %d s; it is told to wait now", address, self._what, FAILURES, WINDOW)
        return min(math.exp2(max(1.0, level - FAILURES)), LONGEST_WAIT)
