"""A circuit breaker: who failed several requests in a row is left alone for a while, whatever its health checks say."""

from enum import StrEnum
import time

FAILURES_UNTIL_OPEN = 3
FIRST_PAUSE = 30.0
LONGEST_PAUSE = 600.0
"""Seconds; each trial that fails doubles the pause up to this."""


class BreakerState(StrEnum):
    """Whether requests go through."""

    CLOSED = "closed"
    """They do."""
    OPEN = "open"
    """They do not, until the pause is over."""
    HALF_OPEN = "half_open"
    """One does, to try."""


class Breaker:
    """The breaker of one backend. It advises: who has nobody else to ask may ask all the same, and says how that went."""

    def __init__(self) -> None:
        """Closed."""
        self.failures = 0
        """Requests that failed in a row."""
        self.retry_at = 0.0
        """`time.time()` of the end of the pause; 0 where there is none."""
        self._pause = FIRST_PAUSE
        self._trying = False

    @property
    def state(self) -> BreakerState:
        """The state right now: a pause ends by itself."""
        if not self.retry_at:
            return BreakerState.CLOSED
        return BreakerState.OPEN if time.time() < self.retry_at else BreakerState.HALF_OPEN

    @property
    def ready(self) -> bool:
        """Whether a request may go through: any while closed, one at a time while half open."""
        state = self.state
        return state is BreakerState.CLOSED or (state is BreakerState.HALF_OPEN and not self._trying)

    def begin(self) -> bool:
        """Take note of a request that goes through. Returns whether it is the trial: then it must end with `end_trial`."""
        if self.state is not BreakerState.HALF_OPEN or self._trying:
            return False
        self._trying = True
        return True

    def end_trial(self) -> None:
        """The trial is over, however it went."""
        self._trying = False

    def answered(self) -> None:
        """A first token came: others may go through, but one more failure before a whole answer opens it again."""
        if self.retry_at:
            self.retry_at = 0.0
            self.failures = FAILURES_UNTIL_OPEN - 1

    def succeed(self) -> None:
        """A request came to its end."""
        self.failures = 0
        self.retry_at = 0.0
        self._pause = FIRST_PAUSE

    def fail(self) -> bool:
        """A request failed. Returns whether that opened the breaker."""
        self.failures += 1
        state = self.state
        if state is BreakerState.OPEN or (state is BreakerState.CLOSED and self.failures < FAILURES_UNTIL_OPEN):
            return False  # one that went through as a last resort does not lengthen the pause
        self.retry_at = time.time() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return True
