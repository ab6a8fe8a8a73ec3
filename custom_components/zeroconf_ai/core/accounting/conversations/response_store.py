"""`ResponseStore`: the responses of OpenAI's Responses API, kept while prompts and answers are stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import logging
from typing import Any, override

import orjson
from sqlalchemy import Connection, Row, Text, and_, cast, delete, func, insert, select, update

from ..storage.database import Database
from ..storage.queued_rows import QueuedRows
from ..storage.statements import bounded, bounded_or_none
from ..storage.tables import conversations, messages
from ..storage.write_queue import WriteQueue
from . import owned
from .conversation import CONTENT_LIMIT, Owner, Role
from .exchanges import ExchangeStore

_LOGGER = logging.getLogger(__name__)

MAX_RESPONSES = 1_000
"""Maximum responses of one owner; the oldest are deleted first."""
MAX_BYTES = 2 * 1024 * 1024
"""Maximum size of one response with the items of its request, as JSON. A larger response is not stored."""
MAX_CHAIN = 1_000
"""Responses of one conversation that are read."""
PENDING_LIMIT = 50
"""Responses waiting to be written: hardly ever more than one."""

type Items = list[Any]


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """One response. `created` is seconds since the epoch."""

    id: str
    owner: Owner
    created: float
    response: Mapping[str, Any] = field(repr=False)
    """The response as the client got it."""
    asked: Items = field(repr=False)
    """The items of the whole conversation before it."""
    output: Items = field(repr=False)
    """The items of the response, with packed reasoning."""
    previous: str | None = None
    """The response that it continues."""
    new_from: int = 0
    """How many items are those of the previous response and its conversation, which are not stored again."""
    source: str = "http"
    username: str | None = None
    display_name: str | None = None


@dataclass(frozen=True, slots=True)
class RecalledResponse:
    """A response with the whole conversation before it."""

    id: str
    response: Mapping[str, Any] = field(repr=False)
    asked: Items = field(repr=False)
    output: Items = field(repr=False)


class ResponseStore(QueuedRows[StoredResponse]):
    """Stored responses, each found by its owner only. One that is larger than `MAX_BYTES` is dropped.

    Not thread-safe: all calls come from one event loop.
    """

    def __init__(self, database: Database, write_queue: WriteQueue, exchanges: ExchangeStore) -> None:
        """Responses are stored while `exchanges` are."""
        super().__init__(write_queue, PENDING_LIMIT)
        self._database = database
        self._exchanges = exchanges

    @property
    def keep(self) -> bool:
        """Whether responses are stored."""
        return self._exchanges.keep

    async def get(self, owner: Owner, response_id: str) -> RecalledResponse | None:
        """A response with its conversation; None if it is not stored, or belongs to another owner. Raises DatabaseError."""
        await self._write_queue.flush()
        return await self._database.read(lambda connection: _recalled(connection, owner, response_id))

    async def find(self, owner: Owner, item_id: str) -> RecalledResponse | None:
        """The newest response of the owner with an item of this id in it or in its request. Raises DatabaseError."""
        await self._write_queue.flush()

        def work(connection: Connection) -> RecalledResponse | None:
            quoted = orjson.dumps(bounded(item_id)).decode()
            has_item = cast(messages.c.details, Text).contains(quoted, autoescape=True)
            found = _of(owner).where(has_item).order_by(messages.c.row_id.desc()).limit(1)
            row = connection.execute(found).first()
            return None if row is None else _recalled(connection, owner, row.id)

        return await self._database.read(work)

    async def delete(self, owner: Owner, response_id: str) -> bool:
        """Delete a response; returns whether it was stored. Responses that continue it keep the conversation as their own.

        Raises DatabaseError.
        """
        await self._write_queue.flush()
        return await self._database.write(lambda connection: _delete(connection, owner, response_id))

    @override
    def stores(self) -> bool:
        return self.keep

    @override
    def write(self, connection: Connection, rows: Sequence[StoredResponse]) -> None:
        _write(connection, rows)


def _of(owner: Owner) -> Any:
    """The responses of an owner, as rows of `messages`."""
    joined = messages.join(conversations, conversations.c.id == messages.c.conversation_id)
    return select(messages).select_from(joined).where(owned.matches(owner), ~conversations.c.is_chat)


def _row(connection: Connection, owner: Owner, response_id: str) -> Row[Any] | None:
    row: Row[Any] | None = connection.execute(_of(owner).where(messages.c.id == bounded(response_id)).limit(1)).first()
    return row


def _recalled(connection: Connection, owner: Owner, response_id: str) -> RecalledResponse | None:
    row = _row(connection, owner, response_id)
    if row is None:
        return None
    before = and_(messages.c.conversation_id == row.conversation_id, messages.c.row_id < row.row_id)
    found = select(messages.c.id, messages.c.details).where(before).order_by(messages.c.row_id.desc()).limit(MAX_CHAIN)
    known = {earlier.id: earlier.details for earlier in connection.execute(found)}
    details, chain = row.details, [row.details["input"]]
    while (previous := details["previous"]) is not None:
        details = known.pop(previous, None)
        if details is None:
            return None  # deleted by the retention, or longer than what is read
        chain += [details["output"], details["input"]]
    asked = [item for part in reversed(chain) for item in part]
    return RecalledResponse(row.id, row.details["response"], asked, row.details["output"])


def _delete(connection: Connection, owner: Owner, response_id: str) -> bool:
    row = _row(connection, owner, response_id)
    if row is None:
        return False
    mine = row.details
    later = and_(messages.c.conversation_id == row.conversation_id, messages.c.row_id > row.row_id)
    for other in connection.execute(select(messages).where(later)).all():
        if other.details["previous"] == row.id:
            moved = {"input": [*mine["input"], *mine["output"], *other.details["input"]], "previous": mine["previous"]}
            connection.execute(
                update(messages).where(messages.c.row_id == other.row_id).values(details={**other.details, **moved})
            )
    connection.execute(delete(messages).where(messages.c.row_id == row.row_id))
    left = select(func.count()).select_from(messages).where(messages.c.conversation_id == row.conversation_id)
    if not connection.scalar(left):
        connection.execute(delete(conversations).where(conversations.c.id == row.conversation_id))
    return True


def _write(connection: Connection, taken: Sequence[StoredResponse]) -> None:
    for response in taken:
        before = None if response.previous is None else _row(connection, response.owner, response.previous)
        details = {
            "response": response.response,
            "input": response.asked if before is None else response.asked[response.new_from :],
            "output": response.output,
            "previous": None if before is None else before.id,
        }
        if len(orjson.dumps(details, default=str)) > MAX_BYTES:
            _LOGGER.info("Response %s is too large to be stored", response.id)
            continue
        if before is None:
            connection.execute(insert(conversations).values(_conversation(response)))
            conversation_id = response.id
        else:
            conversation_id = before.conversation_id
            used = update(conversations).where(conversations.c.id == conversation_id)
            connection.execute(used.values(last_used=response.created))
        connection.execute(
            insert(messages).values(
                id=response.id,
                conversation_id=conversation_id,
                created=response.created,
                role=Role.ASSISTANT.value,
                content=bounded(_text_of(response.output), CONTENT_LIMIT),
                details=details,
            )
        )
    for owner in {response.owner for response in taken}:
        beyond = _of(owner).order_by(messages.c.row_id.desc()).offset(MAX_RESPONSES).limit(1)
        while (oldest := connection.execute(beyond).first()) is not None:
            _delete(connection, owner, oldest.id)


def _conversation(response: StoredResponse) -> dict[str, Any]:
    return {
        "id": response.id,
        "created": response.created,
        "last_used": response.created,
        "source": bounded(response.source),
        "username": bounded_or_none(response.username),
        "display_name": bounded_or_none(response.display_name),
        "key_id": response.owner.key_id,
        "user_id": response.owner.user_id,
        "is_chat": False,
    }


def _text_of(output: Items) -> str:
    """The text of the answer, for people who read the database."""
    parts = (part for item in output if item.get("type") == "message" for part in item.get("content", ()))
    return "".join(part["text"] for part in parts if part.get("type") == "output_text")
