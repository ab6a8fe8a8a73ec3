"""JSON of clients that is nested too deeply is refused on every path that reads a body, before anything serializes it."""

import json
from typing import Any

import pytest

from tests.support.clouds.asking import DIALECTS, before
from zeroconf_ai.protocol.json import MAX_DEPTH
from zeroconf_ai.server.endpoints import OWN_PORT_ROUTES, ROUTES

from ...support.fakes.upstream import nested
from ...support.server import served
from .test_audio import FakeAudio

HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"name": "add", "input_schema": {"type": "object"}}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": HELLO},
    "/v1/completions": {"prompt": "Hello"},
    "/v1/embeddings": {"input": "Hello"},
    "/v1/images/generations": {"prompt": "A house"},
    "/v1/responses": {"input": "Hello"},
    "/v1/messages": {"messages": HELLO, "max_tokens": 9, "tools": [TOOL]},
    "/v1/messages/count_tokens": {"messages": HELLO},
    "/v1/audio/speech": {"input": "Hello"},
    "/api/chat": {"messages": HELLO, "stream": False},
    "/api/generate": {"prompt": "Hello", "stream": False},
    "/api/embed": {"input": "Hello"},
    "/api/embeddings": {"prompt": "Hello"},
    "/api/show": {"model": "demo-rules"},
    "/api/pull": {"model": "demo-rules"},
    **{
        f"{prefix}/models/{{model:.+}}:{method}": {"contents": [{"parts": [{"text": "Hello"}]}]}
        for prefix in ("/v1beta", "/v1")
        for method in ("generateContent", "streamGenerateContent", "countTokens")
    },
    **{
        f"{prefix}/models/{{model:.+}}:{method}": {"content": {"parts": [{"text": "Hello"}]}, "requests": []}
        for prefix in ("/v1beta", "/v1")
        for method in ("embedContent", "batchEmbedContents")
    },
}
NOT_JSON = {"/v1/audio/transcriptions", "/v1/images/upload", "/v1/images/edits"}
ONLY_TLS = {"/v1/enroll"}  # tests/core/server/test_enroll.py


def test_depth_tests_cover_all_paths_with_a_body() -> None:
    posts = {route.path for route in (*ROUTES, *OWN_PORT_ROUTES) if route.method == "POST"}
    assert posts == BODIES.keys() | NOT_JSON | ONLY_TLS


@pytest.mark.parametrize("path", BODIES)
async def test_depth_of_a_request_beyond_the_limit_is_a_400(path: str) -> None:
    url = path.replace("{model:.+}", "demo-rules")
    async with served(audio=FakeAudio()) as gateway:
        for stream in (False, True):
            status, said, _ = await gateway.ask(
                "POST", url, json={**BODIES[path], "stream": stream, "metadata": {"a": nested(MAX_DEPTH - 1)}}
            )
            assert (status, "64 levels" in str(said)) == (400, True), said
        status, said, _ = await gateway.ask("POST", url, json={**BODIES[path], "unknown": {"a": nested(MAX_DEPTH - 2)}})
    assert "64 levels" not in str(said)


@pytest.mark.parametrize("field", ["prompt", "input", "tools", "messages", "stop", "response_format", "metadata", "x"])
async def test_depth_of_any_field_beyond_the_limit_is_a_400(field: str) -> None:
    async with served() as gateway:
        body = {"model": "demo-rules", "messages": HELLO, field: nested(MAX_DEPTH)}
        for path in ("/v1/chat/completions", "/v1/completions", "/v1/embeddings"):
            status, said, _ = await gateway.ask("POST", path, json=body)
            assert (status, "64 levels" in str(said)) == (400, True), said


@pytest.mark.parametrize(
    "call",
    [
        {"id": "a", "type": "function", "function": {"name": "add", "arguments": json.dumps({"a": nested(MAX_DEPTH)})}},
        {"id": "a", "type": "function", "function": {"name": "add", "arguments": {"a": nested(MAX_DEPTH)}}},
    ],
    ids=["text", "object"],
)
@pytest.mark.parametrize("backend", ["anthropic", "gemini", "ollama"])
async def test_depth_of_tool_arguments_beyond_the_limit_is_a_400(backend: str, call: dict[str, Any]) -> None:
    dialect = DIALECTS[backend]
    fake = dialect.fake()
    async with before(backend, fake) as upstream, served(upstream) as gateway:
        body = {"model": dialect.model, "messages": [*HELLO, {"role": "assistant", "tool_calls": [call]}, *HELLO]}
        status, *_ = await gateway.ask("POST", "/v1/chat/completions", json=body)
    assert status == 400
    assert fake.bodies(dialect.path) == []
