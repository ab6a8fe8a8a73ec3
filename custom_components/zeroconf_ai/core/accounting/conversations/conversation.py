"""Conversations, their messages and images, as plain data, with the limits that apply to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
import math
import re
from typing import Any

import orjson

from ...protocol.errors import InvalidRequestError
from ...protocol.values import NOTHING
from ..storage.statements import bounded

MAX_CONVERSATIONS = 1_000
"""Chats of one owner."""
MAX_MESSAGES = 2_000
"""Messages of one conversation."""
MAX_CHARACTERS = 4_000_000
"""Characters of all messages of one conversation."""
CONTENT_LIMIT = 256 * 1024
"""Characters of one message; the rest is cut off."""
TITLE_LIMIT = 200
"""Characters of a title; the rest is cut off."""
AUTOMATIC_TITLE = 80
"""Characters of a title that is taken from the first question."""
DETAILS_BYTES = 256 * 1024
"""The details of one message, as JSON."""
PAGE_LIMIT = 200
"""Conversations or messages in one answer."""
_TEXT_LIMIT = 64 * 1024
"""Characters of one text in the details; the rest is cut off."""
_LIST_LIMIT = 200
_DEPTH_LIMIT = 8
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class Role(StrEnum):
    """Who wrote a message."""

    USER = "user"
    ASSISTANT = "assistant"
    NOTICE = "notice"
    """The gateway, for example about a change of the provider."""


@dataclass(frozen=True, slots=True)
class Owner:
    """To whom a conversation belongs: exactly this API key and user. One of them may be None."""

    key_id: str | None = None
    user_id: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError if both are None: such a conversation would have no owner."""
        if self.key_id is None and self.user_id is None:
            raise ValueError("An owner is an API key, a user, or an API key of a user")


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation without its messages. Times are seconds since the epoch."""

    id: str
    created: float
    last_used: float
    title: str
    """Empty until the first question, of which it is then the beginning."""
    source: str
    username: str | None
    """Home Assistant's name of the user."""
    display_name: str | None
    """The name of the API key, device or user."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a message, stored as a file."""

    conversation_id: str
    message_id: str
    filename: str
    """Unique in the message."""
    created: float
    size: int
    """Bytes."""
    mime_type: str
    width: int
    """Pixels."""
    height: int

    @property
    def path(self) -> str:
        """The path of the file below the folder of images."""
        return f"{self.conversation_id}/{self.message_id}/{self.filename}"


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `created` is seconds since the epoch."""

    id: str
    """Unique in the conversation."""
    conversation_id: str
    created: float
    role: Role
    content: str
    details: Mapping[str, Any] = NOTHING
    """How an answer came about, for example its provider, model, tokens, cost and tool calls."""
    images: Sequence[Image] = ()


@dataclass(frozen=True, slots=True)
class Page[T]:
    """A part of a list, and where the next part begins."""

    items: Sequence[T]
    next: str | None = None
    """The `after` of the next part; None: this is the last."""


def checked_id(value: object, param: str) -> str:
    """The id of a conversation or message, which is also the name of a folder. Raises InvalidRequestError."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise InvalidRequestError(f"'{param}' must be 1 to 64 letters, digits, '-' or '_'.", param=param)
    return value


def title_of(text: str) -> str:
    """The title of a conversation that begins with `text`: its first line, cut off at a word."""
    line = " ".join(next((line for line in text.splitlines() if line.strip()), "").split())
    if len(line) <= AUTOMATIC_TITLE:
        return bounded(line)
    head = line[:AUTOMATIC_TITLE]
    return bounded(f"{head.rpartition(' ')[0] or head}…")


def bounded_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details as JSON objects, lists, texts, numbers and booleans, within the limits.

    Long texts and lists are cut off. If the whole is still too large, its largest values are left out.
    """
    kept = {bounded(str(name), 64): _bounded(value, _DEPTH_LIMIT) for name, value in list(details.items())[:_LIST_LIMIT]}
    sizes = {name: len(orjson.dumps(value)) + len(name.encode()) + 4 for name, value in kept.items()}
    total = sum(sizes.values())
    for name in sorted(sizes, key=lambda name: sizes[name], reverse=True):
        if total <= DETAILS_BYTES:
            break
        total -= sizes[name]
        del kept[name]
    return kept


def _bounded(value: Any, depth: int) -> Any:
    match value:
        case str():
            return bounded(str(value), _TEXT_LIMIT)
        case None | bool():
            return value
        case int():
            return value if -(2**63) <= value < 2**63 else float(value) if abs(value) < 10**300 else None
        case float():
            return value if math.isfinite(value) else None
        case _ if depth <= 0:
            return None
        case Mapping():
            entries = list(value.items())[:_LIST_LIMIT]
            return {bounded(str(name), 256): _bounded(entry, depth - 1) for name, entry in entries}
        case list() | tuple():
            return [_bounded(entry, depth - 1) for entry in value[:_LIST_LIMIT]]
        case _:
            return bounded(str(value), _TEXT_LIMIT)
