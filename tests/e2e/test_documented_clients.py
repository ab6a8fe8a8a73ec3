"""The examples of docs/python.md and docs/typescript.md, as they stand, on a LAN with a demo provider."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
import re
import sys

import pytest

from tests.support.command import environment
from tests.support.typescript import FOLDER, build, program

from .conftest import StartProvider

DOCS = Path(__file__).parents[2] / "docs"


def examples(page: str, language: str) -> list[str]:
    """The blocks of a page in a language."""
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


async def outcome(command: Sequence[str], cwd: Path, home: Path) -> tuple[int | None, str, bool]:
    """Run a program on the tester's host: its exit code, its errors, and whether it printed something."""
    await asyncio.to_thread(home.mkdir)
    pipe, env = asyncio.subprocess.PIPE, environment(home, {"HOME": str(home)})
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, stdout=pipe, stderr=pipe, env=env)
    try:
        printed, errors = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, errors.decode(), bool(printed.strip())


@pytest.mark.parametrize("language", ["python", "typescript"])
async def test_examples_of_a_client_library_run_and_print(start_provider: StartProvider, tmp_path: Path, language: str) -> None:
    await start_provider()
    if language == "python":
        folder, commands = tmp_path, [[sys.executable, "-c", example] for example in examples("python.md", "python")]
    else:
        build()
        folder, commands = FOLDER, [program(example) for example in examples("typescript.md", "ts")]
    assert len(commands) >= 5
    # All at once, since each one waits two seconds for answers of the network.
    outcomes = await asyncio.gather(
        *(outcome(command, folder, tmp_path / f"home-{number}") for number, command in enumerate(commands))
    )
    assert outcomes == [(0, "", True)] * len(commands)
