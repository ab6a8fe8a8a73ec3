"""Writes the lines of a log in a thread of its own: who reads them slowly, or not at all, does not hold the server up."""

from queue import SimpleQueue
import sys
from threading import Thread
from typing import TextIO

MAX_WAITING = 10_000
"""Lines that wait to be written; further ones are dropped and counted."""
CLOSE_SECONDS = 2.0


class LineWriter:
    """Writes lines to a stream, by default stderr, from `start` to `close`."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """`stream` None: stderr."""
        self._stream = stream or sys.stderr
        self._lines: SimpleQueue[str | None] = SimpleQueue()
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
        elif self._lines.qsize() < MAX_WAITING:
            if self._dropped:
                line, self._dropped = f"{line}\n({self._dropped} lines of the log before it were lost: nobody read them)", 0
            self._lines.put(line)
        else:
            self._dropped += 1

    def close(self) -> None:
        """Write what waits, for CLOSE_SECONDS at most. Later lines are written at once."""
        self._lines.put(None)
        self._thread.join(CLOSE_SECONDS)
        self._closed = not self._thread.is_alive()

    def _run(self) -> None:
        ended = False
        while not ended:
            batch = [self._lines.get()]
            while not self._lines.empty():
                batch.append(self._lines.get())
            ended = None in batch
            self._put("".join(f"{line}\n" for line in batch if line is not None))

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # nobody reads it any more, or it is closed
            pass
