"""All that the gateway says in OpenAI's language, held strictly to the SDK's types, which are made of OpenAI's OpenAPI document.

Strict: every required field is there and has its type, no text counts as a number, and a field that the type does not know is
one of ours.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
import json
from typing import Any

import aiohttp
from openai.types import Completion, CreateEmbeddingResponse, ErrorObject, Model
from openai.types.audio import Transcription, TranscriptionVerbose
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter
import pytest

from zeroconf_ai.backends.demo.backend import DemoBackend

from ...support.clouds.anthropic import BOTH
from ...support.clouds.asking import DIALECTS, TOOLS, before
from ...support.clouds.ollama import THINKER
from ...support.clouds.openai import FakeOpenAI
from ...support.clouds.server import Call, FakeCloud, Fault, Refusal, Reply
from ...support.server import KEY, Served, events, served
from .test_audio import FakeAudio

CLOUDS = {"openai": "gpt-4.1", "openrouter": "vendor/large", "anthropic": BOTH, "ollama": THINKER}
TEXT = Reply("All is well in the house.")
THOUGHT = Reply("All is well.", thought="Let me see.", seal="c2VhbA==")
CALLS = Reply(calls=(Call("read", {"room": "Kitchen"}, id="toolu_1"), Call("stop", {}, id="toolu_2")))
CUT = Reply("All is", stop="length")
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}

OURS = {
    Model: {
        *("via", "provider", "context_window", "max_output_tokens", "capabilities", "supports_streaming"),
        *("pricing", "warm", "virtual", "targets"),
    },
    ErrorObject: {"details"},
    ChatCompletion: {"provider"},
    ChatCompletionChunk: {"provider"},
    Completion: {"provider"},
    CreateEmbeddingResponse: {"provider"},
    TranscriptionVerbose: {"task"},  # missing in the SDK's type
}
"""Our fields beyond OpenAI's, which docs/openapi.yaml describes."""
UPSTREAMS = frozenset({"reasoning_content", "reasoning_details", "provider", "cost", "cache_write_1h_tokens"})
"""Further fields of reasoning models, OpenRouter and Anthropic, which are forwarded."""

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def hold(kind: type[BaseModel], data: object, *, also: frozenset[str] = frozenset()) -> None:
    """Raise where `data` is not strictly of a type, or has a field anywhere that neither OpenAI nor we described."""
    found = kind.model_validate_json(json.dumps(data), strict=True)
    unknown = {name for model in _models(found) for name in (model.model_extra or {}) if name not in OURS.get(type(model), ())}
    assert unknown <= also


def _models(value: object) -> Iterator[BaseModel]:
    """All models within a value."""
    if isinstance(value, BaseModel):
        yield value
        for _, inner in value:
            yield from _models(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _models(inner)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _models(inner)


def hold_error(body: Any) -> None:
    assert body.keys() == {"error"}
    hold(ErrorObject, body["error"])


@asynccontextmanager
async def over(name: str, fake: FakeCloud) -> AsyncIterator[Served]:
    """A gateway over a fake cloud."""
    async with before(name, fake) as backend, served(backend) as gateway:
        yield gateway


@asynccontextmanager
async def demo(**options: Any) -> AsyncIterator[Served]:
    async with served(DemoBackend(word_seconds=0.0), **options) as gateway:
        yield gateway


async def chunks_of(gateway: Served, path: str, body: Mapping[str, Any]) -> list[Any]:
    """The events of a stream, parsed; `[DONE]` ends it."""
    async with gateway.session.post(f"{gateway.url}/{path}", json={**body, "stream": True}) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        *told, end = await events(response)
    assert end == "[DONE]"
    return [json.loads(event) for event in told]


@pytest.mark.parametrize("said", [TEXT, THOUGHT, CALLS, CUT], ids=["text", "thought", "calls", "cut"])
@pytest.mark.parametrize("cloud", CLOUDS)
async def test_openai_schema_of_a_chat_is_valid(cloud: str, said: Reply) -> None:
    if said is CUT and cloud == "anthropic":
        said = Reply(CUT.text, stop="max_tokens")
    body = HELLO | {"model": CLOUDS[cloud]} | ({"tools": TOOLS} if said.calls else {})
    async with over(cloud, DIALECTS[cloud].fake(said)) as gateway:
        status, whole, _ = await gateway.ask("POST", "chat/completions", json=body)
        assert status == 200
        hold(ChatCompletion, whole, also=UPSTREAMS)
        for usage in (False, True):
            options = {"stream_options": {"include_usage": True}} if usage else {}
            chunks = await chunks_of(gateway, "chat/completions", body | options)
            for chunk in chunks:
                hold(ChatCompletionChunk, chunk, also=UPSTREAMS)
            assert any(chunk.get("usage") for chunk in chunks) == usage
            assert [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]][-1]


async def test_openai_schema_of_a_text_completion_is_valid() -> None:
    body = {"model": "gpt-3.5-turbo-instruct", "prompt": "Once"}
    async with over("openai", FakeOpenAI(TEXT)) as gateway:
        _, whole, _ = await gateway.ask("POST", "completions", json=body)
        hold(Completion, whole)
        *pieces, last = await chunks_of(gateway, "completions", body)
        # While it goes on it has no reason to end, which the type, made for whole answers, leaves out.
        for piece in pieces:
            assert [choice.pop("finish_reason") for choice in piece["choices"]] == [None]
            hold(Completion, piece | {"choices": [choice | {"finish_reason": "stop"} for choice in piece["choices"]]})
        hold(Completion, last)


@pytest.mark.parametrize("wanted", ["float", "base64"])
async def test_openai_schema_of_embeddings_is_valid(wanted: str) -> None:
    async with over("openai", FakeOpenAI()) as gateway:
        body = {"model": "text-embedding-3-small", "input": ["one", "two"], "encoding_format": wanted}
        _, whole, _ = await gateway.ask("POST", "embeddings", json=body)
    if wanted == "base64":  # for which the type has no field
        for item in whole["data"]:
            assert isinstance(item["embedding"], str)
            item["embedding"] = [0.0]
    hold(CreateEmbeddingResponse, whole)


@pytest.mark.parametrize("cloud", CLOUDS)
async def test_openai_schema_of_models_is_valid(cloud: str) -> None:
    async with over(cloud, DIALECTS[cloud].fake()) as gateway:
        _, listed, _ = await gateway.get("models")
        assert listed["object"] == "list"
        for model in listed["data"]:
            hold(Model, model)
            _, alone, _ = await gateway.get(f"models/{model['id']}")
            assert alone == model


@pytest.mark.parametrize("said", [TEXT, THOUGHT, CALLS], ids=["text", "thought", "calls"])
@pytest.mark.parametrize("cloud", CLOUDS)
async def test_openai_schema_of_a_response_is_valid(cloud: str, said: Reply) -> None:
    tools = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in ("read", "stop")]
    body = {"model": CLOUDS[cloud], "input": "Hello"} | ({"tools": tools} if said.calls else {})
    async with over(cloud, DIALECTS[cloud].fake(said)) as gateway:
        status, whole, _ = await gateway.ask("POST", "responses", json=body)
        assert status == 200
        Response.model_validate_json(json.dumps(whole), strict=True)
        async with gateway.session.post(f"{gateway.url}/responses", json=body | {"stream": True}) as response:
            *blocks, rest = (await response.text()).split("\n\n")
        assert rest == ""
        told = [json.loads(block.partition("data: ")[2]) for block in blocks]
        for number, event in enumerate(told):
            EVENT.validate_json(json.dumps(event), strict=True)
            assert event["sequence_number"] == number
        assert told[-1]["type"] == "response.completed"


async def test_openai_schema_of_a_transcript_is_valid() -> None:
    async with demo(audio=FakeAudio()) as gateway:
        for wanted, kind in (("json", Transcription), ("verbose_json", TranscriptionVerbose)):
            form = aiohttp.FormData({"response_format": wanted})
            form.add_field("file", b"RIFF", filename="a.wav", content_type="audio/wav")
            async with gateway.session.post(f"{gateway.url}/audio/transcriptions", data=form) as response:
                hold(kind, await response.json())


ERRORS: list[tuple[str, str, dict[str, Any], int]] = [
    ("POST", "chat/completions", {"data": b"{"}, 400),
    ("POST", "chat/completions", {"json": HELLO | {"temperature": 99}}, 400),
    ("POST", "chat/completions", {"json": HELLO | {"model": "no-such-model"}}, 404),
    ("POST", "chat/completions", {"data": b" " * 2000}, 413),
    ("POST", "completions", {"json": {}}, 400),
    ("POST", "embeddings", {"json": {"input": []}}, 400),
    ("POST", "responses", {"json": {}}, 400),
    ("GET", "chat/completions", {}, 405),
    ("POST", "models", {"json": {}}, 405),
    ("GET", "models/no-such-model", {}, 404),
    ("GET", "generation", {}, 404),
    ("GET", "nothing/here", {}, 404),
    ("GET", "/nowhere", {}, 404),
]


@pytest.mark.parametrize(("method", "path", "options", "status"), ERRORS)
async def test_openai_schema_of_an_error_is_valid(method: str, path: str, options: dict[str, Any], status: int) -> None:
    async with demo(max_body_bytes=1000) as gateway:
        got, body, headers = await gateway.ask(method, path, **options)
    assert got == status
    assert headers["Content-Type"].startswith("application/json")
    hold_error(body)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
async def test_openai_schema_of_a_key_error_is_valid(headers: dict[str, str]) -> None:
    async with demo(key=KEY) as gateway:
        for path in ("models", "status", "generation?id=a"):
            status, body, _ = await gateway.get(path, headers=headers)
            assert status == 401
            hold_error(body)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503, 529])
@pytest.mark.parametrize("stream", [False, True])
async def test_openai_schema_of_a_provider_error_is_valid(status: int, stream: bool) -> None:
    async with over("openai", FakeOpenAI(Refusal(status, "It does not work."))) as gateway:
        body = HELLO | {"model": "gpt-4.1", "stream": stream}
        got, told, _ = await gateway.ask("POST", "chat/completions", json=body)
    assert got >= 400
    hold_error(told)


@pytest.mark.parametrize("kind", ["cut", "end", "error"])
async def test_openai_schema_of_a_stream_error_is_valid(kind: str) -> None:
    async with over("openai", FakeOpenAI(Fault(kind, after=4))) as gateway:
        body = HELLO | {"model": "gpt-4.1", "stream": True}
        async with gateway.session.post(f"{gateway.url}/chat/completions", json=body) as response:
            assert response.status == 200
            *chunks, last = [json.loads(event) for event in await events(response)]
    assert chunks
    for chunk in chunks:
        hold(ChatCompletionChunk, chunk)
    hold_error(last)
