"""`Ledger`: usage records, written in batches and deleted after a retention time."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import fields, replace
from datetime import date
from functools import partial
import logging
from typing import Any, override

from sqlalchemy import ColumnElement, Connection, Row, Select, insert, literal, select, tuple_

from ...protocol.usage import Usage
from ..storage.database import Database
from ..storage.statements import CURRENCY_LIMIT, bounded, bounded_or_none, clamp_int64, delete_oldest, delete_some
from ..storage.tables import generations
from ..storage.write_queue import QueuedWriter, Write, WriteQueue
from . import export, record_search, rollups
from .generation import FailedAttempt, Generation, Outcome, Recorder, Viewer
from .record_search import PAGE_LIMIT, Cursor, RecordFilter, SumGroups
from .rollups import ALL, Group, Rollups, UsageFilter, UsageRow
from .summary import TOKEN_CLASSES
from .totals import Totals

_LOGGER = logging.getLogger(__name__)

PENDING_LIMIT = 20_000
"""Records waiting to be written: four seconds at 5,000 a second, ten megabytes."""
_COLUMNS = [column for column in generations.columns if column.name != "row_id"]
COLUMNS = [str(column.name) for column in _COLUMNS]
"""The columns of `Ledger.pages`: money in nano-units, `created` in seconds since the epoch."""
_ORDER = (generations.c.created, generations.c.row_id)
_PAGE_ROWS = 1_000
_AUDIO = ("audio_seconds", "speech_characters")
_PLAIN = [field.name for field in fields(Generation) if field.name not in ("usage", "failed_attempts")]
ATTEMPTS_LIMIT = 20
"""Failed attempts stored with a record."""


class Ledger(Recorder, QueuedWriter):
    """Stores and finds usage records. Not thread-safe: all calls come from one event loop."""

    def __init__(self, database: Database, write_queue: WriteQueue, totals: Totals) -> None:
        """Every record is also added to `totals`."""
        self.totals = totals
        self._rollups = Rollups()
        self._database = database
        self._write_queue = write_queue
        self._pending: list[Generation] = []
        self._in_flight: Sequence[Generation] = ()
        self.dropped = 0
        """Records lost because the database could not be written for too long."""
        self._full = False
        write_queue.add(self)

    @override
    def record(self, generation: Generation) -> None:
        """Queue a record. Without a cost of its own it gets the cost that the upstream reported."""
        if generation.cost is None and generation.usage.cost is not None:
            generation = replace(generation, cost=generation.usage.cost)
        if len(self._pending) + len(self._in_flight) >= PENDING_LIMIT:
            self._drop(1)
            return
        self.totals.record(generation)
        self._pending.append(generation)
        self._write_queue.request_flush()

    async def get(self, wanted: str, viewer: Viewer | None = None) -> Generation | None:
        """The record with an id, else the one whose answer has that id, or None.

        Ids chosen by clients or providers may repeat: returns the last record that `viewer` may see (None: any). Raises
        DatabaseError.
        """
        return await self._last("id", wanted, viewer) or await self._last("answer_id", wanted, viewer)

    async def _last(self, name: str, wanted: str, viewer: Viewer | None) -> Generation | None:
        """The last record with a value that `viewer` may see."""
        for waiting in (self._pending, self._in_flight):
            for generation in reversed(waiting):
                if getattr(generation, name) == wanted and (viewer is None or viewer.may_see(generation)):
                    return generation
        conditions = [generations.c[name] == bounded(wanted), *(_own(viewer) if viewer is not None else ())]

        def work(connection: Connection) -> Row[Any] | None:
            found = select(*_COLUMNS).where(*conditions).order_by(generations.c.row_id.desc()).limit(1)
            return connection.execute(found).first()

        row = await self._database.read(work)
        return None if row is None else _generation(row)

    async def usage(
        self,
        start: date,
        end: date,
        group_by: Sequence[Group] = (),
        *,
        only: UsageFilter = ALL,
        limit: int | None = None,
    ) -> list[UsageRow]:
        """The usage on the days from `start` to `end`, inclusive (`rollups.read`). Raises DatabaseError."""
        await self._write_queue.flush()
        return await self._database.read(
            lambda connection: rollups.read(connection, group_by=group_by, start=start, end=end, only=only, limit=limit)
        )

    async def usage_and_total(
        self,
        start: date,
        end: date,
        group_by: Sequence[Group] = (),
        *,
        only: UsageFilter = ALL,
        limit: int | None = None,
    ) -> tuple[list[UsageRow], UsageRow]:
        """`usage`, and the total of its groups, in which requests with several labels count once. Raises DatabaseError."""
        read = partial(rollups.read, start=start, end=end, only=only)
        await self._write_queue.flush()

        def work(connection: Connection) -> tuple[list[UsageRow], UsageRow]:
            uses = read(connection, group_by=group_by, limit=limit)
            return uses, export.total(read(connection) if Group.LABEL in group_by else uses)

        return await self._database.read(work)

    async def pages(self, start: float, end: float) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield the records from `start` up to `end` as pages of rows with `COLUMNS`, oldest first. Raises DatabaseError."""
        await self._write_queue.flush()
        last: tuple[float, int] = (start, -1)
        while True:
            after = tuple_(generations.c.created, generations.c.row_id) > tuple_(*map(literal, last))
            found = select(generations).where(after, generations.c.created < end).order_by(*_ORDER).limit(_PAGE_ROWS)
            page = await self._database.read(partial(_rows, found))
            if not page:
                return
            last = (page[-1]["created"], page[-1]["row_id"])
            yield page

    async def search(self, wanted: RecordFilter, before: Cursor | None = None, limit: int = PAGE_LIMIT) -> list[dict[str, Any]]:
        """Up to `limit` records before a cursor, newest first: rows with `row_id` and `COLUMNS`. Raises DatabaseError."""
        await self._write_queue.flush()
        return await self._database.read(partial(record_search.page, wanted=wanted, before=before, limit=limit))

    async def sums(self, wanted: RecordFilter, by: SumGroups) -> list[dict[str, Any]]:
        """The stored records summed by groups (`record_search.sums`). Raises DatabaseError."""
        await self._write_queue.flush()
        return await self._database.read(partial(record_search.sums, wanted=wanted, by=by))

    async def key_uses(self, start: float) -> list[tuple[str, int, int]]:
        """Requests and tokens of each key since `start` (`record_search.key_uses`). Raises DatabaseError."""
        await self._write_queue.flush()
        return await self._database.read(partial(record_search.key_uses, start=start))

    async def refresh(self, known: Callable[[str], bool]) -> None:
        """Reload the totals, merging deleted keys (not `known`) into `OTHER`. Raises DatabaseError."""
        async with self._write_queue.paused():
            read = await self._database.read(self.totals.read)
            self.totals.replace(read, self._pending, known)

    @override
    def collect(self, *, last: bool) -> Write | None:
        if not self._pending:
            return None
        taken = self._in_flight = self._pending
        self._pending = []
        zone = self.totals.zone

        def write(connection: Connection) -> None:
            connection.execute(insert(generations), [_row(record) for record in taken])
            self._rollups.add(connection, taken, zone)

        return write

    @override
    def done(self, *, written: bool, again: bool) -> None:
        if again:
            self._pending = [*self._in_flight, *self._pending]
        elif not written:
            self._drop(len(self._in_flight))
        else:
            self._full = False
        self._in_flight = ()

    def _drop(self, count: int) -> None:
        self.dropped += count
        if not self._full:
            self._full = True
            _LOGGER.error("The database cannot be written; usage records are lost until it can")


def prune(connection: Connection, until: float) -> int:
    """Delete one batch of the records up to `until`; returns the number of deleted rows."""
    return delete_oldest(connection, generations.c.row_id, generations.c.created, until)


def forget(connection: Connection, *, key_id: str | None = None, user_id: str | None = None) -> int:
    """Delete one batch of the records of a key or a user; returns the number of deleted rows."""
    whose = (generations.c.key_id == key_id) if key_id is not None else (generations.c.user_id == user_id)
    return delete_some(connection, generations.c.row_id, whose)


def _own(viewer: Viewer) -> Sequence[ColumnElement[bool]]:
    """`Viewer.may_see` as SQL conditions."""
    columns = generations.c
    if viewer.key_id is not None:
        return [columns.key_id == bounded_or_none(viewer.key_id)]
    if viewer.user_id is not None:
        return [columns.key_id.is_(None), columns.user_id == bounded_or_none(viewer.user_id)]
    address = columns.address.is_(None) if viewer.address is None else columns.address == bounded_or_none(viewer.address)
    return [columns.key_id.is_(None), columns.user_id.is_(None), columns.source == bounded(viewer.source), address]


def _rows(found: Select[Any], connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(found).mappings()]


def _row(generation: Generation) -> dict[str, Any]:
    usage = generation.usage
    return {
        "id": bounded(generation.id),
        "created": generation.created,
        "source": bounded(generation.source),
        "kind": bounded(generation.kind),
        "requested_model": bounded(generation.requested_model),
        "outcome": generation.outcome.value,
        "answer_id": bounded_or_none(generation.answer_id),
        "model": bounded_or_none(generation.model),
        "backend_id": bounded_or_none(generation.backend_id),
        "backend_name": bounded_or_none(generation.backend_name),
        "provider_health": bounded_or_none(generation.provider_health),
        "attempts": generation.attempts,
        "failed_attempts": [_attempt(attempt) for attempt in generation.failed_attempts[-ATTEMPTS_LIMIT:]] or None,
        "stream": generation.stream,
        **{name: clamp_int64(getattr(usage, name)) for name in TOKEN_CLASSES},
        "audio_seconds": usage.audio_seconds or None,
        "speech_characters": clamp_int64(usage.speech_characters) or None,
        "upstream_cost": None if usage.cost is None else clamp_int64(usage.cost),
        "estimated": generation.estimated,
        "cost": None if generation.cost is None else clamp_int64(generation.cost),
        "prompt_cost": None if generation.prompt_cost is None else clamp_int64(generation.prompt_cost),
        "cost_source": bounded_or_none(generation.cost_source),
        "currency": bounded(generation.currency)[:CURRENCY_LIMIT],
        "converted_cost": None if generation.converted_cost is None else clamp_int64(generation.converted_cost),
        "converted_currency": None if generation.converted_currency is None else generation.converted_currency[:CURRENCY_LIMIT],
        "energy": generation.energy,
        "duration": generation.duration,
        "sent": generation.sent,
        "first_byte": generation.first_byte,
        "first_token": generation.first_token,
        "finish_reason": bounded_or_none(generation.finish_reason),
        "error_code": bounded_or_none(generation.error_code),
        "caller": bounded(generation.caller),
        "key_id": bounded_or_none(generation.key_id),
        "user_id": bounded_or_none(generation.user_id),
        "address": bounded_or_none(generation.address),
    }


def _attempt(attempt: FailedAttempt) -> dict[str, str | float | None]:
    return {name: bounded_or_none(value) if isinstance(value, str) else value for name, value in attempt._asdict().items()}


def _generation(row: Row[Any]) -> Generation:
    audio = {name: value for name in _AUDIO if (value := getattr(row, name))}
    usage = Usage(**{name: getattr(row, name) for name in TOKEN_CLASSES}, cost=row.upstream_cost, **audio)
    plain = {name: getattr(row, name) for name in _PLAIN}
    failed = tuple(FailedAttempt(**attempt) for attempt in row.failed_attempts or ())
    return Generation(**{**plain, "outcome": Outcome(row.outcome), "usage": usage, "failed_attempts": failed})
