"""`Totals`: usage of today, of this month and in total, kept in memory for sensors and `/v1/status`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from enum import StrEnum
from typing import override

from sqlalchemy import Connection

from . import rollups
from .generation import Generation, Recorder
from .rollups import FORGOTTEN, OTHER, Group
from .summary import Aggregate, day_of, increments_of, month_end

SUBJECT_LIMIT = 20_000
"""Maximum number of backends, keys and users each; the rest is summed as `OTHER`."""

_PERIODS = ("total", "month", "today")
"""From the longest to the shortest."""
_RECENT = ("recent",)


class Subject(StrEnum):
    """What a usage summary belongs to."""

    BACKEND = "backend"
    KEY = "key"
    USER = "user"


@dataclass(slots=True)
class UsageSummary:
    """The usage of one subject."""

    today: Aggregate = field(default_factory=Aggregate)
    month: Aggregate = field(default_factory=Aggregate)
    total: Aggregate = field(default_factory=Aggregate)
    recent: Aggregate = field(default_factory=Aggregate)
    """Today's usage that is not added to the other three periods yet: requests are more frequent than reads."""

    def settle(self) -> None:
        """Add `recent` to the other three periods."""
        if self.recent.requests or self.recent.failed_attempts:
            for period in (self.today, self.month, self.total):
                period.merge(self.recent)
            self.recent = Aggregate()

    def copy(self) -> "UsageSummary":
        """Return an independent copy, without `recent`."""
        self.settle()
        return UsageSummary(self.today.copy(), self.month.copy(), self.total.copy())


class Totals(Recorder):
    """Sums of the rollups and of unwritten records; without a database, of all records. Used on one event loop."""

    def __init__(self, zone: tzinfo, now: Callable[[tzinfo], datetime] = datetime.now) -> None:
        """Starts empty. Days begin at midnight in `zone`."""
        self._zone = zone
        self._now = now
        self._date = now(zone).date()
        self._household = UsageSummary()
        self._subjects: dict[Subject, dict[str, UsageSummary]] = {subject: {} for subject in Subject}
        self.stale = True
        """Whether the date or the time zone changed, so that the totals must be reloaded."""

    @property
    def zone(self) -> tzinfo:
        """The home's time zone."""
        return self._zone

    @zone.setter
    def zone(self, zone: tzinfo) -> None:
        if zone != self._zone:
            self._zone = zone
            self.stale = True

    @property
    def date(self) -> date:
        """Today."""
        return self._now(self._zone).date()

    @property
    def household(self) -> UsageSummary:
        """The usage of all subjects."""
        self._roll_over()
        return self._household.copy()

    def of(self, subject: Subject, subject_id: str) -> UsageSummary:
        """The usage of a backend, key or user; empty if unknown."""
        self._roll_over()
        found = self._subjects[subject].get(subject_id)
        return UsageSummary() if found is None else found.copy()

    def ids(self, subject: Subject) -> list[str]:
        """The ids with recorded usage."""
        return list(self._subjects[subject])

    @override
    def record(self, generation: Generation) -> None:
        self._roll_over()
        of_caller = (
            self._household,
            self._summary(Subject.KEY, generation.key_id),
            self._summary(Subject.USER, generation.user_id),
        )
        periods = _periods_of(day_of(generation.created, self._zone), self._date)
        increments = increments_of(generation)
        for summary in (*of_caller, self._summary(Subject.BACKEND, generation.backend_id)):
            if summary is not None:
                for period in periods:
                    getattr(summary, period).increase(increments, generation)
        for attempt in generation.failures:
            for summary in (*of_caller, self._summary(Subject.BACKEND, attempt.backend_id)):
                if summary is not None:
                    for period in periods:
                        getattr(summary, period).failed_attempts += 1

    def replace(self, read: "Totals", pending: Iterable[Generation], known: Callable[[str], bool]) -> None:
        """Replace the sums by those `read`, and add the `pending` records. Keys that are not `known` are merged into `OTHER`."""
        if (read._zone, read._date) != (self._zone, self.date):
            self.stale = True
            return
        self._date = read._date
        self._household, self._subjects = read._household, read._subjects
        self.stale = False
        for generation in pending:
            self.record(generation)
        keys = self._subjects[Subject.KEY]
        for key_id in [key_id for key_id in keys if key_id != OTHER and not known(key_id)]:
            summary = keys.pop(key_id)
            summary.settle()
            other = keys.setdefault(OTHER, UsageSummary())
            for name in _PERIODS:
                getattr(other, name).merge(getattr(summary, name))

    def read(self, connection: Connection) -> "Totals":
        """Read the totals; runs in the database thread."""
        read = Totals(self._zone, self._now)
        today = read._date
        month = today.replace(day=1), month_end(today)
        for name, (start, end) in (("today", (today, today)), ("month", month), ("total", (None, None))):
            for use in rollups.read(connection, group_by=(Group.BACKEND,), start=start, end=end):
                getattr(read._household, name).merge(use.aggregate)
                read._merge(Subject.BACKEND, use.group[Group.BACKEND], name, use.aggregate)
            for use in rollups.read(connection, group_by=(Group.KEY, Group.USER), start=start, end=end):
                read._merge(Subject.KEY, use.group[Group.KEY], name, use.aggregate)
                read._merge(Subject.USER, use.group[Group.USER], name, use.aggregate)
        return read

    def _merge(self, subject: Subject, subject_id: str, name: str, aggregate: Aggregate) -> None:
        summary = self._summary(subject, subject_id if subject_id not in ("", FORGOTTEN) else None)
        if summary is not None:
            getattr(summary, name).merge(aggregate)

    def _summary(self, subject: Subject, subject_id: str | None) -> UsageSummary | None:
        if subject_id is None:
            return None
        known = self._subjects[subject]
        if subject_id not in known and len(known) >= SUBJECT_LIMIT:
            subject_id = OTHER
        if (found := known.get(subject_id)) is None:
            found = known[subject_id] = UsageSummary()
        return found

    def _roll_over(self) -> None:
        """Reset the sums of today (and of the month) after midnight, and mark the totals as stale."""
        today = self.date
        if today == self._date:
            return
        month = (today.year, today.month) != (self._date.year, self._date.month)
        self._date = today
        self.stale = True
        for summary in (self._household, *(found for known in self._subjects.values() for found in known.values())):
            summary.settle()
            summary.today = Aggregate()
            if month:
                summary.month = Aggregate()


def _periods_of(day: date, today: date) -> tuple[str, ...]:
    """The periods of `UsageSummary` to which a day belongs; `recent` is in all three."""
    if day == today:
        return _RECENT
    return _PERIODS[:2] if (day.year, day.month) == (today.year, today.month) else _PERIODS[:1]
