"""What `Chats` keeps of people who chat: the answers that are being written for them, and the pages that show conversations."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from ...accounting.conversations.conversation import Owner
from ...accounting.usage.generation import Generation
from ...engine import Caller
from ..live import LiveFeed
from .answer import Event, LiveAnswer
from .messages import MessageData

type Publish = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Person:
    """Who chats. `owner` is whose conversations; `caller` is whose limits and budgets apply."""

    owner: Owner
    caller: Caller
    language: str | None = None


@dataclass(slots=True, eq=False)
class Run:
    """An answer that is being written."""

    person: Person
    conversation_id: str
    answer: LiveAnswer
    former: tuple[str, str] | None
    """Id and name of the provider that answered before."""
    records: list[Generation] = field(default_factory=list)
    notice: MessageData | None = None
    task: asyncio.Task[None] | None = None
    writing: bool = True
    """False: the answer has ended, and is being stored."""
    deleted: bool = False
    """Whether the conversation was deleted."""


@dataclass(slots=True, eq=False)
class Follower:
    """A page that shows a conversation."""

    owner: Owner
    conversation_id: str | None
    send: Publish
    ready: bool = False
    feed: LiveFeed[Event] | None = None


class Starting:
    """Holds a conversation inside a block, so that two messages do not start two answers."""

    def __init__(self, starting: set[str], conversation_id: str) -> None:
        """`starting`: all conversations that are held."""
        starting.add(conversation_id)
        self._starting = starting
        self._conversation_id = conversation_id

    def __enter__(self) -> None:
        """Held since it was made."""

    def __exit__(self, *_: object) -> None:
        self._starting.discard(self._conversation_id)
