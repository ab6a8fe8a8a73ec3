"""A machine behind a router, which nothing reaches, is a provider of a home behind nginx: `scripts/develop --relay`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import json
from pathlib import Path
import shlex

from devhome.client import HomeClient, Json, eventually
from devhome.gateway import DOMAIN
from devhome.process import ManagedProcess

from .steps import model_pipeline_of
from .test_develop import develop, ready, run

LIGHT = "light.kitchen_light"
NAME = "AI on the road"
LIMIT = 60.0


class Machine:
    """The command on the machine, as a person starts it."""

    def __init__(self, command: str, log: Path) -> None:
        """`command` is the one that scripts/develop prints."""
        self._command = [*shlex.split(command), "--name", NAME, "--log-format", "json"]
        self._log = log
        self.process = ManagedProcess("The connector", self._command, log)

    def start(self, code: str) -> None:
        """Start it with a one-time code."""
        file = self._log.with_suffix(".code")
        file.write_text(code, encoding="utf-8")
        self.process = ManagedProcess("The connector", [*self._command, "--code-file", str(file)], self._log)
        self.process.start()

    @property
    def lines(self) -> list[Json]:
        """Its log."""
        return [json.loads(line) for line in self.process.output().splitlines() if line.startswith("{")]

    @property
    def connections(self) -> int:
        """How often it has connected."""
        return sum(line["event"].startswith("Connected to") for line in self.lines)

    @property
    def chats(self) -> list[str]:
        """The ids of the chats that it has answered."""
        return [line["request_id"] for line in self.lines if line["event"] == "POST /v1/chat/completions 200"]


@asynccontextmanager
async def paired(client: HomeClient, machine: Machine) -> AsyncGenerator[str]:
    """The assistant of the machine, which was added as a person does it: the home shows a command and a code."""
    flow = (await client.start_flow(DOMAIN))["flow_id"]
    step = await client.continue_flow(flow, {"next_step_id": "connector"})
    assert step["description_placeholders"]["command"].startswith("zeroconf-ai connect https://")
    machine.start(step["description_placeholders"]["code"])
    try:

        async def created() -> bool:
            return bool((await client.continue_flow(flow))["type"] == "create_entry")

        await eventually(created, timeout=LIMIT)
        yield await model_pipeline_of(client, NAME)
    finally:
        machine.process.kill()


async def counted(client: HomeClient, pipeline: str, begun: asyncio.Event) -> str:
    """What Assist says, to its end or to its error, when it is asked for a long answer; `begun` is set with the first word."""
    said = ""
    fields: Json = {"start_stage": "intent", "end_stage": "intent", "input": {"text": "count to 500"}, "pipeline": pipeline}
    async with client.subscribe("assist_pipeline/run", timeout=LIMIT, **fields) as events:
        async for event in events:
            delta = (event["data"] or {}).get("chat_log_delta", {}) if event["type"] == "intent-progress" else {}
            said += delta.get("content") or ""
            if said:
                begun.set()
            if event["type"] in ("error", "run-end"):
                return said
    raise AssertionError("the connection to Home Assistant was closed")


async def test_machine_behind_a_router_turns_a_light_on_and_a_cut_link_heals(tmp_path: Path) -> None:
    """The story of the docs: pair by the shown command, speak, cut the link in mid-answer, speak again."""
    async with develop("--relay", "--json", folder=tmp_path / "home") as process:
        facts = await ready(process)
        machine = Machine(facts["connect"], tmp_path / "connect.log")
        async with HomeClient(facts["url"], facts["token"]) as client, paired(client, machine) as pipeline:
            assert await client.state(LIGHT) == "off"
            assert (await client.assist("Turn on the kitchen light", pipeline=pipeline)).speech
            assert await client.state(LIGHT) == "on"
            assert machine.chats

            begun = asyncio.Event()
            counting = asyncio.create_task(counted(client, pipeline, begun))
            await asyncio.wait_for(begun.wait(), LIMIT)
            await run(*shlex.split(facts["cut"]))
            said = await asyncio.wait_for(counting, LIMIT)
            await run(*shlex.split(facts["mend"]))
            assert said.startswith("1")
            assert "500" not in said

            async def back() -> bool:
                return machine.connections >= 2

            await eventually(back, timeout=LIMIT)
            before = len(machine.chats)
            assert (await client.assist("Turn off the kitchen light", pipeline=pipeline)).speech
            assert await client.state(LIGHT) == "off"

            async def has_answered() -> bool:  # its log is written by a thread
                return len(machine.chats) > before

            await eventually(has_answered)
            assert await machine.process.stop() == 0
        process.terminate()
        await process.communicate()
