"""Paths, keys, limits and errors: every answer in OpenAI's shape, whatever is asked."""

import asyncio
from collections.abc import AsyncIterator
import json
import re
import zlib

import pytest

from zeroconf_ai import __version__
from zeroconf_ai.backends.base import BackendInfo
from zeroconf_ai.backends.demo.backend import CAPABILITIES, DemoBackend
from zeroconf_ai.protocol.errors import UpstreamError
from zeroconf_ai.protocol.presented_key import presented_key
from zeroconf_ai.protocol.status import ProviderState
from zeroconf_ai.server.dispatch import header_text

from ...support.server import KEY, Served, served
from ...support.waiting import AT_ONCE, until

CHAT = {"model": "demo-rules", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
async def locked() -> AsyncIterator[Served]:
    async with served(key=KEY) as running:
        yield running


def assert_error(body: object, kind: str, code: str) -> None:
    assert isinstance(body, dict)
    assert set(body) == {"error"}
    error = body["error"]
    assert {"message", "type", "param", "code"} <= set(error)
    assert error["message"]
    assert (error["type"], error["code"]) == (kind, code)


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", "/nothing/models", "/v1/v1", "//", "/v1/%00", "/favicon.ico"])
async def test_unknown_path_is_a_404_in_openais_format(demo: Served, path: str) -> None:
    status, body, headers = await demo.ask("GET", path)
    assert status == 404
    assert_error(body, "invalid_request_error", "not_found")
    assert headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "chat/completions", "POST"),
        ("POST", "models", "GET,HEAD"),
        ("DELETE", "health", "GET,HEAD"),
        ("OPTIONS", "models", "GET,HEAD"),
    ],
)
async def test_unsupported_method_is_a_405_in_openais_format(demo: Served, method: str, path: str, allowed: str) -> None:
    status, body, headers = await demo.ask(method, path)
    assert status == 405
    assert_error(body, "invalid_request_error", "method_not_allowed")
    assert headers["Allow"] == allowed


@pytest.mark.parametrize(
    "base", ["", "/", "/v1/", "//v1", "/v1//", "/v1/v1", "/v1/v1/v1", "/api/v1", "/openai/v1", "/openai/deployments/demo-rules"]
)
async def test_base_url_in_every_form_reaches_the_same_paths(demo: Served, base: str) -> None:
    wanted, _, _ = await demo.ask("GET", f"{base}/nothing")
    assert wanted == 404
    for path in ("chat/completions", "chat/completions/", "messages", "responses"):
        body = CHAT | {"max_tokens": 9, "input": "Hello"}
        status, answer, headers = await demo.ask("POST", f"{base}/{path}", json=body)
        assert (status, headers["X-ZeroconfAI-Provider"]) == (200, "demo-rules"), answer
    assert (await demo.ask("GET", f"{base}/models"))[1]["object"] == "list"
    assert (await demo.ask("GET", f"{base}/models/demo-rules"))[1]["id"] == "demo-rules"
    assert (await demo.ask("POST", f"{base}/embeddings", json={"model": "demo-embed", "input": "x"}))[0] == 200
    assert (await demo.ask("GET", f"{base}/health"))[1]["status"] == "ok"
    status, body, headers = await demo.ask("GET", f"{base}/messages")
    assert (status, body["type"], headers["Allow"]) == (405, "error", "POST")
    assert (await demo.ask("HEAD", f"{base}/models"))[0] == 200
    status, _, headers = await demo.ask("OPTIONS", f"{base}/models")
    assert (status, headers["Allow"]) == (405, "GET,HEAD")


async def test_equivalent_path_needs_the_key_too(locked: Served) -> None:
    for path in ("/models", "//v1/models", "/v1/models/"):
        assert (await locked.ask("GET", path))[0] == 401
        assert (await locked.ask("GET", path, headers={"Authorization": f"Bearer {KEY}"}))[0] == 200


@pytest.mark.parametrize("known_length", [True, False], ids=["content-length", "chunked"])
async def test_body_beyond_the_limit_is_a_413_in_openais_format(known_length: bool) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 1000

    async with served(max_body_bytes=10_000) as gateway:
        data = b" " * 20_000 if known_length else parts()
        status, body, _ = await gateway.ask("POST", "chat/completions", data=data)
        fits, _, _ = await gateway.ask("POST", "chat/completions", json=CHAT)
    assert status == 413
    assert_error(body, "invalid_request_error", "request_too_large")
    assert fits == 200


async def test_body_with_a_large_content_length_is_refused_immediately() -> None:
    async with served(max_body_bytes=10_000) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nContent-Length: 1000000\r\n\r\n")
        async with asyncio.timeout(AT_ONCE):
            assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        writer.close()
        await writer.wait_closed()


async def test_compressed_body_counts_at_its_full_size() -> None:
    async with served(max_body_bytes=10_000) as gateway:
        bomb = zlib.compress(b" " * 1_000_000)
        status, body, _ = await gateway.ask("POST", "chat/completions", data=bomb, headers={"Content-Encoding": "deflate"})
    assert len(bomb) < 10_000
    assert status == 413
    assert_error(body, "invalid_request_error", "request_too_large")


async def test_body_with_a_wrong_compression_is_a_400(demo: Served) -> None:
    status, body, _ = await demo.ask("POST", "chat/completions", data=b"not compressed", headers={"Content-Encoding": "gzip"})
    assert status == 400
    assert_error(body, "invalid_request_error", "invalid_body")


async def test_internal_error_is_a_500_without_details(
    demo: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("an inner secret")

    monkeypatch.setattr(demo.engine, "models", fail)
    status, body, headers = await demo.get("models", headers={"X-Request-ID": "trace-7"})
    assert status == 500
    assert_error(body, "server_error", "internal_error")
    assert "secret" not in json.dumps(body)
    assert "trace-7" in body["error"]["message"]
    assert headers["X-Request-ID"] == "trace-7"
    assert "an inner secret" in caplog.text


@pytest.mark.parametrize("authorization", [f"Bearer {KEY}", f"bearer  {KEY} ", KEY])
async def test_key_valid_is_accepted(locked: Served, authorization: str) -> None:
    status, _, _ = await locked.get("models", headers={"Authorization": authorization})
    assert status == 200


@pytest.mark.parametrize("authorization", ["Bearer wrong", KEY[:-1], f"Bearer {KEY}x", f"Basic {KEY}", "Bearer é"])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "models"), ("GET", "status"), ("POST", "chat/completions"), ("GET", "models/x")]
)
async def test_key_wrong_is_refused_on_all_paths(locked: Served, method: str, path: str, authorization: str) -> None:
    status, body, headers = await locked.ask(method, path, headers={"Authorization": authorization}, json=CHAT)
    assert status == 401
    assert_error(body, "authentication_error", "invalid_api_key")
    assert headers["WWW-Authenticate"] == "Bearer"
    assert KEY not in json.dumps(body)


async def test_key_missing_has_another_code_than_a_wrong_one(locked: Served) -> None:
    for headers in ({}, {"Authorization": ""}, {"Authorization": "Bearer "}):
        status, body, _ = await locked.get("models", headers=headers)
        assert status == 401
        assert_error(body, "authentication_error", "missing_api_key")


async def test_key_of_the_sdk_is_accepted(locked: Served) -> None:
    async with locked.sdk(KEY) as client:
        models = [model.id async for model in client.models.list()]
    assert (models[:2], models[-1]) == (["auto", "demo-rules"], "demo-embed")


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"Authorization": "Bearer abc"}, "abc"),
        ({"Authorization": "abc"}, "abc"),
        ({"Authorization": "bearer"}, None),
        ({"Authorization": "Bearer  "}, None),
        ({"Authorization": "Bearer bearer abc"}, "abc"),
        ({"Authorization": "Bearer: abc"}, "abc"),
        ({"Authorization": ' Bearer   "abc" '}, "abc"),
        ({"Authorization": "Bearer 'Bearer abc'"}, "abc"),
        ({"Authorization": '"Bearer abc"'}, "abc"),
        ({"Authorization": "Basic dTpw"}, "Basic dTpw"),
        ({"Authorization": "Basic dTpw", "x-api-key": "abc"}, "abc"),
        ({"Authorization": "Bearer", "api-key": "abc"}, "abc"),
        ({"x-api-key": "abc"}, "abc"),
        ({"x-api-key": " Bearer 'abc'"}, "abc"),
        ({"api-key": "abc"}, "abc"),
        ({"Authorization": "Bearer abc", "x-api-key": "other"}, "abc"),
        ({"Authorization": 'Bearer "'}, '"'),
        ({}, None),
    ],
)
def test_key_is_found_in_every_header_without_its_scheme_and_quotes(headers: dict[str, str], key: str | None) -> None:
    assert presented_key(headers) == key


@pytest.mark.parametrize("header", ["Authorization", "x-api-key", "api-key"])
async def test_key_in_each_header_is_accepted(locked: Served, header: str) -> None:
    assert (await locked.get("models", headers={header: KEY}))[0] == 200
    assert (await locked.get("models", headers={header: f"{KEY}x"}))[0] == 401


async def test_health_without_key_has_no_secrets(locked: Served) -> None:
    status, body, _ = await locked.get("health")
    assert status == 200
    assert set(body) == {"status", "id", "provider", "version", "uptime_seconds"}
    assert (body["status"], body["id"], body["provider"], body["version"]) == ("ok", "gateway-id", "Test gateway", __version__)


async def test_health_depends_on_the_backends_state(demo: Served) -> None:
    [member] = demo.engine.pool
    member.state = ProviderState.DEGRADED
    assert (await demo.get("health"))[1]["status"] == "degraded"
    for _ in range(3):
        demo.engine.pool.record_failure(member, UpstreamError("broken"))
    status, body, _ = await demo.get("health")
    assert (status, body["status"]) == (503, "unavailable")


async def test_status_load_excludes_offline_backends() -> None:
    backends = [DemoBackend(BackendInfo(name, name, CAPABILITIES), word_seconds=0.0, max_concurrent=3) for name in "ab"]
    async with served(*backends) as gateway:
        assert (await gateway.get("status"))[1]["queue"]["max_concurrent"] == 6
        gateway.engine.pool.get("a").enabled = False  # type: ignore[union-attr]
        assert (await gateway.get("status"))[1]["queue"]["max_concurrent"] == 3
        gateway.engine.pool.get("b").limiter.limit = None  # type: ignore[union-attr]
        assert (await gateway.get("status"))[1]["queue"]["max_concurrent"] == 0


async def test_health_head_has_no_body(demo: Served) -> None:
    async with demo.session.head(f"{demo.url}/health") as response:
        assert response.status == 200


@pytest.mark.parametrize("sane", ["abc", "req_0123", "a.b:c/d+e=f@g-h", "x" * 128])
async def test_request_id_valid_is_returned(demo: Served, sane: str) -> None:
    for path in ("models", "/nothing"):
        assert (await demo.get(path, headers={"X-Request-ID": sane}))[2]["X-Request-ID"] == sane


@pytest.mark.parametrize("odd", ["x" * 129, "a b", "é", '"', ""])
async def test_request_id_invalid_is_replaced(demo: Served, odd: str) -> None:
    found = (await demo.get("models", headers={"X-Request-ID": odd}))[2]["X-Request-ID"]
    assert re.fullmatch(r"req_[0-9a-f]{32}", found)


async def test_models_list_is_unique_with_chat_models_first() -> None:
    first = DemoBackend(BackendInfo("a", "Wohnzimmer", CAPABILITIES, priority=10), word_seconds=0.0)
    second = DemoBackend(BackendInfo("b", "Keller", CAPABILITIES, priority=5), word_seconds=0.0)
    async with served(first, second) as gateway:
        _, body, _ = await gateway.get("models")
    assert body["object"] == "list"
    assert body["data"] == body["models"]
    real = [model for model in body["data"] if "virtual" not in model]
    assert [(model["id"], model["provider"]) for model in real] == [("demo-rules", "Keller"), ("demo-embed", "Keller")]
    rules = real[0]
    assert rules["object"] == "model"
    assert rules["context_window"] == 32768
    assert rules["capabilities"] == ["completion", "json", "streaming", "tools"]
    assert rules["warm"] is True
    free = dict.fromkeys((f"{kind}_cost_per_{size}" for kind in ("input", "output") for size in ("1m", "1k")), 0.0)
    assert rules["pricing"] == free | {"currency": "USD"}
    assert [model["supports_streaming"] for model in real] == [True, False]


async def test_model_id_with_slashes_and_colons_is_found(demo: Served) -> None:
    [member] = demo.engine.pool
    member.models = (type(member.models[0])("acme/tiny:8b"),)
    status, body, _ = await demo.get("models/acme/tiny:8b")
    assert (status, body["id"]) == (200, "acme/tiny:8b")
    status, body, _ = await demo.get("models/acme%2Ftiny%3A8b")
    assert (status, body["id"]) == (200, "acme/tiny:8b")
    status, body, _ = await demo.get("models/acme/tiny")
    assert status == 404
    assert_error(body, "invalid_request_error", "model_not_found")
    assert "acme/tiny:8b" in body["error"]["message"]


async def test_status_contains_load_and_usage(demo: Served) -> None:
    for _ in range(2):
        await demo.ask("POST", "chat/completions", json=CHAT)
    await demo.ask("POST", "chat/completions", json=CHAT | {"temperature": 9})
    _, body, _ = await demo.get("status")
    assert body["object"] == "status"
    assert (body["id"], body["version"]) == ("gateway-id", "1.0")
    assert body["queue"] == {"depth": 0, "active": 0, "max_concurrent": 4, "estimated_wait_seconds": 0.0}
    today = body["usage"]["today"]
    assert today["requests"] == 2
    assert today["prompt_tokens"] == 2
    assert today["completion_tokens"] > 20
    assert (today["cost"], today["currency"]) == (0.0, "USD")
    assert body["usage"]["month"] == body["usage"]["total"] == today
    assert {"id": "demo-rules", "warm": True} in body["models"]


async def test_status_usage_includes_streamed_answers(demo: Served) -> None:
    async with demo.session.post(f"{demo.url}/chat/completions", json=CHAT | {"stream": True}) as response:
        await response.read()
    _, body, _ = await demo.get("status")
    assert body["usage"]["total"]["requests"] == 1
    assert body["usage"]["total"]["completion_tokens"] > 10


async def test_status_contains_waiting_requests() -> None:
    async with served(DemoBackend(word_seconds=0.1, max_concurrent=2)) as gateway:
        slow = CHAT | {"messages": [{"role": "user", "content": "count to 20"}]}
        asking = [asyncio.create_task(gateway.ask("POST", "chat/completions", json=slow)) for _ in range(5)]
        await until(lambda: _depth(gateway, 3))
        _, busy, _ = await gateway.get("status")
        await asyncio.gather(*asking)
        _, quiet, _ = await gateway.get("status")
    assert (busy["queue"]["active"], busy["queue"]["depth"], busy["queue"]["max_concurrent"]) == (2, 3, 2)
    assert (quiet["queue"]["active"], quiet["queue"]["depth"]) == (0, 0)
    assert quiet["usage"]["total"]["requests"] == 5


async def _depth(gateway: Served, depth: int) -> bool:
    _, status, _ = await gateway.get("status")
    return bool(status["queue"]["depth"] == depth)


async def test_queue_full_has_retry_after() -> None:
    async with served(DemoBackend(word_seconds=0.1, max_concurrent=1)) as gateway:
        next(iter(gateway.engine.pool)).limiter.queue_length = 1
        slow = CHAT | {"messages": [{"role": "user", "content": "count to 20"}]}
        asking = [asyncio.create_task(gateway.ask("POST", "chat/completions", json=slow)) for _ in range(2)]
        await until(lambda: _depth(gateway, 1))
        status, body, headers = await gateway.ask("POST", "chat/completions", json=slow)
        await asyncio.gather(*asking)
    assert status == 503
    assert_error(body, "service_unavailable", "provider_capacity_exceeded")
    assert int(headers["Retry-After"]) >= 1


async def test_error_without_backends_has_the_reason() -> None:
    async with served() as gateway:
        await gateway.engine.remove("demo-rules")
        status, body, _ = await gateway.ask("POST", "chat/completions", json=CHAT)
        health, _, _ = await gateway.get("health")
    assert (status, health) == (503, 503)
    assert_error(body, "service_unavailable", "no_provider")


def test_header_with_a_non_ascii_name_is_encoded() -> None:
    assert header_text("Küche\r\nX-Evil: 1") == "K%C3%BCche%0D%0AX-Evil: 1"
    assert header_text("qwen3:8b (fast)") == "qwen3:8b (fast)"
