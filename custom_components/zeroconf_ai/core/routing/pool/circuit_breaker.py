"""Circuit breaker: a backend that failed several requests in a row is skipped for a while, although its health checks succeed."""

from enum import StrEnum
import time

FAILURES_UNTIL_OPEN = 3
FIRST_PAUSE = 30.0
LONGEST_PAUSE = 600.0
"""Seconds; each failed trial doubles the pause up to `LONGEST_PAUSE`."""


class BreakerState(StrEnum):
    """The state of a circuit breaker."""

    CLOSED = "closed"
    """All requests are sent."""
    OPEN = "open"
    """No request is sent until the pause has ended."""
    HALF_OPEN = "half_open"
    """One trial request is sent."""


class Breaker:
    """The circuit breaker of one backend. It only advises: without another candidate, requests are sent anyway."""

    def __init__(self) -> None:
        """Create a closed one."""
        self.failures = 0
        """Failed requests in a row."""
        self.retry_at = 0.0
        """`time.monotonic()` of the end of the pause; 0 without a pause."""
        self._pause = FIRST_PAUSE
        self._trying = False

    @property
    def state(self) -> BreakerState:
        """The current state: a pause ends by time."""
        if not self.retry_at:
            return BreakerState.CLOSED
        return BreakerState.OPEN if time.monotonic() < self.retry_at else BreakerState.HALF_OPEN

    @property
    def ready(self) -> bool:
        """Whether a request may be sent: any while closed, one at a time while half open."""
        state = self.state
        return state is BreakerState.CLOSED or (state is BreakerState.HALF_OPEN and not self._trying)

    def begin(self) -> bool:
        """Record that a request is sent. Returns whether it is the trial, which must end with `end_trial`."""
        if self.state is not BreakerState.HALF_OPEN or self._trying:
            return False
        self._trying = True
        return True

    def end_trial(self) -> None:
        """Record that the trial has ended, with any result."""
        self._trying = False

    def answered(self) -> None:
        """Record a first token: close it, but one more failure before a complete answer opens it again."""
        if self.retry_at:
            self.retry_at = 0.0
            self.failures = FAILURES_UNTIL_OPEN - 1

    def succeed(self) -> None:
        """Record a complete answer."""
        self.failures = 0
        self.retry_at = 0.0
        self._pause = FIRST_PAUSE

    def fail(self) -> bool:
        """Record a failed request. Returns whether that opened the circuit breaker."""
        self.failures += 1
        state = self.state
        if state is BreakerState.OPEN or (state is BreakerState.CLOSED and self.failures < FAILURES_UNTIL_OPEN):
            return False  # a request that was sent as a last resort does not lengthen the pause
        self.retry_at = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return True
