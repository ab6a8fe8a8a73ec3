"""How deep untrusted JSON may be nested, and that the installed orjson takes what is let through."""

from collections.abc import Callable
from contextlib import suppress
import json as stdlib
import os
import subprocess
import sys
import time
from typing import Any

from hypothesis import given, strategies as st
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


@pytest.mark.parametrize("raw", [b"", b"{", b"NaN", b"Infinity", b"1e999", b'"\\ud800', b'"\xff"', b"[" * 5000])
def test_loads_what_is_not_json_raises(raw: bytes) -> None:
    with pytest.raises(json.JSONDecodeError):
        json.loads(raw)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'"\\ud83d"', "\ufffd"),
        (b'"\\uDE00"', "\ufffd"),
        (b'"a\\ud83d\\ud83d\\ude00b\\ude00\\ud83d"', "a\ufffd\U0001f600b\ufffd\ufffd"),
        (b'"\\ud83d\\u0041"', "\ufffdA"),
        (b'"\\\\ud83d \\ud83d"', "\\ud83d \ufffd"),
        (b'"\\\\\\ud83d"', "\\\ufffd"),
        (b'"\xed\xa0\xbd"', "\ufffd"),
        (b'"\xed\xa0\xbd\xed\xb8\x80 \\ud83d \xc3\xa4"', "\U0001f600 \ufffd \xe4"),
    ],
)
def test_loads_surrogates_are_joined_or_replaced(raw: bytes, text: str) -> None:
    assert json.loads(raw) == json.loads(bytearray(raw)) == text
    assert json.loads(raw.decode(errors="surrogatepass")) == text
    assert orjson.loads(json.mended(raw)) == text


@given(st.text(st.characters() | st.characters(categories=["Cs"]) | st.sampled_from('\\u"d')))
def test_loads_any_text_of_python_and_javascript_is_read(text: str) -> None:
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert json.loads(stdlib.dumps(text)) == whole
    assert json.loads(stdlib.dumps(text, ensure_ascii=False)) == whole


@given(st.text())
def test_mended_valid_text_is_unchanged(text: str) -> None:
    for raw in (orjson.dumps(text), stdlib.dumps(text).encode()):
        assert json.mended(raw) == raw


def test_mended_bytes_that_are_not_utf8_are_replaced() -> None:
    assert orjson.loads(json.mended(b'"a\xff\xc3"')) == "a\ufffd\ufffd"


@pytest.mark.parametrize("unit", [b"\\ud83d", b"\\ude00", b"\\", b"\\ud83d\\", b"\xed\xa0\xbd"])
def test_loads_many_surrogates_take_linear_time(unit: bytes) -> None:
    started = time.perf_counter()
    with suppress(json.JSONDecodeError):
        json.loads(b'"' + unit * 200_000 + b'"')
    assert time.perf_counter() - started < 5  # quadratic work would take minutes


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
