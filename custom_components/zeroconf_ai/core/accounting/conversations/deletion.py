"""Deletes conversations with all that belongs to them: messages, images, stored prompts and answers."""

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, false, or_, select

from ..storage import statements
from ..storage.statements import delete_oldest, delete_some
from ..storage.tables import bodies, conversations, images, messages

ORPHAN_SECONDS = 3_600.0
"""How long an image without its message is kept, which is uploaded before the message is sent, and a chat that has neither."""


def prune(connection: Connection, until: float, *, chats_until: float | None, now: float) -> int:
    """Delete one batch of what is too old; returns the number of deleted rows of the largest part.

    `until`: of stored exchanges and their conversations; `chats_until`: of chats, by their last use (None: none); `now`: the time
    by which images without a message, and chats without messages and images, are deleted.
    """
    used = conversations.c.last_used
    expired = and_(~conversations.c.is_chat, used <= until)
    if chats_until is not None:
        expired = or_(expired, and_(conversations.c.is_chat, used <= chats_until))
    has_message = exists().where(messages.c.conversation_id == images.c.conversation_id, messages.c.id == images.c.message_id)
    orphans = and_(images.c.created <= now - ORPHAN_SECONDS, ~has_message)
    has_messages = exists().where(messages.c.conversation_id == conversations.c.id)
    has_images = exists().where(images.c.conversation_id == conversations.c.id)
    expired = or_(expired, and_(conversations.c.is_chat, used <= now - ORPHAN_SECONDS, ~has_messages, ~has_images))
    deleted = delete_oldest(connection, bodies.c.row_id, bodies.c.created, until)
    deleted = max(deleted, delete_some(connection, images.c.row_id, orphans))
    return max(deleted, _delete_conversations(connection, expired))


def forget(connection: Connection, *, key_id: str | None = None, user_id: str | None = None) -> int:
    """Delete one batch of the rows of a key or a user; returns the number of deleted rows of the largest part."""
    deleted = 0
    theirs: ColumnElement[bool] = false()
    for name, value in (("key_id", key_id), ("user_id", user_id)):
        if value is not None:
            deleted = max(deleted, delete_some(connection, bodies.c.row_id, bodies.c[name] == value))
            theirs = or_(theirs, conversations.c[name] == value)
    return max(deleted, _delete_conversations(connection, theirs))


def clear_exchanges(connection: Connection) -> None:
    """Delete all stored exchanges and their conversations; chats stay."""
    connection.execute(delete(bodies))
    stored = select(conversations.c.id).where(~conversations.c.is_chat)
    for table in (messages, images):
        connection.execute(delete(table).where(table.c.conversation_id.in_(stored)))
    connection.execute(delete(conversations).where(~conversations.c.is_chat))


def delete_conversation(connection: Connection, conversation_id: str) -> None:
    """Delete one conversation with all that belongs to it."""
    for table in (images, messages, bodies):
        connection.execute(delete(table).where(table.c.conversation_id == conversation_id))
    connection.execute(delete(conversations).where(conversations.c.id == conversation_id))


def _delete_conversations(connection: Connection, condition: ColumnElement[bool]) -> int:
    """Delete one batch: messages and images first, and the conversations that then have none."""
    found = select(conversations.c.id).where(condition).order_by(conversations.c.id).limit(statements.DELETE_ROWS)
    ids = list(connection.scalars(found))
    deleted = 0
    for table in (messages, images):
        deleted = max(deleted, delete_some(connection, table.c.row_id, table.c.conversation_id.in_(ids)))
    if deleted < statements.DELETE_ROWS:
        connection.execute(delete(conversations).where(conversations.c.id.in_(ids), condition))
        deleted = max(deleted, len(ids))
    return deleted
