"""Server-Sent Events: an incremental, bounded reader of bytes and the few forms that are written.

The reader works on bytes and hands out whole events only, so a character or a line that a network read cut in two needs no
care from anybody. Rules: WHATWG HTML, section 9.2.6, and what servers do instead of them.
"""

from typing import NamedTuple

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""A larger event is refused. The largest legitimate ones carry an image as base64."""

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"

_BOM = b"\xef\xbb\xbf"


class SSEEvent(NamedTuple):
    """One event. `data` is the payload's bytes (lines joined by a newline), `event` the name where one was given."""

    data: bytes
    event: str | None = None


class SSEDecoder:
    r"""Turns the bytes of a stream into events.

    Accepts `\n`, `\r\n` and `\r` line ends, comments, `data:` with or without a space, several data lines, a byte order mark,
    and events cut anywhere. An unfinished event at the end of the stream comes out of `flush`.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        """`max_event_bytes` bounds the memory one event may take."""
        self._buffer = bytearray()
        self._limit = max_event_bytes
        self._skip_newline = False
        self._at_start = True

    def feed(self, data: bytes) -> list[SSEEvent]:
        """The events that `data` completes. Raises ValueError where one grows over the limit."""
        if b"\r" in data or self._skip_newline:
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
        while (end := buffer.find(b"\n\n", scan)) >= 0:
            if end - begin > self._limit:
                raise ValueError(f"an event of more than {self._limit} bytes")
            if (event := _parse(bytes(buffer[begin:end]))) is not None:
                events.append(event)
            begin = scan = end + 2
        if begin:
            del buffer[:begin]
        if len(buffer) > self._limit:
            raise ValueError(f"an event of more than {self._limit} bytes")
        return events

    def flush(self) -> list[SSEEvent]:
        """The event that the stream ended in, if it had data: some servers leave the last blank line out."""
        block = bytes(self._buffer).removesuffix(b"\n")
        self._buffer.clear()
        event = _parse(block) if block else None
        return [] if event is None else [event]

    def _normalise(self, data: bytes) -> bytes:
        if self._skip_newline and data:
            data = data.removeprefix(b"\n")
            self._skip_newline = False
        if data.endswith(b"\r"):
            self._skip_newline = True
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _parse(block: bytes) -> SSEEvent | None:
    """The event of one block of lines, or None for one without data (comments, bare names)."""
    if block.startswith(b"data:") and b"\n" not in block:
        return SSEEvent(block[6:] if block[5:6] == b" " else block[5:])
    lines: list[bytes] = []
    name: str | None = None
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            lines.append(value)
        elif field == b"event":
            name = value.decode(errors="replace")
    return SSEEvent(b"\n".join(lines), name) if lines else None


def encode(data: bytes, event: str | None = None) -> bytes:
    """One event with `data` as its payload; `data` must hold no newline (JSON does not)."""
    head = b"event: " + event.encode() + b"\n" if event else b""
    return head + b"data: " + data + b"\n\n"
