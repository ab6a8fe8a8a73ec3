"""Stored sessions: the backend and model of each conversation, to resume it after a restart."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import override

from sqlalchemy import Connection, bindparam, delete, select

from ..storage.database import Database
from ..storage.statements import bounded, delete_oldest, upsert
from ..storage.tables import sessions
from ..storage.write_queue import QueuedWriter, Write, WriteQueue
from .session_row import SessionRow

PENDING_LIMIT = 10_000
ROW_LIMIT = 10_000
"""Stored sessions; the least recently used are deleted first."""


class SessionTable(QueuedWriter):
    """The stored sessions. Not thread-safe: all calls come from one event loop."""

    def __init__(self, database: Database, write_queue: WriteQueue) -> None:
        self._database = database
        self._write_queue = write_queue
        self._pending: dict[str, SessionRow | None] = {}
        """None marks a session to delete."""
        self._in_flight: Mapping[str, SessionRow | None] = {}
        write_queue.add(self)

    async def load(self, limit: int) -> list[SessionRow]:
        """Return the most recently used sessions, newest first. Raises DatabaseError."""

        def work(connection: Connection) -> list[SessionRow]:
            columns = (sessions.c.key, sessions.c.backend_id, sessions.c.model, sessions.c.last_used)
            found = connection.execute(select(*columns).order_by(sessions.c.last_used.desc()).limit(limit))
            return [SessionRow(*row) for row in found]

        await self._write_queue.flush()
        return await self._database.read(work)

    def put(self, row: SessionRow) -> None:
        """Queue the insert or update of a session."""
        self._gather(row.key, row)

    def drop(self, key: str) -> None:
        """Queue the deletion of a session."""
        self._gather(key, None)

    def _gather(self, key: str, row: SessionRow | None) -> None:
        self._pending.pop(key, None)
        self._pending[key] = row
        self._bound()
        self._write_queue.request_flush()

    def _bound(self) -> None:
        """Drop the oldest pending changes; a lost one only costs a conversation its warm prompt cache."""
        while len(self._pending) > PENDING_LIMIT:
            del self._pending[next(iter(self._pending))]

    @override
    def collect(self, *, last: bool) -> Write | None:
        if not self._pending:
            return None
        taken = self._in_flight = self._pending
        self._pending = {}
        return lambda connection: _write(connection, taken)

    @override
    def done(self, *, written: bool, again: bool) -> None:
        if again:
            self._pending = {**self._in_flight, **self._pending}
            self._bound()
        self._in_flight = {}


def _write(connection: Connection, pending: Mapping[str, SessionRow | None]) -> None:
    # Truncation may make two keys equal.
    rows = {bounded(key): row for key, row in pending.items()}
    if dropped := [{"dropped": key} for key, row in rows.items() if row is None]:
        connection.execute(delete(sessions).where(sessions.c.key == bindparam("dropped")), dropped)
    if kept := [
        {**asdict(row), "key": key, "backend_id": bounded(row.backend_id), "model": bounded(row.model)}
        for key, row in rows.items()
        if row is not None
    ]:
        upsert(connection, sessions, kept)


def prune(connection: Connection) -> None:
    """Delete the least recently used sessions beyond `ROW_LIMIT`."""
    newest = select(sessions.c.last_used).order_by(sessions.c.last_used.desc()).offset(ROW_LIMIT).limit(1)
    beyond = connection.scalar(newest)
    if beyond is not None:
        delete_oldest(connection, sessions.c.key, sessions.c.last_used, beyond)
