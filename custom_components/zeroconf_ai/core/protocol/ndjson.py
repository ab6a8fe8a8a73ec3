"""Newline-delimited JSON: an incremental, bounded decoder."""

MAX_LINE_BYTES = 16 * 1024 * 1024
"""Longer lines are refused. The largest legitimate ones contain a tool call with a document."""


class LineDecoder:
    """Splits the bytes of a stream into lines. Blank lines are dropped."""

    def __init__(self, *, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        """`max_line_bytes` limits the size of one line."""
        self._buffer = bytearray()
        self._limit = max_line_bytes

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes. Raises ValueError for a line beyond the limit."""
        scan = len(self._buffer)
        self._buffer += data
        lines: list[bytes] = []
        begin = 0
        while (end := self._buffer.find(b"\n", scan)) >= 0:
            self._add(lines, begin, end)
            begin = scan = end + 1
        if begin:
            del self._buffer[:begin]
        if len(self._buffer) > self._limit:
            raise ValueError(f"a line of more than {self._limit} bytes")
        return lines

    def flush(self) -> list[bytes]:
        """Return the last line of the stream if it has no newline."""
        lines: list[bytes] = []
        self._add(lines, 0, len(self._buffer))
        self._buffer.clear()
        return lines

    def _add(self, lines: list[bytes], begin: int, end: int) -> None:
        if end - begin > self._limit:
            raise ValueError(f"a line of more than {self._limit} bytes")
        if line := bytes(self._buffer[begin:end]).strip():
            lines.append(line)
