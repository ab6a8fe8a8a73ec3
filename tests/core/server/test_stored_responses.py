"""Responses are read, listed and deleted: those of the last minutes, and while prompts are stored those of earlier starts."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from openai import NotFoundError, OpenAIError
import pytest

from zeroconf_ai.accounting.conversations import response_store
from zeroconf_ai.accounting.conversations.conversation import Owner
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.server.access.guard import Guard

from ...support.fakes.provider import FakeProvider, text
from ...support.sdks import scripted
from ...support.server import Served, served
from ..accounting.conftest import FreshDatabase, content, file, fresh_database, postgresql

__all__ = ["file", "fresh_database", "postgresql"]

type Home = Callable[..., AbstractAsyncContextManager[tuple[Served, AccountingStore]]]
ASK: dict[str, Any] = {"model": "auto", "input": "canary asked"}


@pytest.fixture
def home(fresh_database: FreshDatabase) -> Home:
    """Starts a gateway with the database; each time, its memory is empty."""

    @asynccontextmanager
    async def start(*, keeps: bool = True) -> AsyncIterator[tuple[Served, AccountingStore]]:
        store = await AccountingStore.open(fresh_database.url, keep_bodies=keeps)
        try:
            async with served(access=Guard(store.keys), ledger=store.ledger, responses=store.responses) as gateway:
                yield gateway, store
        finally:
            await store.close()

    return start


async def test_response_is_read_listed_continued_and_deleted_after_a_restart(home: Home, fresh_database: FreshDatabase) -> None:
    async with home() as (gateway, store):
        key, secret = await store.keys.create("Phone")
        async with gateway.sdk(secret) as client:
            first = await client.responses.create(**ASK, instructions="Be brief.", metadata={"a": "b"})
            assert first.model_dump()["store"] is True
            second = await client.responses.create(model="auto", input="Again", previous_response_id=first.id)
    async with home() as (gateway, store), gateway.sdk(secret) as client:
        read = await client.responses.retrieve(first.id)
        assert read.model_dump() == first.model_dump()
        items: list[Any] = [item async for item in client.responses.input_items.list(second.id, order="asc", limit=2)]
        assert [(item.role, item.content[0].text) for item in items] == [
            ("user", "canary asked"),
            ("assistant", first.output_text),
            ("user", "Again"),
        ]
        newest = await client.responses.input_items.list(second.id, limit=1)
        assert (newest.data[0].id, newest.has_more) == (items[-1].id, True)
        third = await client.responses.create(model="auto", input="And now?", previous_response_id=second.id)
        referred: Any = [{"type": "item_reference", "id": first.output[0].id}, {"role": "user", "content": "Sure?"}]
        await client.responses.create(model="auto", input=referred)
    assert fresh_database.run("SELECT DISTINCT key_id, is_chat FROM conversations") == [(key.id, False)]
    async with home() as (gateway, _), gateway.sdk(secret) as client:
        await client.responses.delete(first.id)
        for call in (client.responses.retrieve(first.id), client.responses.delete(first.id)):
            with pytest.raises(NotFoundError, match="no such response"):
                await call
        with pytest.raises(OpenAIError, match="not known here"):
            await client.responses.create(**ASK, previous_response_id=first.id)
        said = [item async for item in client.responses.input_items.list(third.id, order="asc")]
        assert len(said) == 5, "later responses keep their conversation"
        for later in (second, third):
            await client.responses.delete(later.id)


async def test_response_of_another_key_does_not_exist(home: Home) -> None:
    async with home() as (gateway, store):
        _, secret = await store.keys.create("Phone", user_id="anna")
        others = [(await store.keys.create("Other", user_id=user))[1] for user in ("anna", None)]
        async with gateway.sdk(secret) as client:
            mine = await client.responses.create(**ASK)
    for _ in range(2):  # in memory of the second, it is known by then
        async with home() as (gateway, _):
            for other in others:
                async with gateway.sdk(other) as client:
                    for call in (
                        client.responses.retrieve(mine.id),
                        client.responses.delete(mine.id),
                        client.responses.input_items.list(mine.id),
                    ):
                        with pytest.raises(NotFoundError):
                            await call
                    with pytest.raises(OpenAIError, match="not known here"):
                        await client.responses.create(**ASK, previous_response_id=mine.id)
                    reference: Any = [{"type": "item_reference", "id": mine.output[0].id}]
                    with pytest.raises(OpenAIError, match="not known here"):
                        await client.responses.create(model="auto", input=reference)
            async with gateway.sdk(secret) as client:
                assert (await client.responses.retrieve(mine.id)).id == mine.id


async def test_response_is_in_memory_only_unless_storing_is_enabled(home: Home, fresh_database: FreshDatabase) -> None:
    async with home(keeps=False) as (gateway, store):
        _, secret = await store.keys.create("Phone")
        async with gateway.sdk(secret) as client:
            made = await client.responses.create(**ASK)
            assert made.model_dump()["store"] is False
            assert (await client.responses.retrieve(made.id)).output_text == made.output_text
            assert len((await client.responses.input_items.list(made.id)).data) == 1
            other = await client.responses.create(**ASK)
            await client.responses.delete(other.id)
            with pytest.raises(NotFoundError):
                await client.responses.retrieve(other.id)
            unstored = await client.responses.create(**ASK, store=False)
            with pytest.raises(NotFoundError):
                await client.responses.retrieve(unstored.id)
    assert "canary" not in content(fresh_database, "messages", "conversations")
    async with home() as (gateway, _), gateway.sdk(secret) as client:
        with pytest.raises(NotFoundError):
            await client.responses.retrieve(made.id)
        unstored = await client.responses.create(**ASK, store=False)
        assert unstored.model_dump()["store"] is False
    assert "canary" not in content(fresh_database, "messages", "conversations")


@pytest.mark.parametrize("how", ["forget", "retention", "disable"])
async def test_stored_responses_are_deleted_with_their_owner_and_in_time(
    home: Home,
    fresh_database: FreshDatabase,
    how: str,
) -> None:
    async with home() as (gateway, store):
        key, secret = await store.keys.create("Phone")
        async with gateway.sdk(secret) as client:
            made = await client.responses.create(**ASK)
        await store.flush()
        assert "canary" in content(fresh_database, "messages")
        if how == "forget":
            await store.forget(key_id=key.id)
        elif how == "retention":
            fresh_database.run("UPDATE conversations SET last_used = 5")
            await store.tidy()
    if how == "disable":
        async with home(keeps=False):
            pass
    assert "canary" not in content(fresh_database, "messages", "conversations")
    assert made.id not in content(fresh_database, "messages", "conversations")


async def test_streamed_response_with_odd_characters_is_stored(fresh_database: FreshDatabase) -> None:
    store = await AccountingStore.open(fresh_database.url, keep_bodies=True)
    _, secret = await store.keys.create("Phone")
    running: tuple[Served, FakeProvider]
    async with scripted(text("nul \0 and 🌡")) as running:
        gateway, _ = running
        gateway.gateway.responses, gateway.gateway.access = store.responses, Guard(store.keys)
        async with gateway.sdk(secret) as client:
            asked: Any = {"model": "test-model", "input": 'a\0b \\u0000 "quoted" %_\''}
            async with client.responses.stream(**asked) as stream:
                made = await stream.get_final_response()
            gateway.gateway.recent_responses.drop((store.keys.verify(secret).id, None, None), made.id)
            assert (await client.responses.retrieve(made.id)).output_text == "nul \0 and 🌡"
    await store.close()


async def test_stored_responses_of_one_key_are_bounded(
    home: Home,
    fresh_database: FreshDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(response_store, "MAX_RESPONSES", 2)
    async with home() as (gateway, store):
        key, secret = await store.keys.create("Phone")
        async with gateway.sdk(secret) as client:
            chain: list[str] = []
            for _ in range(4):
                chain.append((await client.responses.create(**ASK, previous_response_id=chain[-1] if chain else None)).id)
                await store.flush()
            monkeypatch.setattr(response_store, "MAX_BYTES", 100)
            large = await client.responses.create(**ASK)
        owner = Owner(key.id)
        found = [await store.responses.get(owner, one) for one in (*chain, large.id)]
        assert [one is not None for one in found] == [False, False, True, True, False]
        assert found[3] is not None
        assert len(found[3].asked) == 7, "what is deleted is still part of the conversation"


@pytest.mark.parametrize("query", ["order=up", "limit=0", "limit=101", "limit=x", "limit=-1", "limit=²", "after=never"])
async def test_wrong_parameters_of_input_items_are_refused(query: str) -> None:
    async with served() as gateway:
        _, made, _ = await gateway.ask("POST", "responses", json=ASK)
        status, body, _ = await gateway.get(f"responses/{made['id']}/input_items?{query}")
        assert (status, body["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("path", ["responses/never", "responses/never/input_items", "responses/%00", "responses/" + "x" * 5_000])
async def test_unknown_response_is_a_404(path: str) -> None:
    async with served() as gateway:
        status, body, _ = await gateway.get(path)
        assert (status, body["error"]["code"]) == (404, "response_not_found")


async def test_items_of_every_form_are_listed_with_id_and_parts() -> None:
    given: list[Any] = [
        {"role": "user", "content": [{"type": "input_text", "text": "parts"}]},
        {"role": "assistant", "content": "earlier"},
        {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "dark", "id": "fco_1"},
        {"type": "message", "role": "user", "content": "text"},
    ]
    async with served() as gateway:
        status, made, _ = await gateway.ask("POST", "responses", json={"model": "auto", "input": given})
        assert status == 200, made
        _, listed, _ = await gateway.get(f"responses/{made['id']}/input_items?order=asc")
        assert [item["type"] for item in listed["data"]] == [
            "message",
            "message",
            "function_call",
            "function_call_output",
            "message",
        ]
        assert listed["data"][1]["content"][0]["type"] == "output_text"
        assert listed["data"][4]["content"] == [{"type": "input_text", "text": "text"}]
        ids = [item["id"] for item in listed["data"]]
        assert len(set(ids)) == 5
        assert ids[3] == "fco_1"
        _, again, _ = await gateway.get(f"responses/{made['id']}/input_items?after={ids[3]}")
        assert [item["id"] for item in again["data"]] == [ids[2], ids[1], ids[0]], "newest first, and the same ids each time"
