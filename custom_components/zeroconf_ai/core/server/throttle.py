"""How often an address may fail before it is told to wait."""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
import logging
import math
import time

_LOGGER = logging.getLogger(__name__)

FAILURES = 10
WINDOW = 60.0
"""Seconds in which so many failures are forgiven: one every `WINDOW / FAILURES`."""
LONGEST_WAIT = 60.0
MAX_ADDRESSES = 10_000
_STEPS = 6
"""Failures over the limit until the wait, which doubles with each, is the longest: 2 s, 4 s, … 64 s."""
_IPV6_SUBSCRIBER_BITS = 64
"""An IPv6 host chooses among 2^64 addresses of its network as it likes (RFC 8981): the network is what is counted."""


class Throttle:
    """Failures of each address, in a bucket that leaks. Bounded: the address that was quiet for longest is forgotten first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds."""
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def failed(self, address: str | None) -> float:
        """Note a failure; the seconds to wait before the next try, 0 while there are few."""
        key = _key(address)
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
            _LOGGER.warning("%s failed more than %d times within %d s; it is told to wait now", address, FAILURES, WINDOW)
        return min(math.exp2(max(1.0, level - FAILURES)), LONGEST_WAIT)


def _key(address: str | None) -> str:
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address or ""
    if not isinstance(parsed, IPv6Address) or parsed.ipv4_mapped:
        return str(address)
    return f"{int(parsed) >> (128 - _IPV6_SUBSCRIBER_BITS):x}/{_IPV6_SUBSCRIBER_BITS}"
