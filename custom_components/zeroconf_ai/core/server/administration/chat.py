"""The conversations of an administrator, whose key they belong to."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from aiohttp import web

from ...accounting.conversations.conversation import Owner
from ...accounting.store import AccountingStore
from ...admin.chat.answerer import EngineAnswerer
from ...admin.chat.chats import Chats
from ...admin.chat.messages import TEXT_LIMIT, Choice
from ...admin.chat.runs import Person
from ...admin.images import HomeImages
from ...engine import Caller, Engine, Source
from ...protocol.errors import InvalidRequestError, NotFoundError
from ...protocol.values import mapping
from ..endpoints.images import PATH as IMAGES_PATH
from .fields import Body, optional_text, text
from .live_stream import Follow
from .sessions import Session


def chats_of(engine: Engine, store: AccountingStore) -> Chats:
    """The conversations of a server with a database."""
    images = HomeImages(store.images, IMAGES_PATH) if store.images.offered else None
    return Chats(engine, lambda: store.conversations, EngineAnswerer(engine, lambda: images), lambda: images)


def follow_chat(chats: Chats | None, session: Session, request: web.Request) -> Follow:
    """Follows what happens in the conversation that a request names, if any. Raises NotFoundError without a database."""
    return partial(_known(chats).follow, session_owner(session), request.query.get("conversation_id"))


_BY_LINK: Final = "link"
"""Owns the conversations of people who logged in with the link of a demo, whose database is in memory."""

type ChatCommand = Callable[[Chats, Person, Body], Awaitable[Any]]


async def _conversations(chats: Chats, person: Person, body: Body) -> Any:
    return await chats.conversations(person.owner, optional_text(body, "search") or "", optional_text(body, "after"))


async def _create(chats: Chats, person: Person, _: Body) -> Any:
    return {"conversation_id": await chats.create(person)}


async def _send(chats: Chats, person: Person, body: Body) -> Any:
    words = body.get("text")
    if not isinstance(words, str) or len(words) > TEXT_LIMIT:
        raise InvalidRequestError(f"'text' must be a text of at most {TEXT_LIMIT} characters.", param="text")
    named = optional_text(body, "message_id")
    return {"message_id": await chats.send(person, text(body, "conversation_id"), words, _choice(body), message_id=named)}


async def _retry(chats: Chats, person: Person, body: Body) -> Any:
    await chats.retry(person, text(body, "conversation_id"), _choice(body))


async def _stop(chats: Chats, person: Person, body: Body) -> Any:
    chats.stop(person.owner, text(body, "conversation_id"))


async def _rename(chats: Chats, person: Person, body: Body) -> Any:
    await chats.rename(person.owner, text(body, "conversation_id"), text(body, "title"))


async def _delete(chats: Chats, person: Person, body: Body) -> Any:
    await chats.delete(person.owner, text(body, "conversation_id"))


CHAT_COMMANDS: Final[Mapping[str, ChatCommand]] = {
    "chat/conversations": _conversations,
    "chat/create": _create,
    "chat/send": _send,
    "chat/retry": _retry,
    "chat/stop": _stop,
    "chat/rename": _rename,
    "chat/delete": _delete,
}


async def run_chat_command(
    command: ChatCommand, chats: Chats | None, store: AccountingStore | None, session: Session, body: Body
) -> Any:
    """Carry out a command for the administrator of a session. Raises NotFoundError without a database."""
    key = None if store is None or session.key_id is None else store.keys.get(session.key_id)
    models, home_rule = ((), None) if key is None else (key.models, key.home_rule)
    caller = Caller(Source.PAGE, session.name, key_id=session.key_id, models=models, home_rule=home_rule, admin=True)
    return await command(_known(chats), Person(session_owner(session), caller), body)


def _known(chats: Chats | None) -> Chats:
    if chats is None:
        raise NotFoundError("Conversations need `zeroconf-ai serve --keys`.", code="not_recorded")
    return chats


def session_owner(session: Session) -> Owner:
    """Who owns the conversations and images of a session."""
    return Owner(key_id=session.key_id or _BY_LINK)


def _choice(body: Body) -> Choice:
    return Choice.of(mapping(body.get("choice")))
