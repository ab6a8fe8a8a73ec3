"""The command on a terminal of its own."""

from contextlib import suppress
import os
from pathlib import Path
import pty
import select
import signal
import termios
import time

from .command import COMMAND, environment


class Terminal:
    """The command on a terminal."""

    def __init__(self, state: Path, *arguments: str, columns: int | None = None) -> None:
        """`columns`: the width of a terminal with colours; None: a simple one of 200 columns."""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            variables = environment(state, {"TERM": "dumb" if columns is None else "xterm"})
            if columns is not None:
                variables.pop("COLUMNS")
                variables.pop("NO_COLOR", None)
                termios.tcsetwinsize(0, (50, columns))
            os.execve(COMMAND[0], [*COMMAND, *arguments], variables)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def until(self, text: str, seconds: float = 15.0) -> None:
        """Wait until it shows a text that it has not shown before."""
        end = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < end, f"{text!r} is not in {self.shown!r}"
            if select.select([self._fd], [], [], 0.1)[0]:
                self.shown += os.read(self._fd, 4096).decode(errors="replace")
        self.shown = self.shown.partition(text)[2]

    def rest(self) -> str:
        """What it shows until it ends, after what `until` has seen."""
        with suppress(OSError):  # the terminal is closed
            while select.select([self._fd], [], [], 60)[0] and (read := os.read(self._fd, 4096)):
                self.shown += read.decode(errors="replace")
        return self.shown

    def end(self) -> int:
        """Its exit code."""
        end = time.monotonic() + 15
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self._fd)
                return os.waitstatus_to_exitcode(status)
            if select.select([self._fd], [], [], 0.05)[0]:
                try:
                    os.read(self._fd, 4096)
                except OSError:
                    continue
        os.kill(self.pid, signal.SIGKILL)
        raise TimeoutError
