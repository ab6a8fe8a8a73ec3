"""Errors that a provider reports inside an answer with status 200: they are treated like those with a status of their own."""

from collections.abc import AsyncIterator
import json
from typing import Any

import aiohttp
import pytest

from tests.support.clouds.asking import PATIENT, TYPES, chat
from zeroconf_ai.backends.base import Endpoint
from zeroconf_ai.protocol.errors import (
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    RequestTooLargeError,
    StreamBrokenError,
)
from zeroconf_ai.routing.pool.circuit_breaker import BreakerState

from ...support.fakes.chunks import delta
from ...support.fakes.provider import FakeProvider
from ...support.fakes.upstream import Upstream, answers, streams
from ...support.server import CHAT, Served, served, upstream

streams_too = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])

CODES: list[tuple[object, type[ApiError]]] = [
    (400, InvalidRequestError),
    (401, AuthenticationError),
    (402, QuotaError),
    (403, PermissionDeniedError),
    (404, NotFoundError),
    (413, RequestTooLargeError),
    (422, InvalidRequestError),
    (429, RateLimitError),
    ("400", InvalidRequestError),
    ("429", RateLimitError),
    ("context_length_exceeded", InvalidRequestError),
    ("insufficient_quota", QuotaError),
    ("invalid_api_key", AuthenticationError),
    ("rate_limit_exceeded", RateLimitError),
    (500, StreamBrokenError),
    ("529", StreamBrokenError),
    (None, StreamBrokenError),
]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """For the backends."""
    async with aiohttp.ClientSession() as session:
        yield session


def as_sent(error: dict[str, Any], shape: str) -> Any:
    """The provider's behaviour for a request."""
    body = {"error": error}
    choice = {"choices": [{"index": 0, "delta": {}, "message": {"content": ""}, "finish_reason": "error", **body}]}
    return {
        "framed": streams(body),
        "unframed": streams(json.dumps(body).encode() + b"\n"),
        "unframed on lines": streams(json.dumps(body, indent=2).encode() + b"\n", done=False),
        "field": streams(b"error: " + json.dumps(body).encode() + b"\n\n", done=False),
        "event": streams(b"event: error\ndata: " + json.dumps(error).encode() + b"\n\n"),
        "choice": streams(choice),
        "json": answers(body),
        "json choice": answers(choice),
        "json vllm": answers({"object": "error", **error}),
    }[shape]


async def asked(gateway: Served, *, stream: bool) -> tuple[int, Any]:
    """Status and error of a chat."""
    status, body, _ = await gateway.ask("POST", "chat/completions", json=CHAT | {"stream": stream})
    return status, body["error"]


@pytest.mark.parametrize(("code", "kind"), CODES)
@pytest.mark.parametrize(
    ("shape", "stream"),
    [
        ("framed", True), ("unframed", True), ("unframed on lines", True), ("field", True), ("event", True), ("choice", True),
        ("json", True), ("json", False), ("json choice", False), ("json vllm", False),
    ],
)  # fmt: skip
async def test_error_in_a_200_with_a_code_has_the_error_of_that_status(
    session: aiohttp.ClientSession, code: object, kind: type[ApiError], shape: str, stream: bool
) -> None:
    behaviour = as_sent({"message": "not today", "code": code}, shape)
    async with Upstream().on("/chat/completions", behaviour) as server:
        backend = TYPES["openai_compatible"].make(
            session, TYPES["openai_compatible"].info("a", "Attic"), Endpoint(server.base_url), timeouts=PATIENT
        )
        with pytest.raises(ApiError) as raised:
            await _read(backend, stream=stream)
    assert type(raised.value) is kind
    assert "not today" in raised.value.log_text


@pytest.mark.parametrize(
    ("name", "path", "error", "kind"),
    [
        ("anthropic", "/messages", {"type": "rate_limit_error", "message": "not today"}, RateLimitError),
        ("anthropic", "/messages", {"type": "invalid_request_error", "message": "not today"}, InvalidRequestError),
        ("anthropic", "/messages", {"type": "invalid_request_error", "message": "your credit balance is too low"}, QuotaError),
        ("anthropic", "/messages", {"type": "overloaded_error", "message": "not today"}, StreamBrokenError),
        ("ollama", "/api/chat", {"code": 400, "message": "not today"}, InvalidRequestError),
        ("ollama", "/api/chat", "not today", StreamBrokenError),
    ],
)
@streams_too
async def test_error_in_a_200_of_another_dialect_has_the_error_of_its_status(
    session: aiohttp.ClientSession, name: str, path: str, error: Any, kind: type[ApiError], stream: bool
) -> None:
    body = {"type": "error", "error": error}
    raw = json.dumps(body).encode()
    sent = streams(raw + b"\n" if name == "ollama" else b"event: error\ndata: " + raw + b"\n\n", done=False)
    async with Upstream() as server:
        base = server.base_url if name == "anthropic" else server.base_url.removesuffix("/v1")
        server.on(path, sent if stream else answers(body))
        backend = TYPES[name].make(session, TYPES[name].info("a", "Attic"), Endpoint(base), timeouts=PATIENT)
        with pytest.raises(ApiError) as raised:
            await _read(backend, stream=stream)
    assert type(raised.value) is kind


async def _read(backend: Any, *, stream: bool) -> None:
    answer = await backend.send(chat("m", stream=stream, max_tokens=9))
    try:
        if not stream:
            await answer.completion()
        else:
            async for _ in answer.batches():
                pass
    finally:
        await answer.close()


@streams_too
async def test_callers_mistakes_in_a_200_leave_the_breaker_closed(session: aiohttp.ClientSession, stream: bool) -> None:
    provider = FakeProvider(answers=[answers({"error": {"message": "top_p must be below 1", "code": 400}})])
    if stream:
        provider.answers = [streams({"error": {"message": "top_p must be below 1", "code": 400}})]
    async with upstream(provider, session) as backend, served(backend) as gateway:
        for _ in range(4):
            status, error = await asked(gateway, stream=stream)
            assert (status, error["message"]) == (400, "top_p must be below 1")
        [member] = gateway.engine.pool
        assert member.breaker.state is BreakerState.CLOSED
    assert len(provider.requests) == 4


async def test_callers_mistakes_in_the_middle_of_a_stream_leave_the_breaker_closed(session: aiohttp.ClientSession) -> None:
    provider = FakeProvider(answers=[streams(delta("Once"), {"error": {"message": "too long", "code": 400}})])
    async with upstream(provider, session) as backend, served(backend) as gateway:
        for _ in range(4):
            _, body, _ = await gateway.ask("POST", "chat/completions", json=CHAT | {"stream": True})
            assert b"too long" in body
        [member] = gateway.engine.pool
        assert member.breaker.state is BreakerState.CLOSED


async def test_answer_that_ends_with_the_reason_error_is_not_complete(session: aiohttp.ClientSession) -> None:
    provider = FakeProvider(answers=[streams(delta("The door is"), delta(finish="error"))])
    async with upstream(provider, session) as backend, served(backend) as gateway:
        _, body, _ = await gateway.ask("POST", "chat/completions", json=CHAT | {"stream": True})
        [member] = gateway.engine.pool
    assert b"reported an error instead of an answer" in body
    assert member.breaker.failures == 1
