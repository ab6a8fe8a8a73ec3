"""What a newcomer does: one command beside Ollama, two clicks and the printed key in Home Assistant, three lines of Python."""

import asyncio
import os
from pathlib import Path
import re
import sys

from devhome import REPOSITORY
from devhome.client import HomeClient
from devhome.namespaces import Lan
from devhome.process import ManagedProcess
from tests.support.clouds.ollama import FakeOllama
from tests.support.clouds.server import Reply
from tests.support.documented import sections

from .conftest import StartProvider
from .steps import add, model_pipeline_of, state_is

ANSWER = "It is quiet in the attic."
BIN = Path(sys.prefix) / "bin"
OFFLINE = {"UV_OFFLINE": "1", "UV_PYTHON": str(BIN / "python")}
"""The LAN leads nowhere: what the package needs is in uv's cache since scripts/setup."""


async def python(code: str, state: Path) -> str:
    """What a program prints that consists of `code`, on the machine of the provider."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code), env={**os.environ, "XDG_STATE_HOME": str(state)}, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode().strip()


async def test_uvx_serve_is_found_added_with_its_printed_key_and_talks(
    lan: Lan, client: HomeClient, start_provider: StartProvider, started: list[ManagedProcess], tmp_path: Path
) -> None:
    ollama = FakeOllama(Reply(ANSWER), key=None)
    await ollama.start(11434)
    variables = [f"{name}={value}" for name, value in {**OFFLINE, "XDG_STATE_HOME": str(tmp_path)}.items()]
    command = f"cd {REPOSITORY} && exec env {' '.join(variables)} {BIN / 'uvx'} --from . zeroconf-ai serve"
    server = ManagedProcess("uvx", ("sh", "-c", command), tmp_path / "serve.log").start()
    started.append(server)

    async def ready() -> bool:
        return "keys create NAME" in server.output().split("API key: ")[-1]

    try:
        await server.until(ready, 120)
        said = server.output()
        assert "Found Ollama at http://127.0.0.1:11434" in said
        (name,) = re.findall(r'serving .* as "([^"]+)" on http', said)
        (key,) = re.findall(r"^API key: (zai_\w+)$", said, re.MULTILINE)

        await add(client, name, key)
        assistant = await model_pipeline_of(client, name)
        run = await client.assist("Is it quiet in the attic?", pipeline=assistant)
        assert run.speech == ANSWER
        assert key not in server.output().replace(said, "")

        three_lines = (
            "from zeroconf_ai import SyncClient\nwith SyncClient({!r}, key={!r}) as ai:\n    print(ai.chat('Is it quiet?'))"
        )
        assert await python(three_lines.format(name, key), tmp_path) == ANSWER

        await start_provider("pi", name="Open to all")
        documented = sections("python.md")["In a Python program"].blocks[0]
        assert documented[0] == "python"
        assert len([line for line in documented[1].splitlines() if line]) == 3
        assert await python(documented[1], tmp_path) not in ("", ANSWER)
    finally:
        await server.stop()
        await ollama.stop()
    await state_is(client, f"sensor.{re.sub(r'\W+', '_', name).lower()}_status", "offline", seconds=30)
