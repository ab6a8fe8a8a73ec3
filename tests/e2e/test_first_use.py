"""What a newcomer does: one command beside Ollama, two clicks and the printed key in Home Assistant, a few lines of a program."""

import asyncio
import json
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
from tests.support.typescript import FOLDER, build, program

from .conftest import StartProvider
from .steps import add, model_pipeline_of, state_is

ANSWER = "It is quiet in the attic."
BIN = Path(sys.prefix) / "bin"
OFFLINE = {"UV_OFFLINE": "1", "UV_PYTHON": str(BIN / "python")}
"""The LAN leads nowhere: what the package needs is in uv's cache since scripts/setup."""


async def printed(command: list[str], state: Path) -> str:
    """What a program prints on the machine of the provider."""
    variables = {**os.environ, "XDG_STATE_HOME": str(state), "HOME": str(state)}
    process = await asyncio.create_subprocess_exec(*command, env=variables, cwd=FOLDER, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(90):
        said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode().strip()


def example(page: str, title: str, language: str, most_lines: int) -> str:
    """The first example of a page, which has no more lines than that."""
    shown, code = sections(page)[title].blocks[0]
    assert shown == language
    assert len([line for line in code.splitlines() if line]) <= most_lines
    return code


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

        await add(client, name, key, seconds=60)
        assistant = await model_pipeline_of(client, name)
        run = await client.assist("Is it quiet in the attic?", pipeline=assistant)
        assert run.speech == ANSWER
        assert key not in server.output().replace(said, "")

        build()
        in_python = (
            "from zeroconf_ai import SyncClient",
            f"with SyncClient({name!r}, key={key!r}) as ai:",
            "    print(ai.chat('Hi'))",
        )
        in_typescript = (
            'import { Client } from "zeroconf-ai";',
            f"const ai = new Client({json.dumps(name)}, {{ key: {json.dumps(key)} }});",
            'const answer = await ai.chat("Hi");',
            "console.log(answer.text);",
            "await ai.close();",
        )
        with_key = [[sys.executable, "-c", "\n".join(in_python)], program("\n".join(in_typescript))]
        assert await asyncio.gather(*(printed(command, tmp_path) for command in with_key)) == [ANSWER] * 2

        await start_provider("pi", name="Open to all")
        to_whoever = [
            [sys.executable, "-c", example("python.md", "In a Python program", "python", 3)],
            program(example("typescript.md", "In a TypeScript or JavaScript program", "ts", 5)),
        ]
        for answer in await asyncio.gather(*(printed(command, tmp_path) for command in to_whoever)):
            assert answer not in ("", ANSWER)
    finally:
        await server.stop()
        await ollama.stop()
    await state_is(client, f"sensor.{re.sub(r'\W+', '_', name).lower()}_status", "offline", seconds=30)
