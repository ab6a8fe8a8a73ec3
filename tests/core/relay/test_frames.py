"""Frames of a relay link."""

from hypothesis import given, strategies as st
import pytest

from zeroconf_ai.relay.frames import (
    MAX_CREDIT,
    MAX_FRAME_BYTES,
    FrameError,
    FrameType,
    RequestHead,
    ResponseHead,
    decode,
    decode_json,
    decode_window,
    encode,
    encode_json,
    encode_request,
    encode_response,
    encode_window,
    parse_request_head,
    parse_response_head,
    reset_error,
)


@given(st.sampled_from([FrameType.DATA, FrameType.RESET]), st.integers(1, 2**32 - 1), st.binary(max_size=1000))
def test_frame_encoded_and_decoded_is_the_same(kind: FrameType, stream: int, payload: bytes) -> None:
    frame = decode(encode(kind, stream, payload))
    assert (frame.type, frame.stream, frame.payload) == (kind, stream, payload)


def test_frame_has_one_byte_type_and_four_bytes_stream() -> None:
    assert encode(FrameType.DATA, 0x01020304, b"Hi") == b"\x02\x01\x02\x03\x04Hi"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x02\x00\x00\x00",
        b"\x00\x00\x00\x00\x01",
        b"\xff\x00\x00\x00\x01",
        b"\x02\x00\x00\x00\x00data of the link",
        b"\x06\x00\x00\x00\x01ping of a stream",
        b"\x06\x00\x00\x00\x00" + bytes(65),
        b"\x02\x00\x00\x00\x01" + bytes(MAX_FRAME_BYTES),
    ],
)
def test_frame_invalid_is_refused(raw: bytes) -> None:
    with pytest.raises(FrameError):
        decode(raw)


def test_request_head_round_trips() -> None:
    head = RequestHead("POST", "/v1/audio/voices?model=a%20b", (("Content-Type", "application/json"), ("Via", "1.1 a, 1.1 b")))
    assert parse_request_head(decode_json(decode(encode_request(7, head)).payload)) == head
    assert "model" not in repr(head)


def test_response_head_round_trips() -> None:
    head = ResponseHead(429, (("Retry-After", "7"),))
    assert parse_response_head(decode_json(decode(encode_response(7, head)).payload)) == head


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"method": "get", "path": "/v1/models"},
        {"method": "GET\r\nX: y", "path": "/v1/models"},
        {"method": "GET", "path": "v1/models"},
        {"method": "GET", "path": "/v1/models HTTP/1.1\r\nX: y"},
        {"method": "GET", "path": "/v1/mo dels"},
        {"method": "GET", "path": "/v1/models\n"},
        {"method": "GET", "path": "/v1/models#x"},
        {"method": "GET", "path": "/" + "a" * 9000},
        {"method": "GET", "path": "/", "headers": {"a": "b"}},
        {"method": "GET", "path": "/", "headers": "ab"},
        {"method": "GET", "path": "/", "headers": [["a"]]},
        {"method": "GET", "path": "/", "headers": [["a", 1]]},
        {"method": "GET", "path": "/", "headers": [["a b", "c"]]},
        {"method": "GET", "path": "/", "headers": [["a", "c\r\nd: e"]]},
        {"method": "GET", "path": "/", "headers": [["a\n", "c"]]},
        {"method": "GET", "path": "/", "headers": [["a", "c\n"]]},
        {"method": "GET", "path": "/", "headers": [["a", "c" * 9000]]},
        {"method": "GET", "path": "/", "headers": [["a", "c"]] * 129},
    ],
)
def test_request_head_invalid_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(FrameError):
        parse_request_head(value)


@pytest.mark.parametrize("status", [None, "200", 101, 99, 600, True, 200.0])
def test_response_head_with_an_impossible_status_is_refused(status: object) -> None:
    with pytest.raises(FrameError):
        parse_response_head({"status": status})


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b'{"a":' * 70 + b"1" + b"}" * 70, b'{"a": "' + b"x" * 70_000 + b'"}'])
def test_json_of_a_frame_too_deep_too_large_or_invalid_is_refused(payload: bytes) -> None:
    with pytest.raises(FrameError):
        decode_json(payload)


def test_json_too_large_to_be_read_is_not_sent() -> None:
    with pytest.raises(FrameError):
        encode_json(FrameType.HELLO, 0, {"name": "x" * 70_000})


def test_header_with_half_a_surrogate_pair_is_not_sent() -> None:
    with pytest.raises(FrameError):
        encode_request(1, RequestHead("GET", "/v1/models", (("X-Request-ID", "a\udc80"),)))


def test_window_round_trips_within_its_bounds() -> None:
    assert decode_window(decode(encode_window(3, 1000)).payload) == 1000
    for payload in (b"", b"\x00" * 4, b"\x00" * 5, (MAX_CREDIT + 1).to_bytes(4)):
        with pytest.raises(FrameError):
            decode_window(payload)


def test_reset_error_has_only_printable_texts() -> None:
    assert reset_error(b"") == {}
    assert reset_error(b'{"error": {"message": "a\\u001b[31mb", "code": 7, "type": "x"}}') == {"message": "a [31mb", "type": "x"}
