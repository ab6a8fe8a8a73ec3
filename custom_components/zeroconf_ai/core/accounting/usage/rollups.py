"""Usage by day and by month: sums written together with the records and kept when those are deleted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Date, Select, Table, delete, func, literal, or_, select

from ..storage.statements import CURRENCY_LIMIT, add_up, add_up_from, bounded
from ..storage.tables import key_labels, key_months, key_rollups, rollups
from .generation import Generation
from .summary import NUMBERS, Aggregate, day_of, month_end

OTHER = "other"
"""The group of all names beyond a limit."""
FORGOTTEN = "forgotten"
"""Replaces the id of a key or a user whose data was deleted."""
MODEL_LIMIT = 500
"""Distinct models per day; upstreams choose the names, so their number is limited."""
_MODEL_CHARACTERS = 200
_ID_CHARACTERS = 64
"""PostgreSQL's primary keys hold 2,704 bytes."""
_NAMES = frozenset({"backend_name", "key_name"})


class Group(StrEnum):
    """The dimensions of a usage query."""

    DAY = "day"
    MODEL = "model"
    BACKEND = "backend"
    KEY = "key"
    USER = "user"
    SOURCE = "source"
    LABEL = "label"
    """A label of the key. Requests of a key with several labels count in each of them, and once in totals."""


_COLUMNS = {
    Group.DAY: "day",
    Group.MODEL: "model",
    Group.BACKEND: "backend_id",
    Group.KEY: "key_id",
    Group.USER: "user_id",
    Group.SOURCE: "source",
}
_LABELS = {Group.BACKEND: "backend_name", Group.KEY: "key_name"}
_STORED = (*NUMBERS, "cost", "energy_cost")
_FRACTIONS = ("duration", "first_token", "energy", "audio_seconds")
_BY_PLACE: Callable[..., Aggregate] = Aggregate
_SUMMED = (*_FRACTIONS, "cost", "energy_cost", *(name for name in NUMBERS if name not in _FRACTIONS))
_PERSONAL = frozenset({Group.KEY, Group.USER, Group.LABEL})
_COARSE = ("day", "source", "model", "backend_id", "currency")
_FINE = (*_COARSE, "key_id", "user_id")
_MONTHLY = ("month", "key_id", "currency", "user_id")


@dataclass(frozen=True, slots=True)
class UsageRow:
    """The usage of one group of requests."""

    group: dict[Group, str]
    """The value of each dimension: an ISO 8601 date, an id or a name; empty: none."""
    labels: dict[Group, str]
    """The latest names of the backend and the key."""
    aggregate: Aggregate


_FILTERED = ("model", "backend_id", "key_id", "user_id", "source")


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """What usage is summed; None: any. "" as key, user or label: requests without one."""

    model: str | None = None
    """The model that answered."""
    backend_id: str | None = None
    key_id: str | None = None
    user_id: str | None = None
    label: str | None = None
    """A label of the key."""
    source: str | None = None

    @property
    def is_personal(self) -> bool:
        """Whether it selects keys or users."""
        return any(value is not None for value in (self.key_id, self.user_id, self.label))

    @property
    def is_only_personal(self) -> bool:
        """Whether it selects nothing but keys and users."""
        return (self.model, self.backend_id, self.source) == (None,) * 3


ALL = UsageFilter()


type _Rows = dict[tuple[Any, ...], tuple[Aggregate, dict[str, str | None]]]
"""Primary key of a row → its sums and the latest names."""


class Rollups:
    """Writes the sums. Used in the database thread."""

    def __init__(self) -> None:
        """Starts without a known day."""
        self._day = date.min
        self._models: set[str] = set()

    def add(self, connection: Connection, records: Iterable[Generation], zone: tzinfo) -> None:
        """Add records to the day of their arrival in a time zone."""
        fine: _Rows = {}
        for record in records:
            self._row_of(fine, record, zone, record.model, record.backend_id, record.backend_name).add(record)
            for attempt in record.failures:
                row = self._row_of(fine, record, zone, attempt.model, attempt.backend_id, attempt.backend_name)
                row.failed_attempts += 1
        coarse: _Rows = {}
        months: _Rows = {}
        for key, (aggregate, names) in fine.items():
            day, *_, currency, key_id, user_id = key
            _merge(coarse, key[: len(_COARSE)], aggregate, {"backend_name": names["backend_name"]})
            _merge(months, (day.replace(day=1), key_id, currency, user_id), aggregate, {"key_name": names["key_name"]})
        for table, texts, rows in ((rollups, _COARSE, coarse), (key_rollups, _FINE, fine), (key_months, _MONTHLY, months)):
            # In a fixed order, so that two gateways writing at the same time cannot deadlock.
            add_up(connection, table, [_row(texts, key, *rows[key]) for key in sorted(rows)], latest=_latest(table))

    def _row_of(
        self,
        fine: _Rows,
        record: Generation,
        zone: tzinfo,
        model: str | None,
        backend_id: str | None,
        backend_name: str | None,
    ) -> Aggregate:
        """The sums to which a record, or an attempt of it at another backend, belongs."""
        day = day_of(record.created, zone)
        key = (
            day,
            _id(record.source),
            self._model(day, model),
            _id(backend_id),
            bounded(record.currency)[:CURRENCY_LIMIT],
            _id(record.key_id),
            _id(record.user_id),
        )
        aggregate, names = fine.setdefault(key, (Aggregate(), {"backend_name": None, "key_name": None}))
        if backend_name is not None:
            names["backend_name"] = bounded(backend_name)
        if record.key_id is not None:
            names["key_name"] = bounded(record.caller)
        return aggregate

    def _model(self, day: date, name: str | None) -> str:
        if day != self._day:
            self._day = day
            self._models.clear()
        model = bounded(name or "")[:_MODEL_CHARACTERS]
        if model not in self._models:
            if len(self._models) >= MODEL_LIMIT:
                return OTHER
            self._models.add(model)
        return model


def read(
    connection: Connection,
    *,
    group_by: Sequence[Group] = (),
    start: date | None = None,
    end: date | None = None,
    only: UsageFilter = ALL,
    limit: int | None = None,
) -> list[UsageRow]:
    """The usage from `start` to `end`, inclusive, of what `only` selects: one `UsageRow` per group, sorted by group.

    Reading ends soon after `limit` groups.
    """
    table = rollups
    if only.is_personal or not _PERSONAL.isdisjoint(group_by):
        by_person = _PERSONAL.issuperset(group_by) and only.is_only_personal
        table = key_months if by_person and _whole_months(connection, start, end) else key_rollups
    found = _query(table, group_by)
    for name in _FILTERED:
        if (value := getattr(only, name)) is not None:
            found = found.where(table.c[name] == bounded(value))
    if only.label is not None:
        found = found.where(has_label(table.c.key_id, only.label))
    if table is key_months:
        day, start, end = table.c.month, start and start.replace(day=1), end and end.replace(day=1)
    else:
        day = table.c.day
    if start is not None and start == end:
        found = found.where(day == start)  # lets the database use the order of the primary key
    else:
        found = found.where(*(day >= first for first in (start,) if first), *(day <= last for last in (end,) if last))
    labelled = [name for name in _LABELS if name in group_by]
    names_at, sums_at = len(group_by), len(group_by) + len(labelled)
    uses: dict[tuple[str, ...], UsageRow] = {}
    for row in connection.execute(found):
        group = tuple(map(str, row[:names_at]))
        aggregate = _sums(*row[sums_at:])
        use = uses.get(group)
        if use is None:
            if limit is not None and len(uses) >= limit:
                break
            use = uses[group] = UsageRow(dict(zip(group_by, group, strict=True)), {}, aggregate)
        else:
            use.aggregate.merge(aggregate)
        for name, latest in zip(labelled, row[names_at:sums_at], strict=True):
            if latest:
                use.labels[name] = latest
    return list(uses.values())


def has_label(key_id: ColumnElement[Any], label: str) -> ColumnElement[bool]:
    """Whether the key with the id has a label; with "" as the label: whether it has none, or the request has no key."""
    if label:
        return key_id.in_(select(key_labels.c.key_id).where(key_labels.c.label == bounded(label)))
    return or_(key_id.is_(None), key_id.not_in(select(key_labels.c.key_id)))


def prune(connection: Connection, until: date) -> None:
    """Delete the days before `until` and subtract them from its month. Each day has few rows."""
    month = until.replace(day=1)
    gone = _sum_up(key_rollups, {"month": literal(month, Date)}, _MONTHLY[1:], -1)
    # Subtracted rather than summed again: other gateways may add to the month at the same time.
    add_up_from(
        connection, key_months, gone.where(key_rollups.c.day >= month, key_rollups.c.day < until), latest=_latest(key_months)
    )
    empty = or_(key_months.c.month < month, (key_months.c.month == month) & (key_months.c.requests <= 0))
    connection.execute(delete(key_months).where(empty))
    for table in (rollups, key_rollups):
        connection.execute(delete(table).where(table.c.day < until))


def forget(connection: Connection, *, key_id: str | None = None, user_id: str | None = None) -> None:
    """Anonymize the sums of a key or a user; the totals do not change."""
    nobody: dict[str, ColumnElement[Any]] = {name: literal(FORGOTTEN) for name in ("key_id", "user_id")}
    for table, kept in ((key_rollups, _COARSE), (key_months, ("month", "currency"))):
        names: dict[str, ColumnElement[Any]] = (
            {"backend_name": func.max(table.c.backend_name)} if "backend_name" in table.c else {}
        )
        for column, value in ((table.c.key_id, key_id), (table.c.user_id, user_id)):
            if value and value != FORGOTTEN:
                found = _sum_up(table, nobody | names, kept).where(column == value)
                add_up_from(connection, table, found, latest=_latest(table))
                connection.execute(delete(table).where(column == value))


def _whole_months(connection: Connection, start: date | None, end: date | None) -> bool:
    """Whether monthly sums answer a range exactly: its first and last month have no usage outside the range."""
    day = rollups.c.day
    beside = []
    if start is not None and start.day > 1:
        beside.append((day >= start.replace(day=1)) & (day < start))
    if end is not None and end != month_end(end):
        beside.append((day > end) & (day <= month_end(end)))
    return all(connection.execute(select(day).where(rest).limit(1)).first() is None for rest in beside)


def _sum_up(table: Table, values: Mapping[str, ColumnElement[Any]], kept: Sequence[str], sign: int = 1) -> Select[Any]:
    """Sums grouped by the columns `kept`, with fixed `values` for the other key columns."""
    texts = [table.c[name] for name in kept]
    others = [value.label(name) for name, value in values.items()]
    return select(*texts, *others, *((sign * func.sum(table.c[name])).label(name) for name in _STORED)).group_by(*texts)


def _merge(rows: _Rows, key: tuple[Any, ...], aggregate: Aggregate, names: dict[str, str | None]) -> None:
    found = rows.setdefault(key, (Aggregate(), {}))
    found[0].merge(aggregate)
    for name, value in names.items():
        found[1][name] = value or found[1].get(name)


def _query(table: Table, group_by: Sequence[Group]) -> Select[Any]:
    """The query: group columns, latest names, and the arguments of `_sums`."""
    groups: list[ColumnElement[Any]] = [
        func.coalesce(key_labels.c.label, "") if group is Group.LABEL else table.c[_COLUMNS[group]] for group in group_by
    ]
    labels = [func.max(table.c[column]) for group, column in _LABELS.items() if group in group_by]
    found = select(*groups, *labels, table.c.currency, *(func.sum(table.c[name]) for name in _SUMMED))
    if Group.LABEL in group_by:
        found = found.select_from(table.outerjoin(key_labels, key_labels.c.key_id == table.c.key_id))
    return found.group_by(*groups, table.c.currency).order_by(*groups, table.c.currency)


def _latest(table: Table) -> set[str]:
    return {name for name in _NAMES if name in table.c}


def _row(texts: Sequence[str], key: tuple[Any, ...], aggregate: Aggregate, names: dict[str, str | None]) -> dict[str, Any]:
    numbers = {name: getattr(aggregate, name) for name in NUMBERS}
    costs = {"cost": sum(aggregate.costs.values()), "energy_cost": sum(aggregate.energy_costs.values())}
    return {**dict(zip(texts, key, strict=True)), **names, **numbers, **costs}


def _sums(
    currency: str, duration: float, first_token: float, energy: float, audio: float, cost: int, energy_cost: int, *counts: int
) -> Aggregate:
    """Build an aggregate from the columns `_SUMMED`, by position for speed. PostgreSQL returns sums as decimals."""
    aggregate = _BY_PLACE(*map(int, counts), {}, {}, float(duration), float(first_token), float(energy), float(audio))
    if aggregate.priced:
        aggregate.costs[currency] = int(cost)
    if energy_cost:
        aggregate.energy_costs[currency] = int(energy_cost)
    return aggregate


def _id(text: str | None) -> str:
    return bounded(text or "")[:_ID_CHARACTERS]
