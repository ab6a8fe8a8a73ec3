"""Writes the lines of a log in a thread of its own: who reads them slowly, or not at all, does not hold the server up."""

from collections import deque
import sys
from threading import Event, Thread
from typing import TextIO

MAX_WAITING = 10_000
"""Lines that wait to be written; further ones are dropped and counted."""
CLOSE_SECONDS = 2.0
_PAUSE_SECONDS = 0.05
"""Between two writes: under load, a write has many lines, and the thread does not take turns with the requests for each."""


class LineWriter:
    """Writes lines to a stream, by default stderr, from `start` to `close`."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """`stream` None: stderr."""
        self._stream = stream or sys.stderr
        self._lines: deque[str] = deque()
        self._some = Event()
        self._closing = Event()
        self._thread = Thread(target=self._run, name="zeroconf_ai log", daemon=True)
        self._dropped = 0
        self._closed = False

    def start(self) -> None:
        """Start writing."""
        self._thread.start()

    def write(self, line: str) -> None:
        """Write a line, which has no line break at its end. Never waits."""
        if self._closed:
            self._put(f"{line}\n")
            return
        if len(self._lines) >= MAX_WAITING:
            self._dropped += 1
            return
        if self._dropped:
            self._lines.append(f"({self._dropped} lines of the log were lost here: nobody read them)")
            self._dropped = 0
        self._lines.append(line)
        if not self._some.is_set():
            self._some.set()

    def close(self) -> None:
        """Write what waits, for CLOSE_SECONDS at most. Later lines are written at once."""
        self._closing.set()
        self._some.set()
        self._thread.join(CLOSE_SECONDS)
        self._closed = not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            self._some.wait()
            self._some.clear()
            closing = self._closing.is_set()
            if batch := [self._lines.popleft() for _ in range(len(self._lines))]:
                self._put("".join(f"{line}\n" for line in batch))
            if closing:
                return
            self._closing.wait(_PAUSE_SECONDS)

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # nobody reads it any more, or it is closed
            pass
