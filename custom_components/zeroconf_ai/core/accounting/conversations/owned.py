"""What belongs to an owner: the conditions and look-ups that every access to a conversation goes through."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, exists, func, insert, select
from sqlalchemy.exc import IntegrityError

from ...protocol.errors import InvalidRequestError, NotFoundError
from ..storage.statements import bounded
from ..storage.tables import conversations
from .conversation import MAX_CONVERSATIONS, Conversation, Owner

COLUMNS = tuple(conversations.c[name] for name in Conversation.__dataclass_fields__)
"""The columns of a conversation."""


def belongs_to(owner: Owner) -> ColumnElement[bool]:
    """Whether a conversation is a chat of the owner."""
    return and_(conversations.c.is_chat, matches(owner))


def matches(owner: Owner) -> ColumnElement[bool]:
    """Whether a conversation, chat or not, is of exactly this owner. A comparison with None is `IS NULL`."""
    return and_(conversations.c.key_id == owner.key_id, conversations.c.user_id == owner.user_id)


def find(connection: Connection, owner: Owner, conversation_id: str) -> Row[Any]:
    """The conversation. Raises NotFoundError for an unknown one, and for another owner's."""
    own = and_(conversations.c.id == bounded(conversation_id), belongs_to(owner))
    row = connection.execute(select(*COLUMNS).where(own)).first()
    if row is None:
        raise no_conversation()
    return row


def add(connection: Connection, owner: Owner, made: Conversation) -> None:
    """Insert a conversation.

    Raises InvalidRequestError for an existing id, and for more than `MAX_CONVERSATIONS` of the owner.
    """
    if connection.scalar(select(exists().where(conversations.c.id == made.id))):
        raise in_use("conversation_id")
    own = select(func.count()).select_from(conversations).where(belongs_to(owner))
    if (connection.scalar(own) or 0) >= MAX_CONVERSATIONS:
        message = f"There are {MAX_CONVERSATIONS} conversations already. Delete some of them."
        raise InvalidRequestError(message, code="too_many_conversations")
    row = {name: getattr(made, name) for name in Conversation.__dataclass_fields__}
    owned = {"key_id": owner.key_id, "user_id": owner.user_id, "is_chat": True}
    insert_new(connection, conversations, row | owned, "conversation_id")


def insert_new(connection: Connection, table: Table, row: Mapping[str, Any], param: str) -> None:
    """Insert a row. Raises InvalidRequestError if another gateway has just inserted the same id."""
    try:
        with connection.begin_nested():
            connection.execute(insert(table).values(row))
    except IntegrityError:
        raise in_use(param) from None


def no_conversation() -> NotFoundError:
    """The error for a conversation that does not exist or belongs to another owner; both look the same to the caller."""
    return NotFoundError("There is no such conversation.", code="conversation_not_found", param="conversation_id")


def in_use(param: str) -> InvalidRequestError:
    """The error for an id that exists."""
    return InvalidRequestError(f"'{param}' is in use already. Choose another.", code="id_in_use", param=param)
