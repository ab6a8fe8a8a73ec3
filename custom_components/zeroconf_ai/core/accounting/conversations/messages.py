"""What was asked and answered, word by word: kept only where the owner wants it, and no longer than the records."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, override

from sqlalchemy import Connection, delete, insert, select

from ..storage.database import Database
from ..storage.statements import bounded, delete_oldest, delete_some, maybe, upsert
from ..storage.tables import bodies, conversations
from ..storage.write_queue import QueuedWriter, Write, WriteQueue

BODY_LIMIT = 64 * 1024
"""Characters kept of a request, and of its answer."""
PENDING_LIMIT = 200
"""Bodies that wait to be written: at most 26 million characters."""


@dataclass(frozen=True, slots=True)
class StoredExchange:
    """One request and its answer. `created` is seconds since the epoch."""

    generation_id: str
    created: float
    source: str
    request: str
    response: str
    conversation_id: str | None = None
    username: str | None = None
    """Home Assistant's name of the user."""
    display_name: str | None = None
    """What people call the conversation's device or user."""
    key_id: str | None = None
    user_id: str | None = None


class ConversationStore(QueuedWriter):
    """The stored bodies and the conversations they belong to. Lives on one event loop."""

    def __init__(self, database: Database, batches: WriteQueue, *, keep: bool) -> None:
        """`keep`: the owner wants them kept; else nothing is ever stored."""
        self.keep = keep
        self._database = database
        self._batches = batches
        self._pending: list[StoredExchange] = []
        self._taken: Sequence[StoredExchange] = ()
        batches.add(self)

    def put(self, body: StoredExchange) -> None:
        """Store a body where they are kept. Returns at once; the oldest that wait are lost where too many do."""
        if not self.keep:
            return
        self._pending.append(body)
        self._bound()
        self._batches.tell()

    async def get(self, generation_id: str) -> tuple[str, str] | None:
        """What was asked and answered, both cut to `BODY_LIMIT`; None where it is not stored. Raises DatabaseError."""
        await self._batches.flush()
        found = select(bodies.c.request, bodies.c.response).where(bodies.c.generation_id == bounded(generation_id))
        row = await self._database.read(lambda connection: connection.execute(found.order_by(bodies.c.row_id.desc())).first())
        return None if row is None else (row.request, row.response)

    @override
    def take(self, *, last: bool) -> Write | None:
        if not self.keep:
            self._pending = []
        if not self._pending:
            return None
        taken = self._taken = self._pending
        self._pending = []
        return lambda connection: _write(connection, taken)

    @override
    def done(self, *, written: bool, again: bool) -> None:
        if again:
            self._pending = [*self._taken, *self._pending]
            self._bound()
        self._taken = ()

    def _bound(self) -> None:
        del self._pending[:-PENDING_LIMIT]


def _write(connection: Connection, taken: Sequence[StoredExchange]) -> None:
    connection.execute(insert(bodies), [_row(body) for body in taken])
    latest = {bounded(body.conversation_id): body for body in taken if body.conversation_id is not None}
    if latest:
        known = select(conversations.c.id, conversations.c.created).where(conversations.c.id.in_(latest))
        begun = {row.id: row.created for row in connection.execute(known)}
        rows = [_conversation(name, body, begun.get(name, body.created)) for name, body in sorted(latest.items())]
        upsert(connection, conversations, rows)


def prune(connection: Connection, until: float) -> int:
    """Delete some of what is from before `until`; how much."""
    deleted = delete_oldest(connection, bodies.c.row_id, bodies.c.created, until)
    return max(deleted, delete_oldest(connection, conversations.c.id, conversations.c.last_used, until))


def forget(connection: Connection, *, key_id: str | None = None, user_id: str | None = None) -> int:
    """Delete some of what a key or a user asked; how much."""
    deleted = 0
    for table, row in ((bodies, bodies.c.row_id), (conversations, conversations.c.id)):
        for name, value in (("key_id", key_id), ("user_id", user_id)):
            if value is not None:
                deleted = max(deleted, delete_some(connection, row, table.c[name] == value))
    return deleted


def clear(connection: Connection) -> None:
    """Delete all of it."""
    for table in (bodies, conversations):
        connection.execute(delete(table))


def _row(body: StoredExchange) -> dict[str, Any]:
    return {
        "generation_id": bounded(body.generation_id),
        "created": body.created,
        "conversation_id": maybe(body.conversation_id),
        "key_id": maybe(body.key_id),
        "user_id": maybe(body.user_id),
        "request": bounded(body.request, BODY_LIMIT),
        "response": bounded(body.response, BODY_LIMIT),
    }


def _conversation(name: str, body: StoredExchange, created: float) -> dict[str, Any]:
    return {
        "id": name,
        "created": created,
        "last_used": body.created,
        "source": bounded(body.source),
        "username": maybe(body.username),
        "display_name": maybe(body.display_name),
        "key_id": maybe(body.key_id),
        "user_id": maybe(body.user_id),
    }
