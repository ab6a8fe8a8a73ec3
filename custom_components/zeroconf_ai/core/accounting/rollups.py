"""Use by day: sums that are written together with the generations, and stay when those are deleted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, delete, func, literal, select

from .generation import Generation
from .rows import CURRENCY_LIMIT, add_up, add_up_from, bounded
from .sums import NUMBERS, Sums, day_of
from .tables import key_rollups, rollups

OTHER = "other"
"""What is not told apart: one name too many."""
FORGOTTEN = "forgotten"
"""In the place of a key or a user of whom everything was deleted."""
MODEL_LIMIT = 500
"""Models of one day that are told apart: their names are the upstreams' choice."""
_MODEL_CHARACTERS = 200
_ID_CHARACTERS = 64
"""PostgreSQL's primary keys hold 2,704 bytes."""
_NAMES = frozenset({"backend_name", "key_name"})


class Group(StrEnum):
    """By what use can be told apart."""

    DAY = "day"
    MODEL = "model"
    BACKEND = "backend"
    KEY = "key"
    USER = "user"
    SOURCE = "source"


_COLUMNS = {
    Group.DAY: "day",
    Group.MODEL: "model",
    Group.BACKEND: "backend_id",
    Group.KEY: "key_id",
    Group.USER: "user_id",
    Group.SOURCE: "source",
}
_LABELS = {Group.BACKEND: "backend_name", Group.KEY: "key_name"}
_STORED = (*NUMBERS, "cost")
_PERSONAL = frozenset({Group.KEY, Group.USER})


@dataclass(frozen=True, slots=True)
class Use:
    """What the requests of one group used."""

    group: dict[Group, str]
    """What they have in common: a date in ISO 8601, an id, a name; empty: none."""
    labels: dict[Group, str]
    """The names that a backend and a key had last."""
    sums: Sums


class Rollups:
    """Writes them. Lives in the database's thread."""

    def __init__(self) -> None:
        """Knows no day yet."""
        self._day = date.min
        self._models: set[str] = set()

    def add(self, connection: Connection, records: Iterable[Generation], zone: tzinfo) -> None:
        """Add requests, each to the day on which it arrived in a time zone."""
        fine: dict[tuple[Any, ...], tuple[Sums, dict[str, str | None]]] = {}
        for record in records:
            day = day_of(record.created, zone)
            key = (
                day,
                _id(record.source),
                self._model(day, record.model),
                _id(record.backend_id),
                bounded(record.currency)[:CURRENCY_LIMIT],
                _id(record.key_id),
                _id(record.user_id),
            )
            found = fine.get(key)
            if found is None:
                found = fine[key] = (Sums(), {"backend_name": None, "key_name": None})
            found[0].add(record)
            if record.backend_name is not None:
                found[1]["backend_name"] = bounded(record.backend_name)
            if record.key_id is not None:
                found[1]["key_name"] = bounded(record.caller)
        coarse: dict[tuple[Any, ...], tuple[Sums, dict[str, str | None]]] = {}
        for key, (sums, names) in fine.items():
            both = coarse.setdefault(key[:5], (Sums(), {"backend_name": None}))
            both[0].merge(sums)
            both[1]["backend_name"] = names["backend_name"] or both[1]["backend_name"]
        for table, rows in ((rollups, coarse), (key_rollups, fine)):
            # In one order: two gateways that write at the same time must not wait for each other.
            add_up(connection, table, [_row(key, *rows[key]) for key in sorted(rows)], latest=_latest(table))

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
    key_id: str | None = None,
    user_id: str | None = None,
    limit: int | None = None,
) -> list[Use]:
    """What was used from `start` to `end`, both included; one `Use` per group, sorted by it.

    `key_id` and `user_id` leave one's own; "" means those without. With `limit`, reading ends soon after so many groups.
    """
    personal = key_id is not None or user_id is not None or not _PERSONAL.isdisjoint(group_by)
    table = key_rollups if personal else rollups
    found = _query(table, group_by)
    for column, value in (("key_id", key_id), ("user_id", user_id)):
        if value is not None:
            found = found.where(table.c[column] == value)
    if start is not None:
        found = found.where(table.c.day >= start)
    if end is not None:
        found = found.where(table.c.day <= end)
    uses: dict[tuple[str, ...], Use] = {}
    for row in connection.execute(found):
        group = tuple(str(row[at]) for at in range(len(group_by)))
        use = uses.get(group)
        if use is None:
            if limit is not None and len(uses) >= limit:
                break
            use = uses[group] = Use(dict(zip(group_by, group, strict=True)), {}, Sums())
        use.sums.merge(_sums(row))
        for name, column in _LABELS.items():
            if name in group_by and (label := getattr(row, column)):
                use.labels[name] = label
    return list(uses.values())


def prune(connection: Connection, until: date) -> None:
    """Delete the days before `until`. They are few rows each."""
    for table in (rollups, key_rollups):
        connection.execute(delete(table).where(table.c.day < until))


def forget(connection: Connection, *, key_id: str | None = None, user_id: str | None = None) -> None:
    """Have the sums of a key or of a user be those of nobody in particular; what was used stays what it was."""
    kept = ("day", "source", "model", "backend_id", "currency")
    values = [
        *(key_rollups.c[name] for name in kept),
        *(literal(FORGOTTEN).label(name) for name in ("key_id", "user_id")),
        func.max(key_rollups.c.backend_name).label("backend_name"),
        *(func.sum(key_rollups.c[name]).label(name) for name in _STORED),
    ]
    for column, value in ((key_rollups.c.key_id, key_id), (key_rollups.c.user_id, user_id)):
        if value and value != FORGOTTEN:
            found = select(*values).where(column == value).group_by(*(key_rollups.c[name] for name in kept))
            add_up_from(connection, key_rollups, found, latest=_NAMES)
            connection.execute(delete(key_rollups).where(column == value))


def _query(table: Table, group_by: Sequence[Group]) -> Select[Any]:
    groups = [table.c[_COLUMNS[group]] for group in group_by]
    labels = [func.max(table.c[column]).label(column) for group, column in _LABELS.items() if group in group_by]
    sums = [func.sum(table.c[name]).label(name) for name in _STORED]
    found = select(*groups, table.c.currency, *labels, *sums)
    return found.group_by(*groups, table.c.currency).order_by(*groups, table.c.currency)


def _latest(table: Table) -> set[str]:
    return {name for name in _NAMES if name in table.c}


def _row(key: tuple[Any, ...], sums: Sums, names: dict[str, str | None]) -> dict[str, Any]:
    texts = ("day", "source", "model", "backend_id", "currency", "key_id", "user_id")
    numbers = {name: getattr(sums, name) for name in NUMBERS}
    return {**dict(zip(texts, key, strict=False)), **names, **numbers, "cost": sum(sums.costs.values())}


def _sums(row: Row[Any]) -> Sums:
    """PostgreSQL's sums of whole numbers are decimals."""
    whole = {name: int(getattr(row, name)) for name in NUMBERS if name not in ("duration", "first_token")}
    costs = {row.currency: int(row.cost)} if whole["priced"] else {}
    return Sums(**whole, duration=float(row.duration), first_token=float(row.first_token), costs=costs)


def _id(text: str | None) -> str:
    return bounded(text or "")[:_ID_CHARACTERS]
