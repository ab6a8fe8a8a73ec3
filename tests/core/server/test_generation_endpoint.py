"""`/v1/generation`: the record of a request, for its caller only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
from pathlib import Path
import re
from typing import Any

import aiohttp
from aiohttp import web
import pytest

from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.backends.base import Backend, BackendInfo, Endpoint
from zeroconf_ai.backends.demo.backend import DemoBackend
from zeroconf_ai.backends.zeroconfai import ZeroconfAIBackend
from zeroconf_ai.protocol.errors import RateLimitError, StreamBrokenError, UpstreamError
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Auth, Cost
from zeroconf_ai.protocol.status import ProviderState
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.routing.policy import Terms
from zeroconf_ai.server.access.guard import Guard, HomeUser

from ...support.fakes.chunks import delta
from ...support.fakes.provider import FakeProvider, refuse
from ...support.fakes.upstream import ROLE, STOP, USAGE, StubBackend
from ...support.server import CHAT, Served, served


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AccountingStore]:
    opened = await AccountingStore.open(tmp_path / "gateway.db")
    yield opened
    await opened.close()


@asynccontextmanager
async def kept(store: AccountingStore, *backends: Backend, **guard: Any) -> AsyncIterator[Served]:
    """A gateway with keys and records."""
    backends = backends or (StubBackend("one", models=["test-model"]),)
    async with served(*backends, access=Guard(store.keys, **guard), ledger=store.ledger) as gateway:
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


CONTENTS = {"contents": [{"parts": [{"text": "Hello"}]}]}
ID_IN_ANSWER = re.compile(rb'"(?:id|responseId)": ?"((?:chatcmpl-|cmpl-|msg_|resp_|)[0-9a-f]{32})"')
"""The id of a whole answer; items and tool calls have other prefixes."""


@pytest.mark.parametrize("written", [False, True], ids=["pending", "written"])
@pytest.mark.parametrize(
    ("path", "body", "prefix"),
    [
        ("/v1/chat/completions", {"stream": False}, "chatcmpl-"),
        ("/v1/chat/completions", {"stream": True}, "chatcmpl-"),
        ("/v1/completions", {"prompt": "Hello", "stream": False}, "cmpl-"),
        ("/v1/completions", {"prompt": "Hello", "stream": True}, "cmpl-"),
        ("/v1/responses", {"input": "Hello", "stream": False}, "resp_"),
        ("/v1/responses", {"input": "Hello", "stream": True}, "resp_"),
        ("/v1/messages", {"max_tokens": 10, "stream": False}, "msg_"),
        ("/v1/messages", {"max_tokens": 10, "stream": True}, "msg_"),
        ("/v1beta/models/auto:generateContent", CONTENTS, ""),
        ("/v1beta/models/auto:streamGenerateContent?alt=sse", CONTENTS, ""),
        ("/v1beta/models/auto:streamGenerateContent", CONTENTS, ""),
    ],
)
async def test_generation_id_of_the_answer_finds_the_record(
    store: AccountingStore, path: str, body: dict[str, Any], prefix: str, written: bool
) -> None:
    _, secret = await store.keys.create("Tablet")
    _, other = await store.keys.create("Phone")
    async with kept(store, DemoBackend(word_seconds=0.0)) as gateway:
        sent = body if "contents" in body else {**CHAT, "model": "auto", **body}
        url = f"http://127.0.0.1:{gateway.port}{path}"
        async with gateway.session.post(url, json=sent, headers=bearer(secret)) as response:
            raw = await response.read()
            assert response.status == 200, raw
            made = response.headers["X-Generation-ID"]
        found = ID_IN_ANSWER.search(raw)
        assert found is not None, raw
        seen = found[1].decode()
        assert seen.startswith(prefix)
        if written:
            await store.flush()
        status, told, _ = await gateway.get(f"generation?id={seen}", headers=bearer(secret))
        assert (status, told["data"]["id"], told["data"]["answer_id"]) == (200, made, seen)
        assert (await gateway.get(f"generation?id={seen}", headers=bearer(other)))[0] == 404


@pytest.mark.parametrize("stream", [False, True])
async def test_generation_of_an_answer_of_ollama_has_no_answer_id(store: AccountingStore, stream: bool) -> None:
    async with kept(store, DemoBackend(word_seconds=0.0), mode=Auth.NONE) as gateway:
        async with gateway.session.post(
            f"http://127.0.0.1:{gateway.port}/api/chat", json={**CHAT, "model": "auto", "stream": stream}
        ) as response:
            await response.read()
            made = response.headers["X-Generation-ID"]
        _, told, _ = await gateway.get(f"generation?id={made}")
    assert told["data"]["answer_id"] is None


@pytest.mark.parametrize(
    ("ids", "kept_id"),
    [
        (["", "chatcmpl-azure", "chatcmpl-azure"], "chatcmpl-azure"),
        ([None, None, None], None),
        ([7, ["x"], {}], None),
        (["x" * 100_000] * 3, None),
        (["gen-1", "gen-2", "gen-3"], "gen-1"),
    ],
    ids=["Azure's first chunk", "none", "no text", "endless", "one each"],
)
async def test_generation_with_odd_ids_of_chunks_is_recorded(store: AccountingStore, ids: list[Any], kept_id: str | None) -> None:
    chunks = [{"id": chunk_id, **chunk} for chunk_id, chunk in zip(ids, (ROLE, delta("Hello"), STOP), strict=True)]
    async with kept(store, StubBackend("one", chunks, models=["test-model"]), mode=Auth.NONE) as gateway:
        async with gateway.session.post(f"{gateway.url}/chat/completions", json=CHAT | {"stream": True}) as response:
            await response.read()
            made = response.headers["X-Generation-ID"]
        _, told, _ = await gateway.get(f"generation?id={made}")
    assert told["data"]["answer_id"] == kept_id


async def test_generation_names_failed_attempts_with_public_reasons(
    store: AccountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeroconf_ai.routing.execution.router.RETRY_SECONDS", 0)
    log_text = "http://192.0.2.7:8000/?key=sk-example-secret-of-a-log refused"
    failing = StubBackend("a", UpstreamError("it reported an error", log_text=log_text), models=["test-model"])
    limited = StubBackend("b", RateLimitError("too many requests"), models=["test-model"])
    chunks = [{"id": "chatcmpl-1", **chunk} for chunk in (delta("Hi"), STOP, USAGE)]
    answering = StubBackend("c", chunks, models=["test-model"])
    async with kept(store, failing, limited, answering, mode=Auth.NONE) as gateway:
        member = gateway.engine.pool.get("c")
        assert member is not None
        member.state = ProviderState.DEGRADED
        body = CHAT | {"stream": True}
        async with gateway.session.post(f"{gateway.url}/chat/completions", json=body) as response:
            await response.read()
        for _ in ("pending", "written"):
            status, told, _ = await gateway.get("generation?id=chatcmpl-1")
            assert status == 200
            record = told["data"]
            assert record["failed_attempts"] == [
                {"provider": "A", "model": "test-model", "reason": "it reported an error", "code": "provider_error"},
                {"provider": "A", "model": "test-model", "reason": "it reported an error", "code": "provider_error"},
                {"provider": "B", "model": "test-model", "reason": "too many requests", "code": "rate_limit_exceeded"},
            ]
            assert (record["attempts"], record["provider"], record["provider_health"]) == (3, "C", "degraded")
            assert "192.0.2.7" not in json.dumps(told)
            await store.flush()


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
@pytest.mark.parametrize("stream", [False, True])
async def test_generation_reason_of_a_real_refusal_has_no_address_and_no_secret(
    store: AccountingStore, tmp_path: Path, status: int, stream: bool
) -> None:
    secret = "an-owners-key-of-no-known-shape"
    said = f"Incorrect API key {secret} for org-123 at http://10.213.1.2:5432, Bearer {secret}"
    provider = FakeProvider(answers=[refuse(status, said, headers={"Retry-After": "1"})])
    async with aiohttp.ClientSession() as session, provider:
        endpoint = Endpoint(provider.base_url, key=secret)
        refusing = ZeroconfAIBackend(session, BackendInfo("attic", "Attic", priority=1), endpoint)
        answering = StubBackend("second", models=["test-model"])
        async with kept(store, refusing, answering, mode=Auth.NONE) as gateway:
            async with gateway.session.post(f"{gateway.url}/chat/completions", json=CHAT | {"stream": stream}) as response:
                assert response.status == 200
                await response.read()
                made = response.headers["X-Generation-ID"]
            await store.flush()
            _, told, _ = await gateway.get(f"generation?id={made}")
    failed = told["data"]["failed_attempts"]
    assert [attempt["provider"] for attempt in failed] == ["Attic"]
    assert failed[0]["reason"]
    kept_text = (tmp_path / "gateway.db").read_bytes() + (tmp_path / "gateway.db-wal").read_bytes()
    for leak in (secret, "org-123", "10.213", f"127.0.0.1:{provider.port}"):
        assert leak not in json.dumps(told)
        assert leak.encode() not in kept_text


async def test_generation_of_a_stream_that_broke_names_the_attempt(store: AccountingStore) -> None:
    cut = [{"id": "chatcmpl-cut", **delta("Hi")}, StreamBrokenError("the stream was cut")]
    async with kept(store, StubBackend("a", cut, models=["test-model"]), mode=Auth.NONE) as gateway:
        async with gateway.session.post(f"{gateway.url}/chat/completions", json=CHAT | {"stream": True}) as response:
            await response.read()
        _, told, _ = await gateway.get("generation?id=chatcmpl-cut")
    record = told["data"]
    assert record["status"] == "error"
    assert [(failed["provider"], failed["reason"]) for failed in record["failed_attempts"]] == [("A", "the stream was cut")]


@pytest.mark.parametrize("stream", [False, True])
async def test_generation_cost_is_split_and_has_a_currency(store: AccountingStore, stream: bool) -> None:
    backend = StubBackend("one", models=["test-model"], cost=Cost.METERED)
    prices = {"test-model": Prices(3_000_000_000, 15_000_000_000, currency="EUR")}
    async with kept(store, backend, mode=Auth.NONE) as gateway:
        member = gateway.engine.pool.get("one")
        assert member is not None
        member.terms = Terms(prices=prices)
        async with gateway.session.post(f"{gateway.url}/chat/completions", json=CHAT | {"stream": stream}) as response:
            await response.read()
            made = response.headers["X-Generation-ID"]
        _, told, _ = await gateway.get(f"generation?id={made}")
    record = told["data"]
    assert (record["prompt_cost"], record["completion_cost"], record["total_cost"]) == (0.000009, 0.00003, 0.000039)
    assert (record["currency"], record["cost_source"], record["provider_health"]) == ("EUR", "owner", "healthy")


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
