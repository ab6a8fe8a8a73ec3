"""Failures of an HTTP upstream and the resulting errors."""

import asyncio
import re
import socket
import time
from typing import Any

from aiohttp import web
import orjson
import pytest

from tests.core.backends.conftest import CHAT, KEY, QUICK, Make, ask, error_of, said
from tests.support.fakes.chunks import delta
from tests.support.fakes.upstream import COMPLETION, ROLE, STOP, USAGE, Upstream, answers, stalls, streams
from tests.support.waiting import pause_fake
from zeroconf_ai.backends import http
from zeroconf_ai.backends.base import Timeouts
from zeroconf_ai.backends.connect_limit import connecting_within
from zeroconf_ai.protocol.chunks import Delta
from zeroconf_ai.protocol.errors import (
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    RateLimitError,
    StreamBrokenError,
    UnavailableError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)


@pytest.mark.parametrize(
    "behaviour",
    [
        streams(delta("Hel"), delta("lo"), STOP, USAGE),
        streams(ROLE, delta("Hello"), STOP, USAGE),
        streams(delta("Hello"), STOP, USAGE, done=False),
        streams(delta("Hello"), STOP, done=False),
        streams(b": comment\r\n\r\n", f"data:{orjson.dumps(delta('Hello')).decode()}\r\n\r\n".encode(), STOP),
        streams(b"\xef\xbb\xbf", delta("Hello"), STOP),
        streams(delta("Hello"), b"data: " + orjson.dumps(STOP), done=False),
        streams(delta("Hello"), STOP, b"data: [DONE]", done=False),
        streams(delta("Hello"), STOP, kind="text/plain"),
        streams(delta("Hello"), STOP, kind="application/octet-stream"),
        streams(delta("Hello"), STOP, b"data: [DONE]\n\n", then="stall"),
        answers(COMPLETION),
        answers(COMPLETION, kind="application/json; charset=utf-8"),
    ],
)
async def test_streams_of_each_format_are_parsed(upstream: Upstream, client: Make, behaviour: Any) -> None:
    upstream.on(CHAT, behaviour)
    message = await said(client())
    assert (message.content, message.finish_reason) == ("Hello", "stop")


async def test_answer_without_stream_is_unchanged(upstream: Upstream, client: Make) -> None:
    upstream.on(CHAT, answers(COMPLETION))
    answer = await ask(client(), stream=False)
    assert orjson.loads(await answer.body()) == COMPLETION
    await answer.close()
    await answer.close()


async def test_chunks_keep_their_bytes(upstream: Upstream, client: Make) -> None:
    kind = b'"object":"chat.completion.chunk"'
    odd = b'{ "choices" : [{"index":0,"delta":{"content":"x"} , "finish_reason":null}], "extra":1,' + kind + b" }"
    last = b'{ "choices" : [{"delta":{ } , "index":0, "finish_reason" :"stop"}],' + kind + b"}"
    upstream.on(CHAT, streams(b"data: " + odd + b"\n\ndata:" + last + b"\n\n"))
    answer = await ask(client())
    assert [chunk.raw async for batch in answer.batches() for chunk in batch] == [odd, last]
    await answer.close()


@pytest.mark.parametrize(
    ("behaviour", "error", "words"),
    [
        (streams(delta("Hel"), then="cut"), StreamBrokenError, "closed the connection before"),
        (streams(delta("Hel"), done=False), StreamBrokenError, "before the answer was complete"),
        (streams(done=False), StreamBrokenError, "before the answer was complete"),
        (streams(delta("Hel"), {"error": {"message": f"out of memory {KEY}"}}), StreamBrokenError, "out of memory"),
        (streams(delta("Hel"), {"error": "out of memory"}), StreamBrokenError, "out of memory"),
        (streams(delta("Hel"), b'event: error\ndata: {"message": "out of memory"}\n\n'), StreamBrokenError, "out of memory"),
        (streams({"error": {"code": 500}}), StreamBrokenError, "no details"),
        (streams(delta("Hel"), then="stall"), UpstreamTimeoutError, "stopped in the middle"),
        (streams(delta("Hel"), then="ping"), UpstreamTimeoutError, "stopped in the middle"),
        (streams(ROLE, then="stall"), UpstreamTimeoutError, "did not start"),
        (streams(ROLE, then="ping"), UpstreamTimeoutError, "did not start"),
        (streams(then="stall"), UpstreamTimeoutError, "did not start"),
        (stalls, UpstreamTimeoutError, "did not respond within 0.3 s"),
        (answers({"error": {"message": "no such luck"}}), StreamBrokenError, "no such luck"),
        (answers({"error": "no such luck"}), StreamBrokenError, "no such luck"),
        (answers(b"{", kind="application/json"), StreamBrokenError, "not JSON"),
        (answers(b"<html>", kind="text/html"), StreamBrokenError, "before the answer was complete"),
        (answers({"detail": f"key {KEY} is wrong"}, 401), AuthenticationError, r"key \*\*\* is wrong"),
        (answers({"detail": "busy"}, 503, {"Retry-After": "3"}), UnavailableError, "busy"),
        (answers({"error": "x"}, 429, {"retry-after-ms": "10"}), RateLimitError, "x"),
        (answers(b"oops", 500), UpstreamError, "oops"),
        (answers({"detail": "too hot"}, 422), InvalidRequestError, "too hot"),
        (answers(b"", 404), NotFoundError, "404"),
    ],
)
async def test_failures_of_each_kind_have_their_error(
    upstream: Upstream, client: Make, behaviour: Any, error: type[ApiError], words: str
) -> None:
    upstream.on(CHAT, behaviour)
    raised = await error_of(error, said(client()))
    assert re.search(words, raised.log_text), raised.log_text


async def test_stream_text_before_an_error_is_kept(upstream: Upstream, client: Make) -> None:
    events = (delta("Hel"), delta("lo"), {"error": "gone"})
    upstream.on(CHAT, streams(b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events)))  # in one read
    answer = await ask(client())
    heard: list[str] = []

    async def listen() -> None:
        async for batch in answer.batches():
            heard.extend(Delta.parse(chunk.data).content for chunk in batch)

    with pytest.raises(StreamBrokenError, match="reported an error"):
        await listen()
    await answer.close()
    assert heard == ["Hel", "lo"]


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (stalls, UpstreamTimeoutError),
        (answers({"error": {"message": "no"}}), StreamBrokenError),
        (answers(b"not json"), StreamBrokenError),
        (answers({"error": {"message": "no"}}, 500), UpstreamError),
    ],
)
async def test_answer_without_stream_fails_with_the_same_errors(
    upstream: Upstream, client: Make, behaviour: Any, error: type[ApiError]
) -> None:
    async def whole() -> None:
        answer = await ask(client(), stream=False)
        try:
            await answer.body()
        finally:
            await answer.close()

    upstream.on(CHAT, behaviour)
    await error_of(error, whole())


async def test_answer_body_endless_times_out(upstream: Upstream, client: Make) -> None:
    upstream.on(CHAT, streams(b'{"choices"', then="stall", kind="application/json"))
    answer = await ask(client(), stream=False)
    raised = await error_of(UpstreamTimeoutError, answer.body())
    assert "in time" in raised.message
    await answer.close()


async def test_answer_body_interrupted_is_an_error(upstream: Upstream, client: Make) -> None:
    upstream.on(CHAT, streams(b'{"choices"', then="cut", kind="application/json"))
    answer = await ask(client(), stream=False)
    await error_of(StreamBrokenError, answer.body())
    await answer.close()


async def test_bodies_have_a_ceiling(upstream: Upstream, client: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 10_000)
    upstream.on("/models", answers(b"[" + b" " * 20_000 + b"]"))
    raised = await error_of(StreamBrokenError, client().get_json("/models"))
    assert "10000 bytes" in raised.log_text


async def test_error_body_endless_is_truncated(upstream: Upstream, client: Make) -> None:
    upstream.on("/models", answers(b"x" * 10_000_000, 500))
    raised = await error_of(UpstreamError, client().get_json("/models"))
    assert len(raised.log_text) <= 600


async def test_stream_endless_event_is_refused(upstream: Upstream, client: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroconf_ai.protocol.sse.SSEDecoder.__init__.__kwdefaults__", {"max_event_bytes": 10_000})
    upstream.on(CHAT, streams(delta("Hi"), b"data: " + b"x" * 20_000, then="stall"))
    raised = await error_of(StreamBrokenError, said(client()))
    assert "10000 bytes" in raised.log_text


async def test_redirect_is_not_followed_and_gets_no_key(upstream: Upstream, client: Make) -> None:
    async with Upstream() as elsewhere:
        elsewhere.on(CHAT, answers(COMPLETION)).on("/models", answers([]))
        for status in (301, 302, 303, 307, 308):
            upstream.on(CHAT, answers(b"", status, {"Location": f"{elsewhere.base_url}{CHAT}"}))
            upstream.on("/models", answers(b"", status, {"Location": f"{elsewhere.base_url}/models"}))
            await error_of(UpstreamConnectionError, said(client()))
            raised = await error_of(UpstreamConnectionError, client().get_json("/models"))
            assert "redirects" in raised.message
    assert elsewhere.received == []


async def test_key_is_sent_to_its_host_only_if_needed(upstream: Upstream, client: Make) -> None:
    upstream.on(CHAT, answers(COMPLETION)).on("/health", answers({}))
    with_key, without = client(), client(key=None)
    await said(with_key)
    await with_key.get_json("/health")
    await with_key.get_json("/health", secret=False)
    await without.get_json("/health")
    assert [request.headers.get("Authorization") for request in upstream.received] == [f"Bearer {KEY}"] * 2 + [None] * 2


async def test_repr_contains_no_key(client: Make) -> None:
    assert KEY not in repr(client())


async def test_connection_refused_is_reported_immediately(client: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    started = time.perf_counter()
    raised = await error_of(UpstreamConnectionError, said(client(f"http://127.0.0.1:{port}/v1")))
    assert time.perf_counter() - started < QUICK.connect
    assert raised.message.startswith("Attic could not be reached: the connection was refused")


async def test_connect_timeout_ends_an_unresponsive_host(client: Make) -> None:
    with socket.socket() as deaf, socket.socket() as one, socket.socket() as two:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for filler in (one, two):  # the listen queue is full
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        raised = await error_of(
            UpstreamConnectionError, said(client(f"http://127.0.0.1:{deaf.getsockname()[1]}/v1", timeouts=Timeouts(connect=0.3)))
        )
    assert raised.message == "Attic did not accept the connection within 0.3 s"


async def test_connect_limit_of_a_request_includes_tls(client: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as accepts, connecting_within(0.2):  # it never answers the client's hello
        url = f"https://127.0.0.1:{accepts.getsockname()[1]}/v1"
        raised = await error_of(UpstreamConnectionError, said(client(url, timeouts=Timeouts())))
    assert raised.message == "Attic did not accept the connection within 0.2 s"


async def test_connect_limit_does_not_end_an_answer(upstream: Upstream, client: Make) -> None:
    async def slowly(request: web.Request) -> web.StreamResponse:
        await pause_fake(0.3)
        return await streams(delta("Hello"), STOP, USAGE)(request)

    upstream.on(CHAT, slowly)
    with connecting_within(0.2):
        message = await said(client(timeouts=Timeouts()))
    assert message.content == "Hello"


@pytest.mark.parametrize(
    "garbage", [b"", b"\x00\x01\x02", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
)
async def test_server_without_http_is_unreachable(client: Make, garbage: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(garbage)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await error_of(UpstreamConnectionError, client(f"http://127.0.0.1:{port}/v1").get_json("/health"))


@pytest.mark.parametrize("key", ["line\nbreak", "null\x00"])
async def test_key_invalid_as_header_is_an_error(client: Make, key: str) -> None:
    with pytest.raises(UpstreamConnectionError) as raised:
        await client(key=key).get_json("/health")
    assert str(raised.value) == "Attic could not be asked: its address or its API key has invalid characters"


@pytest.mark.parametrize("url", ["http://", "http://[::1", "nonsense", "http://127.0.0.1:99999/v1"])
async def test_address_invalid_is_an_error(client: Make, url: str) -> None:
    with pytest.raises(UpstreamConnectionError):
        await client(url).get_json("/health")


async def test_probe_is_bounded_in_each_phase(upstream: Upstream, client: Make) -> None:
    upstream.on("/health", stalls, streams(b"{", then="stall", kind="application/json"))
    for _ in range(2):
        raised = await error_of(UpstreamTimeoutError, client().get_json("/health"))
        assert raised.message == "Attic did not answer within 0.3 s"


async def test_timeout_of_the_first_token_is_longer_than_between_tokens(upstream: Upstream, client: Make) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await pause_fake(0.25)
        return await streams(delta("Hello"), STOP)(request)

    upstream.on(CHAT, slow)
    assert (await said(client(timeouts=Timeouts(first_token=60, between_tokens=0.1)))).content == "Hello"
