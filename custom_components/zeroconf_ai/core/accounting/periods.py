"""The days, weeks and months of budgets in the home's time zone, and the time zone of this machine."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
import os
from pathlib import Path
from zoneinfo import ZoneInfo

_LOCAL = Path("/etc/localtime")


class Period(StrEnum):
    """How often a budget renews."""

    DAY = "day"
    WEEK = "week"
    """From Monday (ISO 8601)."""
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Window:
    """One day, week or month: from `start` (inclusive) to `end` (exclusive), in seconds since the epoch."""

    label: str
    """The first day (ISO 8601), which identifies the period even if the time zone changes."""
    start: float
    end: float

    def __contains__(self, moment: float) -> bool:
        """Whether a time is within the period."""
        return self.start <= moment < self.end


def window(period: Period, moment: float, zone: tzinfo) -> Window:
    """The period that contains a time, in a time zone.

    Days have 23 or 25 hours when the clocks change.
    """
    first = _first_day(period, datetime.fromtimestamp(moment, zone).date())
    return Window(first.isoformat(), _midnight(first, zone), _midnight(_next(period, first), zone))


def _first_day(period: Period, day: date) -> date:
    if period is Period.DAY:
        return day
    return day - timedelta(days=day.weekday()) if period is Period.WEEK else day.replace(day=1)


def _next(period: Period, first: date) -> date:
    if period is Period.MONTH:
        return (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=1 if period is Period.DAY else 7)


def _midnight(day: date, zone: tzinfo) -> float:
    """The start of a day. If the clocks skip midnight, the moment of the change; if midnight repeats, the first one."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


class Windows:
    """The current periods, cached. The time zone may be changed at any time."""

    def __init__(self, zone: tzinfo) -> None:
        """`zone` is the home's time zone."""
        self._zone = zone
        self._known: dict[Period, Window] = {}

    @property
    def zone(self) -> tzinfo:
        """The home's time zone."""
        return self._zone

    @zone.setter
    def zone(self, zone: tzinfo) -> None:
        self._zone = zone
        self._known.clear()

    def at(self, period: Period, moment: float) -> Window:
        """The period that contains a time."""
        known = self._known.get(period)
        if known is None or moment not in known:
            known = self._known[period] = window(period, moment, self._zone)
        return known


def local_zone() -> tzinfo:
    """The time zone of `TZ`, else of this machine, else UTC: its rules, not its offset of today. Reads files."""
    try:
        if name := os.environ.get("TZ", "").removeprefix(":"):
            return ZoneInfo(name)
        with _LOCAL.open("rb") as file:
            return ZoneInfo.from_file(file, key="local")
    except (OSError, ValueError):
        return UTC
