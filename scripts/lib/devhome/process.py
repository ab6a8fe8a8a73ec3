"""A program that runs beside this one: its output goes to a file, and it never outlives its maker."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
import os
from pathlib import Path
import shutil
import signal
import socket
import subprocess
import time
from typing import Self

from . import DevHomeError
from .namespaces import Host

# Home Assistant alone needs 2 to 3 s to stop; its own limit for the last of its stop stages is at 100 s.
STOP_TIMEOUT = 60.0
POLL_INTERVAL = 0.05


class ManagedProcess:
    """A child process in a separate session, so that Ctrl-C in the terminal reaches only the parent.

    Not tied to an event loop: it may be started in one and stopped in another.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path, *, host: Host | None = None) -> None:
        """`name` is for messages. With a `host`, the program runs there; both output streams are written to `log`."""
        self.name = name
        self.log = log.resolve()
        self._command = [*command] if host is None else host.command(*command)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it with an empty log. Call this from the main thread: the child is ended when its starting thread is."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = self._command
        if setpriv := shutil.which("setpriv"):
            command = [setpriv, "--pdeathsig", "TERM", *command]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                # Not where this runs: a folder there may be named like a Python package.
                cwd=self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=child_environment(),
            )
        return self

    @property
    def pid(self) -> int:
        """Its process id. Raises DevHomeError before the start."""
        if self._process is None:
            raise DevHomeError(f"{self.name} was not started")
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """What it ended with, `-N` if by signal N; None while it runs or before its start."""
        process = self._process
        if process is None or process.returncode is not None:
            return None if process is None else process.returncode
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        # It has ended, but its id is not free for others before `wait`: the time to end children that it left behind.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self.returncode is None

    def output(self) -> str:
        """What it has printed since its start."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def failure(self, what: str) -> DevHomeError:
        """An error with the reason and the end of the log."""
        tail = "".join(f"  {line}\n" for line in self.output().splitlines()[-30:]) or "  (nothing)\n"
        return DevHomeError(f"{self.name} {what}. The end of {self.log}:\n{tail}".rstrip())

    async def until(self, ready: Callable[[], Awaitable[bool]], timeout: float) -> None:
        """Wait until `ready` returns true. Raises DevHomeError if it takes longer than `timeout` s or the program ends."""
        give_up = time.monotonic() + timeout
        while not await ready():
            if not self.running:
                raise self.failure(f"ended by itself with status {self.returncode}")
            if time.monotonic() > give_up:
                raise self.failure(f"was not ready after {timeout:.0f} s")
            await asyncio.sleep(POLL_INTERVAL)

    async def wait(self) -> int:
        """Wait until it ends; its return code."""
        while (code := self.returncode) is None:
            await asyncio.sleep(POLL_INTERVAL)
        return code

    async def stop(self, timeout: float = STOP_TIMEOUT) -> int | None:
        """Ask it to end, wait, and insist after `timeout` s; its return code. Safe to call twice."""
        if self.running:
            self.signal(signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wait(), timeout)
        self.kill()
        return self.returncode

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, with the children it may have, as a power cut would."""
        if self.running and self._process is not None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()


def child_environment() -> dict[str, str]:
    """This process's environment without what is meant for its own Python alone."""
    # Without a cache of compiled modules, Home Assistant takes twice as long to start.
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}}


def require_free_port(address: str, port: int) -> None:
    """Raise DevHomeError if something listens on this port of the machine already."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As every server does: connections that have just been closed do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise DevHomeError(f"cannot listen on {address}, port {port}: {error.strerror}") from None


def free_port(address: str, candidates: Sequence[int]) -> int:
    """The first of these ports that nothing listens on. Raises DevHomeError if there is none."""
    for port in candidates:
        with suppress(DevHomeError):
            require_free_port(address, port)
            return port
    raise DevHomeError(f"no port from {candidates[0]} to {candidates[-1]} is free")
