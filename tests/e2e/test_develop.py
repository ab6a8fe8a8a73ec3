"""scripts/develop, as a person or a script runs it. "This machine" is the host that the tests run on."""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
import textwrap

import aiohttp
import pytest
import pytest_asyncio

from devhome import REPOSITORY, DevHomeError
from devhome.client import HomeClient, eventually
from devhome.namespaces import Lan

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEVELOP = str(REPOSITORY / "scripts" / "develop")
READY_TIMEOUT = 120


@asynccontextmanager
async def develop(*options: str, folder: Path) -> AsyncGenerator[Process]:
    """scripts/develop with these options, ended with SIGTERM unless the test has ended it."""
    command = (DEVELOP, "--config", str(folder), *options)
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def ready(process: Process) -> dict[str, str]:
    """The JSON line that it prints when everything is ready."""
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), READY_TIMEOUT)
    if not line and process.stderr is not None:
        pytest.fail((await process.stderr.read()).decode())
    facts: dict[str, str] = json.loads(line)
    return facts


@dataclass(frozen=True)
class Running:
    """A process of scripts/develop that is ready."""

    process: Process
    folder: Path
    facts: dict[str, str]


@dataclass(frozen=True)
class Told:
    """The output of a start, and the login of the owner that it created."""

    text: str
    login: dict[str, str]


@dataclass(frozen=True)
class Kept:
    """The folder of a home, and the gateway's keys at all of its starts."""

    folder: Path
    keys: set[str] = field(default_factory=set)


def namespaces() -> set[str]:
    """The network namespaces of every scripts/develop that runs."""
    return {line.split()[0] for line in subprocess.check_output(["ip", "netns"], text=True).splitlines() if "-develop-" in line}


async def test_develop_json_line_contains_all_fields(tmp_path: Path) -> None:
    async with develop("--isolated", "--json", folder=tmp_path) as process:
        facts = await ready(process)
        async with HomeClient(facts["url"], facts["token"]) as client, aiohttp.ClientSession() as session:
            assert await client.state("light.kitchen_light") == "off"
            async with session.get(f"{facts['demo_base_url']}/models") as response:
                models = (await response.json())["data"]
                assert [model["id"] for model in models if not model.get("virtual")] == ["demo-rules", "demo-embed"]
            # Discovered by Home Assistant without any input.
            assert await eventually(lambda: client.flows_in_progress("zeroconf_ai"), timeout=10)
        assert facts["namespace"] in namespaces()
        process.terminate()
        stdout, _ = await process.communicate()
    assert stdout == b"", "one line and nothing else"
    assert process.returncode == 0


def demo_provider(namespace: str) -> int:
    """The process id of the demo provider that runs in the network namespace."""
    pids = [int(pid) for pid in subprocess.check_output(["ip", "netns", "pids", namespace], text=True).split()]
    [found] = [pid for pid in pids if b"\0serve\0--demo\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return found


async def test_develop_home_outlives_the_demo_provider(tmp_path: Path) -> None:
    async with develop("--isolated", "--json", folder=tmp_path) as process:
        facts = await ready(process)
        os.kill(demo_provider(facts["namespace"]), signal.SIGKILL)
        assert process.stderr is not None
        while b"Home Assistant keeps running" not in (line := await asyncio.wait_for(process.stderr.readline(), 30)):
            assert line, "it ended as well"
        async with HomeClient(facts["url"], facts["token"]) as client:
            assert await client.state("light.kitchen_light") == "off"
        process.terminate()
        await process.communicate()
    assert process.returncode == 0


async def run(*command: str) -> str:
    """The output of a command. Fails the test if the command fails."""
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    stdout, stderr = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, stderr.decode()
    return stdout.decode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Running]:
    """A start with `--json` and without the demo provider, for tests that leave it running."""
    folder = tmp_path_factory.mktemp("running")
    async with develop("--isolated", "--no-demo", "--json", folder=folder) as process:
        yield Running(process, folder, await ready(process))


async def test_develop_gateway_is_discovered_by_the_command_and_saturn(running: Running, tmp_path: Path) -> None:
    inside = ("ip", "netns", "exec", running.facts["namespace"], "env", f"HOME={tmp_path}")
    for program in (REPOSITORY / ".venv" / "bin" / "zeroconf-ai", REPOSITORY / ".venv-saturn" / "bin" / "saturn"):
        found = await run(*inside, str(program), "discover")
        assert "Demo home AI" in found


async def test_develop_restart_from_the_ui_starts_home_assistant_again(running: Running) -> None:
    facts, lock = running.facts, running.folder / ".ha_run.lock"
    first = lock.read_text()
    async with HomeClient(facts["url"], facts["token"]) as client:
        # The connection may close before the answer arrives.
        with suppress(DevHomeError):
            await client.call_service("homeassistant", "restart")
    assert running.process.stderr is not None
    while b"is running again" not in (line := await asyncio.wait_for(running.process.stderr.readline(), READY_TIMEOUT)):
        assert line, "it ended instead"
    async with HomeClient(facts["url"], facts["token"]) as client:
        assert await client.state("light.kitchen_light") == "off"
    assert lock.read_text() != first


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A home that is started once for each signal."""
    return Kept(tmp_path_factory.mktemp("kept"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_develop_signal_stops_everything_and_the_next_start_keeps_the_gateway_and_its_key(
    number: signal.Signals, kept: Kept
) -> None:
    before = namespaces()
    async with develop("--isolated", "--no-demo", "--json", folder=kept.folder) as process:
        facts = await ready(process)
        headers = {"Authorization": f"Bearer {facts['key']}"}
        async with aiohttp.ClientSession(headers=headers) as session, session.get(f"{facts['base_url']}/models") as response:
            assert facts["model"] in [model["id"] for model in (await response.json())["data"]]
        kept.keys.add(facts["key"])
        assert kept.keys == {facts["key"]}
        assert (kept.folder / "home-assistant_v2.db-wal").exists(), "the recorder's database is open"
        process.send_signal(number)
        _, stderr = await process.communicate()
    assert process.returncode == 0, stderr
    assert namespaces() == before
    assert not (kept.folder / "home-assistant_v2.db-wal").exists(), "the recorder was not allowed to close its database"
    with pytest.raises(aiohttp.ClientError):
        async with aiohttp.ClientSession() as session:
            await session.get(facts["url"], timeout=aiohttp.ClientTimeout(2))


async def test_develop_signal_during_the_start_stops_it(tmp_path: Path) -> None:
    before = namespaces()
    async with develop("--isolated", "--no-demo", "--json", folder=tmp_path) as process:

        async def home_assistant_has_begun() -> bool:
            return (tmp_path / "hass.log").exists() and (tmp_path / "hass.log").stat().st_size > 0

        await eventually(home_assistant_has_begun)
        process.send_signal(signal.SIGINT)
        stdout, _ = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, stdout) == (0, b"")
    assert namespaces() == before


async def test_develop_killed_ends_home_assistant(lan: Lan, tmp_path: Path) -> None:
    async with develop("--no-demo", "--json", folder=tmp_path) as process:
        facts = await ready(process)
        process.kill()
        await process.wait()

        async def port_is_free() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", 8123)) != 0

        assert await eventually(port_is_free)
    assert facts["url"] == "http://127.0.0.1:8123"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Told]:
    """The output of a start without `--json`, which keeps running."""
    folder = tmp_path_factory.mktemp("told")
    async with develop("--isolated", "--port", "8222", folder=folder) as process:
        assert process.stdout is not None
        text = (await asyncio.wait_for(process.stdout.readuntil(b"Ctrl-C stops everything."), READY_TIMEOUT)).decode()
        yield Told(text, json.loads((folder / "developer-login.json").read_text()))


async def test_develop_prints_the_next_steps(told: Told) -> None:
    login = told.login
    assert told.text.strip().startswith("The page ")
    for words in (
        ":8222/zeroconf-ai\n",
        ":8222\n",
        login["user"],
        login["password"],
        "Devices & services",
        "ZeroConf AI",
        "Assist",
    ):
        assert words in told.text
    assert login["token"] not in told.text


async def test_develop_printed_commands_work(told: Told) -> None:
    blocks = textwrap.dedent(told.text[told.text.index("  Gateway ") :]).split("\n\n")
    curl = blocks[0][blocks[0].index("curl ") :]
    python = textwrap.dedent(next(block for block in blocks if "from openai" in block))
    answer = json.loads(await run("sh", "-c", curl))
    assert answer["model"] == "homeassistant/assist"
    assert answer["choices"][0]["message"]["content"]
    assert "light" in await run(sys.executable, "-c", python), "the kitchen light is on"


async def test_develop_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 8333)):
        async with develop("--no-demo", "--port", "8333", folder=tmp_path) as process:
            _, stderr = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert stderr.decode().splitlines()[-1] == "develop: cannot listen on 127.0.0.1, port 8333: Address already in use"


async def test_develop_isolated_without_root_is_refused(tmp_path: Path) -> None:
    # The user id is replaced, because another user cannot run a checkout below /root.
    code = "import os, sys; os.geteuid = lambda: 1000; from devhome.develop import main; sys.exit(main())"
    command = (sys.executable, "-P", "-c", code, "--isolated", "--no-demo", "--config", str(tmp_path))
    environment = os.environ | {"PYTHONPATH": str(Path(DEVELOP).parent / "lib")}
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env=environment)
    _, stderr = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert stderr.decode().splitlines()[-1].startswith("develop: --isolated creates a network namespace, which needs root")
