"""Newline-delimited JSON: an incremental, bounded reader of bytes."""

MAX_LINE_BYTES = 16 * 1024 * 1024
"""A longer line is refused: the largest legitimate ones carry a tool call with a document in it."""


class LineDecoder:
    """Turns the bytes of a stream into lines, wherever they are cut. Blank lines are dropped."""

    def __init__(self, *, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        """`max_line_bytes` bounds the memory one line may take."""
        self._buffer = bytearray()
        self._limit = max_line_bytes

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes. Raises ValueError where one grows over the limit."""
        scan = len(self._buffer)
        self._buffer += data
        lines: list[bytes] = []
        begin = 0
        while (end := self._buffer.find(b"\n", scan)) >= 0:
            self._take(lines, begin, end)
            begin = scan = end + 1
        if begin:
            del self._buffer[:begin]
        if len(self._buffer) > self._limit:
            raise ValueError(f"a line of more than {self._limit} bytes")
        return lines

    def flush(self) -> list[bytes]:
        """The line that the stream ended in, without its newline."""
        lines: list[bytes] = []
        self._take(lines, 0, len(self._buffer))
        self._buffer.clear()
        return lines

    def _take(self, lines: list[bytes], begin: int, end: int) -> None:
        if end - begin > self._limit:
            raise ValueError(f"a line of more than {self._limit} bytes")
        if line := bytes(self._buffer[begin:end]).strip():
            lines.append(line)
