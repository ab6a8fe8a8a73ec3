"""Every command on the pages for a use of the product, as it stands, in the order of the page."""

import asyncio
from collections.abc import AsyncIterator
import os
from pathlib import Path
import re
import signal
import sys

import pytest
import yaml

from ...support.clouds.ollama import FakeOllama
from ...support.clouds.openai import FakeOpenAI
from ...support.clouds.server import Reply
from ...support.command import COMMAND
from ...support.documented import ADDRESS, DOCS, Section, sections, with_replaced
from .test_service import SYSTEMCTL

pytestmark = pytest.mark.usefixtures("own_loopback")

EXAMPLE_KEY = "zai_example_key_of_this_page_012345678"
ANSWER = "I am the model of this house."
COMPOSE = yaml.safe_load((DOCS.parent / "compose.yaml").read_text("utf-8"))
ZEROCONF_AI = f'exec {" ".join(COMMAND)} "$@"'
PROGRAMS = {
    "zeroconf-ai": ZEROCONF_AI,
    "uvx": f'[ "$1" = zeroconf-ai ] || exit 2\nshift\n{ZEROCONF_AI}',
    "uv": '[ "$*" = "tool install zeroconf-ai" ]',
    "systemctl": SYSTEMCTL.removeprefix("#!/bin/sh\n"),
    # What Docker would run in the container of compose.yaml runs here; Ollama's own commands do not.
    "docker": f"""
shift
case "$1 $2 $3" in
  "exec zeroconf-ai zeroconf-ai") shift 3; {ZEROCONF_AI} ;;
  "run --rm zeroconf-ai") shift 3; {ZEROCONF_AI} ;;
  "exec ollama ollama") [ "$4" = pull ] ;;
  "up -d "*|"stop zeroconf-ai "*) ;;
  *) exit 2 ;;
esac
""",
}
"""What the pages call, as shell scripts: uv and Docker download from the internet, and systemd would change this machine."""


class Machine:
    """A machine with a home folder on which the commands of a page run."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        programs = folder / "bin"
        programs.mkdir()
        for name, script in PROGRAMS.items():
            (programs / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            (programs / name).chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if name in ("LANG", "TMPDIR", "PYTHONPATH")}
        self.environment = kept | {
            "PATH": f"{programs}:{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(self.home),
            "CALLS": str(folder / "calls"),
            "FAILING": "-",
        }
        self.replaced: dict[str, str] = {}
        self.printed = ""
        self._servers: list[asyncio.subprocess.Process] = []

    async def run(self, section: Section) -> str:
        """Run the commands of a section, those of its server in the background; what they print. Fails if one fails."""
        section.written(self.home, {})
        printed = "".join([await self._run(block) for block in section.commands if block not in section.files.values()])
        self.printed += printed
        return printed

    async def _run(self, block: str) -> str:
        script = with_replaced(block, self.replaced)
        process = await asyncio.create_subprocess_exec(
            *("sh", "-ec", script),
            env=self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"y\n" * 3)
        process.stdin.close()
        said = ""
        serves = re.search(r"zeroconf-ai serve\b", block) is not None
        async with asyncio.timeout(100):
            while line := (await process.stdout.readline()).decode():
                said += line
                if serves and line.startswith("More keys:"):
                    self._servers.append(process)
                    self._use_server(said)
                    return said
        assert (await process.wait(), serves) == (0, False), said
        return said

    def _use_server(self, said: str) -> None:
        """Let the examples of addresses and keys stand for those of the server that has started."""
        (url,) = re.findall(r"on (http://\S+)/v1", said)
        (key,) = re.findall(r"API key: (zai_\w+)", said)
        self.replaced = {f"http://{ADDRESS}:8000": url, EXAMPLE_KEY: key}

    async def stop(self) -> None:
        """End the servers, which are children of their shells."""
        for process in self._servers:
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    made = Machine(tmp_path)
    yield made
    await made.stop()


async def test_commands_for_a_gaming_pc_run(machine: Machine) -> None:
    page = sections("use/gaming-pc.md")
    ollama = FakeOllama(Reply(ANSWER), key=None)
    await ollama.start(11434)
    try:
        said = await machine.run(page["Share its models"])
        assert "Found Ollama" in said
        installed = await machine.run(page["Start it with the PC"])
        assert "The service runs" in installed
        keys = await machine.run(page["A key for each program"])
        assert "Laptop" in keys
        tried = await machine.run(page["Try it"])
        assert tried.endswith(f"{ANSWER}\n")
    finally:
        await ollama.stop()
    assert_all_ran(page, "Share its models", "Start it with the PC", "A key for each program", "Try it")


async def test_commands_for_a_raspberry_pi_run(machine: Machine) -> None:
    page = sections("use/raspberry-pi.md")
    async with FakeOpenAI(Reply(ANSWER), key="sk-example-of-your-account") as cloud:
        machine.environment["PROVIDER_CLOUD_ENDPOINT"] = cloud.base_url
        await machine.run(page["Share an account"])
        await machine.run(page["A key with a budget for each person"])
        await machine.run(page["Start it with the Pi"])
        assert (await machine.run(page["Try it"])).endswith(f"{ANSWER}\n")
    assert "sk-example-of-your-account" not in machine.printed
    assert_all_ran(page, "Share an account", "A key with a budget for each person", "Start it with the Pi", "Try it")


async def test_commands_for_a_container_run(machine: Machine) -> None:
    page = sections("container.md")
    assert set(COMPOSE["services"]) == {"zeroconf-ai", "ollama"}
    made = await machine.run(page["With Ollama"])
    assert "zai_" in made
    returned = await machine.run(page["Updates, and the way back"])
    assert "The tables have version 0004." in returned
    assert_all_ran(page, "With Ollama", "Updates, and the way back")


def assert_all_ran(page: dict[str, Section], *titles: str) -> None:
    """Check that the page has commands in these sections only."""
    assert {title for title, section in page.items() if section.commands} == {*titles}
