"""JSON of providers that is nested too deeply is their failure, wherever they send it, and is never serialized again."""

from collections.abc import AsyncIterator
import json
from typing import Any

import aiohttp
import pytest

from tests.support.fakes.chunks import delta
from tests.support.fakes.upstream import COMPLETION, ROLE, STOP, Upstream, answers, chat, nested, streams
from zeroconf_ai.protocol.errors import ApiError, UpstreamError
from zeroconf_ai.protocol.json import MAX_DEPTH
from zeroconf_ai.protocol.request import Kind, Request

from ...support.dialects import MAKES, Make, anthropic, event, gemini, heard, line, ollama, on_chat, openai, zeroconfai

DEEP = nested(MAX_DEPTH)
TOO_DEEP = rf"JSON nested deeper than {MAX_DEPTH} levels"
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as upstream:
        yield upstream


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


TOOL_USE = {"type": "tool_use", "id": "a", "name": "add", "input": {"a": DEEP}}
STREAMS: list[tuple[Make, list[Any]]] = [
    (zeroconfai, [ROLE, delta("Hi"), delta("there", x=DEEP), STOP]),
    (openai, [ROLE, delta("Hi", x=DEEP), STOP]),
    (openai, [{"x": DEEP, "error": {"message": "no"}}]),
    (anthropic, [event("message_start", message={}, x=DEEP)]),
    (anthropic, [event("message_start", message={}), event("content_block_start", index=0, content_block=TOOL_USE)]),
    (gemini, [{"candidates": [], "x": DEEP}]),
    (gemini, [{"candidates": [{"content": {"parts": [{"functionCall": {"name": "add", "args": {"a": DEEP}}}]}}]}]),
    (ollama, [line(content="Hi"), line(content="", tool_calls=[{"function": {"name": "add", "arguments": {"a": DEEP}}}])]),
]


@pytest.mark.parametrize(("make", "events"), STREAMS)
async def test_depth_of_a_chunk_beyond_the_limit_breaks_the_stream(
    make: Make, events: list[Any], upstream: Upstream, session: aiohttp.ClientSession
) -> None:
    kind = "application/x-ndjson" if make is ollama else "text/event-stream"
    on_chat(upstream, make, streams(*events, kind=kind))
    with pytest.raises(UpstreamError, match=TOO_DEEP):
        await heard(make(session, upstream.base_url, None), chat(stream=True, tools=[TOOL]))


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("stream", [False, True])
async def test_depth_of_a_whole_answer_beyond_the_limit_is_an_upstream_error(
    make: Make, stream: bool, upstream: Upstream, session: aiohttp.ClientSession
) -> None:
    on_chat(upstream, make, answers(COMPLETION | {"x": DEEP}))
    with pytest.raises(UpstreamError, match=TOO_DEEP):
        await heard(make(session, upstream.base_url, None), chat(stream=stream))


@pytest.mark.parametrize(
    ("make", "path"),
    [(zeroconfai, "/embeddings"), (openai, "/embeddings"), (gemini, "/models/m:batchEmbedContents"), (ollama, "/api/embed")],
)
async def test_depth_of_embeddings_beyond_the_limit_is_an_upstream_error(
    make: Make, path: str, upstream: Upstream, session: aiohttp.ClientSession
) -> None:
    upstream.on(path, answers({"data": [{"embedding": DEEP}], "embeddings": [DEEP]}))
    request = Request.parse(Kind.EMBEDDINGS, {"model": "m", "input": "Hi", "encoding_format": "base64"})
    with pytest.raises(UpstreamError, match=TOO_DEEP):
        await heard(make(session, upstream.base_url, None), request)


@pytest.mark.parametrize("make", MAKES)
async def test_depth_of_lists_and_states_beyond_the_limit_is_an_upstream_error(
    make: Make, upstream: Upstream, session: aiohttp.ClientSession
) -> None:
    for path in ("/models", "/api/tags", "/health", "/status", "/api/ps", "/api/version", "/props"):
        upstream.on(path, answers({"status": "ok", "version": "1", "data": DEEP, "models": DEEP}))
    backend = make(session, upstream.base_url, None)
    with pytest.raises(UpstreamError, match=TOO_DEEP):
        await backend.models()


@pytest.mark.parametrize("make", MAKES)
async def test_depth_of_an_error_beyond_the_limit_is_an_error_without_its_words(
    make: Make, upstream: Upstream, session: aiohttp.ClientSession
) -> None:
    on_chat(upstream, make, answers({"error": {"message": "no", "x": DEEP}}, 500))
    with pytest.raises(ApiError, match=r"the provider answered with an error \(HTTP 500\)"):
        await heard(make(session, upstream.base_url, None), chat())


async def test_depth_brackets_within_a_text_are_no_levels(upstream: Upstream, session: aiohttp.ClientSession) -> None:
    upstream.on("/chat/completions", streams(delta("[{" * 200), STOP))
    assert json.loads((await heard(openai(session, upstream.base_url, None), chat(stream=True)))[0])["choices"]
