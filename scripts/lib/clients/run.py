"""The gateway and the clients as processes, and what they printed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
import json
import os
from pathlib import Path
import re
import secrets
import sys

from devhome.process import ManagedProcess, free_port
from tests.support.clouds.server import Call

from .installed import BIN, PACKAGES, start_command, version
from .model import HELLO, MODELS, PROMPTS, ScriptedModel, again_answer, read_answer
from .programs import METER, Program, Turn

START_SECONDS = 30.0
CLIENT_SECONDS = 180.0
"""The time of all prompts of a client; the coding agents take up to 10 s to start."""
_PLACE = re.compile(r"[{<](url|key|model|work|packages)[}>]")


@dataclass(frozen=True)
class Outcome:
    """Which of the three turns of a client were answered as expected."""

    client: str
    version: str
    api: str
    backend: str
    chat: bool
    tool: bool
    second_turn: bool
    """The tool's result was known in the next turn."""

    @property
    def passed(self) -> bool:
        """Whether all turns were."""
        return self.chat and self.tool and self.second_turn


async def run(programs: Sequence[Program], backends: Sequence[str], folder: Path) -> list[Outcome]:
    """Run each client with each backend, one after the other; `folder` keeps logs. Raises DevHomeError if the gateway fails."""
    outcomes = []
    for backend in backends:
        async with MODELS[backend](key="sk-example-of-the-clients") as model:
            gateway, url, key = await _start_gateway(model, folder / backend)
            try:
                for program in programs:
                    outcome = await _try(program, model, url, key, folder / backend)
                    sys.stderr.write(f"clients: {program.name} with {backend}: {'passed' if outcome.passed else 'FAILED'}\n")
                    outcomes.append(outcome)
            finally:
                await gateway.stop()
    return outcomes


async def _start_gateway(model: ScriptedModel, folder: Path) -> tuple[ManagedProcess, str, str]:
    """`zeroconf-ai serve` with a key; its process, its URL and the key."""
    port, key = free_port("127.0.0.1", range(18000, 19000)), "zai_example_of_the_clients_012345678"
    config = _write_config(model, folder)
    command = (
        *(str(BIN / "zeroconf-ai"), "serve", "--no-advertise", "--host", "127.0.0.1", "--port", str(port), "--key", key),
        *("--config", str(config), "--id-file", str(folder / "id")),
    )
    gateway = ManagedProcess("zeroconf-ai serve", command, folder / "serve.log").start()

    async def ready() -> bool:
        return "serving" in gateway.output()

    await gateway.until(ready, START_SECONDS)
    return gateway, f"http://127.0.0.1:{port}", key


def _write_config(model: ScriptedModel, folder: Path) -> Path:
    """The configuration of a gateway with this upstream."""
    folder.mkdir(parents=True)
    upstream = {"id": "model", "type": model.type, "endpoint": model.base_url, "authSecret": model.key}
    config = folder / "providers.yaml"
    config.write_text(json.dumps({"providers": [upstream]}), encoding="utf-8")
    return config


async def _try(program: Program, model: ScriptedModel, url: str, key: str, folder: Path) -> Outcome:
    """Run one client in a working folder of its own."""
    number = f"METER-{secrets.randbelow(900_000) + 100_000}"
    work = folder / re.sub(r"\W+", "-", program.name.lower())
    work.mkdir()
    (work / METER).write_text(f"kitchen: {number}\n", encoding="utf-8")
    turn = Turn(url, key, model.model, work, PACKAGES)
    for name, content in program.files.items():
        file = work / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_filled(content, turn), encoding="utf-8")
    model.calls = tuple(Call(call.name, _filled_values(call.arguments, turn), call.id) for call in program.calls)
    model.received.clear()
    environment = _environment(program, turn, number)
    commands = [start_command(program)] if program.commands is None else program.commands(turn)
    try:
        async with asyncio.timeout(CLIENT_SECONDS):
            printed = "".join([await _output(command, environment, work) for command in commands])
    except TimeoutError:
        printed = ""
    requests = [{"path": received.path, "body": received.body} for received in model.received]
    (work / "requests.json").write_text(json.dumps(requests, indent=1), encoding="utf-8")
    return Outcome(
        *(program.name, version(program), program.api, model.type),
        chat=HELLO in printed,
        tool=read_answer(number) in printed,
        second_turn=again_answer(number) in printed,
    )


def _environment(program: Program, turn: Turn, number: str) -> dict[str, str]:
    """The environment of a client: nothing of the caller's keys and settings."""
    path = os.pathsep.join((str(BIN), "/usr/local/bin", "/usr/bin", "/bin"))
    cache = os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv")
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR", "XDG_CACHE_HOME") if name in os.environ}
    common = {"PATH": path, "HOME": str(turn.work), "UV_CACHE_DIR": cache, "NO_COLOR": "1", "TERM": "dumb", "DO_NOT_TRACK": "1"}
    script = {"HOME_URL": turn.url, "HOME_KEY": turn.key, "HOME_MODEL": turn.model, "HOME_NUMBER": number}
    settings = {name: _filled(value, turn) for name, value in program.environment.items()}
    return kept | common | script | {"HOME_PROMPTS": json.dumps(PROMPTS)} | settings


async def _output(command: Sequence[str], environment: Mapping[str, str], work: Path) -> str:
    """What a command prints. What it writes to the error output goes to a file with its command."""
    with (work / "errors.log").open("a", encoding="utf-8") as errors:
        errors.write(f"$ {' '.join(command)}\n")
        errors.flush()
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=work,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
        try:
            raw, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    text = raw.decode(errors="replace")
    with (work / "output.log").open("a", encoding="utf-8") as output:
        output.write(text)
    return text


def _filled(text: str, turn: Turn) -> str:
    """A text with its places filled; `<url>` is for JSON, where braces have a meaning."""
    return _PLACE.sub(lambda found: str(getattr(turn, found[1])), text)


def _filled_values(arguments: Mapping[str, object], turn: Turn) -> dict[str, object]:
    return {name: _filled(value, turn) if isinstance(value, str) else value for name, value in arguments.items()}


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as a Markdown table."""
    marks = {True: "yes", False: "**no**"}
    rows = ["| client | version | path | backend | chat | tool | second turn |", "|---|---|---|---|---|---|---|"]
    rows += [
        f"| {one.client} | {one.version} | `{one.api}` | {one.backend} | "
        f"{marks[one.chat]} | {marks[one.tool]} | {marks[one.second_turn]} |"
        for one in outcomes
    ]
    return "\n".join(rows)


def as_json(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as JSON."""
    return json.dumps([asdict(one) for one in outcomes], indent=2)
