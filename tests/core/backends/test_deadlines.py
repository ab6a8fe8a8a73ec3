"""Upstreams that keep a request busy without answering it: each reader ends at its deadline, whatever comes meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
import json
from typing import Any
import zlib

import aiohttp
import pytest

from tests.support.fakes.chunks import delta
from tests.support.fakes.upstream import ROLE, STOP, Upstream, chat, streams
from tests.support.waiting import pause_fake
from zeroconf_ai.backends.base import Timeouts
from zeroconf_ai.protocol.errors import ApiError, StreamBrokenError, UpstreamTimeoutError

from ...support.dialects import MAKES, Make, anthropic, event, gemini, heard, line, ollama, on_chat, openai, zeroconfai
from ...support.fakes.floods import HEAD, flood

SSE, NDJSON, JSON = (HEAD % kind for kind in (b"text/event-stream", b"application/x-ndjson", b"application/json"))
QUICK = Timeouts(connect=5.0, first_token=0.3, between_tokens=0.3, answer=0.5, probe=0.5, silence=0.5)


def sse(data: Any) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def chunk(data: bytes) -> bytes:
    """One chunk of HTTP's chunked coding."""
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


START = event("message_start", message={"id": "m"})
BLOCK = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
FLOODS: list[tuple[Make, bytes, bytes]] = [
    (zeroconfai, SSE, b": comment\n\n"),
    (zeroconfai, SSE + sse(ROLE), b":\n\n"),
    (zeroconfai, SSE + sse(delta("Hi")), b": comment\n\n"),
    (zeroconfai, SSE + sse(delta("Hi")), sse(delta())),
    (openai, SSE, b": comment\n\n"),
    (openai, SSE, b"event: ping\n\n"),
    (openai, SSE, b"\n"),
    (anthropic, SSE, b": comment\n\n"),
    (anthropic, SSE, event("ping")),
    (anthropic, SSE + START, event("ping")),
    (anthropic, SSE + START + BLOCK, event("ping")),
    (gemini, SSE, b": comment\r\n\r\n"),
    (gemini, SSE, sse({"candidates": [{"content": {"role": "model"}}]})),
    (gemini, SSE + sse({"candidates": [{"content": {"parts": [{"text": "Hi"}]}}]}), sse({"usageMetadata": {}})),
    (ollama, NDJSON, b"\n"),
    (ollama, NDJSON, line(content="")),
    (ollama, NDJSON + line(content="Hi"), line(content="")),
]


@pytest.mark.parametrize("chunked", [False, True], ids=["plain", "chunked"])
@pytest.mark.parametrize(("make", "first", "then"), FLOODS, ids=range(len(FLOODS)))
async def test_deadline_ends_a_flood_without_tokens(
    make: Make, first: bytes, then: bytes, chunked: bool, session: aiohttp.ClientSession
) -> None:
    head, blank, body = first.partition(b"\r\n\r\n")
    if chunked:
        head, body, then = head + b"\r\nTransfer-Encoding: chunked", body and chunk(body), chunk(then)
    with flood(head + blank + body, then=then) as url:
        async with asyncio.timeout(60):
            with pytest.raises(UpstreamTimeoutError, match=r"did not start to answer|stopped in the middle"):
                await heard(make(session, url, QUICK), chat(stream=True))


def packed(data: bytes) -> tuple[bytes, bytes]:
    """The head of zlib's format, and `data` packed so that it may be repeated."""
    packer = zlib.compressobj(9)
    whole = packer.compress(data * (10_000_000 // len(data))) + packer.flush(zlib.Z_FULL_FLUSH)
    return whole[:2], whole[2:]


@pytest.mark.parametrize(
    ("make", "first", "then"),
    [
        (zeroconfai, SSE, b": comment\n\n"),
        (zeroconfai, SSE, sse(ROLE)),
        (anthropic, SSE, event("ping")),
        (ollama, NDJSON, b"\n"),
    ],
    ids=["comments", "chunks", "pings", "lines"],
)
async def test_deadline_ends_a_compressed_stream_without_waiting(
    make: Make, first: bytes, then: bytes, session: aiohttp.ClientSession
) -> None:
    """A few bytes unpack to so many that the reader always finds some: a timer alone never sees it wait."""
    head, block = packed(then)
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await pause_fake(0.02)
            turns += 1

    others = asyncio.create_task(turn())
    first = first.replace(b"\r\n\r\n", b"\r\nContent-Encoding: deflate\r\n\r\n")
    with flood(first + head, then=block) as url, pytest.raises((UpstreamTimeoutError, StreamBrokenError)):
        await heard(make(session, url, replace(QUICK, first_token=3.0)), chat(stream=True))
    others.cancel()
    assert turns > 0  # the event loop had time for others


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\n", JSON], ids=["status", "headers", "body"])
async def test_answer_slow_drip_ends_at_its_deadline(
    make: Make, stream: bool, first: bytes, session: aiohttp.ClientSession
) -> None:
    """A byte at a time, at each place of an answer: a limit on silence alone would never end it."""
    over = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        rest = {b"": b"HTTP/1.1 200 OK\r\n", JSON: b" " * 10_000}.get(first, b"X-Long: " + b"x" * 5000)
        try:
            for byte in rest:
                writer.write(bytes([byte]))
                await writer.drain()
                with suppress(TimeoutError):
                    await asyncio.wait_for(over.wait(), 0.1)
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with asyncio.timeout(60):
        with pytest.raises(UpstreamTimeoutError):
            await heard(make(session, url, QUICK), chat(stream=stream))
        with pytest.raises(ApiError):
            await make(session, url, QUICK).models()
    over.set()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("make", MAKES)
async def test_interim_responses_without_end_are_ended_at_the_deadline(make: Make, session: aiohttp.ClientSession) -> None:
    with flood(b"", then=b"HTTP/1.1 103 Early Hints\r\n\r\n") as url:
        async with asyncio.timeout(60):
            with pytest.raises(ApiError):
                await heard(make(session, url, QUICK), chat(stream=True))


async def test_deadline_of_a_slow_caller_loses_no_data(session: aiohttp.ClientSession) -> None:
    words = [f"{number} " for number in range(50)]
    async with Upstream() as upstream:
        on_chat(upstream, zeroconfai, streams(*(delta(word) for word in words), STOP))
        answer = await zeroconfai(session, upstream.base_url, QUICK).send(chat(stream=True))
        said: list[str] = []
        async for batch in answer.batches():
            said += [chunk.data["choices"][0]["delta"].get("content", "") for chunk in batch]
            if len(said) < 5:
                await pause_fake(2 * QUICK.between_tokens)
        await answer.close()
    assert "".join(said) == "".join(words)
