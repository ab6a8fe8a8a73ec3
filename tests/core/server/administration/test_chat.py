"""The conversations of administrators over `/admin/api/chat`: commands, and the stream of one conversation."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
from typing import Any

import aiohttp
import pytest

from tests.support.fakes.chunks import delta
from tests.support.fakes.upstream import ROLE, STOP, USAGE, StubBackend
from tests.support.server import KEY, served
from zeroconf_ai.accounting.conversations.conversation import Owner
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.server.access.guard import Guard
from zeroconf_ai.server.administration import live_stream
from zeroconf_ai.server.administration.administration import Administration

from .browser import Browser, Site


@pytest.fixture
async def site(store: AccountingStore) -> AsyncIterator[Site]:
    """A server that records, with one backend."""
    key, secret = await store.keys.create("Owner", endpoints=("admin",))
    backend = StubBackend("attic", [ROLE, delta("Hello"), delta(" there"), STOP, USAGE])
    async with served(
        backend,
        access=Guard(store.keys),
        ledger=store.ledger,
        administration=lambda gateway: Administration(gateway, store),
    ) as server:
        detach = await server.engine.attach(Accounting.of(store))
        yield Site(server, store, secret, key.id)
        detach()


@pytest.fixture
async def owner(site: Site) -> Browser:
    """A browser in which the administrator is logged in."""
    browser = site.browser()
    await browser.log_in(site.secret)
    return browser


@asynccontextmanager
async def following(browser: Browser, conversation: str | None = None) -> AsyncIterator[aiohttp.ClientResponse]:
    """The stream of a conversation."""
    async with browser.server.session.get(
        f"{browser.origin}/admin/api/chat/follow",
        params={} if conversation is None else {"conversation_id": conversation},
        headers={"Accept": "text/event-stream"},
        cookies=browser.cookies,
        timeout=aiohttp.ClientTimeout(60),
    ) as response:
        yield response


async def events_until(response: aiohttp.ClientResponse, kind: str) -> list[dict[str, Any]]:
    """The events of a stream up to the first of a kind."""
    found: list[dict[str, Any]] = []
    while not (found and found[-1]["type"] == kind):
        line = await response.content.readline()
        assert line, "the stream has ended"
        if line.startswith(b"data: "):
            found.append(json.loads(line[6:]))
    return found


async def begin(browser: Browser) -> str:
    """A new conversation; returns its id."""
    status, made = await browser.ask("chat/create")
    assert status == 200
    named: str = made["conversation_id"]
    return named


async def test_administration_chat_is_answered_streamed_stored_and_recorded_for_the_key(owner: Browser, site: Site) -> None:
    conversation = await begin(owner)
    async with following(owner, conversation) as stream:
        assert stream.status == 200
        (empty, *_, home) = await events_until(stream, "home")
        assert (empty["type"], empty["messages"]) == ("conversation", [])
        assert ([one["name"] for one in home["providers"]], home["tools"]) == (["Attic"], False)
        choice = {"backend_id": "attic", "model": "m"}
        status, sent = await owner.ask("chat/send", {"conversation_id": conversation, "text": "Hi", "choice": choice})
        assert status == 200
        messages: dict[str, Any] = {}
        while not any("outcome" in message["details"] for message in messages.values()):
            event = (await events_until(stream, "message"))[-1]
            messages[event["message"]["id"]] = event["message"]
    asked, answered = messages.values()
    assert (asked["id"], asked["content"]) == (sent["message_id"], "Hi")
    assert (answered["content"], answered["details"]["outcome"]) == ("Hello there", "ok")
    await site.store.flush()
    status, records = await owner.ask("requests", {"source": "page"})
    assert [(one["key_id"], one["id"]) for one in records["requests"]] == [
        (site.key_id, answered["details"]["generation_ids"][0])
    ]
    status, listed = await owner.ask("chat/conversations", {"search": "HI"})
    assert [one["title"] for one in listed["conversations"]] == ["Hi"]
    assert (await owner.ask("chat/rename", {"conversation_id": conversation, "title": "Greeting"}))[0] == 200
    assert (await owner.ask("chat/delete", {"conversation_id": conversation}))[0] == 200
    assert (await owner.ask("chat/conversations"))[1]["conversations"] == []


async def test_administration_chat_of_another_key_does_not_exist(owner: Browser, site: Site) -> None:
    conversation = await begin(owner)
    _, secret = await site.store.keys.create("Other", endpoints=("admin",))
    other = site.browser()
    await other.log_in(secret)
    for command in ("send", "retry", "rename", "delete"):
        fields = {"conversation_id": conversation, "text": "x", "title": "x"}
        status, found = await other.ask(f"chat/{command}", fields)
        assert (status, found["error"]["code"]) == (404, "conversation_not_found")
    async with following(other, conversation) as stream:
        assert [event["type"] for event in await events_until(stream, "home")] == ["deleted", "home"]
    assert [one["id"] for one in (await owner.ask("chat/conversations"))[1]["conversations"]] == [conversation]


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("send", {"text": "Hi"}),
        ("send", {"conversation_id": "x", "text": 5}),
        ("send", {"conversation_id": ["x"], "text": "Hi"}),
        ("send", {"conversation_id": "x", "text": "x" * 32_001}),
        ("send", {"conversation_id": "x", "text": "Hi", "message_id": {}}),
        ("rename", {"conversation_id": "x"}),
        ("conversations", {"search": 1}),
        ("conversations", {"after": "nothing"}),
    ],
)
async def test_administration_chat_wrong_fields_are_refused(owner: Browser, command: str, fields: dict[str, Any]) -> None:
    status, found = await owner.ask(f"chat/{command}", fields)
    assert status in (400, 404)
    assert found["error"]["message"]


async def test_administration_chat_stream_of_a_slow_client_ends(owner: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_stream, "WAITING_LIMIT", 0)
    async with following(owner) as stream:
        assert b"data:" not in await stream.read()


async def test_administration_chat_without_a_database_is_not_offered() -> None:
    async with served(key=KEY, administration=lambda gateway: Administration(gateway, None, KEY)) as server:
        browser = Browser(server, {})
        await browser.log_in(KEY)
        status, found = await browser.ask("chat/create")
        assert (status, found["error"]["code"]) == (404, "not_recorded")
        async with following(browser) as stream:
            assert stream.status == 404


async def test_administration_chat_answers_end_with_the_server(store: AccountingStore) -> None:
    backend = StubBackend("attic", [ROLE, delta("Half"), asyncio.Event()])
    key, secret = await store.keys.create("Owner", endpoints=("admin",))
    async with served(
        backend,
        access=Guard(store.keys),
        ledger=store.ledger,
        administration=lambda gateway: Administration(gateway, store),
    ) as server:
        browser = Browser(server, {})
        await browser.log_in(secret)
        conversation = await begin(browser)
        async with following(browser, conversation) as stream:
            await browser.ask("chat/send", {"conversation_id": conversation, "text": "Hi"})
            await events_until(stream, "delta")
            await server.runner.cleanup()
    owned = Owner(key_id=key.id)
    found = await store.conversations.messages(owned, conversation)
    assert [message.content for message in found.items] == ["Hi", "Half"]
