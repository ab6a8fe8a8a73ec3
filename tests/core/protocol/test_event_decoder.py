"""Events by content: the same however the network cuts the bytes, and bounded."""

from contextlib import suppress
from itertools import pairwise
import time

from hypothesis import given, strategies as st
import pytest

from zeroconf_ai.protocol.event_decoder import EventDecoder
from zeroconf_ai.protocol.sse import MAX_EVENT_BYTES

PARTS = [
    b"data: ",
    b"{",
    b"}",
    b'{"a":"',
    b'"}',
    b"\\ud83d",
    b"\\ude00",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"[",
    b"event: x",
    b"\xed\xa0\xbd",
    b" ",
]
streams = st.lists(st.sampled_from(PARTS) | st.binary(max_size=3), max_size=30).map(b"".join)


def decoded(*parts: bytes) -> list[bytes]:
    decoder = EventDecoder()
    return [event.data for part in parts for event in decoder.feed(part)] + [event.data for event in decoder.flush()]


@given(streams, st.lists(st.integers(0, 500), max_size=10))
def test_events_split_anywhere_are_the_same(stream: bytes, places: list[int]) -> None:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    assert decoded(*(stream[begin:end] for begin, end in pairwise(edges))) == decoded(stream)


def test_events_of_lines_are_returned_when_they_are_complete() -> None:
    decoder = EventDecoder()
    assert [event.data for event in decoder.feed(b'{"a":1}\n{"b"')] == [b'{"a":1}']
    assert [event.data for event in decoder.feed(b":2}\n")] == [b'{"b":2}']


def test_event_that_ends_with_half_a_pair_waits_for_the_next_one() -> None:
    decoder = EventDecoder()
    assert decoder.feed(b'data: {"a":"x\\ud83d"}\n\n') == []
    assert [event.data for event in decoder.feed(b'data: {"a":"\\ude00"}\n\n')] == [b'{"a":"x"}', b'{"a":"\\ud83d\\ude00"}']


def test_json_on_endless_lines_is_bounded() -> None:
    decoder = EventDecoder()
    line = b'"' + b"x" * 1_000_000 + b'",\n'
    with pytest.raises(ValueError, match=f"{MAX_EVENT_BYTES} bytes"):
        decoder.feed(b"[\n" + line * 20)


@pytest.mark.parametrize("unit", [b"{\n", b"}\n", b" \n", b'"a\\ud83d"\n', b"data: {\\ud83d}\n"])
def test_hostile_stream_in_small_pieces_is_decoded_in_linear_time(unit: bytes) -> None:
    started = time.perf_counter()
    with suppress(ValueError):
        decoded(b"{", *([unit] * 20_000))
    assert time.perf_counter() - started < 10  # quadratic work would take minutes
