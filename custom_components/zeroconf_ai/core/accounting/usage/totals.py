"""What was used today, this month and ever: in memory, for sensors and for `/v1/status`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from enum import StrEnum

from sqlalchemy import Connection

from . import rollups
from .generation import Generation
from .rollups import FORGOTTEN, OTHER, Group
from .summary import Aggregate, day_of, month_end

SUBJECT_LIMIT = 20_000
"""Backends, keys and users each that are told apart; what is beyond is added up as `OTHER`."""


class Subject(StrEnum):
    """Whose use it is."""

    BACKEND = "backend"
    KEY = "key"
    USER = "user"


@dataclass(slots=True)
class UsageSummary:
    """What somebody used."""

    today: Aggregate = field(default_factory=Aggregate)
    month: Aggregate = field(default_factory=Aggregate)
    total: Aggregate = field(default_factory=Aggregate)

    def copy(self) -> UsageSummary:
        """The same, for those who keep it."""
        return UsageSummary(self.today.copy(), self.month.copy(), self.total.copy())


class Totals:
    """The sums of the rollups, and of the records that are not written yet. Lives on one event loop."""

    def __init__(self, zone: tzinfo, now: Callable[[tzinfo], datetime] = datetime.now) -> None:
        """Empty until `apply`. Days begin at midnight in `zone`."""
        self._zone = zone
        self._now = now
        self._date = now(zone).date()
        self._household = UsageSummary()
        self._subjects: dict[Subject, dict[str, UsageSummary]] = {subject: {} for subject in Subject}
        self.stale = True
        """Whether a day has turned, forwards or back, or the zone was changed, so that all is to be read again."""

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
        """Everybody's use."""
        self._turn()
        return self._household.copy()

    def of(self, subject: Subject, subject_id: str) -> UsageSummary:
        """What a backend, key or user used; nothing where none is known."""
        self._turn()
        found = self._subjects[subject].get(subject_id)
        return UsageSummary() if found is None else found.copy()

    def ids(self, subject: Subject) -> list[str]:
        """Of whom something is known."""
        return list(self._subjects[subject])

    def add(self, generation: Generation) -> None:
        """Add a record."""
        self._turn()
        day = day_of(generation.created, self._zone)
        for standing in (
            self._household,
            self._standing(Subject.BACKEND, generation.backend_id),
            self._standing(Subject.KEY, generation.key_id),
            self._standing(Subject.USER, generation.user_id),
        ):
            if standing is None:
                continue
            standing.total.add(generation)
            if (day.year, day.month) == (self._date.year, self._date.month):
                standing.month.add(generation)
            if day == self._date:
                standing.today.add(generation)

    def apply(self, read: Totals, pending: Iterable[Generation], known: Callable[[str], bool]) -> None:
        """Take the sums that were read, and add the records that were not written then. Keys that are not `known` are others."""
        if (read._zone, read._date) != (self._zone, self.date):
            self.stale = True
            return
        self._date = read._date
        self._household, self._subjects = read._household, read._subjects
        self.stale = False
        for generation in pending:
            self.add(generation)
        keys = self._subjects[Subject.KEY]
        for key_id in [key_id for key_id in keys if key_id != OTHER and not known(key_id)]:
            standing = keys.pop(key_id)
            other = keys.setdefault(OTHER, UsageSummary())
            for name in ("today", "month", "total"):
                getattr(other, name).merge(getattr(standing, name))

    def read(self, connection: Connection) -> Totals:
        """What the database says, in the database's thread."""
        read = Totals(self._zone, self._now)
        today = read._date
        month = today.replace(day=1), month_end(today)
        for name, (start, end) in (("today", (today, today)), ("month", month), ("total", (None, None))):
            for use in rollups.read(connection, group_by=(Group.BACKEND,), start=start, end=end):
                getattr(read._household, name).merge(use.sums)
                read._merge(Subject.BACKEND, use.group[Group.BACKEND], name, use.sums)
            for use in rollups.read(connection, group_by=(Group.KEY, Group.USER), start=start, end=end):
                read._merge(Subject.KEY, use.group[Group.KEY], name, use.sums)
                read._merge(Subject.USER, use.group[Group.USER], name, use.sums)
        return read

    def _merge(self, subject: Subject, subject_id: str, name: str, sums: Aggregate) -> None:
        standing = self._standing(subject, subject_id if subject_id not in ("", FORGOTTEN) else None)
        if standing is not None:
            getattr(standing, name).merge(sums)

    def _standing(self, subject: Subject, subject_id: str | None) -> UsageSummary | None:
        if subject_id is None:
            return None
        known = self._subjects[subject]
        if subject_id not in known and len(known) >= SUBJECT_LIMIT:
            subject_id = OTHER
        return known.setdefault(subject_id, UsageSummary())

    def _turn(self) -> None:
        """Begin anew where a day is over; what is to be said of the new one is read again."""
        today = self.date
        if today == self._date:
            return
        month = (today.year, today.month) != (self._date.year, self._date.month)
        self._date = today
        self.stale = True
        for standing in (self._household, *(found for known in self._subjects.values() for found in known.values())):
            standing.today = Aggregate()
            if month:
                standing.month = Aggregate()
