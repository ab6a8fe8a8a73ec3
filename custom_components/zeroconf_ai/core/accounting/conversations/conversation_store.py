"""`ConversationStore`: the conversations of the page's chats, each readable by its owner only."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from secrets import token_urlsafe
import time
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, or_, select, update

from ...protocol.errors import InvalidRequestError, NotFoundError
from ..storage.database import Database
from ..storage.statements import bounded, bounded_or_none
from ..storage.tables import conversations, images, messages
from . import deletion, owned
from .conversation import (
    CONTENT_LIMIT,
    MAX_CHARACTERS,
    MAX_MESSAGES,
    PAGE_LIMIT,
    TITLE_LIMIT,
    Conversation,
    Image,
    Message,
    Owner,
    Page,
    Role,
    bounded_details,
    checked_id,
    title_of,
)
from .image_store import ImageStore

_SEARCH_LIMIT = 200
_SEARCH_WINDOW = 50
"""Conversations that are searched at a time, so that limits and budgets do not wait for a long search."""
_ORDER = (conversations.c.last_used.desc(), conversations.c.id.desc())


class ConversationStore:
    """Conversations, messages and their images. Methods are called on one event loop.

    Every method takes the owner, and finds only what belongs to exactly this owner. All raise DatabaseError, and
    NotFoundError for the id of a conversation or message that does not exist or belongs to another owner.
    """

    def __init__(self, database: Database, image_store: ImageStore, clock: Callable[[], float] = time.time) -> None:
        """`image_store` removes the files of deleted conversations. `clock` returns seconds since the epoch."""
        self._database = database
        self._image_store = image_store
        self._clock = clock

    async def create(
        self,
        owner: Owner,
        *,
        conversation_id: str | None = None,
        title: str = "",
        source: str,
        username: str | None = None,
        display_name: str | None = None,
    ) -> Conversation:
        """Create a conversation; without an id, it gets a random one.

        Raises InvalidRequestError for an invalid or existing id, and for more than `MAX_CONVERSATIONS` of the owner.
        """
        made = Conversation(
            token_urlsafe(16) if conversation_id is None else checked_id(conversation_id, "conversation_id"),
            (created := self._clock()),
            created,
            bounded(title.strip(), TITLE_LIMIT),
            bounded(source),
            bounded_or_none(username),
            bounded_or_none(display_name),
        )
        await self._database.write(lambda connection: owned.add(connection, owner, made))
        return made

    async def conversations(
        self, owner: Owner, *, search: str = "", after: str | None = None, limit: int = 50
    ) -> Page[Conversation]:
        """The owner's conversations, last used first.

        `search`: those whose title or messages contain this text, in upper or lower case. `after`: the `next` of the page before.
        At most `limit` and `PAGE_LIMIT`. Raises InvalidRequestError for an invalid `after`.
        """
        limit = max(1, min(limit, PAGE_LIMIT))
        wanted = bounded(search.strip(), _SEARCH_LIMIT)
        shown: list[Conversation] = []
        while len(shown) <= limit:
            size = _SEARCH_WINDOW if wanted else limit + 1
            window = await self._database.read(partial(_window, owner, after, size))
            rows = window
            if wanted:
                rows = await self._database.read(partial(_matching, [row.id for row in window], wanted))
            shown += [_conversation(row) for row in rows]
            if len(window) < size:
                break
            after = _cursor_of(_conversation(window[-1]))
        return Page(shown[:limit], _cursor_of(shown[limit - 1]) if len(shown) > limit else None)

    async def get(self, owner: Owner, conversation_id: str) -> Conversation:
        """One conversation."""
        return await self._database.read(lambda connection: _conversation(owned.find(connection, owner, conversation_id)))

    async def messages(
        self, owner: Owner, conversation_id: str, *, after: str | None = None, limit: int = PAGE_LIMIT
    ) -> Page[Message]:
        """The messages of a conversation, oldest first, at most `limit` and `PAGE_LIMIT`.

        `after`: the `next` of the page before.
        """
        limit = max(1, min(limit, PAGE_LIMIT))

        def work(connection: Connection) -> Page[Message]:
            owned.find(connection, owner, conversation_id)
            wanted = select(messages).where(messages.c.conversation_id == conversation_id)
            if after is not None:
                wanted = wanted.where(messages.c.row_id > _message(connection, conversation_id, after).row_id)
            rows = connection.execute(wanted.order_by(messages.c.row_id).limit(limit + 1)).all()
            attached = _images(connection, conversation_id)
            shown = [_to_message(row, attached.get(row.id, ())) for row in rows[:limit]]
            return Page(shown, shown[-1].id if len(rows) > limit else None)

        return await self._database.read(work)

    async def message(self, owner: Owner, conversation_id: str, message_id: str) -> Message:
        """One message."""

        def work(connection: Connection) -> Message:
            owned.find(connection, owner, conversation_id)
            row = _message(connection, conversation_id, message_id)
            return _to_message(row, _images(connection, conversation_id).get(row.id, ()))

        return await self._database.read(work)

    async def rename(self, owner: Owner, conversation_id: str, title: str) -> Conversation:
        """Set the title of a conversation."""

        def work(connection: Connection) -> Conversation:
            owned.find(connection, owner, conversation_id)
            kept = bounded(title.strip(), TITLE_LIMIT)
            connection.execute(update(conversations).where(conversations.c.id == conversation_id).values(title=kept))
            return _conversation(owned.find(connection, owner, conversation_id))

        return await self._database.write(work)

    async def append(
        self,
        owner: Owner,
        conversation_id: str,
        role: Role,
        content: str,
        *,
        message_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> Message:
        """Add a message, which sets the title of a conversation without one if it is a question.

        Images that were stored for `message_id` before belong to it. Raises InvalidRequestError for an invalid or existing id,
        and if the conversation has `MAX_MESSAGES` or `MAX_CHARACTERS`.
        """
        named = token_urlsafe(16) if message_id is None else checked_id(message_id, "message_id")
        text = bounded(content, CONTENT_LIMIT)
        known = bounded_details(details or {})
        created = self._clock()

        def work(connection: Connection) -> Message:
            values: dict[str, Any] = {"last_used": created}
            if not owned.find(connection, owner, conversation_id).title and role is Role.USER and (title := title_of(text)):
                values["title"] = title
            # Updated first: no other transaction can then delete the conversation, or add a message beyond the limit.
            own = update(conversations).where(conversations.c.id == conversation_id).values(values)
            if not connection.execute(own).rowcount:
                raise owned.no_conversation()
            stored = select(func.count(), func.coalesce(func.sum(func.length(messages.c.content)), 0))
            count, characters = connection.execute(stored.where(messages.c.conversation_id == conversation_id)).one()
            if count >= MAX_MESSAGES or characters + len(text) > MAX_CHARACTERS:
                raise InvalidRequestError("This conversation is full. Begin a new one.", code="conversation_full")
            row = {
                "id": named,
                "conversation_id": conversation_id,
                "created": created,
                "role": role.value,
                "content": text,
                "details": known,
            }
            if connection.scalar(select(exists().where(_is_message(conversation_id, named)))):
                raise owned.in_use("message_id")
            owned.insert_new(connection, messages, row, "message_id")
            attached = _images(connection, conversation_id).get(named, ())
            return Message(named, conversation_id, created, role, text, known, attached)

        return await self._database.write(work)

    async def update_message(
        self,
        owner: Owner,
        conversation_id: str,
        message_id: str,
        *,
        content: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> Message:
        """Replace the content or the details of a message, for example of an answer that grows; None: unchanged."""
        values: dict[str, Any] = {}
        if content is not None:
            values["content"] = bounded(content, CONTENT_LIMIT)
        if details is not None:
            values["details"] = bounded_details(details)

        def work(connection: Connection) -> Message:
            owned.find(connection, owner, conversation_id)
            row = _message(connection, conversation_id, message_id)
            if values:
                connection.execute(update(messages).where(messages.c.row_id == row.row_id).values(values))
                row = _message(connection, conversation_id, message_id)
            return _to_message(row, _images(connection, conversation_id).get(row.id, ()))

        return await self._database.write(work)

    async def delete(self, owner: Owner, conversation_id: str) -> None:
        """Delete a conversation with its messages and images."""

        def work(connection: Connection) -> None:
            owned.find(connection, owner, conversation_id)
            deletion.delete_conversation(connection, conversation_id)

        await self._database.write(work)
        await self._image_store.remove(conversation_id)


def _is_message(conversation_id: str, message_id: str) -> ColumnElement[bool]:
    return and_(messages.c.conversation_id == conversation_id, messages.c.id == bounded(message_id))


def _message(connection: Connection, conversation_id: str, message_id: str) -> Row[Any]:
    row = connection.execute(select(messages).where(_is_message(conversation_id, message_id))).first()
    if row is None:
        raise NotFoundError("There is no such message.", code="message_not_found", param="message_id")
    return row


def _images(connection: Connection, conversation_id: str) -> dict[str, list[Image]]:
    """The images of a conversation by message."""
    found: dict[str, list[Image]] = {}
    wanted = select(images).where(images.c.conversation_id == conversation_id).order_by(images.c.created, images.c.filename)
    for row in connection.execute(wanted):
        found.setdefault(row.message_id, []).append(to_image(row))
    return found


def to_image(row: Row[Any]) -> Image:
    """The image of a row."""
    return Image(**{name: getattr(row, name) for name in Image.__dataclass_fields__})


def _conversation(row: Row[Any]) -> Conversation:
    return Conversation(**{name: getattr(row, name) for name in Conversation.__dataclass_fields__} | {"title": row.title or ""})


def _to_message(row: Row[Any], attached: Iterable[Image]) -> Message:
    details = row.details if isinstance(row.details, dict) else {}
    return Message(row.id, row.conversation_id, row.created, Role(row.role), row.content, details, tuple(attached))


def _window(owner: Owner, after: str | None, size: int, connection: Connection) -> Sequence[Row[Any]]:
    """The next conversations of an owner, last used first. Raises InvalidRequestError for an invalid `after`."""
    conditions = [owned.belongs_to(owner)]
    if after is not None:
        at, last = _cursor(after)
        older = and_(conversations.c.last_used == at, conversations.c.id < last)
        conditions.append(or_(conversations.c.last_used < at, older))
    return connection.execute(select(*owned.COLUMNS).where(*conditions).order_by(*_ORDER).limit(size)).all()


def _matching(ids: Sequence[str], wanted: str, connection: Connection) -> Sequence[Row[Any]]:
    """Those of some conversations whose title or messages contain a text."""
    said = exists().where(messages.c.conversation_id == conversations.c.id, messages.c.content.icontains(wanted, autoescape=True))
    found = select(*owned.COLUMNS).where(
        conversations.c.id.in_(ids), or_(conversations.c.title.icontains(wanted, autoescape=True), said)
    )
    return connection.execute(found.order_by(*_ORDER)).all()


def _cursor_of(conversation: Conversation) -> str:
    return f"{conversation.last_used!r},{conversation.id}"


def _cursor(after: str) -> tuple[float, str]:
    at, comma, last = after.partition(",")
    try:
        if not comma:
            raise ValueError(after)
        return float(at), bounded(last)
    except ValueError:
        raise InvalidRequestError("'after' must be the 'next' of the page before.", param="after") from None
