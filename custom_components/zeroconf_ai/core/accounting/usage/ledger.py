"""The records of what was used: written in batches, kept for a while, found by id."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import fields, replace
from datetime import date
from functools import partial
import logging
from typing import Any, override

from sqlalchemy import ColumnElement, Connection, Row, Select, insert, literal, select, tuple_

from ...protocol.usage import Usage
from ..storage.database import Database
from ..storage.statements import CURRENCY_LIMIT, bounded, delete_oldest, delete_some, maybe, whole
from ..storage.tables import generations
from ..storage.write_queue import QueuedWriter, Write, WriteQueue
from . import rollups
from .generation import Generation, Outcome, Recorder, Viewer
from .rollups import Group, Rollups, Use
from .totals import Totals

_LOGGER = logging.getLogger(__name__)

PENDING_LIMIT = 20_000
"""Records that wait to be written: four seconds' worth at 5,000 a second, ten megabytes."""
_COLUMNS = [column for column in generations.columns if column.name != "row_id"]
COLUMNS = [str(column.name) for column in _COLUMNS]
"""The columns of `Ledger.pages`: money in nano-units, `created` in seconds since the epoch."""
_ORDER = (generations.c.created, generations.c.row_id)
_PAGE_ROWS = 1_000
_TOKENS = [field.name for field in fields(Usage) if field.name != "cost"]
_PLAIN = [field.name for field in fields(Generation) if field.name != "usage"]


class Ledger(Recorder, QueuedWriter):
    """The generations. Lives on one event loop."""

    def __init__(self, database: Database, batches: WriteQueue, totals: Totals) -> None:
        """`totals` are told of every record."""
        self.totals = totals
        self._rollups = Rollups()
        self._database = database
        self._batches = batches
        self._pending: list[Generation] = []
        self._taken: Sequence[Generation] = ()
        self.dropped = 0
        """Records lost because the database took none for too long."""
        self._full = False
        batches.add(self)

    @override
    def record(self, generation: Generation) -> None:
        """Take a record in. Its cost is what the upstream named, where nobody reckoned another."""
        if generation.cost is None and generation.usage.cost is not None:
            generation = replace(generation, cost=generation.usage.cost)
        if len(self._pending) + len(self._taken) >= PENDING_LIMIT:
            self._lose(1)
            return
        self.totals.add(generation)
        self._pending.append(generation)
        self._batches.tell()

    async def get(self, generation_id: str, viewer: Viewer | None = None) -> Generation | None:
        """The record of a request, or None. Clients choose the ids: of several, the last one that `viewer` may see (None: any).

        Raises DatabaseError.
        """
        for waiting in (self._pending, self._taken):
            for generation in reversed(waiting):
                if generation.id == generation_id and (viewer is None or viewer.may_see(generation)):
                    return generation
        wanted = [generations.c.id == bounded(generation_id), *(_own(viewer) if viewer is not None else ())]

        def work(connection: Connection) -> Row[Any] | None:
            found = select(*_COLUMNS).where(*wanted).order_by(generations.c.row_id.desc()).limit(1)
            return connection.execute(found).first()

        row = await self._database.read(work)
        return None if row is None else _generation(row)

    async def use(
        self,
        start: date,
        end: date,
        group_by: Sequence[Group] = (),
        *,
        key_id: str | None = None,
        user_id: str | None = None,
        limit: int | None = None,
    ) -> list[Use]:
        """What was used on the days from `start` to `end`, both included (`rollups.read`). Raises DatabaseError."""
        await self._batches.flush()
        return await self._database.read(
            lambda connection: rollups.read(
                connection, group_by=group_by, start=start, end=end, key_id=key_id, user_id=user_id, limit=limit
            )
        )

    async def pages(self, start: float, end: float) -> AsyncIterator[list[dict[str, Any]]]:
        """The records from `start` up to `end` as rows of `COLUMNS`, in pages, the oldest first. Raises DatabaseError."""
        await self._batches.flush()
        last: tuple[float, int] = (start, -1)
        while True:
            after = tuple_(generations.c.created, generations.c.row_id) > tuple_(*map(literal, last))
            found = select(generations).where(after, generations.c.created < end).order_by(*_ORDER).limit(_PAGE_ROWS)
            page = await self._database.read(partial(_rows, found))
            if not page:
                return
            last = (page[-1]["created"], page[-1]["row_id"])
            yield page

    async def refresh(self, known: Callable[[str], bool]) -> None:
        """Read the totals again. Keys that are not `known` any more are not told apart. Raises DatabaseError."""
        async with self._batches.paused():
            read = await self._database.read(self.totals.read)
            self.totals.apply(read, self._pending, known)

    @override
    def take(self, *, last: bool) -> Write | None:
        if not self._pending:
            return None
        taken = self._taken = self._pending
        self._pending = []
        zone = self.totals.zone

        def write(connection: Connection) -> None:
            connection.execute(insert(generations), [_row(record) for record in taken])
            self._rollups.add(connection, taken, zone)

        return write

    @override
    def done(self, *, written: bool, again: bool) -> None:
        if again:
            self._pending = [*self._taken, *self._pending]
        elif not written:
            self._lose(len(self._taken))
        else:
            self._full = False
        self._taken = ()

    def _lose(self, count: int) -> None:
        self.dropped += count
        if not self._full:
            self._full = True
            _LOGGER.error("The database takes no records: those of requests from now on are lost until it does")


def prune(connection: Connection, until: float) -> int:
    """Delete some of the records of before `until`; how many."""
    return delete_oldest(connection, generations.c.row_id, generations.c.created, until)


def forget(connection: Connection, *, key_id: str | None = None, user_id: str | None = None) -> int:
    """Delete some of the records of a key or a user; how many."""
    whose = (generations.c.key_id == key_id) if key_id is not None else (generations.c.user_id == user_id)
    return delete_some(connection, generations.c.row_id, whose)


def _own(viewer: Viewer) -> Sequence[ColumnElement[bool]]:
    """What `Viewer.may_see` says, for the database."""
    columns = generations.c
    if viewer.key_id is not None:
        return [columns.key_id == maybe(viewer.key_id)]
    if viewer.user_id is not None:
        return [columns.key_id.is_(None), columns.user_id == maybe(viewer.user_id)]
    address = columns.address.is_(None) if viewer.address is None else columns.address == maybe(viewer.address)
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
        "model": maybe(generation.model),
        "backend_id": maybe(generation.backend_id),
        "backend_name": maybe(generation.backend_name),
        "attempts": generation.attempts,
        "stream": generation.stream,
        **{name: whole(getattr(usage, name)) for name in _TOKENS},
        "upstream_cost": None if usage.cost is None else whole(usage.cost),
        "estimated": generation.estimated,
        "cost": None if generation.cost is None else whole(generation.cost),
        "cost_source": maybe(generation.cost_source),
        "currency": bounded(generation.currency)[:CURRENCY_LIMIT],
        "duration": generation.duration,
        "first_token": generation.first_token,
        "finish_reason": maybe(generation.finish_reason),
        "error_code": maybe(generation.error_code),
        "caller": bounded(generation.caller),
        "key_id": maybe(generation.key_id),
        "user_id": maybe(generation.user_id),
        "address": maybe(generation.address),
    }


def _generation(row: Row[Any]) -> Generation:
    usage = Usage(**{name: getattr(row, name) for name in _TOKENS}, cost=row.upstream_cost)
    plain = {name: getattr(row, name) for name in _PLAIN}
    return Generation(**{**plain, "outcome": Outcome(row.outcome), "usage": usage})
