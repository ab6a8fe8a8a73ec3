"""The frames of a relay link (docs/protocol.md, section 5), without I/O.

A frame is one binary WebSocket message: 1 byte type, 4 bytes stream id (big-endian), payload. Everything that a peer sends is
untrusted: a frame that violates the protocol raises FrameError, upon which the link is closed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
import re
import struct
from typing import Any, override

import orjson

from ..protocol import json
from ..protocol.values import mapping, printable

SUBPROTOCOL = "zeroconfai.relay.1"
MAX_FRAME_BYTES = 1024 * 1024
"""Maximum size of a frame with its header."""
MAX_DATA_BYTES = 64 * 1024
"""Maximum data sent in one frame, after which other streams get their turn."""
MAX_STREAMS = 256
"""Streams of a link that are open at a time."""
FIRST_CREDIT = 256 * 1024
"""Bytes that a side may send on a new stream before the other one grants more."""
MAX_CREDIT = 16 * 1024 * 1024
"""Bytes of credit that a stream can have at most."""
LAST_STREAM = 2**32 - 1
GOING_AWAY = "going_away"
"""The code of a `reset`: its sender takes no new streams, so the request is to be sent over another link."""

_HEADER = struct.Struct("!BI")
_CREDIT = struct.Struct("!I")
_MAX_JSON_BYTES = 64 * 1024
_MAX_FIELDS = 128
_MAX_PATH = 8190
_MAX_FIELD_BYTES = 8192
_METHOD = re.compile(r"[A-Z]{1,16}\Z")
_PATH = re.compile(r"/[!-~]*\Z")
_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}\Z")  # RFC 9110, 5.1
_FIELD_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*\Z")  # RFC 9110, 5.5
_LEAST_STATUS, _MOST_STATUS = 200, 599


class FrameError(Exception):
    """A frame that violates the protocol."""


class FrameType(IntEnum):
    """The first byte of a frame."""

    OPEN = 1
    """JSON: the method, path and headers of a request; in the other direction the status and headers of its response."""
    DATA = 2
    """Bytes of the body."""
    END = 3
    """The sender's body is complete."""
    RESET = 4
    """JSON error: the stream ends at once, in both directions."""
    WINDOW = 5
    """4 bytes: how many more bytes may be sent on the stream."""
    PING = 6
    PONG = 7
    """The payload of the ping."""
    GOAWAY = 8
    """JSON: the sender accepts no new streams; those that are open go on."""
    HELLO = 9
    """JSON: a message of the handshake, and afterwards what the sender is and offers."""


_STREAM_TYPES = frozenset({FrameType.OPEN, FrameType.DATA, FrameType.END, FrameType.RESET, FrameType.WINDOW})
_MAX_PING_BYTES = 64


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `stream` is 0 in frames of the link."""

    type: FrameType
    stream: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The method, path with query, and headers of a request."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()

    @override
    def __repr__(self) -> str:
        """Without the headers and the query."""
        return f"<RequestHead {self.method} {self.path.partition('?')[0]}>"


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """The status and headers of a response."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()


def encode(kind: FrameType, stream: int, payload: bytes | bytearray | memoryview = b"") -> bytes:
    """The bytes of a frame."""
    return b"".join((_HEADER.pack(kind, stream), payload))


def decode(raw: bytes) -> Frame:
    """The frame in a binary message. Raises FrameError."""
    if not _HEADER.size <= len(raw) <= MAX_FRAME_BYTES:
        raise FrameError("the size of a frame is out of range")
    number, stream = _HEADER.unpack_from(raw)
    try:
        kind = FrameType(number)
    except ValueError:
        raise FrameError("a frame has an unknown type") from None
    if (kind in _STREAM_TYPES) != bool(stream):
        raise FrameError("a frame has the wrong stream id for its type")
    if kind in (FrameType.PING, FrameType.PONG) and len(raw) - _HEADER.size > _MAX_PING_BYTES:
        raise FrameError("a ping is too long")
    return Frame(kind, stream, raw[_HEADER.size :])


def encode_json(kind: FrameType, stream: int, value: Mapping[str, Any]) -> bytes:
    """A frame with a JSON object. Raises FrameError if it is too large to be read by the other side."""
    try:
        payload = orjson.dumps(value)
    except TypeError:  # half a surrogate pair, in a header
        raise FrameError("the JSON of a frame has a text that is not Unicode") from None
    if len(payload) > _MAX_JSON_BYTES:
        raise FrameError("the JSON of a frame is too large")
    return encode(kind, stream, payload)


def decode_json(payload: bytes) -> Mapping[str, Any]:
    """The JSON object in a payload. Raises FrameError."""
    if len(payload) > _MAX_JSON_BYTES:
        raise FrameError("the JSON of a frame is too large")
    try:
        value = json.loads(payload)
    except json.JSONDecodeError:
        raise FrameError("the JSON of a frame is invalid") from None
    if not isinstance(value, dict):
        raise FrameError("the JSON of a frame is no object")
    return value


def encode_request(stream: int, head: RequestHead) -> bytes:
    """The frame that opens a stream. Raises FrameError for a head that the other side would refuse."""
    value = {"method": head.method, "path": head.path, "headers": head.headers}
    parse_request_head(value)
    return encode_json(FrameType.OPEN, stream, value)


def encode_response(stream: int, head: ResponseHead) -> bytes:
    """The frame with the head of a response. Raises FrameError for a head that the other side would refuse."""
    value = {"status": head.status, "headers": head.headers}
    parse_response_head(value)
    return encode_json(FrameType.OPEN, stream, value)


def parse_request_head(value: Mapping[str, Any]) -> RequestHead:
    """The head of a request. Raises FrameError."""
    method, path = value.get("method"), value.get("path")
    if not isinstance(method, str) or not _METHOD.match(method):
        raise FrameError("the method of a request is invalid")
    if not isinstance(path, str) or len(path) > _MAX_PATH or not _PATH.match(path) or "#" in path:
        raise FrameError("the path of a request is invalid")
    return RequestHead(method, path, _fields(value.get("headers")))


def parse_response_head(value: Mapping[str, Any]) -> ResponseHead:
    """The head of a response. Raises FrameError."""
    status = value.get("status")
    if type(status) is not int or not _LEAST_STATUS <= status <= _MOST_STATUS:
        raise FrameError("the status of a response is invalid")
    return ResponseHead(status, _fields(value.get("headers")))


def encode_window(stream: int, credit: int) -> bytes:
    """The frame that grants credit."""
    return encode(FrameType.WINDOW, stream, _CREDIT.pack(credit))


def decode_window(payload: bytes) -> int:
    """The credit that a frame grants, in bytes. Raises FrameError."""
    if len(payload) != _CREDIT.size:
        raise FrameError("a window frame has the wrong size")
    credit: int = _CREDIT.unpack(payload)[0]
    if not 0 < credit <= MAX_CREDIT:
        raise FrameError("the credit of a window frame is out of range")
    return credit


def reset_error(payload: bytes) -> Mapping[str, str]:
    """The error in a reset frame: `message`, `type` and `code`, each a printable text. Raises FrameError."""
    error = mapping(decode_json(payload).get("error")) if payload else {}
    return {name: printable(text[:500]) for name in ("message", "type", "code") if isinstance(text := error.get(name), str)}


def _fields(value: object) -> tuple[tuple[str, str], ...]:
    """Headers from a list of pairs of name and value. Raises FrameError."""
    if value is None:
        return ()
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping):
        raise FrameError("headers are no list")
    found: list[tuple[str, str]] = []
    for item in value:
        if not isinstance(item, list | tuple) or len(item) != 2:
            raise FrameError("a header is no pair of name and value")
        name, text = item
        if not isinstance(name, str) or not isinstance(text, str) or not _FIELD_NAME.match(name) or not _FIELD_VALUE.match(text):
            raise FrameError("a header is invalid")
        if len(name) + len(text) > _MAX_FIELD_BYTES or len(found) >= _MAX_FIELDS:
            raise FrameError("the headers are too large")
        found.append((name, text))
    return tuple(found)
