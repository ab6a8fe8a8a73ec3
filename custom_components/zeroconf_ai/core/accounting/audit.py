"""The audit log: administrative changes, without secrets."""

from dataclasses import dataclass
import time
from typing import Any, override

from sqlalchemy import Connection, insert, select, update

from .storage.database import Database
from .storage.statements import bounded, delete_oldest
from .storage.tables import audit
from .storage.write_queue import QueuedWriter, Write, WriteQueue
from .usage.rollups import FORGOTTEN

KEEP_SECONDS = 365 * 86_400.0
PENDING_LIMIT = 10_000
_LIST_LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One administrative change. `at` is seconds since the epoch."""

    at: float
    actor: str
    """The Home Assistant user id, or "command" for the command line; empty: unknown."""
    act: str
    """The kind of change, such as `key.create`."""
    subject: str
    """The id of the changed object."""


class Audit(QueuedWriter):
    """Records and lists audit events. Not thread-safe: all calls come from one event loop."""

    def __init__(self, database: Database, write_queue: WriteQueue) -> None:
        self._database = database
        self._write_queue = write_queue
        self._pending: list[AuditEvent] = []
        self._in_flight: list[AuditEvent] = []
        write_queue.add(self)

    def record(self, actor: str, act: str, subject: str) -> None:
        """Queue an event for the next batch of writes."""
        self._pending.append(AuditEvent(time.time(), actor, act, subject))
        del self._pending[:-PENDING_LIMIT]
        self._write_queue.request_flush()

    async def list(self, limit: int = 100) -> list[AuditEvent]:
        """Return the latest events, newest first. Raises DatabaseError."""
        await self._write_queue.flush()

        def work(connection: Connection) -> list[AuditEvent]:
            found = select(audit.c.at, audit.c.actor, audit.c.act, audit.c.subject)
            return [
                AuditEvent(*row)
                for row in connection.execute(found.order_by(audit.c.row_id.desc()).limit(min(limit, _LIST_LIMIT)))
            ]

        return await self._database.read(work)

    @override
    def collect(self, *, last: bool) -> Write | None:
        if not self._pending:
            return None
        taken = self._in_flight = self._pending
        self._pending = []
        return lambda connection: add(connection, *taken)

    @override
    def done(self, *, written: bool, again: bool) -> None:
        if again:
            self._pending = [*self._in_flight, *self._pending]
        self._in_flight = []


def add(connection: Connection, *acts: AuditEvent) -> None:
    """Insert events."""
    connection.execute(insert(audit), [_row(act) for act in acts])


def prune(connection: Connection, until: float) -> int:
    """Delete one batch of the events up to `until`; returns the number of deleted rows."""
    return delete_oldest(connection, audit.c.row_id, audit.c.at, until)


def forget(connection: Connection, subject_id: str) -> None:
    """Anonymize the events that name a key or a user as actor or subject."""
    connection.execute(update(audit).where(audit.c.actor == subject_id).values(actor=FORGOTTEN))
    named = audit.c.subject.contains(subject_id, autoescape=True)  # budget ids contain the id
    connection.execute(update(audit).where(named).values(subject=FORGOTTEN))


def _row(act: AuditEvent) -> dict[str, Any]:
    return {"at": act.at, "actor": bounded(act.actor), "act": bounded(act.act), "subject": bounded(act.subject)}
