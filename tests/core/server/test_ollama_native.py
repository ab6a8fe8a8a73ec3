"""Ollama's native API with Ollama's SDK: streams, tools, images, formats, reasoning, lists and errors."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
from typing import Any

import ollama
import pytest

from zeroconf_ai.protocol.errors import StreamBrokenError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Capability
from zeroconf_ai.server import response_writer

from ...support.fakes.upstream import StubBackend
from ...support.server import KEY, Served, served

type Asked = tuple[ollama.AsyncClient, StubBackend, Served]

HELLO = [{"role": "user", "content": "Hello"}]
PNG = b64encode(b"\x89PNG\r\n\x1a\nrest").decode()
TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    },
}


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}
ANSWER: list[Any] = [chunk({"role": "assistant", "content": "Hel"}), chunk({"content": "lo"}), chunk({}, "stop"), USAGE]


def called(arguments: str, index: int = 0, name: str = "add") -> dict[str, Any]:
    return {"index": index, "id": f"id-{index}", "type": "function", "function": {"name": name, "arguments": arguments}}


@asynccontextmanager
async def asked(steps: list[Any] | None = None, *, key: str | None = None, **model: Any) -> AsyncIterator[Asked]:
    """Ollama's client of a gateway over a backend that answers a stream with these steps."""
    backend = StubBackend("one", steps or ANSWER, models=[ModelInfo("test-model", **model)])
    async with served(backend, key=key) as gateway:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        client = ollama.AsyncClient(host=f"http://127.0.0.1:{gateway.port}", headers=headers)
        try:
            yield client, backend, gateway
        finally:
            await client._client.aclose()


async def lines(gateway: Served, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    async with gateway.session.post(f"http://127.0.0.1:{gateway.port}{path}", json=body) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("application/x-ndjson")
        return [json.loads(line) for line in (await response.read()).splitlines()]


async def test_ollama_chat_is_streamed() -> None:
    async with asked() as (client, backend, _):
        parts = [part async for part in await client.chat("test-model", HELLO, stream=True)]
    assert [part.message.content for part in parts] == ["Hel", "lo", ""]
    assert [part.done for part in parts] == [False, False, True]
    last = parts[-1]
    assert (last.model, last.done_reason, last.prompt_eval_count, last.eval_count) == ("test-model", "stop", 7, 3)
    assert last.created_at
    assert last.total_duration
    assert last.prompt_eval_duration is not None
    assert last.eval_duration is not None
    assert last.total_duration >= last.prompt_eval_duration + last.eval_duration - 1
    assert backend.sent[0].stream


async def test_ollama_default_is_streaming() -> None:
    async with asked() as (_, _, gateway):
        told = await lines(gateway, "/api/chat", {"model": "test-model", "messages": HELLO})
    assert told[-1]["done"] is True


async def test_ollama_chat_without_stream_is_complete() -> None:
    async with asked() as (client, backend, _):
        answer = await client.chat("test-model", HELLO)
    assert answer.message.role == "assistant"
    assert answer.message.content
    assert (answer.done, answer.done_reason) == (True, "stop")
    assert answer.eval_count
    assert not backend.sent[0].stream


@pytest.mark.parametrize("stream", [False, True])
async def test_ollama_generate_is_a_chat_of_one_message(stream: bool) -> None:
    async with asked() as (client, backend, _):
        if stream:
            parts = [part async for part in await client.generate("test-model", "Hello", system="Be brief.", stream=True)]
            assert "".join(part.response or "" for part in parts) == "Hello"
            assert parts[-1].done_reason == "stop"
        else:
            assert (await client.generate("test-model", "Hello", system="Be brief.")).response
    assert backend.sent[0].body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
    ]


async def test_ollama_options_are_translated_without_machine_options() -> None:
    options = {"temperature": 0.2, "top_p": 0.9, "top_k": 20, "seed": 7, "stop": ["END"], "num_predict": 50, "num_ctx": 8192}
    async with asked() as (client, backend, _):
        await client.chat("test-model", HELLO, options=options, keep_alive="5m")
        await client.chat("test-model", HELLO, options={"num_predict": -1})
    body = dict(backend.sent[0].body)
    assert body.pop("messages") == HELLO
    assert body == {
        "model": "test-model",
        "stream": False,
        "temperature": 0.2,
        "top_p": 0.9,
        "top_k": 20,
        "seed": 7,
        "stop": ["END"],
        "max_tokens": 50,
        "keep_alive": "5m",
    }
    assert "max_tokens" not in backend.sent[1].body


async def test_ollama_format_becomes_a_response_format() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    async with asked() as (client, backend, _):
        await client.chat("test-model", HELLO, format="json")
        await client.chat("test-model", HELLO, format=schema)
    assert backend.sent[0].body["response_format"] == {"type": "json_object"}
    assert backend.sent[1].body["response_format"]["json_schema"]["schema"] == schema


@pytest.mark.parametrize("api", ["chat", "generate"])
async def test_ollama_images_become_data_urls(api: str) -> None:
    can = frozenset({Capability.COMPLETION, Capability.VISION})
    async with asked(capabilities=can) as (client, backend, _):
        if api == "chat":
            await client.chat("test-model", [{"role": "user", "content": "What is it?", "images": [PNG]}])
        else:
            await client.generate("test-model", "What is it?", images=[PNG])
    assert backend.sent[0].body["messages"][0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
    ]


@pytest.mark.parametrize(("think", "effort"), [(True, "medium"), (False, None), ("high", "high"), (None, None)])
async def test_ollama_think_is_translated(think: Any, effort: str | None) -> None:
    thought = [chunk({"reasoning_content": "Hm."}), *ANSWER]
    async with asked(thought) as (client, backend, _):
        parts = [part async for part in await client.chat("test-model", HELLO, think=think, stream=True)]
    assert backend.sent[0].body.get("reasoning_effort") == effort
    assert backend.sent[0].body.get("think") == think
    assert "".join(part.message.thinking or "" for part in parts) == ("" if think is False else "Hm.")
    assert "".join(part.message.content or "" for part in parts) == "Hello"


async def test_ollama_parallel_tool_calls_complete_a_conversation() -> None:
    steps = [
        chunk({"role": "assistant", "tool_calls": [called('{"a":', 0)]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": " 1}"}}]}),
        chunk({"tool_calls": [called('{"a": 2}', 1)]}),
        chunk({}, "tool_calls"),
        USAGE,
    ]
    async with asked(steps) as (client, backend, _):
        parts = [part async for part in await client.chat("test-model", HELLO, tools=[TOOL], stream=True)]
        calls = [call for part in parts for call in part.message.tool_calls or ()]
        assert [(call.function.name, call.function.arguments) for call in calls] == [("add", {"a": 1}), ("add", {"a": 2})]
        assert parts[-1].done_reason == "stop"
        history: list[dict[str, Any]] = [
            *HELLO,
            {"role": "assistant", "content": "", "tool_calls": [call.model_dump() for call in calls]},
            {"role": "tool", "content": "one", "tool_name": "add"},
            {"role": "tool", "content": "two", "tool_name": "add"},
        ]
        backend.outcomes = [ANSWER]
        await client.chat("test-model", history, tools=[TOOL])
    sent = backend.sent[1].body
    assert sent["tools"][0]["function"]["name"] == "add"
    ids = [call["id"] for call in sent["messages"][1]["tool_calls"]]
    assert len(set(ids)) == 2
    assert [json.loads(call["function"]["arguments"]) for call in sent["messages"][1]["tool_calls"]] == [{"a": 1}, {"a": 2}]
    assert [(message["tool_call_id"], message["content"]) for message in sent["messages"][2:]] == [
        (ids[0], "one"),
        (ids[1], "two"),
    ]


async def test_ollama_tool_results_are_matched_by_id_and_name() -> None:
    calls = [
        {"id": "a", "function": {"name": "first", "arguments": {}}},
        {"id": "b", "function": {"name": "second", "arguments": {}}},
        {"function": {"name": "third", "arguments": {}}},
    ]
    results = [
        {"role": "tool", "content": "3", "tool_name": "third"},
        {"role": "tool", "content": "2", "tool_call_id": "b"},
        {"role": "tool", "content": "1"},
    ]
    async with asked() as (_, backend, gateway):
        body = {"model": "test-model", "messages": [*HELLO, {"role": "assistant", "tool_calls": calls}, *results]}
        await lines(gateway, "/api/chat", body)
    sent = backend.sent[0].body["messages"]
    assert {message["tool_call_id"]: message["content"] for message in sent if message["role"] == "tool"} == {
        "a": "1",
        "b": "2",
        sent[1]["tool_calls"][2]["id"]: "3",
    }


async def test_ollama_tool_call_with_invalid_arguments_is_an_error() -> None:
    steps = [chunk({"tool_calls": [called('{"a": ')]}), chunk({}, "tool_calls")]
    async with asked(steps) as (_, _, gateway):
        told = await lines(gateway, "/api/chat", {"model": "test-model", "messages": HELLO, "tools": [TOOL]})
    assert [list(line) for line in told] == [["error"]]
    assert "not a JSON object" in told[0]["error"]


async def test_ollama_truncated_tool_call_is_omitted_with_the_reason() -> None:
    steps = [chunk({"tool_calls": [called('{"a": ')]}), chunk({}, "length")]
    async with asked(steps) as (client, _, _):
        parts = [part async for part in await client.chat("test-model", HELLO, tools=[TOOL], stream=True)]
    assert [(part.done_reason, part.message.tool_calls) for part in parts] == [("length", None)]


async def test_ollama_interrupted_stream_ends_with_an_error() -> None:
    async with asked([chunk({"content": "Hel"}), StreamBrokenError("cut off")]) as (_, _, gateway):
        first, last = await lines(gateway, "/api/chat", {"model": "test-model", "messages": HELLO})
    assert (first["message"]["content"], first["done"]) == ("Hel", False)
    assert last == {"error": "cut off"}


async def test_ollama_stream_without_output_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_writer, "PING_SECONDS", 0.01)
    go_on = asyncio.Event()
    async with asked([chunk({"content": "Hel"}), go_on, chunk({"content": "lo"}), chunk({}, "stop")]) as (client, _, _):
        parts = []
        async for part in await client.chat("test-model", HELLO, stream=True):
            parts.append(part)
            if len(parts) == 3:
                go_on.set()
    assert parts[1].message.content == parts[2].message.content == ""
    assert "".join(part.message.content or "" for part in parts) == "Hello"


async def test_ollama_version_is_reported() -> None:
    async with asked() as (_, _, gateway):
        status, body, _ = await gateway.get("/api/version")
    assert status == 200
    assert [int(part) for part in body["version"].split(".")] >= [0, 6, 4]  # the oldest that editors accept


async def test_ollama_errors_have_ollamas_format() -> None:
    async with asked(key=KEY) as (client, _, gateway):
        with pytest.raises(ollama.ResponseError, match="not known here") as unknown:
            await client.chat("nope", HELLO)
        assert unknown.value.status_code == 404
        with pytest.raises(ollama.ResponseError, match="not known here"):
            await client.show("nope")
        with pytest.raises(ollama.ResponseError, match="temperature") as wrong:
            await client.chat("test-model", HELLO, options={"temperature": 9.0})
        assert wrong.value.status_code == 400
        stranger = ollama.AsyncClient(host=f"http://127.0.0.1:{gateway.port}")
        with pytest.raises(ollama.ResponseError, match="No API key was sent") as refused:
            await stranger.list()
        assert refused.value.status_code == 401
        await stranger._client.aclose()
        for method, path, status in (("GET", "/api/nothing", 404), ("GET", "/api/chat", 405), ("POST", "/api/nothing", 404)):
            found, body, headers = await gateway.ask(method, path)
            assert (found, list(body)) == (status, ["error"])
            assert isinstance(body["error"], str)
            assert headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/api/chat", {"messages": "x"}, "messages"),
        ("/api/chat", {"messages": [{"role": "robot", "content": "x"}]}, "role"),
        ("/api/chat", {"messages": [{"role": "user", "content": 1}]}, "content"),
        ("/api/chat", {"messages": [{"role": "user", "content": "x", "images": "y"}]}, "images"),
        ("/api/chat", {"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "function"),
        ("/api/chat", {"messages": HELLO, "format": 1}, "format"),
        ("/api/chat", {"messages": HELLO, "think": "very"}, "think"),
        ("/api/chat", {"messages": HELLO, "think": []}, "think"),
        ("/api/chat", {"messages": HELLO, "options": 7}, "options"),
        ("/api/chat", {"messages": HELLO, "tools": 7}, "tools"),
        ("/api/chat", {"messages": HELLO, "stream": 1}, "stream"),
        ("/api/generate", {"prompt": 1}, "prompt"),
        ("/api/generate", {"prompt": "x", "suffix": 1}, "suffix"),
        ("/api/generate", {"prompt": "x", "raw": True, "images": [PNG]}, "images"),
        ("/api/embed", {"input": 1}, "input"),
        ("/api/embed", {"input": [1, 2]}, "input"),
        ("/api/embed", {"input": "x", "dimensions": 0}, "dimensions"),
        ("/api/embeddings", {"prompt": {"x": 1}}, "prompt"),
        ("/api/show", {"model": None}, "model"),
        ("/api/show", {"model": ["x"]}, "model"),
        ("/api/pull", {"model": {}}, "model"),
    ],
)
async def test_ollama_invalid_parameter_is_named(path: str, body: dict[str, Any], named: str) -> None:
    async with asked() as (_, backend, gateway):
        status, answer, _ = await gateway.ask("POST", path, json={"model": "test-model", **body})
    assert status == 400
    assert named in answer["error"]
    assert not backend.sent


async def test_ollama_raw_prompt_and_suffix_are_text_completions() -> None:
    options = {"temperature": 0.1, "num_predict": 20, "stop": ["\n"]}
    async with asked() as (client, backend, _):
        filled = await client.generate("test-model", "def add(", suffix="return a + b", options=options)
        parts = [part async for part in await client.generate("test-model", "<s>Once", raw=True, stream=True)]
    assert filled.response
    assert filled.context is None
    assert "".join(part.response or "" for part in parts) == "Hello"
    assert parts[-1].done_reason == "stop"
    assert [request.kind.value for request in backend.sent] == ["completions", "completions"]
    assert dict(backend.sent[0].body) == {
        "model": "test-model", "prompt": "def add(", "suffix": "return a + b", "stream": False, "temperature": 0.1,
        "max_tokens": 20, "stop": ["\n"],
    }  # fmt: skip
    assert backend.sent[1].body["raw"] is True


async def test_ollama_template_and_unknown_parameters_are_ignored() -> None:
    async with asked() as (client, backend, gateway):
        await client.generate("test-model", "Hello", template="{{ .Prompt }}")
        body = {"model": "test-model", "messages": HELLO, "truncate": False, "shift": True, "logprobs": False, "x": 1}
        await lines(gateway, "/api/chat", body)
    assert set(backend.sent[0].body) == {"model", "messages", "stream"}
    assert set(backend.sent[1].body) == {"model", "messages", "stream", "stream_options"}
