"""Halves of surrogate pairs, which UTF-8 cannot encode: joined or replaced with U+FFFD on each way through the gateway."""

import json
from typing import Any

import aiohttp
import pytest

from tests.support.clouds.asking import PATIENT, TYPES, chat
from zeroconf_ai.backends.base import Endpoint
from zeroconf_ai.protocol.chunks import Delta, Message

from ...support.dialects import event, line
from ...support.fakes.chunks import delta
from ...support.fakes.upstream import STOP, Upstream, answers, streams
from ...support.sdks import scripted
from ...support.server import CHAT, Served, events, served

HIGH, LOW, EMOJI = "\ud83d", "\ude00", "\U0001f600"

PIECES = [
    ([HIGH], "\ufffd"),
    ([LOW], "\ufffd"),
    (["a" + HIGH, "b"], "a\ufffdb"),
    (["a" + HIGH, LOW + "b"], f"a{EMOJI}b"),
    ([HIGH, LOW], EMOJI),
    ([HIGH, LOW + HIGH, LOW], EMOJI * 2),
    (["a", LOW + "b" + HIGH, HIGH, LOW], f"a\ufffdb\ufffd{EMOJI}"),
    ([HIGH + "a" + LOW], "\ufffda\ufffd"),
    (["\\ud83d", "\\" + HIGH], "\\ud83d\\\ufffd"),
]
"""Texts of chunks, and the whole text."""


async def heard(gateway: Served) -> Message:
    """The message of a stream."""
    message = Message()
    async with gateway.session.post(f"{gateway.url}/chat/completions", json=CHAT | {"stream": True}) as response:
        for sent in await events(response):
            if sent != "[DONE]":
                message.add(Delta.parse(json.loads(sent)))
    return message


@pytest.mark.parametrize("field", ["content", "reasoning_content"])
@pytest.mark.parametrize(("pieces", "text"), PIECES)
async def test_surrogates_in_a_stream_are_joined_or_replaced(field: str, pieces: list[str], text: str) -> None:
    chunks = [delta(**{field: piece}) for piece in pieces]
    for ends in ([STOP], [b": ping\n\n", STOP], []):
        async with scripted(streams(*chunks, *ends)) as (gateway, _):
            message = await heard(gateway)
        assert message.content + message.reasoning == text
        assert message.finish_reason == "stop"


async def test_surrogates_encoded_as_bytes_are_joined_or_replaced() -> None:
    chunks = [json.dumps(delta(text), ensure_ascii=False) for text in (HIGH + LOW, "b" + HIGH, "c")]
    raw = [f"data: {chunk}\n\n".encode(errors="surrogatepass") for chunk in chunks]
    async with scripted(streams(*raw, b'data: {"choices":[{"index":0,"delta":{"content":"\xff"}}]}\n\n', STOP)) as (gateway, _):
        assert (await heard(gateway)).content == f"{EMOJI}b\ufffdc\ufffd"


@pytest.mark.parametrize(("pieces", "text"), PIECES)
async def test_surrogates_in_a_complete_answer_are_joined_or_replaced(pieces: list[str], text: str) -> None:
    message = {"role": "assistant", "content": "".join(pieces)}
    whole = {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    for sent in (answers(whole), streams(*map(delta, pieces), STOP)):
        async with scripted(sent) as (gateway, _):
            status, body, _ = await gateway.ask("POST", "chat/completions", json=CHAT)
        assert (status, body["choices"][0]["message"]["content"]) == (200, text)


@pytest.mark.parametrize("stream", [False, True])
async def test_surrogates_in_an_error_are_replaced(stream: bool) -> None:
    for sent in (answers({"error": {"message": f"no {HIGH}", "code": 400}}), answers({"error": {"message": f"no {HIGH}"}}, 400)):
        async with scripted(sent) as (gateway, _):
            status, body, _ = await gateway.ask("POST", "chat/completions", json=CHAT | {"stream": stream})
        assert (status, body["error"]["message"]) == (400, "no \ufffd")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("chat/completions", {"messages": [{"role": "user", "content": f"Hi {HIGH}"}]}),
        ("chat/completions", {"messages": [{"role": "user", "content": [{"type": "text", "text": LOW}]}], "user": HIGH}),
        ("messages", {"messages": [{"role": "user", "content": f"Hi {HIGH}"}], "max_tokens": 9}),
        ("responses", {"input": f"Hi {HIGH}"}),
        ("embeddings", {"input": f"Hi {HIGH}"}),
        ("/api/chat", {"messages": [{"role": "user", "content": f"Hi {HIGH}"}], "stream": False}),
        ("/api/generate", {"prompt": f"Hi {HIGH}", "stream": False}),
    ],
)
async def test_surrogates_in_a_request_are_accepted(path: str, fields: dict[str, Any]) -> None:
    async with served() as gateway:
        status, body, _ = await gateway.ask("POST", path, json=fields)
    assert status == 200, body


async def test_surrogates_in_a_request_are_replaced_for_the_provider() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": json.dumps({"a": HIGH})}}
    messages = [
        {"role": "user", "content": f"Hi {HIGH + LOW} {HIGH}"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": LOW},
    ]
    async with scripted([delta("Hi"), STOP]) as (gateway, provider):
        status, _, _ = await gateway.ask("POST", "chat/completions", json=CHAT | {"messages": messages})
    assert status == 200
    said = provider.requests[0]["messages"]
    assert (said[0]["content"], said[2]["content"]) == (f"Hi {EMOJI} \ufffd", "\ufffd")


@pytest.mark.parametrize(("pieces", "text"), PIECES)
@pytest.mark.parametrize("name", ["anthropic", "ollama"])
async def test_surrogates_in_another_dialect_are_joined_or_replaced(name: str, pieces: list[str], text: str) -> None:
    block = {"index": 0, "content_block": {"type": "text", "text": ""}}
    deltas = [event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece}) for piece in pieces]
    ended = event("message_delta", delta={"stop_reason": "end_turn"}) + event("message_stop")
    sent = {
        "anthropic": [event("message_start", message={}), event("content_block_start", **block), *deltas, ended],
        "ollama": [*(line(content=piece) for piece in pieces), b'{"message":{"content":""},"done":true}\n'],
    }[name]
    async with Upstream() as server, aiohttp.ClientSession() as session:
        server.on("/messages" if name == "anthropic" else "/api/chat", streams(*sent, done=False))
        base = server.base_url if name == "anthropic" else server.base_url.removesuffix("/v1")
        backend = TYPES[name].make(session, TYPES[name].info("a", "Attic"), Endpoint(base), timeouts=PATIENT)
        answer = await backend.send(chat("m", stream=True, max_tokens=9))
        message = Message()
        async for batch in answer.batches():
            for chunk in batch:
                message.add(Delta.parse(chunk.data))
        await answer.close()
    assert (message.content, message.finish_reason) == (text, "stop")
