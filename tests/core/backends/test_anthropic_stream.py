"""The events of Anthropic's streams, as recorded by hand from its SDK's types, and the chunks that they become."""

import itertools
from typing import Any

from hypothesis import given, strategies as st
import orjson
import pytest

from zeroconf_ai.dialects.anthropic.upstream_response import AnthropicTranslator
from zeroconf_ai.protocol.chunks import Chunk, Delta, Message
from zeroconf_ai.protocol.errors import StreamBrokenError


def event(kind: str, **fields: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), orjson.dumps({"type": kind, **fields}))


def begin(index: int, **block: Any) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def more(index: int, **delta: Any) -> bytes:
    return event("content_block_delta", index=index, delta=delta)


def stop(index: int) -> bytes:
    return event("content_block_stop", index=index)


START = event(
    "message_start",
    message={
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 4, "output_tokens": 1},
    },
)
END = event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 40}) + event("message_stop")

RECORDED = b"".join([
    START,
    event("ping"),
    begin(0, type="thinking", thinking="", signature=""),
    more(0, type="thinking_delta", thinking="Grüße"),
    more(0, type="thinking_delta", thinking=" prüfen"),
    more(0, type="signature_delta", signature="c2VhbA=="),
    stop(0),
    begin(1, type="redacted_thinking", data="EncQ"),
    stop(1),
    begin(2, type="text", text=""),
    more(2, type="text_delta", text="Einen "),
    more(2, type="citations_delta", citation={"type": "char_location"}),
    event("ping"),
    more(2, type="text_delta", text="Moment…"),
    stop(2),
    begin(3, type="tool_use", id="toolu_1", name="read", input={}),
    more(3, type="input_json_delta", partial_json=""),
    more(3, type="input_json_delta", partial_json='{"room"'),
    more(3, type="input_json_delta", partial_json=': "Küche"}'),
    stop(3),
    begin(4, type="server_tool_use", id="srvtoolu_1", name="web_search", input={}),
    more(4, type="input_json_delta", partial_json='{"query": "x"}'),
    stop(4),
    begin(5, type="tool_use", id="toolu_2", name="stop", input={}),
    stop(5),
    begin(6, type="tool_use", id="toolu_3", name="set", input={"to": 1}),
    stop(6),
    event("something_new", what=1),
    END,
])  # fmt: skip


def play(parts: list[bytes], **options: Any) -> list[Chunk]:
    translator = AnthropicTranslator("claude", **options)
    chunks = [chunk for part in [*parts, b""] if not translator.done for chunk in translator.feed(part)]
    assert translator.complete
    return chunks


def deltas(chunks: list[Chunk]) -> list[dict[str, Any]]:
    return [chunk.data["choices"][0]["delta"] for chunk in chunks if chunk.data["choices"]]


def test_recorded_stream_is_translated_to_chunks() -> None:
    chunks = play([RECORDED])

    def function(index: int, **fields: Any) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, **fields}]}

    def named(index: int, call: str, name: str) -> dict[str, Any]:
        return function(index, id=call, type="function", function={"name": name, "arguments": ""})

    sealed = {
        "index": 0,
        "format": "anthropic-claude-v1",
        "type": "reasoning.text",
        "text": "Grüße prüfen",
        "signature": "c2VhbA==",
    }
    assert deltas(chunks) == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "Grüße"},
        {"reasoning_content": " prüfen"},
        {"reasoning_details": [sealed]},
        {"reasoning_details": [{"index": 1, "format": "anthropic-claude-v1", "type": "reasoning.encrypted", "data": "EncQ"}]},
        {"content": "Einen "},
        {"content": "Moment…"},
        named(0, "toolu_1", "read"),
        function(0, function={"arguments": '{"room"'}),
        function(0, function={"arguments": ': "Küche"}'}),
        named(1, "toolu_2", "stop"),
        function(1, function={"arguments": "{}"}),
        named(2, "toolu_3", "set"),
        function(2, function={"arguments": '{"to":1}'}),
        {},
    ]
    assert {(chunk.data["id"], chunk.data["model"]) for chunk in chunks} == {("msg_1", "claude-x")}
    assert chunks[-2].data["choices"][0]["finish_reason"] == "tool_calls"
    assert chunks[-1].data["usage"]["prompt_tokens"] == 14
    assert chunks[-1].data["usage"]["completion_tokens"] == 40


@given(st.lists(st.integers(0, len(RECORDED)), max_size=40), st.sampled_from([b"\n", b"\r\n"]))
def test_stream_split_anywhere_gives_the_same_answer(cuts: list[int], newline: bytes) -> None:
    recorded = RECORDED.replace(b"\n", newline)
    places = [0, *sorted(min(cut, len(recorded)) for cut in cuts), len(recorded)]
    parts = [recorded[begin:end] for begin, end in itertools.pairwise(places) if begin != end]
    assert deltas(play(parts)) == deltas(play([RECORDED]))


def test_stream_begins_with_the_first_block_not_with_pings() -> None:
    translator = AnthropicTranslator("claude")
    translator.feed(START + event("ping"))
    assert not translator.begun
    translator.feed(begin(0, type="thinking", thinking=""))
    assert translator.begun


def test_stream_end_after_the_stop_reason_is_complete_and_before_it_an_error() -> None:
    translator = AnthropicTranslator("claude")
    translator.feed(START + begin(0, type="text", text="Hi") + stop(0))
    assert not translator.complete
    translator.feed(event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 1}))
    assert translator.complete


@pytest.mark.parametrize(
    "raw",
    [
        event("error", error={"type": "overloaded_error", "message": "Overloaded sk-secret-123456"}),
        b'data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded sk-secret-123456"}}\n\n',
    ],
)
def test_stream_error_contains_no_secrets(raw: bytes) -> None:
    translator = AnthropicTranslator("claude", secrets=("sk-secret-123456",))
    translator.feed(START)
    with pytest.raises(StreamBrokenError) as raised:
        translator.feed(raw)
    assert raised.value.message == "Anthropic reported an error instead of an answer"
    assert "overloaded_error Overloaded ***" in raised.value.log_text
    assert "sk-secret" not in str(raised.value)


@pytest.mark.parametrize("raw", [b"data: {oops\n\n", b"data: 7\n\n", more(7, type="text_delta", text="x")])
def test_stream_that_is_not_anthropics_is_an_error(raw: bytes) -> None:
    with pytest.raises(ValueError):
        AnthropicTranslator("claude").feed(START + raw)


def test_error_response_has_the_reason() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "Not this."}
    end = event("message_delta", delta={"stop_reason": "refusal", "stop_details": details}, usage={"output_tokens": 1})
    chunks = play([START + end + event("message_stop")])
    assert deltas(chunks)[1:] == [{"refusal": "Not this."}, {}]
    assert chunks[-2].data["choices"][0]["finish_reason"] == "content_filter"


def test_message_and_stream_have_the_same_content() -> None:
    content: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "text", "text": "Warm."},
        {"type": "tool_use", "id": "t1", "name": "read", "input": {"room": "attic"}},
    ]
    body = {"id": "msg_1", "content": content, "model": "claude-x", "stop_reason": "tool_use", "usage": {"input_tokens": 10}}
    message = AnthropicTranslator("claude").completion(body)["choices"][0]["message"]
    parts = [begin(index, **block) + stop(index) for index, block in enumerate(content)]
    streamed = Message()
    for chunk in play([START, *parts, END]):
        streamed.add(Delta.parse(chunk.data))
    assert (streamed.content, streamed.reasoning) == (message["content"], message["reasoning_content"]) == ("Warm.", "Hm.")
    assert [call.to_json() for call in streamed.tool_calls] == message["tool_calls"]
    assert message["reasoning_details"][0]["signature"] == "s"
