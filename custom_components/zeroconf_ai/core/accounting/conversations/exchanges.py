"""Stored prompts and answers: opt-in, and deleted together with the usage records."""

from collections.abc import Sequence
from typing import Any, override

from sqlalchemy import Connection, insert, select

from ..storage.database import Database
from ..storage.queued_rows import QueuedRows
from ..storage.statements import bounded, bounded_or_none, upsert
from ..storage.tables import bodies, conversations
from ..storage.write_queue import WriteQueue
from .stored_exchange import BODY_LIMIT, StoredExchange

PENDING_LIMIT = 200
"""Exchanges waiting to be written: at most 26 million characters."""


class ExchangeStore(QueuedRows[StoredExchange]):
    """Stored exchanges and their conversations. Not thread-safe: all calls come from one event loop."""

    def __init__(self, database: Database, write_queue: WriteQueue, *, keep: bool) -> None:
        """Without `keep`, nothing is stored."""
        super().__init__(write_queue, PENDING_LIMIT)
        self.keep = keep
        self._database = database

    async def get(self, generation_id: str, user_id: str | None = None) -> tuple[str, str] | None:
        """Return request and answer, truncated to `BODY_LIMIT`; None if not stored, or not for the user (None: any).

        Clients choose ids and may repeat them: the last one that fits counts. Raises DatabaseError.
        """
        await self._write_queue.flush()
        found = select(bodies.c.request, bodies.c.response).where(bodies.c.generation_id == bounded(generation_id))
        if user_id is not None:
            found = found.where(bodies.c.user_id == user_id)
        row = await self._database.read(lambda connection: connection.execute(found.order_by(bodies.c.row_id.desc())).first())
        return None if row is None else (row.request, row.response)

    @override
    def stores(self) -> bool:
        return self.keep

    @override
    def write(self, connection: Connection, rows: Sequence[StoredExchange]) -> None:
        _write(connection, rows)


def _write(connection: Connection, taken: Sequence[StoredExchange]) -> None:
    connection.execute(insert(bodies), [_row(body) for body in taken])
    latest = {bounded(body.conversation_id): body for body in taken if body.conversation_id is not None}
    if latest:
        rows = [_conversation(name, body) for name, body in sorted(latest.items())]
        upsert(connection, conversations, rows, kept=("created", "title", "is_chat"))


def _row(body: StoredExchange) -> dict[str, Any]:
    return {
        "generation_id": bounded(body.generation_id),
        "created": body.created,
        "conversation_id": bounded_or_none(body.conversation_id),
        "key_id": bounded_or_none(body.key_id),
        "user_id": bounded_or_none(body.user_id),
        "request": bounded(body.request, BODY_LIMIT),
        "response": bounded(body.response, BODY_LIMIT),
    }


def _conversation(name: str, body: StoredExchange) -> dict[str, Any]:
    return {
        "id": name,
        "created": body.created,
        "last_used": body.created,
        "source": bounded(body.source),
        "username": bounded_or_none(body.username),
        "display_name": bounded_or_none(body.display_name),
        "key_id": bounded_or_none(body.key_id),
        "user_id": bounded_or_none(body.user_id),
    }
