"""Chunks of any shape are repaired, left out or refused, and what is passed on has OpenAI's format."""

from typing import Any

from hypothesis import given, strategies as st
import orjson

from zeroconf_ai.dialects.openai.completion_repair import repaired_completion
from zeroconf_ai.dialects.openai.expected import Expected
from zeroconf_ai.dialects.openai.upstream_response import ChunkRepair
from zeroconf_ai.protocol.request import Kind

values = (
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.sampled_from(["", "null", "f", "g", "a", '{"x":1}', "{", "stop", "tool_calls"])
)
function = st.dictionaries(st.sampled_from(["name", "arguments"]), values | st.dictionaries(st.just("x"), values, max_size=1))
call = st.dictionaries(st.sampled_from(["index", "id", "type", "name"]), values).flatmap(
    lambda fields: function.map(lambda inner: {**fields, "function": inner})
)
delta = st.fixed_dictionaries(
    {},
    optional={"content": values, "tool_calls": values | st.lists(call | values, max_size=3), "function_call": function | values},
)
choice = st.fixed_dictionaries(
    {}, optional={"index": values, "delta": delta | values, "message": delta | values, "text": values, "finish_reason": values}
)
chunk = st.fixed_dictionaries(
    {}, optional={"object": values, "choices": values | st.lists(choice | values, max_size=2), "usage": values}
)


@given(st.lists(chunk, max_size=8))
def test_chunks_of_any_shape_become_openais(chunks: list[dict[str, Any]]) -> None:
    repair = ChunkRepair(Expected(Kind.CHAT, frozenset({"f", "g"})))
    sent = [made for data in chunks for made in repair.feed(orjson.dumps(data))] + repair.flush()
    begun: dict[tuple[int, int], str] = {}
    for made in sent:
        data = orjson.loads(made.raw)
        assert data["object"] == "chat.completion.chunk"
        for found in data["choices"]:
            assert isinstance(found["index"], int)
            pieces = found["delta"].get("tool_calls") or []
            assert isinstance(pieces, list)
            for piece in pieces:
                key = found["index"], piece["index"]
                assert isinstance(piece["function"]["arguments"], str)
                assert (key in begun) is not ("id" in piece)
                begun.setdefault(key, piece.get("id"))
    assert len(set(begun.items())) == len(begun)


@given(chunk)
def test_completions_of_any_shape_are_repaired_without_error(data: dict[str, Any]) -> None:
    orjson.dumps(repaired_completion(data, Expected()))
