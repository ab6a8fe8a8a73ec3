"""Server-Sent Events: the same events however the network cuts the bytes, and never more memory than allowed."""

from collections.abc import Iterable
from itertools import pairwise
import json
import time

from hypothesis import example, given, strategies as st
import pytest

from zeroconf_ai.protocol.sse import DONE, PING, SSEDecoder, SSEEvent, encode


def decode(*parts: bytes) -> list[SSEEvent]:
    decoder = SSEDecoder()
    return [event for part in parts for event in decoder.feed(part)] + decoder.flush()


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[begin:end] for begin, end in pairwise(edges)]


# Bytes that mean something to the reader come often.
streams = st.lists(
    st.sampled_from(
        [
            b"data:",
            b"data: ",
            b"event: x",
            b":",
            b"\n",
            b"\r",
            b"\r\n",
            b"\n\n",
            b"\xef\xbb\xbf",
            b"[DONE]",
            b"id: 1",
            b" ",
            b"{",
            b"}",
            b"}\ndata: {",
        ]
    )
    | st.binary(max_size=4)
    | st.text(max_size=4).map(str.encode),
    max_size=40,
).map(b"".join)
places = st.lists(st.integers(0, 10_000), max_size=20)


@given(streams, places)
def test_sse_split_anywhere_gives_the_same_events(stream: bytes, where: list[int]) -> None:
    assert decode(*cut(stream, where)) == decode(stream)


@example(b"\xef\xbb\xbfdata: a\r\n\r\ndata: b\r\rdata: c\n\n")
@given(streams)
def test_sse_fed_byte_by_byte_gives_the_same_events(stream: bytes) -> None:
    assert decode(*(stream[at : at + 1] for at in range(len(stream)))) == decode(stream)


@given(st.lists(st.dictionaries(st.text(), st.text()), max_size=8), st.sampled_from([b"\n", b"\r\n", b"\r"]), places)
def test_sse_encoded_events_are_decoded_back(objects: list[dict[str, str]], newline: bytes, where: list[int]) -> None:
    stream = b"".join(encode(json.dumps(item, ensure_ascii=False).encode()) for item in objects).replace(b"\n", newline)
    assert [json.loads(event.data) for event in decode(*cut(stream, where))] == objects


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\r\n\ndata: b\n\r\n", [b"a", b"b"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b": comment\n\n: OPENROUTER PROCESSING\n\ndata: a\n\n", [b"a"]),
        (b": comment\ndata: a\n\n", [b"a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b'data: {"a":\ndata: {}\ndata: }\n\n', [b'{"a":\n{}\n}']),
        (b"data: {1}\ndata: {2}\r\ndata:{3}\ndata: [DONE]\n", [b"{1}", b"{2}", b"{3}", b"[DONE]"]),
        (b"event: x\ndata: {1}\n\ndata: {2}\ndata: {3}\n\n", [b"{1}", b"{2}", b"{3}"]),
        (b"id: 1\nretry: 5\ndata: a\n\n", [b"a"]),
        (b"data\n\n", [b""]),
        (b"data: a\n\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b"\n\n\ndata: a\n\n", [b"a"]),
        (b"data: a", [b"a"]),
        (b"data: a\n", [b"a"]),
        (b"data: a\r", [b"a"]),
        (b"database: a\n\n", []),
        (b"", []),
        (PING, []),
        (DONE, [b"[DONE]"]),
    ],
)
def test_sse_of_each_server_format_is_decoded(stream: bytes, events: list[bytes]) -> None:
    assert [event.data for event in decode(stream)] == events


def test_sse_event_name_is_decoded() -> None:
    assert decode(encode(b"{}", "error")) == [SSEEvent(b"{}", "error")]


def test_sse_split_character_is_decoded() -> None:
    stream = "data: Grüße 🏠\n\n".encode()
    assert decode(stream[:9], stream[9:16], stream[16:])[0].data.decode() == "Grüße 🏠"


def test_sse_event_is_returned_when_it_is_complete() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\n") == []
    assert [event.data for event in decoder.feed(b"\ndata: b")] == [b"a"]


def test_sse_event_without_a_blank_line_is_returned_when_the_next_one_begins() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: {1}\n") == decoder.feed(b"data: ") == []
    assert [event.data for event in decoder.feed(b"{2}\ndata: {")] == [b"{1}", b"{2}"]


def test_sse_long_line_in_small_pieces_is_decoded_in_linear_time() -> None:
    stream = b"data: " + b"x" * 1024 * 1024 + b"\n\n"
    started = time.perf_counter()
    (event,) = decode(*(stream[at : at + 64] for at in range(0, len(stream), 64)))
    assert len(event.data) == 1024 * 1024
    assert time.perf_counter() - started < 5  # quadratic work would take minutes


def feed_until_refused(decoder: SSEDecoder, pieces: Iterable[bytes]) -> int:
    """How many bytes were taken before one more piece was refused; -1 if none was."""
    taken = 0
    for piece in pieces:
        try:
            decoder.feed(piece)
        except ValueError:
            return taken
        taken += len(piece)
    return -1


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_sse_event_beyond_the_limit_raises(piece: int) -> None:
    head, stream = b"data: ok\n\n", b"data: " + b"x" * 2000 + b"\n\n"
    pieces = [head, *(stream[at : at + piece] for at in range(0, len(stream), piece))]
    assert 0 <= feed_until_refused(SSEDecoder(max_event_bytes=1000), pieces) <= 1000 + len(head)


def test_sse_endless_comment_raises() -> None:
    assert 0 <= feed_until_refused(SSEDecoder(max_event_bytes=1000), [b": ping\n"] * 1000) <= 1000


def test_sse_error_names_the_limit() -> None:
    with pytest.raises(ValueError, match="1000 bytes"):
        SSEDecoder(max_event_bytes=1000).feed(b"x" * 1001)
