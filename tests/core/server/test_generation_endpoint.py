"""`/v1/generation`: the record of a request, for its caller only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
import pytest

from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.record import Auth
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.server.access.guard import Guard, HomeUser

from ...support.fakes.upstream import StubBackend
from ...support.server import CHAT, Served, served


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AccountingStore]:
    opened = await AccountingStore.open(tmp_path / "gateway.db")
    yield opened
    await opened.close()


@asynccontextmanager
async def kept(store: AccountingStore, **guard: Any) -> AsyncIterator[Served]:
    """A gateway with keys and records."""
    backend = StubBackend("one", models=["test-model"])
    async with served(backend, access=Guard(store.keys, **guard), ledger=store.ledger) as gateway:
        await gateway.engine.attach(Accounting(store.ledger))
        yield gateway


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.mark.parametrize("path", ["chat/completions", "responses", "messages"])
@pytest.mark.parametrize("stream", [False, True])
async def test_generation_id_in_the_response_finds_the_record(store: AccountingStore, path: str, stream: bool) -> None:
    _, secret = await store.keys.create("Tablet")
    body = CHAT | {"input": "Hello", "max_tokens": 10, "stream": stream}
    async with kept(store) as gateway:
        async with gateway.session.post(f"{gateway.url}/{path}", json=body, headers=bearer(secret)) as response:
            assert response.status == 200
            await response.read()
            made = response.headers["X-Generation-ID"]
            assert made == response.headers["X-Request-ID"]
        status, told, _ = await gateway.get(f"generation?id={made}", headers=bearer(secret))
    assert status == 200
    record = told["data"]
    assert record["id"] == made
    assert (record["model"], record["provider"], record["status"]) == ("test-model", "One", "ok")
    assert (record["finish_reason"], record["streamed"], record["attempts"]) == ("stop", stream, 1)
    assert record["tokens_prompt"] > 0
    assert record["tokens_completion"] > 0
    assert record["duration_ms"] >= record["latency_ms"] >= 0
    assert record["key"] == f"{secret[:8]}…"
    assert secret not in json.dumps(told)


async def test_generation_of_another_caller_is_a_404(store: AccountingStore) -> None:
    _, mine = await store.keys.create("Tablet")
    _, other = await store.keys.create("Phone")
    async with kept(store) as gateway:
        _, _, headers = await gateway.ask("POST", "chat/completions", json=CHAT, headers=bearer(mine))
        made = headers["X-Generation-ID"]
        theirs = await gateway.get(f"generation?id={made}", headers=bearer(other))
        none = await gateway.get("generation?id=req_none", headers=bearer(other))
    assert theirs[0] == none[0] == 404
    assert theirs[1]["error"]["message"].replace(made, "req_none") == none[1]["error"]["message"]


@pytest.mark.parametrize("written", [False, True], ids=["pending", "written"])
async def test_generation_with_a_shared_request_id_is_separate_by_caller(store: AccountingStore, written: bool) -> None:
    users = {"Bearer u1": HomeUser("1", "Bo"), "Bearer u2": HomeUser("2", "Cy"), "Bearer admin": HomeUser("a", "Ada", admin=True)}

    def home_user(request: web.Request) -> HomeUser | None:
        return users.get(request.headers.get("Authorization", ""))

    async with kept(store, mode=Auth.NONE, home_user=home_user) as gateway:
        headers = [bearer("u1"), bearer("u2"), {}]
        for name in ("Tablet", "Phone"):
            _, secret = await store.keys.create(name)
            headers.append(bearer(secret))
        for number, sent in enumerate(headers):
            body = CHAT | {"model": f"nope-{number}"}
            await gateway.ask("POST", "chat/completions", json=body, headers=sent | {"X-Request-ID": "same-1"})
        if written:
            await store.flush()
        for number, sent in enumerate(headers):
            status, told, _ = await gateway.get("generation?id=same-1", headers=sent)
            assert (status, told["data"]["requested_model"]) == (200, f"nope-{number}")
        _, told, _ = await gateway.get("generation?id=same-1", headers=bearer("admin"))
        assert told["data"]["requested_model"] == f"nope-{len(headers) - 1}"
        _, other = await store.keys.create("Other")
        assert (await gateway.get("generation?id=same-1", headers=bearer(other)))[0] == 404


async def test_generation_is_visible_to_administrators_and_its_user(store: AccountingStore) -> None:
    users = {"Bearer admin": HomeUser("a", "Ada", admin=True), "Bearer u1": HomeUser("1", "Bo"), "Bearer u2": HomeUser("2", "Cy")}

    def home_user(request: web.Request) -> HomeUser | None:
        return users.get(request.headers.get("Authorization", ""))

    async with kept(store, home_user=home_user) as gateway:
        _, _, headers = await gateway.ask("POST", "chat/completions", json=CHAT, headers=bearer("u1"))
        path = f"generation?id={headers['X-Generation-ID']}"
        found = {who: (await gateway.get(path, headers=bearer(who)))[0] for who in ("admin", "u1", "u2")}
    assert found == {"admin": 200, "u1": 200, "u2": 404}


async def test_generation_without_keys_is_visible_to_its_address(store: AccountingStore) -> None:
    async with kept(store, mode=Auth.NONE) as gateway:
        _, _, headers = await gateway.ask("POST", "chat/completions", json=CHAT)
        path = f"generation?id={headers['X-Generation-ID']}"
        assert (await gateway.get(path))[0] == 200
        connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        async with aiohttp.ClientSession(connector=connector) as other, other.get(f"{gateway.url}/{path}") as response:
            assert response.status == 404


async def test_generation_of_a_failure_has_the_error(store: AccountingStore) -> None:
    async with kept(store, mode=Auth.NONE) as gateway:
        await gateway.ask("POST", "chat/completions", json=CHAT | {"model": "nope"}, headers={"X-Request-ID": "mine-1"})
        _, told, _ = await gateway.get("generation?id=mine-1")
    record = told["data"]
    assert (record["status"], record["error_code"], record["requested_model"]) == ("error", "model_not_found", "nope")
    assert (record["model"], record["provider"], record["key"], record["total_cost"]) == (None, None, None, None)


async def test_generation_without_id_names_the_parameter(store: AccountingStore) -> None:
    async with kept(store, mode=Auth.NONE) as gateway:
        status, body, _ = await gateway.get("generation")
    assert (status, body["error"]["param"]) == (400, "id")


async def test_generation_without_records_is_a_404() -> None:
    async with served() as gateway:
        status, body, _ = await gateway.get("generation?id=x")
    assert (status, body["error"]["type"]) == (404, "invalid_request_error")
