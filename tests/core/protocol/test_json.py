"""How deep untrusted JSON may be nested, and that the installed orjson takes what is let through."""

from collections.abc import Callable
import os
import subprocess
import sys
from typing import Any

import orjson
import pytest

from zeroconf_ai.protocol import json
from zeroconf_ai.protocol.errors import InvalidRequestError
from zeroconf_ai.protocol.request import Kind, Request

from ...support.fakes.upstream import nested

SHAPES: dict[str, Callable[[int], bytes]] = {
    "lists": lambda depth: b"[" * depth + b"]" * depth,
    "objects": lambda depth: b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1),
    "zigzag": lambda depth: b"[1," * (depth - 1) + b"{}" + b",2]" * (depth - 1),
    "beside": lambda depth: b"[" + b"[]," * 2000 + b"[" * (depth - 1) + b"]" * depth,
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("depth", [2, 63, json.MAX_DEPTH])
def test_loads_up_to_the_limit_returns_the_value(shape: Callable[[int], bytes], depth: int) -> None:
    raw = shape(depth)
    assert json.loads(raw) == json.loads(raw.decode()) == orjson.loads(raw)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("depth", [json.MAX_DEPTH + 1, 250, 1000])
def test_loads_beyond_the_limit_raises(shape: Callable[[int], bytes], depth: int) -> None:
    raw = shape(depth)
    for text in (raw, bytearray(raw), raw.decode()):
        with pytest.raises(json.DepthError, match=r"^JSON nested deeper than 64 levels$"):
            json.loads(text)


def test_loads_brackets_inside_a_text_are_not_counted() -> None:
    assert json.loads(orjson.dumps(["[{" * 1000])) == ["[{" * 1000]


@pytest.mark.parametrize("raw", [b"", b"{", b"NaN", b"Infinity", b"1e999", b'"\\ud800"', b'"\xff"', b"[" * 5000])
def test_loads_what_is_not_json_raises(raw: bytes) -> None:
    with pytest.raises(json.JSONDecodeError):
        json.loads(raw)


def test_check_depth_value_that_contains_itself_raises() -> None:
    ring: list[Any] = []
    ring += [ring] * 10
    with pytest.raises(json.DepthError):
        json.check_depth({"ring": ring})


def test_check_depth_many_references_to_few_containers_is_quick() -> None:
    value: Any = [1]
    for _ in range(50):
        value = [value, value]  # 2 ** 50 paths
    json.check_depth(value)


@pytest.mark.parametrize("kind", [list, tuple, lambda items: {"a": items[0]}])
def test_check_depth_counts_all_containers(kind: Any) -> None:
    value: Any = "x"
    for _ in range(json.MAX_DEPTH):
        value = kind([value])
    json.check_depth(value)
    with pytest.raises(json.DepthError):
        json.check_depth(kind([value]))


def test_request_of_objects_beyond_the_limit_is_refused() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "metadata": nested(json.MAX_DEPTH)}
    with pytest.raises(InvalidRequestError, match="64 levels"):
        Request.parse(Kind.CHAT, body)


_DUMPS = """
import sys, orjson
depth = int(sys.argv[1])
lists, objects = (orjson.loads(b'[' * depth + b']' * depth), orjson.loads(b'{"a":' * depth + b'1' + b'}' * depth))
for nested in (lists, objects):
    for count in (*range(1, 40), 128, 500):
        for padding in range(0, 300, 7):
            orjson.dumps(["x" * padding, [nested] * count])
            orjson.dumps(["x" * padding, {str(number): nested for number in range(count)}])
            orjson.dumps(["x" * padding, [nested] * count], option=orjson.OPT_INDENT_2)
print("sound")
"""


def test_orjson_dumps_the_deepest_values_in_envelopes_without_an_overrun() -> None:
    """Python's debug allocator aborts the process for a single byte beyond a buffer. 16 levels are for envelopes."""
    depth = str(json.MAX_DEPTH + 16)
    environment = {**os.environ, "PYTHONMALLOC": "debug"}
    done = subprocess.run(
        [sys.executable, "-c", _DUMPS, depth], capture_output=True, text=True, timeout=300, check=False, env=environment
    )
    assert (done.returncode, done.stdout) == (0, "sound\n"), done.stderr
