"""The events of an answer, by its content and not by its label: Server-Sent Events, JSON on lines, or one JSON text.

Servers and proxies label streams as JSON, JSON as a stream or as text, and send one where the other was requested.
"""

import re

from . import json
from .ndjson import LineDecoder
from .sse import MAX_EVENT_BYTES, SSEDecoder, SSEEvent

_BOM = b"\xef\xbb\xbf"
_BACKSLASH = 0x5C
"""As a number, because `in` finds a byte five times as fast as a text of one byte; `find` is three times as fast as `in`."""
_JSON = (b"{", b"[")
_DONE = re.compile(rb'\s*"?\[DONE\]', re.IGNORECASE)
"""Some servers quote it."""
_FIELDS = (b"event:", b"id:", b"retry:", b":")


def is_json(body: bytes) -> bool:
    """Whether a body is JSON and not a stream of Server-Sent Events, by its first character."""
    return start_of(body).startswith(_JSON)


def start_of(body: bytes) -> bytes:
    """The body without a byte order mark and white space at its start."""
    return body.lstrip().removeprefix(_BOM).lstrip()


def is_done(data: bytes) -> bool:
    """Whether the data of an event is OpenAI's end of a stream."""
    return _DONE.match(data) is not None


def all_events(body: bytes) -> list[SSEEvent]:
    """The events of a complete body. Raises ValueError for an event beyond the limit."""
    decoder = EventDecoder()
    return decoder.feed(body) + decoder.flush()


class EventDecoder:
    """Decodes a stream of either framing to events with data. Joins surrogate pairs that were cut into two events.

    An event that ends with half a pair is returned with the next one. Invalid UTF-8 is replaced with U+FFFD.
    """

    def __init__(self) -> None:
        self._start = b""
        self._frames: SSEDecoder | JSONDecoder | None = None
        self._half: SSEEvent | None = None

    def feed(self, data: bytes) -> list[SSEEvent]:
        """Return the events that `data` completes. Raises ValueError for an event beyond the limit."""
        if self._frames is None:
            data = self._start = start_of(self._start + data)
            if not data or _BOM.startswith(data):
                return []
            self._frames = JSONDecoder() if data.startswith(_JSON) else SSEDecoder()
            self._start = b""
        return self._mended(self._frames.feed(data))

    def flush(self) -> list[SSEEvent]:
        """Return the unfinished event at the end of the stream."""
        events = [] if self._frames is None else self._mended(self._frames.flush())
        if self._half is not None:
            half, self._half = self._half, None
            events.append(half._replace(data=json.mended(half.data)))
        return events

    def _mended(self, events: list[SSEEvent]) -> list[SSEEvent]:
        found: list[SSEEvent] = []
        for event in events:
            data = event.data
            if self._half is None and data.isascii() and (_BACKSLASH not in data or data.find(b"\\u") < 0):
                found.append(event)
                continue
            if self._half is not None:
                half, self._half = self._half, None
                first, data = json.split_pair(half.data, data)
                found.append(half._replace(data=json.mended(first)))
            if json.has_escaped_surrogate(data) and json.ends_in_half(data):
                self._half = event._replace(data=data)
            elif (mended := json.mended(data)) is event.data:
                found.append(event)
            else:
                found.append(event._replace(data=mended))
        return found


class JSONDecoder:
    """Decodes JSON without frames: one object on each line, or one on several lines. Server-Sent Events may follow it."""

    def __init__(self) -> None:
        self._lines = LineDecoder()
        self._parts: list[bytes] = []
        """The lines of an object that has more than one."""
        self._size = 0
        self._one_each = False
        """Whether each line is an object."""

    def feed(self, data: bytes) -> list[SSEEvent]:
        """Return the events that `data` completes. Raises ValueError for one beyond the limit."""
        return [event for line in self._lines.feed(data) for event in self._line(line)]

    def flush(self) -> list[SSEEvent]:
        """Return the unfinished event at the end of the stream."""
        return [event for line in self._lines.flush() for event in self._line(line)] + self._joined()

    def _line(self, line: bytes) -> list[SSEEvent]:
        if line.startswith(b"data:"):
            return [*self._joined(), SSEEvent(line[5:].strip())]
        if line.startswith(_FIELDS):
            return self._joined()
        if self._one_each:
            return [SSEEvent(line)]
        if not self._parts and _is_whole(line):
            self._one_each = True
            return [SSEEvent(line)]
        self._size += len(line)
        if self._size > MAX_EVENT_BYTES:
            raise ValueError(f"an event of more than {MAX_EVENT_BYTES} bytes")
        self._parts.append(line)
        return []

    def _joined(self) -> list[SSEEvent]:
        parts, self._parts, self._size = self._parts, [], 0
        return [SSEEvent(b" ".join(parts))] if parts else []


def _is_whole(line: bytes) -> bool:
    try:
        json.loads(json.mended(line))
    except json.DepthError:
        return True
    except json.JSONDecodeError:
        return False
    return True
