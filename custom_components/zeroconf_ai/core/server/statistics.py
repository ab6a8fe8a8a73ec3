"""What was served since the start, by day and month, for the `/v1/status` of who keeps no books."""

from collections.abc import Callable
from datetime import date
import time

from ..protocol.status import Period
from ..protocol.usage import Usage


def _today() -> date:
    now = time.localtime()
    return date(now.tm_year, now.tm_mon, now.tm_mday)


class Statistics:
    """Counters in memory. A day and a month begin at midnight, local time; what was before the start is not known."""

    def __init__(self, today: Callable[[], date] = _today) -> None:
        """`today` tells the date."""
        self._date = today
        self._since = today()
        self._today = self._earlier_this_month = self._earlier = Period()

    def count(self, usage: Usage | None) -> None:
        """Count a request that was answered, and what it used as far as it is known."""
        self._turn()
        self._today = Period(self._today.requests + 1, self._today.usage + usage if usage is not None else self._today.usage)

    @property
    def periods(self) -> tuple[Period, Period, Period]:
        """Today, this month, and all since the start."""
        self._turn()
        month = _sum(self._earlier_this_month, self._today)
        return self._today, month, _sum(self._earlier, month)

    def _turn(self) -> None:
        """Begin anew where a day or a month is over."""
        today = self._date()
        if today == self._since:
            return
        self._earlier_this_month = _sum(self._earlier_this_month, self._today)
        self._today = Period()
        if (today.year, today.month) != (self._since.year, self._since.month):
            self._earlier = _sum(self._earlier, self._earlier_this_month)
            self._earlier_this_month = Period()
        self._since = today


def _sum(one: Period, other: Period) -> Period:
    return Period(one.requests + other.requests, one.usage + other.usage)
