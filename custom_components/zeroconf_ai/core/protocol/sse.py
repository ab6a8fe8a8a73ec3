"""Server-Sent Events: an incremental, bounded decoder and an encoder.

The decoder works on bytes and returns complete events only, so callers need not handle split characters or lines. It follows
WHATWG HTML, section 9.2.6, and tolerates known deviations of servers.
"""

import re
from typing import NamedTuple

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""Larger events are refused. The largest legitimate ones contain an image as base64."""

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"

_NEWLINE, _CARRIAGE_RETURN = 0x0A, 0x0D
_BOM = b"\xef\xbb\xbf"
_UNSEPARATED = re.compile(rb"(?<=\})\n(?=data: ?[{\[])")
"""A line end where a blank line is missing: no JSON text continues with `{` or `[` after `}`."""
_BEFORE = len(b"}\ndata: [")


class SSEEvent(NamedTuple):
    """One event. `data` is the payload (lines joined by newlines), `event` its name, if any."""

    data: bytes
    event: str | None = None


class SSEDecoder:
    r"""Decodes the bytes of a stream to events.

    Accepts `\n`, `\r\n` and `\r` line ends, comments, `data:` with or without a space, several data lines, a byte order mark,
    and events split anywhere. `flush` returns an unfinished event at the end of the stream.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        """`max_event_bytes` limits the size of one event."""
        self._buffer = bytearray()
        self._limit = max_event_bytes
        self._skip_newline = False
        self._at_start = True

    def feed(self, data: bytes) -> list[SSEEvent]:
        """Return the events that `data` completes. Raises ValueError for an event beyond the limit."""
        if _CARRIAGE_RETURN in data or self._skip_newline:
            data = self._normalise(data)
        buffer = self._buffer
        scan = max(0, len(buffer) - 1)
        buffer += data
        if self._at_start:
            if len(buffer) < len(_BOM) and _BOM.startswith(buffer):
                return []
            self._at_start = False
            if buffer.startswith(_BOM):
                del buffer[: len(_BOM)]
            scan = 0
        begin = 0
        events = []
        resume = max(0, scan - _BEFORE)
        while (end := buffer.find(b"\n\n", scan)) >= 0:
            if end - begin > self._limit:
                raise ValueError(f"an event of more than {self._limit} bytes")
            events += _events(bytes(buffer[begin:end]))
            begin = scan = end + 2
        if begin < len(buffer) and (ends := [found.end() for found in _UNSEPARATED.finditer(buffer, max(begin, resume))]):
            events += _events(bytes(buffer[begin : ends[-1] - 1]))
            begin = ends[-1]
        if begin:
            del buffer[:begin]
        if len(buffer) > self._limit:
            raise ValueError(f"an event of more than {self._limit} bytes")
        return events

    def flush(self) -> list[SSEEvent]:
        """Return the unfinished event at the end of the stream, if it has data: some servers omit the last blank line."""
        block = bytes(self._buffer).removesuffix(b"\n")
        self._buffer.clear()
        return _events(block) if block else []

    def _normalise(self, data: bytes) -> bytes:
        if self._skip_newline and data:
            data = data.removeprefix(b"\n")
            self._skip_newline = False
        if data.endswith(b"\r"):
            self._skip_newline = True
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _events(block: bytes) -> list[SSEEvent]:
    """The events of one block of lines: mostly one."""
    if _NEWLINE not in block or block.find(b"}\ndata:") < 0:
        return [] if (event := _parse(block)) is None else [event]
    return [event for part in _UNSEPARATED.split(block) if (event := _parse(part)) is not None]


def _parse(block: bytes) -> SSEEvent | None:
    """The event of one block of lines; None for a block without data (comments, a name only).

    Some servers send an error as JSON without a field, or in a field `error` (llama.cpp).
    """
    if block.startswith(b"data:") and _NEWLINE not in block:
        return SSEEvent(block[6:] if block[5:6] == b" " else block[5:])
    lines: list[bytes] = []
    name: str | None = None
    bare = b""
    for line in block.split(b"\n"):
        if bare and not line.startswith((b"data:", b"event:")):
            bare += line
            continue
        if line.startswith(b"{"):
            bare = line
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            lines.append(value)
        elif field == b"event":
            name = value.decode(errors="replace")
        elif field == b"error" and value.startswith(b"{"):
            return SSEEvent(value, "error")
    if bare and lines in ([], [b"[DONE]"]):
        return SSEEvent(bare, name)
    return SSEEvent(b"\n".join(lines), name) if lines else None


def encode(data: bytes, event: str | None = None) -> bytes:
    """Encode one event; `data` must not contain a newline (JSON does not)."""
    head = b"event: " + event.encode() + b"\n" if event else b""
    return head + b"data: " + data + b"\n\n"
