"""Writes log lines in a separate thread, so that a slow or stopped reader of stderr does not block the server."""

from collections import deque
import sys
from threading import Event, Thread
from typing import TextIO

MAX_WAITING = 10_000
"""Maximum lines in the queue; further lines are dropped and counted."""
CLOSE_SECONDS = 2.0
_PAUSE_SECONDS = 0.05
"""Pause between two writes in seconds. Under load, one write has many lines, which costs fewer thread switches."""


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
            self._lines.append(f"({self._dropped} lines of the log were dropped here: stderr was read too slowly)")
            self._dropped = 0
        self._lines.append(line)
        if not self._some.is_set():
            self._some.set()

    def close(self) -> None:
        """Write the queued lines, for at most CLOSE_SECONDS. Later lines are written at once."""
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
        except (OSError, ValueError):  # the stream is closed or has no reader
            pass
