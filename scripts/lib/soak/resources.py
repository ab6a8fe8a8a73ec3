"""What a running program holds: memory, descriptors, threads and asyncio tasks."""

from dataclasses import dataclass
from pathlib import Path
import subprocess
import sys
from typing import override

from bench.processes import family, resident


@dataclass(frozen=True, slots=True)
class Resources:
    """What a process and its children hold at a moment."""

    resident_mb: float
    descriptors: int
    threads: int
    tasks: int
    """Tasks of asyncio, which the debugger's interface of Python lists from outside."""

    @override
    def __str__(self) -> str:
        return f"{self.resident_mb:.0f} MB, {self.descriptors} descriptors, {self.threads} threads, {self.tasks} tasks"


def resources_of(pid: int) -> Resources:
    """What a Python process and its children hold; only its own tasks are counted."""
    pids = family(pid)
    listed = subprocess.run([sys.executable, "-m", "asyncio", "ps", str(pid)], capture_output=True, text=True, check=True)
    return Resources(
        resident(pids) / 1e6,
        sum(len(list(Path(f"/proc/{found}/fd").iterdir())) for found in pids),
        sum(len(list(Path(f"/proc/{found}/task").iterdir())) for found in pids),
        len({line.split()[1] for line in listed.stdout.splitlines() if line[:1].isdigit() and len(line.split()) > 1}),
    )
