"""A home that chats: an engine with scripted providers, a store, and a page that keeps what it is sent."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes.chunks import delta
from tests.support.fakes.upstream import ROLE, STOP, USAGE, StubBackend
from tests.support.waiting import until
from zeroconf_ai.accounting.conversations.conversation import Owner
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.admin.chat.answerer import EngineAnswerer
from zeroconf_ai.admin.chat.chats import Chats
from zeroconf_ai.admin.chat.messages import Choice
from zeroconf_ai.admin.chat.runs import Person
from zeroconf_ai.admin.images import HomeImages
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.routing.policy import Terms

ANNA = Person(Owner(user_id="anna"), Caller(Source.PAGE, "Anna", user_id="anna", username="Anna"))
BEN = Person(Owner(user_id="ben"), Caller(Source.PAGE, "Ben", user_id="ben", username="Ben"))
AUTO = Choice()


def says(*words: str) -> list[object]:
    """The steps of an answer with these words."""
    return [ROLE, *(delta(word) for word in words), STOP, USAGE]


@dataclass
class Shown:
    """What a page was sent."""

    events: list[dict[str, Any]] = field(default_factory=list)
    end: Callable[[], None] | None = None

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of a kind."""
        return [event for event in self.events if event["type"] == kind]

    @property
    def messages(self) -> dict[str, dict[str, Any]]:
        """The messages as the page has them after the events, by id."""
        found: dict[str, dict[str, Any]] = {}
        for event in self.events:
            match event["type"]:
                case "conversation":
                    found = {message["id"]: dict(message) for message in event["messages"]}
                case "message":
                    found[event["message"]["id"]] = dict(event["message"])
                case "delta":
                    found[event["id"]]["content"] += event["content"]
                case "text":
                    found[event["id"]]["content"] = event["content"]
        return found

    @property
    def last(self) -> dict[str, Any]:
        """The newest answer."""
        return next(message for message in reversed(self.messages.values()) if message["role"] == "assistant")


@dataclass
class ChatHome:
    """The home of a test."""

    engine: Engine
    store: AccountingStore
    chats: Chats

    async def add(self, name: str, *steps: object, priority: int = 10, terms: Terms | None = None, **more: Any) -> StubBackend:
        """A provider that answers with these steps, in order."""
        backend = StubBackend(name, *steps, priority=priority, **more)
        await self.engine.checker.check(self.engine.add(backend, terms), models=True)
        return backend

    async def ask(
        self, text: str = "Hi", *, person: Person = ANNA, conversation: str | None = None, choice: Choice = AUTO
    ) -> str:
        """Send a message, without waiting for its answer; returns the id of the conversation."""
        named = conversation or await self.chats.create(person)
        await self.chats.send(person, named, text, choice)
        return named

    async def follow(self, conversation: str | None, person: Person = ANNA) -> Shown:
        """A page that shows a conversation."""
        shown = Shown()
        shown.end = await self.chats.follow(person.owner, conversation, shown.events.append)
        return shown

    async def answered(self, conversation: str, person: Person = ANNA) -> Shown:
        """Wait for the end of an answer; what a page that opens the conversation then shows."""
        shown = Shown()

        async def ended() -> bool:
            found = await self.chats.conversations(person.owner)
            return not any(one["running"] for one in found["conversations"] if one["id"] == conversation)

        await until(ended)
        end = await self.chats.follow(person.owner, conversation, shown.events.append)
        end()
        return shown


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[ChatHome]:
    store = await AccountingStore.open(tmp_path / "chat.db", zone=UTC)
    engine = Engine()
    await engine.attach(Accounting.of(store))
    images = HomeImages(store.images, "/v1/images")
    chats = Chats(engine, lambda: store.conversations, EngineAnswerer(engine, lambda: images), lambda: images)
    await chats.open()
    yield ChatHome(engine, store, chats)
    await chats.close()
    await engine.close()
    await store.close()
