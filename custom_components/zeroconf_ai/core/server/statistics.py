"""What was served since the start, by day and month, for `/v1/status`."""

from collections.abc import Callable
from datetime import date, datetime

from ..protocol.status import Period
from ..protocol.usage import Usage

_WEIGHT = 0.2
"""Weight of the newest request in the mean duration."""


def _today() -> date:
    return datetime.now().astimezone().date()


class Statistics:
    """Counters in memory. A day and a month begin at midnight, local time; what was before the start is not known."""

    def __init__(self, today: Callable[[], date] = _today) -> None:
        """`today` tells the date."""
        self._date = today
        self._since = today()
        self._today = self._month = self._total = Period()
        self.mean_seconds = 0.0
        """How long a request takes, the newest counting most."""

    def count(self, usage: Usage | None, seconds: float) -> None:
        """Count a request that was answered, and what it used as far as it is known."""
        self._turn()
        self._today, self._month, self._total = (_more(period, usage) for period in (self._today, self._month, self._total))
        first = self.mean_seconds == 0.0
        self.mean_seconds = seconds if first else (1 - _WEIGHT) * self.mean_seconds + _WEIGHT * seconds

    @property
    def periods(self) -> tuple[Period, Period, Period]:
        """Today, this month, and all since the start."""
        self._turn()
        return self._today, self._month, self._total

    def _turn(self) -> None:
        """Begin anew where a day or a month is over."""
        today = self._date()
        if today == self._since:
            return
        self._today = Period()
        if (today.year, today.month) != (self._since.year, self._since.month):
            self._month = Period()
        self._since = today


def _more(period: Period, usage: Usage | None) -> Period:
    return Period(period.requests + 1, period.usage + (usage or Usage()))
