"""Answers, read from any server: deltas, tool calls in pieces, whole completions."""

from itertools import pairwise
import json
from typing import Any
from unittest.mock import Mock

from hypothesis import given, strategies as st
import orjson
import pytest

from zeroconf_ai.protocol.chunks import Chunk, ChunkWriter, Delta, Message, completion_as_chunk
from zeroconf_ai.protocol.tool_calls import ToolCall, ToolCallDelta
from zeroconf_ai.protocol.usage import Usage

ARGUMENTS = '{"name":"kitchen light","level":50}'


def chunk(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"tool_calls": list(calls)}}]}


def call(name: str | None = None, arguments: object = None, **fields: Any) -> dict[str, Any]:
    function = {key: value for key, value in {"name": name, "arguments": arguments}.items() if value is not None}
    return {**fields, "function": function}


def assembled(*chunks: dict[str, Any]) -> list[ToolCall]:
    message = Message()
    for data in chunks:
        message.add(Delta.parse(data))
    return message.tool_calls


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["choices", "delta", "message", "content", "text", "tool_calls", "function", "arguments", "id", "name", "index", "usage"]
chunk_like = st.recursive(
    anything | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=15,
)


@given(
    st.one_of(
        st.dictionaries(st.sampled_from(FIELDS), chunk_like),
        st.fixed_dictionaries({"choices": st.lists(st.fixed_dictionaries({"delta": chunk_like}), max_size=2)}),
        st.fixed_dictionaries(
            {
                "choices": st.just([{}])
                | st.lists(st.fixed_dictionaries({"delta": st.fixed_dictionaries({"tool_calls": chunk_like})}))
            }
        ),
    )
)
def test_delta_of_unexpected_types_is_parsed_without_error(data: dict[str, Any]) -> None:
    delta = Delta.parse(data)
    message = Message()
    message.add(delta)
    message.add(delta)
    orjson.dumps(ChunkWriter("m").completion(message))
    assert isinstance(delta.content, str)
    assert isinstance(delta.reasoning, str)
    for piece in delta.tool_calls:
        assert isinstance(piece.index, int)
        assert isinstance(piece.arguments, str)
        assert piece.id is None or isinstance(piece.id, str)
        assert piece.name is None or isinstance(piece.name, str)


def test_chunk_nested_endlessly_is_parsed_without_recursion_error() -> None:
    content: object = "deep"
    for _ in range(400):
        content = [{"text": content}]
    assert Delta.parse({"choices": [{"delta": {"content": content}}]}).content == ""


@pytest.mark.parametrize(
    ("data", "content", "reasoning"),
    [
        ({"choices": [{"delta": {"content": "a"}}]}, "a", ""),
        ({"choices": [{"message": {"content": "a"}}]}, "a", ""),
        ({"choices": [{"text": "a"}]}, "a", ""),
        ({"choices": [{"delta": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}]}, "ab", ""),
        ({"choices": [{"delta": {"reasoning_content": "r"}}]}, "", "r"),
        ({"choices": [{"delta": {"reasoning": "r", "content": ""}}]}, "", "r"),
        ({"choices": [{"delta": {"content": None}}]}, "", ""),
        ({"choices": []}, "", ""),
        ({"choices": None}, "", ""),
        ({}, "", ""),
    ],
)
def test_delta_text_and_reasoning_are_found_in_each_servers_field(data: dict[str, Any], content: str, reasoning: str) -> None:
    delta = Delta.parse(data)
    assert (delta.content, delta.reasoning) == (content, reasoning)


@pytest.mark.parametrize(
    ("delta", "has_token"),
    [
        ({"role": "assistant"}, False),
        ({"role": "assistant", "content": ""}, False),
        ({"content": "a"}, True),
        ({"reasoning": "a"}, True),
        ({"tool_calls": [call("f")]}, True),
    ],
)
def test_delta_with_a_role_only_has_no_token(delta: dict[str, Any], has_token: bool) -> None:
    assert Delta.parse({"choices": [{"delta": delta}]}).has_token is has_token


def test_delta_with_a_finish_reason_has_a_token() -> None:
    assert Delta.parse({"choices": [{"delta": {}, "finish_reason": "stop"}]}).has_token
    assert not Delta.parse({"choices": [{"delta": {}, "finish_reason": ""}]}).has_token


@given(st.lists(st.integers(0, len(ARGUMENTS)), max_size=8))
def test_tool_call_split_anywhere_is_assembled(places: list[int]) -> None:
    edges = [0, *sorted(places), len(ARGUMENTS)]
    pieces = [ARGUMENTS[begin:end] for begin, end in pairwise(edges)]
    calls = assembled(chunk(call("light", "", index=0, id="a")), *(chunk(call(arguments=piece, index=0)) for piece in pieces))
    assert calls == [ToolCall("a", "light", ARGUMENTS)]


def test_tool_calls_in_parallel_are_separated_by_index() -> None:
    calls = assembled(
        chunk(call("f", "", index=0, id="a"), call("g", "", index=1, id="b")),
        chunk(call(arguments="{1", index=1)),
        chunk(call(arguments="{0", index=0)),
        chunk(call(arguments="}", index=0), call(arguments="}", index=1)),
    )
    assert calls == [ToolCall("a", "f", "{0}"), ToolCall("b", "g", "{1}")]


def test_tool_calls_are_in_the_models_order() -> None:
    assert [
        c.name for c in assembled(chunk(call("second", "{}", index=1, id="b")), chunk(call("first", "{}", index=0, id="a")))
    ] == [
        "first",
        "second",
    ]


def test_tool_calls_all_numbered_0_are_separated_by_id() -> None:
    calls = assembled(
        chunk(call("f", "", index=0, id="a")),
        chunk(call(arguments="{1}", index=0)),
        chunk(call("g", "", index=0, id="b")),
        chunk(call(arguments="{2", index=0)),
        chunk(call(arguments="}", index=0, id="b")),
    )
    assert calls == [ToolCall("a", "f", "{1}"), ToolCall("b", "g", "{2}")]


def test_tool_calls_without_index_and_id_are_separated_by_name() -> None:
    calls = assembled(chunk(call("f", '{"a":1}')), chunk(call("g", '{"a":2}')))
    assert [(c.name, c.arguments) for c in calls] == [("f", '{"a":1}'), ("g", '{"a":2}')]


def test_tool_calls_complete_of_one_tool_are_not_merged() -> None:
    calls = assembled(chunk(call("f", '{"a":1}')), chunk(call("f", '{"a":2}')))
    assert [c.arguments for c in calls] == ['{"a":1}', '{"a":2}']
    assert calls[0].id != calls[1].id


def test_tool_calls_without_index_are_numbered_by_position() -> None:
    calls = assembled(chunk(call("f", "{}", id="a"), call("f", "{}", id="b")))
    assert [c.id for c in calls] == ["a", "b"]


def test_tool_call_with_a_repeated_name_is_one_call() -> None:
    calls = assembled(chunk(call("f", '{"a"', index=0, id="a")), chunk(call("f", ":1}", index=0, id="a")))
    assert calls == [ToolCall("a", "f", '{"a":1}')]
    (one,) = assembled(chunk(call("f", '{"a"', index=0)), chunk(call("f", ":1}", index=0)))
    assert one.arguments == '{"a":1}'


def test_tool_call_without_id_gets_one() -> None:
    (made,) = assembled(chunk(call("f", "{}", index=0)))
    assert made.id.startswith("call_")


def test_tool_call_arguments_as_object_are_serialized() -> None:
    (one,) = assembled(chunk(call("f", {"name": "ä"}, index=0, id="a")))
    assert json.loads(one.arguments) == {"name": "ä"}


def test_tool_call_without_a_name_is_dropped() -> None:
    assert assembled(chunk(call(arguments="{}", index=3))) == []


def test_tool_call_name_after_the_id_is_accepted() -> None:
    assert assembled(chunk(call(index=0, id="a")), chunk(call("f", "{}", index=0))) == [ToolCall("a", "f", "{}")]


@pytest.mark.parametrize("odd", [5, {"a": 1}, ["x"], "", None, True])
def test_tool_call_ids_and_names_of_other_types_are_ignored(odd: object) -> None:
    (piece,) = Delta.parse(chunk({"index": 0, "id": odd, "function": {"name": odd, "arguments": odd}})).tool_calls
    assert (piece.id, piece.name) == (None, None)


def test_message_has_the_last_finish_reason_and_usage() -> None:
    message = Message()
    for delta in (Delta("He"), Delta("llo", "hm"), Delta(finish_reason="stop"), Delta(usage=Usage(3, 2))):
        message.add(delta)
    assert (message.content, message.reasoning, message.finish_reason, message.usage) == ("Hello", "hm", "stop", Usage(3, 2))


def test_chunk_usage_is_parsed_from_the_chunk_with_usage() -> None:
    assert Chunk(b'{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}').usage == Usage(3, 2)
    assert Chunk(b'{"choices":[],"usage":null}').usage is None
    assert Chunk(b'{"choices":[]}').usage is None


@pytest.mark.parametrize(
    "raw",
    [
        b'{"choices":[{"index":0,"delta":{"content":"Hi"}}],"usage":null,"obfuscation":"x"}',
        b'{"usage": null, "choices": []}',
        b'{"usage"\t:\n null, "choices": [{"delta": {"content": "the key \\"usage\\":{} of it"}}]}',
    ],
)
def test_chunk_usage_null_is_detected_without_parsing(raw: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    parse = Mock(wraps=orjson.loads)
    monkeypatch.setattr("zeroconf_ai.protocol.chunks.json.loads", parse)
    assert Chunk(raw).usage is None
    parse.assert_not_called()


@pytest.mark.parametrize(
    "raw",
    [
        b'{"choices":[{"delta":{"usage":null}}],"usage":{"prompt_tokens":3,"completion_tokens":2}}',
        b'{"usage":{"prompt_tokens":3,"completion_tokens":2},"x":{"usage":null}}',
        b'{"usage":null,"usage":{"prompt_tokens":3,"completion_tokens":2}}',
        b'{"model":"usage","usage":{"prompt_tokens":3,"completion_tokens":2}}',
    ],
)
def test_chunk_usage_null_elsewhere_does_not_hide_usage(raw: bytes) -> None:
    assert Chunk(raw).usage == Usage(3, 2)


@pytest.mark.parametrize("raw", [b"", b"x", b"[]", b"null", b'"a"', b"\xff", b"[" * 5000])
def test_chunk_that_is_not_an_object_has_empty_data(raw: bytes) -> None:
    assert Chunk(raw).data == {}
    assert completion_as_chunk(Chunk(raw)).raw == raw


def test_chunk_repr_contains_no_text() -> None:
    assert "secret" not in repr(Chunk(b'{"choices":[{"delta":{"content":"secret"}}]}'))


def test_completion_is_converted_to_one_chunk() -> None:
    message = {"role": "assistant", "content": "Hi", "tool_calls": [call("f", "{}", id="a"), call("g", "{}", id="b")]}
    whole = {
        "id": "x",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1},
    }
    found = completion_as_chunk(Chunk.of(whole))
    delta = Delta.parse(orjson.loads(found.raw))
    assert found.data["object"] == "chat.completion.chunk"
    assert "message" not in found.data["choices"][0]
    assert (delta.content, delta.finish_reason, delta.usage) == ("Hi", "stop", Usage(1))
    assert [piece.index for piece in delta.tool_calls] == [0, 1]


def test_text_completion_is_not_converted() -> None:
    raw = b'{"object":"text_completion","choices":[{"text":"Hi","finish_reason":"stop"}]}'
    assert completion_as_chunk(Chunk(raw)).raw == raw


def test_chunk_writer_chunks_share_the_id_and_are_parsed_back() -> None:
    writer = ChunkWriter("demo")
    chunks = [
        writer.chunk({"role": "assistant"}),
        writer.chunk({"content": "Hi"}),
        writer.chunk({}, "stop"),
        writer.usage(Usage(3, 2)),
    ]
    message = Message()
    for item in chunks:
        message.add(Delta.parse(orjson.loads(item.raw)))
    assert {(item.data["id"], item.data["created"], item.data["model"]) for item in chunks} == {
        (writer.id, writer.created, "demo")
    }
    assert (message.content, message.finish_reason, message.usage) == ("Hi", "stop", Usage(3, 2))


def test_chunk_writer_completion_has_openais_format() -> None:
    message = Message("Hi", "hm", "tool_calls", Usage(3, 2))
    message.add(Delta(tool_calls=(ToolCallDelta(0, "a", "f", "{}"),)))
    body = ChunkWriter("demo").completion(message)
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"] == {
        "role": "assistant",
        "content": "Hi",
        "refusal": None,
        "reasoning_content": "hm",
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    assert body["usage"]["total_tokens"] == 5
