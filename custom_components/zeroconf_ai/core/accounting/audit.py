"""Who changed what: administrative acts, without any secret."""

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
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Act:
    """One act. `at` is seconds since the epoch."""

    at: float
    actor: str
    """Home Assistant's id of the user, or "command"; empty: nobody in particular."""
    act: str
    """What was done, such as `key.create`."""
    subject: str
    """What it was done to: an id, never a secret."""


class Audit(QueuedWriter):
    """The log of acts. Lives on one event loop."""

    def __init__(self, database: Database, batches: WriteQueue) -> None:
        self._database = database
        self._batches = batches
        self._pending: list[Act] = []
        self._taken: list[Act] = []
        batches.add(self)

    def note(self, actor: str, act: str, subject: str) -> None:
        """Note an act. Returns at once; it is written with others."""
        self._pending.append(Act(time.time(), actor, act, subject))
        del self._pending[:-PENDING_LIMIT]
        self._batches.tell()

    async def list(self, limit: int = 100) -> list[Act]:
        """The newest acts, the newest first. Raises DatabaseError."""
        await self._batches.flush()

        def work(connection: Connection) -> list[Act]:
            found = select(audit.c.at, audit.c.actor, audit.c.act, audit.c.subject)
            return [Act(*row) for row in connection.execute(found.order_by(audit.c.row_id.desc()).limit(min(limit, _MOST)))]

        return await self._database.read(work)

    @override
    def take(self, *, last: bool) -> Write | None:
        if not self._pending:
            return None
        taken = self._taken = self._pending
        self._pending = []
        return lambda connection: add(connection, *taken)

    @override
    def done(self, *, written: bool, again: bool) -> None:
        if again:
            self._pending = [*self._taken, *self._pending]
        self._taken = []


def add(connection: Connection, *acts: Act) -> None:
    """Write acts."""
    connection.execute(insert(audit), [_row(act) for act in acts])


def prune(connection: Connection, until: float) -> int:
    """Delete some of the acts of before `until`; how many."""
    return delete_oldest(connection, audit.c.row_id, audit.c.at, until)


def forget(connection: Connection, who: str) -> None:
    """Have the acts of a user, or upon a key or a user, name nobody; that they were done stays known."""
    connection.execute(update(audit).where(audit.c.actor == who).values(actor=FORGOTTEN))
    named = audit.c.subject.contains(who, autoescape=True)  # the ids of budgets are made of it
    connection.execute(update(audit).where(named).values(subject=FORGOTTEN))


def _row(act: Act) -> dict[str, Any]:
    return {"at": act.at, "actor": bounded(act.actor), "act": bounded(act.act), "subject": bounded(act.subject)}
