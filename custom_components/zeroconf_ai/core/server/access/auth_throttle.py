"""`AuthThrottle`: makes an address wait after too many failures."""

from collections import OrderedDict
from collections.abc import Callable
import logging
import math
import time

from ...protocol.addresses import subscriber

_LOGGER = logging.getLogger(__name__)

FAILURES = 10
WINDOW = 60.0
"""Seconds after which FAILURES failures no longer count: one every `WINDOW / FAILURES` seconds."""
MAX_WAIT = 60.0
MAX_ADDRESSES = 10_000
_STEPS = 6
"""Failures beyond the limit until the wait is MAX_WAIT; it doubles with each: 2 s, 4 s, … 64 s."""


class AuthThrottle:
    """A leaky bucket of failures for each address. At most MAX_ADDRESSES, of which the least recently used is dropped."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, what: str = "failed") -> None:
        """`clock` returns seconds; `what` is the verb of the log line: what an address did too often."""
        self._clock = clock
        self._what = what
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str | None) -> float:
        """Seconds until an address is at the limit again; 0 if it is not beyond it. For tries that are not made before."""
        level, since = self._levels.get(subscriber(address), (0.0, 0.0))
        return max(0.0, (level - FAILURES) * WINDOW / FAILURES - (self._clock() - since))

    def failed(self, address: str | None) -> float:
        """Record a failure. Returns the seconds to wait before the next try; 0 below the limit."""
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
            _LOGGER.warning("%s %s more than %d times within %d s; it must wait now", address, self._what, FAILURES, WINDOW)
        return min(math.exp2(max(1.0, level - FAILURES)), MAX_WAIT)
