"""Searches in the stored records: by filters, page by page, and summed by hour or address."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Float, Select, case, cast, func, literal, or_, select, tuple_

from ..storage.statements import bounded
from ..storage.tables import generations, key_labels
from .generation import MEASURED, Outcome
from .rollups import Group, has_label
from .summary import TOKEN_CLASSES

PAGE_LIMIT = 200
"""Records of a page."""
GROUP_LIMIT = 5_000
"""Groups of a report."""
HOUR = 3600
_COLUMNS = generations.c


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """What records are searched; None: any. `start` and `end`: `time.time()` of the arrival, the end excluded.

    "" as key, user or label: requests without one.
    """

    start: float | None = None
    end: float | None = None
    request_id: str | None = None
    """The id of the record, or the one in the answer."""
    model: str | None = None
    """The model that answered, or the requested one."""
    backend_id: str | None = None
    key_id: str | None = None
    user_id: str | None = None
    label: str | None = None
    """A label of the key."""
    address: str | None = None
    source: str | None = None
    outcome: Outcome | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter as SQL."""
        found: list[ColumnElement[bool]] = []
        if self.start is not None:
            found.append(_COLUMNS.created >= self.start)
        if self.end is not None:
            found.append(_COLUMNS.created < self.end)
        if self.request_id is not None:
            request_id = bounded(self.request_id)
            found.append(or_(_COLUMNS.id == request_id, _COLUMNS.answer_id == request_id))
        if self.model is not None:
            model = bounded(self.model)
            found.append(or_(_COLUMNS.model == model, _COLUMNS.requested_model == model))
        for column, value in (
            (_COLUMNS.backend_id, self.backend_id),
            (_COLUMNS.address, self.address),
            (_COLUMNS.source, self.source),
        ):
            if value is not None:
                found.append(column == bounded(value))
        for column, value in ((_COLUMNS.key_id, self.key_id), (_COLUMNS.user_id, self.user_id)):
            if value is not None:
                found.append(column == bounded(value) if value else column.is_(None))
        if self.label is not None:
            # An expression, so that SQLite reads in the order of the page instead of sorting all records of the keys.
            found.append(has_label(_COLUMNS.key_id.concat(""), self.label))
        if self.outcome is not None:
            found.append(_COLUMNS.outcome == self.outcome.value)
        return found


type Cursor = tuple[float, int]
"""`created` and `row_id` of the last record of a page."""


def page(connection: Connection, wanted: RecordFilter, before: Cursor | None, limit: int) -> list[dict[str, Any]]:
    """Up to `limit` records before a cursor, newest first, as rows of the table."""
    found = select(generations).where(*wanted.conditions())
    if before is not None:
        found = found.where(tuple_(_COLUMNS.created, _COLUMNS.row_id) < tuple_(*map(literal, before)))
    found = found.order_by(_COLUMNS.created.desc(), _COLUMNS.row_id.desc()).limit(limit)
    return [dict(row) for row in connection.execute(found).mappings()]


@dataclass(frozen=True, slots=True)
class SumGroups:
    """By what records are summed."""

    hour: bool = False
    days: tuple[float, ...] = ()
    """The `time.time()` at which each day begins, ascending; empty: not by day."""
    address: bool = False
    groups: tuple[Group, ...] = ()
    """Others than `Group.DAY`."""


_GROUPED = {
    Group.MODEL: _COLUMNS.model,
    Group.BACKEND: _COLUMNS.backend_id,
    Group.KEY: _COLUMNS.key_id,
    Group.USER: _COLUMNS.user_id,
    Group.SOURCE: _COLUMNS.source,
    Group.LABEL: key_labels.c.label,
}


def sums(connection: Connection, wanted: RecordFilter, by: SumGroups) -> list[dict[str, Any]]:
    """Requests, errors, tokens, audio, energy and nano-units of money, summed by groups and currency, in this order.

    `hour` is the `time.time()` at which a full hour of UTC begins, `day` the index in `by.days`; the others are named as in
    `Group`, "" for none. With backends or keys, `backend_name` or `caller` is one of the names in the records. At most
    `GROUP_LIMIT` rows.
    """
    groups: list[ColumnElement[Any]] = []
    if by.hour:
        groups.append((func.floor(cast(_COLUMNS.created, Float) / HOUR) * HOUR).label("hour"))
    if by.days:
        ends = [(_COLUMNS.created < end, index) for index, end in enumerate(by.days[1:])]
        day = case(*ends, else_=len(by.days) - 1) if ends else literal(0)
        groups.append(day.label("day"))
    if by.address:
        groups.append(func.coalesce(_COLUMNS.address, "").label("address"))
    groups += [func.coalesce(_GROUPED[group], "").label(group.value) for group in by.groups]
    found = _sums(wanted, groups)
    for group, column in ((Group.BACKEND, _COLUMNS.backend_name), (Group.KEY, _COLUMNS.caller)):
        if group in by.groups:
            found = found.add_columns(func.max(column).label(column.name))
    if Group.LABEL in by.groups:
        found = found.select_from(generations.outerjoin(key_labels, key_labels.c.key_id == _COLUMNS.key_id))
    return [dict(row) for row in connection.execute(found).mappings()]


def key_uses(connection: Connection, start: float) -> list[tuple[str, int, int]]:
    """(key id, requests, prompt and completion tokens) of each key with records since `start`."""
    tokens = func.sum(_COLUMNS.prompt_tokens + _COLUMNS.completion_tokens)
    found = select(_COLUMNS.key_id, func.count(), tokens).where(_COLUMNS.created >= start, _COLUMNS.key_id.is_not(None))
    return [(key_id, requests, int(tokens)) for key_id, requests, tokens in connection.execute(found.group_by(_COLUMNS.key_id))]


def _sums(wanted: RecordFilter, groups: Sequence[ColumnElement[Any]]) -> Select[Any]:
    counted = (
        func.count().label("requests"),
        func.count().filter(_COLUMNS.outcome == Outcome.ERROR.value).label("errors"),
        *(func.sum(_COLUMNS[name]).label(name) for name in TOKEN_CLASSES),
        func.coalesce(func.sum(_COLUMNS.audio_seconds), 0.0).label("audio_seconds"),
        func.coalesce(func.sum(_COLUMNS.speech_characters), 0).label("speech_characters"),
        func.sum(func.coalesce(_COLUMNS.cost, 0)).label("cost"),
        func.count(_COLUMNS.cost).label("priced"),
        func.coalesce(func.sum(_COLUMNS.cost).filter(_COLUMNS.cost_source == MEASURED), 0).label("energy_cost"),
        func.coalesce(func.sum(_COLUMNS.energy), 0.0).label("energy"),
    )
    found = select(*groups, _COLUMNS.currency, *counted).where(*wanted.conditions())
    return found.group_by(*groups, _COLUMNS.currency).order_by(*groups, _COLUMNS.currency).limit(GROUP_LIMIT)
