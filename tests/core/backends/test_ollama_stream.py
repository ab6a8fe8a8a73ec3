"""Ollama's lines, wherever a network cuts them, and how long one may be."""

import itertools
from typing import Any

from hypothesis import given, strategies as st
import orjson
import pytest

from zeroconf_ai.dialects.ollama.upstream_response import OllamaTranslator
from zeroconf_ai.protocol.errors import StreamBrokenError
from zeroconf_ai.protocol.ndjson import LineDecoder


def line(message: dict[str, Any], **fields: Any) -> bytes:
    return orjson.dumps({"model": "m", "created_at": "2026-11-21T10:00:00Z", "message": message, "done": False, **fields}) + b"\n"


LAST = line({"role": "assistant", "content": ""}, done=True, done_reason="stop", prompt_eval_count=12, eval_count=7)
RECORDED = b"".join([
    line({"role": "assistant", "content": "", "thinking": "Grüße"}),
    line({"role": "assistant", "content": "Mo"}),
    b"\n",
    line({"role": "assistant", "content": "ment…"}),
    line({"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "function": {"name": "read", "arguments": {"a": 1}}}]}),
    line({"role": "assistant", "content": "", "tool_calls": [{"id": "c2", "function": {"index": 1, "name": "stop"}}]}),
    LAST,
])  # fmt: skip


def cut(raw: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(min(place, len(raw)) for place in cuts), len(raw)]
    return [raw[begin:end] for begin, end in itertools.pairwise(places) if begin != end]


def play(parts: list[bytes], **options: Any) -> list[dict[str, Any]]:
    translator = OllamaTranslator("m", **options)
    chunks = [chunk.data for part in [*parts, b""] if not translator.done for chunk in translator.feed(part)]
    assert translator.complete
    return chunks


def test_recorded_lines_become_these_chunks() -> None:
    chunks = play([RECORDED])

    def call(index: int, call_id: str, name: str, arguments: str) -> dict[str, Any]:
        function = {"name": name, "arguments": arguments}
        return {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]}

    assert [chunk["choices"][0]["delta"] for chunk in chunks[:-1]] == [
        {"role": "assistant", "reasoning_content": "Grüße"},
        {"content": "Mo"},
        {"content": "ment…"},
        call(0, "c1", "read", '{"a":1}'),
        call(1, "c2", "stop", "{}"),
        {},
    ]
    assert chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"
    assert (chunks[-1]["usage"]["prompt_tokens"], chunks[-1]["usage"]["completion_tokens"]) == (12, 7)
    assert "estimated" not in chunks[-1]["usage"]


@given(st.lists(st.integers(0, len(RECORDED)), max_size=40))
def test_lines_split_anywhere_give_the_same_answer(cuts: list[int]) -> None:
    def deltas(parts: list[bytes]) -> list[Any]:
        return [chunk["choices"][0]["delta"] for chunk in play(parts)[:-1]]

    assert deltas(cut(RECORDED, cuts)) == deltas([RECORDED])


def test_ndjson_last_line_without_newline_is_returned() -> None:
    assert play([RECORDED.rstrip()])[-1]["usage"]["total_tokens"] == 19


def test_ollama_lines_after_done_are_not_read() -> None:
    assert len(play([LAST + line({"content": "more"})])) == 2


@pytest.mark.parametrize("begin", [b"\n", RECORDED[: RECORDED.index(b"\n") + 1]])
@pytest.mark.parametrize("raw", [b"{oops\n", b"[7]\n"])
def test_stream_that_is_not_ollamas_is_an_error(begin: bytes, raw: bytes) -> None:
    translator = OllamaTranslator("m")
    translator.feed(begin)
    with pytest.raises(ValueError, match="an event that is not"):
        _ = translator.feed(raw) + translator.feed(b"")


@pytest.mark.parametrize("raw", [b"7\n", b'"x"\n', b"<html>"])
def test_stream_without_an_answer_is_not_complete(raw: bytes) -> None:
    translator = OllamaTranslator("m")
    assert translator.feed(raw) + translator.feed(b"") == []
    assert not translator.complete


def test_stream_error_contains_no_secrets() -> None:
    translator = OllamaTranslator("m", secrets=("secret-of-the-attic",))
    with pytest.raises(StreamBrokenError) as raised:
        translator.feed(b'{"error":"runner died with secret-of-the-attic"}\n')
    assert str(raised.value) == "Ollama reported an error instead of an answer"
    assert raised.value.log_text == "Ollama reported an error instead of an answer: runner died with ***"


@given(st.lists(st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b"")), max_size=10), st.lists(st.integers(0, 200)))
def test_ndjson_lines_are_returned_unchanged(lines: list[bytes], cuts: list[int]) -> None:
    decoder = LineDecoder()
    found = [found for part in cut(b"\n".join(lines), cuts) for found in decoder.feed(part)] + decoder.flush()
    assert found == [stripped for raw in lines if (stripped := raw.strip())]


@pytest.mark.parametrize("raw", [b"x" * 11, b"x" * 11 + b"\n", b"ok\n" + b"x" * 11])
def test_ndjson_line_beyond_the_limit_raises(raw: bytes) -> None:
    with pytest.raises(ValueError, match="more than 10 bytes"):
        LineDecoder(max_line_bytes=10).feed(raw)


def test_ndjson_limit_applies_to_single_lines() -> None:
    assert LineDecoder(max_line_bytes=10).feed(b"0123456789\n" * 100) == [b"0123456789"] * 100
