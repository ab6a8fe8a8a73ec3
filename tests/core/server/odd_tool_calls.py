"""Streams of tool calls as OpenAI-compatible servers send them, and the calls that they mean."""

import json
from typing import Any

from ...support.fakes.chunks import delta
from ...support.server import CHAT

HEAD = {"id": "chatcmpl-1", "created": 1, "model": "test-model"}


def tool(name: str) -> dict[str, Any]:
    """A strict tool, whose arguments the SDK parses as they arrive."""
    schema = {"type": "object", "properties": {"a": {}}, "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "parameters": schema, "strict": True}}


TOOLS: Any = [tool(name) for name in ("get_weather", "get_time", "light", "light_off")]
ASKED: Any = CHAT | {"tools": TOOLS}


def call(name: object = ..., arguments: object = ..., **fields: Any) -> dict[str, Any]:
    """A piece of a tool call; what is not given is left out."""
    function = {key: value for key, value in {"name": name, "arguments": arguments}.items() if value is not ...}
    return {**fields, "function": function} if function else fields


def piece(*calls: Any, finish: str | None = None) -> dict[str, Any]:
    """A chunk with pieces of tool calls."""
    return HEAD | delta(finish=finish, tool_calls=list(calls))


STOP = HEAD | delta(finish="stop")
LEGACY = [
    HEAD | delta(function_call={"name": "get_weather", "arguments": ""}),
    HEAD | delta(function_call={"arguments": '{"a"'}),
    HEAD | delta(function_call={"arguments": ":1}"}),
    HEAD | delta(finish="function_call"),
]
ONE = [("get_weather", '{"a":1}')]
TWO = [("get_weather", '{"a":1}'), ("get_time", '{"a":2}')]
SAME = [("get_weather", '{"a":1}'), ("get_weather", '{"a":2}')]
EMPTY = [("get_weather", "{}")]
W1, T2 = ("get_weather", '{"a":1}'), ("get_time", '{"a":2}')

CASES: dict[str, tuple[list[Any], list[tuple[str, str]]]] = {
    "valid": (
        [
            piece(call("get_weather", "", index=0, id="a", type="function")),
            piece(call(arguments='{"a":1}', index=0)),
            piece(finish="tool_calls"),
        ],
        ONE,
    ),
    "no index": ([piece(call("get_weather", '{"a"', id="a", type="function")), piece(call(arguments=":1}")), STOP], ONE),
    "no index, two in a chunk": ([piece(call(*W1, id="a"), call(*T2, id="b")), STOP], TWO),
    "no index, two in chunks": ([piece(call(*W1, id="a")), piece(call(*T2, id="b")), STOP], TWO),
    "no index, no ids": ([piece(call(*W1)), piece(call(*T2)), STOP], TWO),
    "no index, no ids, same function": ([piece(call(*W1)), piece(call("get_weather", '{"a":2}')), STOP], SAME),
    "index null": ([piece(call(*W1, index=None, id="a")), STOP], ONE),
    "index text": ([piece(call("get_weather", '{"a"', index="0", id="a")), piece(call(arguments=":1}", index="0")), STOP], ONE),
    "index text of two": ([piece(call(*W1, index="0", id="a"), call(*T2, index="1", id="b")), STOP], TWO),
    "index from 1": ([piece(call("get_weather", '{"a"', index=1, id="a")), piece(call(arguments=":1}", index=1)), STOP], ONE),
    "index from 1 of two": ([piece(call(*W1, index=1, id="a")), piece(call(*T2, index=2, id="b")), STOP], TWO),
    "index negative": ([piece(call(*W1, index=-1, id="a")), STOP], ONE),
    "index huge": ([piece(call(*W1, index=10**12, id="a")), STOP], ONE),
    "index float": ([piece(call(*W1, index=0.0, id="a")), STOP], ONE),
    "index 0 for all, ids differ": ([piece(call(*W1, index=0, id="a")), piece(call(*T2, index=0, id="b")), STOP], TWO),
    "index 0 for all, pieces by id": (
        [
            piece(call("get_weather", "", index=0, id="a"), call("get_time", "", index=0, id="b")),
            piece(call(arguments='{"a":1}', index=0, id="a")),
            piece(call(arguments='{"a":2}', index=0, id="b")),
            STOP,
        ],
        TWO,
    ),
    "index 0 for all, same function": (
        [piece(call(*W1, index=0, id="a")), piece(call("get_weather", '{"a":2}', index=0, id="b")), STOP],
        SAME,
    ),
    "id repeated": (
        [piece(call("get_weather", '{"a"', index=0, id="a")), piece(call(arguments=":1}", index=0, id="a")), STOP],
        ONE,
    ),
    "id and name repeated": (
        [
            piece(call("get_weather", '{"a"', index=0, id="a", type="function")),
            piece(call("get_weather", ":1}", index=0, id="a", type="function")),
            STOP,
        ],
        ONE,
    ),
    "id and name empty": (
        [piece(call("get_weather", '{"a"', index=0, id="a")), piece(call("", ":1}", index=0, id="", type="function")), STOP],
        ONE,
    ),
    "id and name null": (
        [piece(call("get_weather", '{"a"', index=0, id="a")), piece(call(None, ":1}", index=0, id=None, type=None)), STOP],
        ONE,
    ),
    "id and name placeholders": (
        [piece(call("get_weather", '{"a"', index=0, id="a")), piece(call("null", ":1}", index=0, id="None")), STOP],
        ONE,
    ),
    "id new with each piece": (
        [piece(call("get_weather", '{"a"', index=0, id="a")), piece(call("get_weather", ":1}", index=0, id="b")), STOP],
        ONE,
    ),
    "id new with each piece, no names": (
        [piece(call("get_weather", '{"a"', index=0, id="a")), piece(call(arguments=":1}", index=0, id="b")), STOP],
        ONE,
    ),
    "id missing": ([piece(call(*W1, index=0)), STOP], ONE),
    "id empty": ([piece(call(*W1, index=0, id="")), STOP], ONE),
    "id null": ([piece(call(*W1, index=0, id=None)), STOP], ONE),
    "id a number": ([piece(call(*W1, index=0, id=7)), STOP], ONE),
    "id late": ([piece(call("get_weather", "", index=0)), piece(call(arguments='{"a":1}', index=0, id="a")), STOP], ONE),
    "id twice": ([piece(call(*W1, index=0, id="a")), piece(call(*T2, index=1, id="a")), STOP], TWO),
    "id twice under one index": ([piece(call(*W1, index=0, id="a")), piece(call(*T2, index=0, id="a")), STOP], TWO),
    "id twice, same function": (
        [piece(call(*W1, index=0, id="a")), piece(call("get_weather", '{"a":2}', index=0, id="a")), STOP],
        SAME,
    ),
    "id twice in one chunk": ([piece(call(*W1, index=0, id="a"), call(*T2, index=1, id="a")), STOP], TWO),
    "name in pieces": (
        [
            piece(call("get_", "", index=0, id="a")),
            piece(call("weather", "", index=0)),
            piece(call(arguments='{"a":1}', index=0)),
            STOP,
        ],
        ONE,
    ),
    "name in pieces with ids": (
        [
            piece(call("get_", "", index=0, id="a")),
            piece(call("weather", "", index=0, id="a")),
            piece(call(arguments='{"a":1}', index=0, id="a")),
            STOP,
        ],
        ONE,
    ),
    "name in pieces, last with arguments": (
        [piece(call("get_wea", index=0, id="a")), piece(call("ther", '{"a":1}', index=0)), STOP],
        ONE,
    ),
    "name that grows": (
        [
            piece(call("get_", "", index=0, id="a")),
            piece(call("get_weather", "", index=0, id="a")),
            piece(call(arguments='{"a":1}', index=0)),
            STOP,
        ],
        ONE,
    ),
    "name that begins another": (
        [piece(call("light", "", index=0, id="a")), piece(call(arguments='{"a":1}', index=0)), STOP],
        [("light", '{"a":1}')],
    ),
    "name that is continued to another": (
        [
            piece(call("light", "", index=0, id="a")),
            piece(call("_off", "", index=0)),
            piece(call(arguments='{"a":1}', index=0)),
            STOP,
        ],
        [("light_off", '{"a":1}')],
    ),
    "name unknown": (
        [piece(call("dance", "", index=0, id="a")), piece(call(arguments='{"a":1}', index=0)), STOP],
        [("dance", '{"a":1}')],
    ),
    "name late": (
        [
            piece(call(index=0, id="a", type="function")),
            piece(call("get_weather", index=0)),
            piece(call(arguments='{"a":1}', index=0)),
            STOP,
        ],
        ONE,
    ),
    "arguments an object": ([piece(call("get_weather", {"a": 1}, index=0, id="a")), STOP], ONE),
    "arguments an object, two calls": (
        [piece(call("get_weather", {"a": 1}, id="a"), call("get_time", {"a": 2}, id="b")), STOP],
        TWO,
    ),
    "arguments an empty object": ([piece(call("get_weather", {}, index=0, id="a")), STOP], EMPTY),
    "arguments null": ([piece(call("get_weather", None, index=0, id="a")), STOP], EMPTY),
    "arguments null at first": (
        [piece(call("get_weather", None, index=0, id="a")), piece(call(arguments='{"a":1}', index=0)), STOP],
        ONE,
    ),
    "arguments null at last": ([piece(call(*W1, index=0, id="a")), piece(call(arguments=None, index=0)), STOP], ONE),
    "arguments the text null": ([piece(call("get_weather", "null", index=0, id="a")), STOP], EMPTY),
    "arguments the text null in pieces": (
        [piece(call("get_weather", "nu", index=0, id="a")), piece(call(arguments="ll", index=0)), STOP],
        EMPTY,
    ),
    "arguments with null inside": (
        [
            piece(call("get_weather", '{"a":', index=0, id="a")),
            piece(call(arguments="null", index=0)),
            piece(call(arguments="}", index=0)),
            STOP,
        ],
        [("get_weather", '{"a":null}')],
    ),
    "arguments empty": ([piece(call("get_weather", "", index=0, id="a")), STOP], EMPTY),
    "arguments empty, two calls": (
        [piece(call("get_weather", "", index=0, id="a")), piece(call("get_time", "", index=1, id="b")), STOP],
        [*EMPTY, ("get_time", "{}")],
    ),
    "arguments null, two calls": (
        [piece(call("get_weather", None, index=0, id="a"), call("get_time", None, index=1, id="b")), STOP],
        [*EMPTY, ("get_time", "{}")],
    ),
    "arguments missing": ([piece(call("get_weather", index=0, id="a")), STOP], EMPTY),
    "arguments a list": ([piece(call("get_weather", [], index=0, id="a")), STOP], EMPTY),
    "arguments encoded twice": ([piece(call("get_weather", json.dumps('{"a":1}'), index=0, id="a")), STOP], ONE),
    "arguments repeated": ([piece(call(*W1, index=0, id="a")), piece(call(*W1, index=0, id="a")), STOP], ONE),
    "arguments interleaved": (
        [
            piece(call("get_weather", "", index=0, id="a"), call("get_time", "", index=1, id="b")),
            piece(call(arguments='{"a"', index=0), call(arguments='{"a"', index=1)),
            piece(call(arguments=":2}", index=1), call(arguments=":1}", index=0)),
            STOP,
        ],
        TWO,
    ),
    "arguments with half a pair": (
        [piece(call("get_weather", '{"a":"\ud83d"}', index=0, id="a")), STOP],
        [("get_weather", '{"a":"\ufffd"}')],
    ),
    "arguments with an escaped half": (
        [piece(call("get_weather", '{"a":"\\ud83d"}', index=0, id="a")), STOP],
        [("get_weather", '{"a":"\\ufffd"}')],
    ),
    "arguments with an escaped half in pieces": (
        [piece(call("get_weather", '{"a":"\\ud8', index=0, id="a")), piece(call(arguments='3d"}', index=0)), STOP],
        [("get_weather", '{"a":"\\ufffd"}')],
    ),
    "arguments with a pair in pieces": (
        [piece(call("get_weather", '{"a":"\ud83d', index=0, id="a")), piece(call(arguments='\ude00"}', index=0)), STOP],
        [("get_weather", '{"a":"\U0001f600"}')],
    ),
    "type missing": ([piece(call(*W1, index=0, id="a")), STOP], ONE),
    "type empty": ([piece(call(*W1, index=0, id="a", type="")), STOP], ONE),
    "type null": ([piece(call(*W1, index=0, id="a", type=None)), STOP], ONE),
    "no function": ([piece({"index": 0, "id": "a", "name": "get_weather", "arguments": '{"a":1}'}), STOP], ONE),
    "one call without a list": ([HEAD | delta(tool_calls=call(*W1, index=0, id="a")), STOP], ONE),
    "function_call": (LEGACY, ONE),
    "function_call and tool_calls": (
        [
            HEAD | delta(tool_calls=[call(*W1, index=0, id="a")], function_call={"name": "get_weather", "arguments": '{"a":1}'}),
            STOP,
        ],
        ONE,
    ),
    "function_call null": ([HEAD | delta("", function_call=None, tool_calls=[call(*W1, index=0, id="a")]), STOP], ONE),
    "message in a stream": (
        [
            HEAD
            | {
                "object": "chat.completion",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": None, "tool_calls": [call(*W1, id="a", type="function")]},
                        "finish_reason": "tool_calls",
                    }
                ],
            }
        ],
        ONE,
    ),
    "all in the last chunk": ([piece(call(*W1, index=0, id="a", type="function"), finish="stop")], ONE),
    "call after the finish reason": (
        [piece(call(*W1, index=0, id="a"), finish="stop"), piece(call(*T2, index=1, id="b"), finish="stop")],
        TWO,
    ),
    "no finish reason": ([piece(call(*W1, index=0, id="a"))], ONE),
    "no finish reason, arguments null": ([piece(call("get_weather", None, index=0, id="a"))], EMPTY),
    "finish reason of another API": ([piece(call(*W1, index=0, id="a")), HEAD | delta(finish="tool_use")], ONE),
    "empty lists beside text": (
        [
            HEAD | delta("Hm", tool_calls=[]),
            HEAD | delta("", tool_calls=None),
            piece(call(*W1, index=0, id="a")),
            HEAD | delta(finish="stop", tool_calls=[]),
        ],
        ONE,
    ),
}
