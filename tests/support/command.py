"""The command as a process. Servers listen on 127.0.0.1 and are advertised only there."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import json
import os
from pathlib import Path
import select
import signal
import subprocess
import sys
from typing import Any

COMMAND = (sys.executable, "-m", "zeroconf_ai.cli")
LO = ("--interface", "127.0.0.1")


def environment(state: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment variables, with `state` as the folder of the user's state. `serve` does not log requests."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ZEROCONF_AI")}
    usual = {"XDG_STATE_HOME": str(state), "COLUMNS": "200", "ZEROCONF_AI_ACCESS_LOG": "false"}
    return kept | usual | dict(extra or {})


def run(state: Path, *arguments: str, said: str = "", env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], input=said, capture_output=True, text=True, timeout=60, check=False, env=environment(state, env)
    )


@dataclass
class Server:
    """A running `zeroconf-ai serve --demo`."""

    process: subprocess.Popen[bytes]
    ready: dict[str, Any]

    @property
    def url(self) -> str:
        """Its base URL."""
        url: str = self.ready["url"]
        return url

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(20)


@contextmanager
def serving(state: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server that is ready inside the block and is ended with it."""
    command = [*COMMAND, "serve", "--demo", "--host", "127.0.0.1", "--delay", "0", "--json", *arguments]
    with started(state, command, env) as process:
        try:
            yield Server(process, json.loads(line_of(process)))
        finally:
            if process.poll() is None:
                process.kill()


def started(state: Path, command: Sequence[str], env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a process with unbuffered output, so that `line_of` can wait for it."""
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, env=environment(state, env))


def line_of(process: subprocess.Popen[bytes], seconds: float = 30.0) -> str:
    """The next line of the process's output. Raises TimeoutError and EOFError."""
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], seconds)[0]:
        process.kill()
        raise TimeoutError(f"nothing was printed: {process.communicate()[1]!r}")
    line = process.stdout.readline()
    if not line:
        raise EOFError(process.communicate()[1])
    return line.decode()
