"""Answers in another framing than requested or labelled, and events that are no part of an answer, through the gateway."""

import json
from typing import Any

import aiohttp
import pytest

from tests.support.clouds.asking import PATIENT, TYPES, chat
from zeroconf_ai.backends.base import Endpoint
from zeroconf_ai.protocol.chunks import Delta, Message
from zeroconf_ai.protocol.request import Kind, Request

from ...support.fakes.chunks import delta
from ...support.fakes.upstream import EMBEDDINGS, Upstream, answers, streams
from ...support.sdks import gpt, scripted
from ...support.server import CHAT, Served, events

HEAD = {"id": "chatcmpl-1", "created": 1, "model": "test-model"}
USAGE: Any = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
CHUNKS: Any = [HEAD | delta("", role="assistant"), HEAD | delta("Hel"), HEAD | delta("lo"), HEAD | delta(finish="stop")]
COUNTED = HEAD | {"object": "chat.completion.chunk", "choices": [], "usage": USAGE}
WHOLE: Any = HEAD | {
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "logprobs": None, "finish_reason": "stop"}],
    "usage": USAGE,
}
LABELS = ["text/event-stream", "application/json", "text/plain"]


def framed(*chunks: Any, end: str = "\n\n", begin: str = "data: ", last: str = "data: [DONE]") -> bytes:
    """Chunks as Server-Sent Events."""
    return (end.join([*(begin + json.dumps(chunk) for chunk in chunks), last]) + end).encode()


def lines(*chunks: Any) -> bytes:
    """Chunks as lines."""
    return b"".join(json.dumps(chunk).encode() + b"\n" for chunk in chunks)


PRETTY = json.dumps(WHOLE, indent=2).encode()
ANSWERS: dict[str, bytes] = {
    "events": framed(*CHUNKS, COUNTED),
    "events after a byte order mark": b"\xef\xbb\xbf" + framed(*CHUNKS, COUNTED),
    "events after blank lines": b"\r\n\n" + framed(*CHUNKS, COUNTED),
    "events with CRLF": framed(*CHUNKS, COUNTED, end="\r\n\r\n"),
    "events with CR": framed(*CHUNKS, COUNTED, end="\r\r"),
    "events without a space": framed(*CHUNKS, COUNTED, begin="data:", last="data:[DONE]"),
    "events without blank lines": framed(*CHUNKS, COUNTED, end="\n"),
    "events without an end": framed(*CHUNKS, COUNTED, last=""),
    "events after comments": b": OPENROUTER PROCESSING\n\n:\n\n" + framed(*CHUNKS, COUNTED),
    "events with names and ids": framed(*CHUNKS, COUNTED, begin="id: 1\nevent: message\nretry: 3\ndata: "),
    "events on several lines": framed(*CHUNKS, COUNTED).replace(b', "object"', b',\ndata: "object"'),
    "one event with the whole": framed(WHOLE),
    "one event with the whole, no end": framed(WHOLE, last=""),
    "lines": lines(*CHUNKS, COUNTED),
    "lines without an end": lines(*CHUNKS, COUNTED).rstrip(),
    "lines and [DONE]": lines(*CHUNKS, COUNTED) + b"data: [DONE]\n\n",
    "json": json.dumps(WHOLE).encode(),
    "json after a byte order mark": b"\xef\xbb\xbf" + json.dumps(WHOLE).encode(),
    "json after blank lines": b"\n\n\n " + json.dumps(WHOLE).encode() + b"\n\n",
    "json on several lines": PRETTY,
    "json on several lines with CRLF": PRETTY.replace(b"\n", b"\r\n"),
    "json on several lines with blank ones": PRETTY.replace(b"\n", b"\n\n"),
    "json and [DONE]": json.dumps(WHOLE).encode() + b"\n\ndata: [DONE]\n\n",
}


async def streamed(gateway: Served, **options: Any) -> list[dict[str, Any]]:
    """The chunks of a stream, which has an end."""
    async with gateway.session.post(f"{gateway.url}/chat/completions", json=CHAT | {"stream": True, **options}) as response:
        assert response.status == 200
        *found, done = await events(response)
    assert done == "[DONE]"
    return [json.loads(event) for event in found]


def said(chunks: list[dict[str, Any]]) -> Message:
    """The message of chunks, each of which has a choice with a delta."""
    message = Message()
    for chunk in chunks:
        assert chunk["object"] == "chat.completion.chunk"
        assert all(isinstance(choice["delta"], dict) and "message" not in choice for choice in chunk["choices"])
        assert chunk["choices"] or chunk.get("usage")
        message.add(Delta.parse(chunk))
    return message


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("sent", ANSWERS.values(), ids=ANSWERS)
async def test_answer_is_read_by_its_content_and_not_by_its_label(sent: bytes, label: str) -> None:
    async with scripted(answers(sent, kind=label)) as (gateway, provider), gpt(gateway) as client:
        message = said(await streamed(gateway, stream_options={"include_usage": True}))
        assert (message.content, message.finish_reason) == ("Hello", "stop")
        assert message.usage is not None
        assert message.usage.prompt_tokens == 3
        whole = await client.chat.completions.create(**CHAT)  # type: ignore[call-overload]
        assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == ("Hello", "stop")
        assert whole.usage is not None
        assert (whole.object, whole.usage.total_tokens) == ("chat.completion", 5)
        assert len(provider.requests) == 2


@pytest.mark.parametrize("label", ["", "application/octet-stream", "text/html", "application/x-ndjson", "application/jsonl"])
@pytest.mark.parametrize("sent", ["events", "lines", "json", "json on several lines"])
async def test_answer_with_another_label_or_none_is_read(sent: str, label: str) -> None:
    async with scripted(answers(ANSWERS[sent], kind=label)) as (gateway, _):
        assert said(await streamed(gateway)).content == "Hello"


async def test_stream_that_is_labelled_json_is_passed_on_as_it_arrives() -> None:
    async with (
        scripted(streams(HEAD | delta("Hel"), then="stall", kind="application/json")) as (gateway, _),
        gateway.session.post(f"{gateway.url}/chat/completions", json=CHAT | {"stream": True}) as response,
    ):
        assert b"Hel" in await response.content.readuntil(b"\n\n")


async def test_chunks_for_a_client_without_a_stream_keep_everything() -> None:
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    logprobs: Any = {"content": [{"token": "Hi", "logprob": -1, "bytes": None, "top_logprobs": []}]}
    parts: list[dict[str, Any]] = [
        {"role": "assistant", "reasoning_content": "Hm", "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}]},
        {"content": "Hi"},
        {"tool_calls": [call], "annotations": [{"type": "url_citation"}]},
        {"refusal": "No."},
    ]
    chunks = [
        HEAD | {"choices": [{"index": 0, "delta": part, "logprobs": logprobs if "content" in part else None}]} for part in parts
    ]
    other = HEAD | {"choices": [{"index": 1, "delta": {"content": "Second"}, "finish_reason": "length"}]}
    async with scripted(answers(framed(*chunks, other, HEAD | delta(finish="tool_calls")))) as (gateway, _):
        _, body, _ = await gateway.ask("POST", "chat/completions", json=CHAT)
    first, second = body["choices"]
    assert first["message"] == {
        "role": "assistant",
        "content": "Hi",
        "reasoning_content": "Hm",
        "tool_calls": [{name: value for name, value in call.items() if name != "index"}],
        "refusal": "No.",
        "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}],
        "annotations": [{"type": "url_citation"}],
    }
    assert (first["logprobs"], first["finish_reason"]) == (logprobs, "tool_calls")
    assert (second["message"]["content"], second["finish_reason"]) == ("Second", "length")
    assert body["id"] == "chatcmpl-1"


NOISE: dict[str, bytes] = {
    "empty data": b"data:\n\n",
    "blank data": b"data:  \n\n",
    "comment": b": keep-alive\n\n",
    "empty comment": b":\n\n",
    "ping": b"event: ping\ndata: {}\n\n",
    "ping of Anthropic": b'event: ping\ndata: {"type": "ping"}\n\n',
    "ping without JSON": b"event: ping\ndata: 2026-11-29\n\n",
    "ping without data": b"event: ping\n\n",
    "ping in the data": b"data: ping\n\n",
    "quoted nothing": b'data: ""\n\n',
    "null": b"data: null\n\n",
    "start": b"data: [START]\n\n",
    "no choices": b'data: {"id": "x", "object": "chat.completion.chunk"}\n\n',
    "choices null": b'data: {"choices": null}\n\n',
    "choices empty": b'data: {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}\n\n',
    "choices of others": b'data: {"choices": [null, 5]}\n\n',
    "filter of Azure": b'data: {"object":"","choices":[{"index":0,"finish_reason":null,"content_filter_offsets":{}}]}\n\n',
    "event with another name": b'event: metadata\ndata: {"took": 3}\n\n',
}
"""What keeps a connection alive, or says something else than the answer."""


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
async def test_event_without_a_part_of_the_answer_does_not_reach_the_client(noise: bytes) -> None:
    parts = [part for chunk in CHUNKS[1:] for part in (noise, framed(chunk, last=""))]
    async with scripted(streams(*parts, noise)) as (gateway, _):
        chunks = await streamed(gateway)
        assert [chunk["choices"][0] for chunk in chunks] == [chunk["choices"][0] for chunk in CHUNKS[1:]]
        assert (await gateway.ask("POST", "chat/completions", json=CHAT))[1]["choices"][0]["message"]["content"] == "Hello"


ENDS: dict[str, tuple[list[Any], bool]] = {
    "empty chunk": ([HEAD | delta("")], True),
    "empty delta": ([HEAD | delta()], True),
    "role": ([HEAD | delta("", role="assistant")], True),
    "second finish reason": ([HEAD | delta(finish="stop"), HEAD | delta("", finish="stop")], True),
    "late text": ([HEAD | delta("late")], True),
    "whole answer": ([WHOLE], True),
    "many": ([HEAD | delta("")] * 9, True),
    "no [DONE]": ([], False),
    "chunks and no [DONE]": ([HEAD | delta("")] * 9, False),
    "[DONE] twice": ([b"data: [DONE]\n\n"], True),
    "text after [DONE]": ([b"data: [DONE]\n\ndata: {oops\n\n", HEAD | delta("late")], True),
    "text beside [DONE]": ([b"data: [DONE] bye\n\n"], True),
    "[DONE] with quotes": ([b'data: "[DONE]"\n\n'], False),
    "[done]": ([b"data: [done]\n\n"], False),
    "event done": ([b"event: done\ndata: {}\n\n"], False),
}


@pytest.mark.parametrize(("after", "done"), ENDS.values(), ids=ENDS)
async def test_chunks_after_the_finish_reason_do_not_reach_the_client(after: list[Any], done: bool) -> None:
    async with scripted(streams(*CHUNKS[1:], *after, done=done)) as (gateway, _):
        chunks = await streamed(gateway)
    assert [chunk["choices"][0] for chunk in chunks] == [chunk["choices"][0] for chunk in CHUNKS[1:]]


async def test_usage_beside_an_empty_choice_after_the_finish_reason_is_the_usage() -> None:
    last = HEAD | delta("", role="assistant") | {"usage": USAGE}
    async with scripted(streams(*CHUNKS, last)) as (gateway, _):
        assert (await streamed(gateway, stream_options={"include_usage": True}))[-1]["choices"] == []
        assert "usage" not in (await streamed(gateway))[-1]


@pytest.mark.parametrize("reason", [None, ""])
async def test_finish_reason_that_is_missing_is_added(reason: str | None) -> None:
    chunks = [HEAD | delta("Hel", finish=reason), HEAD | delta("lo", finish=reason)]
    async with scripted(streams(*chunks)) as (gateway, _):
        found = await streamed(gateway)
    assert [chunk["choices"][0]["finish_reason"] for chunk in found] == [None, None, "stop"]
    assert found[-1]["id"] == "chatcmpl-1"


@pytest.mark.parametrize(
    ("reason", "ours"), [("eos_token", "stop"), ("STOP", "stop"), ("max_tokens", "length"), ("length", "length")]
)
async def test_finish_reason_of_another_api_is_openais(reason: str, ours: str) -> None:
    async with scripted(streams(HEAD | delta("Hi"), HEAD | delta(finish=reason))) as (gateway, _):
        assert (await streamed(gateway))[-1]["choices"][0]["finish_reason"] == ours
    whole = WHOLE | {"choices": [WHOLE["choices"][0] | {"finish_reason": reason}]}
    async with scripted(answers(whole)) as (gateway, _):
        assert (await gateway.ask("POST", "chat/completions", json=CHAT))[1]["choices"][0]["finish_reason"] == ours


@pytest.mark.parametrize(
    "choice",
    [
        {"delta": {"content": "Hi"}},
        {"index": None, "delta": {"content": "Hi"}},
        {"index": 0, "text": "Hi"},
        {"index": 0, "delta": None, "message": {"role": "assistant", "content": "Hi"}},
        {"index": 0, "delta": {}, "message": {"role": "assistant", "content": "Hi"}},
    ],
)
async def test_chunk_that_lacks_fields_gets_them(choice: dict[str, Any]) -> None:
    async with scripted(streams({"choices": [choice]}, {"choices": [{"finish_reason": "stop"}]})) as (gateway, _):
        chunks = await streamed(gateway)
    assert said(chunks).content == "Hi"
    assert {(chunk["object"], chunk["choices"][0]["index"]) for chunk in chunks} == {("chat.completion.chunk", 0)}


async def test_message_that_repeats_a_stream_at_its_end_is_not_said_twice() -> None:
    last = HEAD | {"choices": [WHOLE["choices"][0]]}
    async with scripted(streams(*CHUNKS[:3], last)) as (gateway, _):
        assert said(await streamed(gateway)).content == "Hello"


ANTHROPIC = [
    {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 3, "output_tokens": 0}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]
ANTHROPIC_WHOLE = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
OLLAMA = [
    {"message": {"role": "assistant", "content": "Hel"}, "done": False},
    {"message": {"role": "assistant", "content": "lo"}, "done": False},
    {"message": {"role": "assistant", "content": ""}, "done": True, "prompt_eval_count": 3, "eval_count": 2},
]
OLLAMA_WHOLE = OLLAMA[2] | {"message": {"role": "assistant", "content": "Hello"}}
DIALECTS: dict[str, tuple[str, str, bytes]] = {
    "anthropic, events": ("anthropic", "/messages", framed(*ANTHROPIC, last="")),
    "anthropic, events with noise": (
        "anthropic",
        "/messages",
        b"".join(b"data:\n\n: x\n\n" + framed(part, last="") for part in ANTHROPIC),
    ),
    "anthropic, events and [DONE]": ("anthropic", "/messages", framed(*ANTHROPIC)),
    "anthropic, events with CRLF": ("anthropic", "/messages", framed(*ANTHROPIC, end="\r\n\r\n")),
    "anthropic, events without blank lines": ("anthropic", "/messages", framed(*ANTHROPIC, end="\n")),
    "anthropic, lines": ("anthropic", "/messages", lines(*ANTHROPIC)),
    "anthropic, json": ("anthropic", "/messages", json.dumps(ANTHROPIC_WHOLE).encode()),
    "anthropic, json on several lines": (
        "anthropic",
        "/messages",
        b"\xef\xbb\xbf" + json.dumps(ANTHROPIC_WHOLE, indent=1).encode(),
    ),
    "anthropic, one event": ("anthropic", "/messages", framed(ANTHROPIC_WHOLE)),
    "ollama, lines": ("ollama", "/api/chat", lines(*OLLAMA)),
    "ollama, lines with CRLF": ("ollama", "/api/chat", b"\xef\xbb\xbf" + lines(*OLLAMA).replace(b"\n", b"\r\n\r\n")),
    "ollama, events": ("ollama", "/api/chat", framed(*OLLAMA)),
    "ollama, events without blank lines": ("ollama", "/api/chat", framed(*OLLAMA, end="\n")),
    "ollama, events with noise": (
        "ollama",
        "/api/chat",
        b"".join(b"data:\n\n: x\n\n" + framed(part, last="") for part in OLLAMA),
    ),
    "ollama, json": ("ollama", "/api/chat", json.dumps(OLLAMA_WHOLE).encode()),
    "ollama, json on several lines": ("ollama", "/api/chat", json.dumps(OLLAMA_WHOLE, indent=1).encode()),
    "ollama, one event": ("ollama", "/api/chat", framed(OLLAMA_WHOLE)),
}


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(("name", "path", "sent"), DIALECTS.values(), ids=DIALECTS)
async def test_answer_of_another_dialect_is_read_by_its_content(name: str, path: str, sent: bytes, label: str) -> None:
    async with Upstream() as server, aiohttp.ClientSession() as session:
        server.on(path, answers(sent, kind=label))
        base = server.base_url if name == "anthropic" else server.base_url.removesuffix("/v1")
        backend = TYPES[name].make(session, TYPES[name].info("a", "Attic"), Endpoint(base), timeouts=PATIENT)
        answer = await backend.send(chat("m", stream=True, max_tokens=9, stream_options={"include_usage": True}))
        message = said([chunk.data async for batch in answer.batches() for chunk in batch])
        await answer.close()
        assert (message.content, message.finish_reason) == ("Hello", "stop")
        answer = await backend.send(chat("m", max_tokens=9))
        whole = (await answer.completion()).data
        await answer.close()
    assert (whole["choices"][0]["message"]["content"], whole["choices"][0]["finish_reason"]) == ("Hello", "stop")
    assert (whole["object"], whole["usage"]["prompt_tokens"], whole["usage"]["completion_tokens"]) == ("chat.completion", 3, 2)


@pytest.mark.parametrize("label", ["text/plain", "text/event-stream", "application/octet-stream"])
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\n", b"data: "])
async def test_embeddings_and_models_are_read_by_their_content(label: str, before: bytes) -> None:
    models = {"object": "list", "data": [{"id": "m"}]}
    async with Upstream() as server, aiohttp.ClientSession() as session:
        server.on("/embeddings", answers(before + json.dumps(EMBEDDINGS).encode() + b"\n\n", kind=label))
        server.on("/models", answers(before + json.dumps(models).encode() + b"\n\n", kind=label))
        kind = TYPES["openai_compatible"]
        backend = kind.make(session, kind.info("a", "Attic"), Endpoint(server.base_url), timeouts=PATIENT)
        assert [model.id for model in await backend.models()] == ["m"]
        answer = await backend.send(Request.parse(Kind.EMBEDDINGS, {"model": "m", "input": "Hi"}))
        completion = await answer.completion()
        await answer.close()
    assert completion.data == json.loads(completion.raw) == EMBEDDINGS


@pytest.mark.parametrize(("content", "thought"), [("Hm.\n</think>\n\nHello", "Hm."), ("</think>Hello", None)])
async def test_reasoning_without_an_opening_tag_is_cut_from_a_complete_answer(content: str, thought: str | None) -> None:
    whole = WHOLE | {"choices": [WHOLE["choices"][0] | {"message": {"role": "assistant", "content": content}}]}
    pieces = [HEAD | delta(part) for part in content.partition("nk>")]
    for sent in (answers(whole), answers(framed(*pieces, HEAD | delta(finish="stop")))):
        async with scripted(sent) as (gateway, _):
            _, body, _ = await gateway.ask("POST", "chat/completions", json=CHAT)
            message = body["choices"][0]["message"]
            assert (message["content"], message.get("reasoning_content")) == ("Hello", thought)
            _, anthropic, _ = await gateway.ask("POST", "messages", json=CHAT | {"max_tokens": 9})
            assert [block["text"] for block in anthropic["content"] if block["type"] == "text"] == ["Hello"]
    async with scripted(answers(whole)) as (gateway, _):
        message = said(await streamed(gateway))
    assert (message.content, message.reasoning) == ("Hello", thought or "")
