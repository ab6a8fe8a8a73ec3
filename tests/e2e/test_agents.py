"""Real coding agents with the settings of docs/use/agents.md: each gets a tool call from the gateway and makes it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
import json
import os
from pathlib import Path
import platform
import re
import secrets
import shlex
import sys
from typing import Any, override

from aiohttp import ClientSession
import pytest
import pytest_asyncio

from devhome.namespaces import Lan
from devhome.process import ManagedProcess, free_port
from tests.support.clouds.openai import FakeOpenAI
from tests.support.clouds.server import Call, Outcome, Reply
from tests.support.documented import ADDRESS, sections, with_replaced
from tests.support.waiting import until

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the agents are installed for x86-64"),
]

PAGE = sections("use/agents.md")
EXAMPLE_KEY = "zai_example_key_of_this_page_012345678"
BIN = Path(sys.prefix) / "bin"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zeroconf-ai"
PACKAGES = CACHE / "agents" / "node_modules"
AIDER = CACHE / "aider/bin/aider"
PROGRAMS = {
    "opencode": PACKAGES / "opencode-linux-x64/bin/opencode",
    "claude": PACKAGES / "@anthropic-ai/claude-code-linux-x64/claude",
    "codex": PACKAGES / "@openai/codex/vendor/x86_64-unknown-linux-musl/bin/codex",
    "cn": PACKAGES / ".bin/cn",
    "aider": AIDER,
}
FILE = "notes.txt"
PROMPT = f"Read {FILE} and say what it contains."
LIST = "shopping.txt"
ADD, COMMIT = f"Add sugar to {LIST}.", "feat: add sugar"
ASK, ATTIC = "Ask the models of my network what is in the attic.", "What is in the attic?"
SECONDS = 120.0
"""The time of an agent; alone on a machine it takes 2 to 6 s."""


class Model(FakeOpenAI):
    """Reads the file with the agent's own tool, then says what it contains."""

    calls: tuple[Call, ...] = ()

    @override
    def outcome_for(self, body: Mapping[str, Any]) -> Outcome:
        conversation = json.dumps(body["messages"])
        if conversation.endswith(f'{ATTIC}"}}]'):
            return Reply("There is NOTE-7 in the attic.")
        if ADD in conversation:
            if "commit message" in conversation:
                return Reply(COMMIT)
            (bought,) = set(re.findall(r"NOTE-\d+", conversation))
            return Reply(f"{LIST}\n```\n{bought}\nsugar\n```\n")
        if PROMPT not in conversation and ASK not in conversation:
            return Reply("Notes")  # a request of the agent's own, such as for a title
        if found := re.search(r"NOTE-\d+", conversation):
            return Reply(f"It contains {found[0]}.")
        offered = {tool["function"]["name"] for tool in body.get("tools") or ()}
        made = next((call for call in self.calls if call.name in offered), None)
        return Reply(f"None of {sorted(offered)} reads a file.") if made is None else Reply(calls=(made,))


@dataclass
class Site:
    """A gateway whose model is scripted, and the key that the page creates."""

    model: Model
    url: str
    state: Path
    key: str = EXAMPLE_KEY

    async def run(self, work: Path, *commands: str) -> str:
        """Run commands of the page in a home folder of their own; what they print. Fails if one fails."""
        replaced = {f"http://{ADDRESS}:8000": self.url, EXAMPLE_KEY: self.key}
        script = "\n".join(
            ["set -e", f"export ZEROCONF_AI_KEY={self.key}", *(with_replaced(text, replaced) for text in commands)]
        )
        environment = {
            "PATH": os.pathsep.join((str(work.parent / "bin"), str(BIN), "/usr/bin", "/bin")),
            "HOME": str(work),
            "XDG_STATE_HOME": str(self.state),
            "TERM": "dumb",
            "NO_COLOR": "1",
        }
        with (work / "errors.log").open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *("bash", "-c", script),
                cwd=work,
                env=environment,
                stderr=errors,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            try:
                async with asyncio.timeout(SECONDS):
                    printed = (await process.communicate())[0].decode(errors="replace")
            finally:
                if process.returncode is None:
                    os.killpg(process.pid, 9)
                    await process.wait()
        assert process.returncode == 0, printed[-2000:] + (work / "errors.log").read_text(errors="replace")[-4000:]
        return printed


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(lan: Lan, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("agents")
    async with Model(key="sk-example-of-the-agents") as model:
        upstream = {"id": "model", "type": "openai", "endpoint": model.base_url, "authSecret": model.key}
        config = folder / "providers.yaml"
        config.write_text(json.dumps({"providers": [upstream]}), encoding="utf-8")
        port = free_port("127.0.0.1", range(18000, 18100))
        command = (
            *("env", f"XDG_STATE_HOME={folder}", str(BIN / "zeroconf-ai"), "serve", "--no-advertise", "--host", "127.0.0.1"),
            *("--port", str(port), "--config", str(config)),
        )
        gateway = ManagedProcess("zeroconf-ai serve", command, folder / "serve.log").start()

        async def ready() -> bool:
            return "serving" in gateway.output()

        try:
            await gateway.until(ready, 60)
            yield Site(model, f"http://127.0.0.1:{port}", folder)
        finally:
            await gateway.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def work(site: Site, tmp_path: Path) -> Path:
    """A home folder, beside a folder with the programs."""
    (tmp_path / "bin").mkdir()
    for name, program in PROGRAMS.items():
        (tmp_path / "bin" / name).symlink_to(program)
    home = tmp_path / "home"
    home.mkdir()
    if site.key == EXAMPLE_KEY:
        (created,) = PAGE["A key for each agent"].commands[:1]
        site.key = re.findall(r"zai_\w{20,}", await site.run(home, created))[0]
        await accepted(site)
    return home


async def accepted(site: Site) -> None:
    """Wait until the gateway has read the key from its database, which takes up to a second."""
    async with ClientSession(headers={"Authorization": f"Bearer {site.key}"}) as session:

        async def is_known() -> bool:
            async with session.get(f"{site.url}/v1/models") as response:
                return response.status == HTTPStatus.OK

        await until(is_known)


async def test_key_of_an_agent_is_limited_and_lists_models(site: Site, work: Path) -> None:
    _, exported, listed, _ = PAGE["A key for each agent"].commands
    models = json.loads(await site.run(work, exported, listed))
    assert "auto" in {model["id"] for model in models["data"]}
    (made,) = json.loads(await site.run(work, "zeroconf-ai keys list --label coding --json"))
    assert (made["name"], made["background"], made["parallel"], made["requests_per_minute"]) == ("OpenCode", True, 2, 60)


@pytest.mark.parametrize(
    ("agent", "calls"),
    [
        ("OpenCode", [Call("read", {"filePath": FILE}, id="call_notes")]),
        ("Claude Code", [Call("Read", {"file_path": FILE}, id="toolu_notes")]),
        (
            "Codex",
            [
                Call("exec_command", {"cmd": f"cat {FILE}"}, id="call_notes"),
                Call("shell_command", {"command": f"cat {FILE}"}, id="call_notes"),
                Call("shell", {"command": ["cat", FILE]}, id="call_notes"),
            ],
        ),
        ("Continue", [Call("Read", {"filepath": FILE}, id="call_notes")]),
    ],
)
async def test_agent_with_documented_settings_makes_a_tool_call(site: Site, work: Path, agent: str, calls: list[Call]) -> None:
    number = f"NOTE-{secrets.randbelow(10**6)}"
    (work / FILE).write_text(f"{number}\n", encoding="utf-8")
    places = {name: str(work / FILE) for name in ("filePath", "file_path", "filepath")}
    site.model.calls = tuple(
        Call(call.name, {name: places.get(name, value) for name, value in call.arguments.items()}, id=call.id) for call in calls
    )
    section = PAGE[agent]
    section.written(work, {f"http://{ADDRESS}:8000": site.url, EXAMPLE_KEY: site.key})
    assert any(PROMPT in shlex.split(command, comments=True) for command in section.commands)
    printed = await site.run(work, *section.commands)
    assert f"It contains {number}." in printed


@pytest.mark.skipif(not AIDER.exists(), reason="aider needs Python 3.12, which scripts/setup found neither here nor at uv's")
async def test_agent_without_tools_edits_a_file_and_commits_it(site: Site, work: Path) -> None:
    number = f"NOTE-{secrets.randbelow(10**6)}"
    (work / "project" / LIST).parent.mkdir()
    (work / "project" / LIST).write_text(f"{number}\n", encoding="utf-8")
    identity = "-c user.name=tester -c user.email=tester@example.org"
    await site.run(work, f"cd project; git init --quiet; git add .; git {identity} commit --quiet --message start")
    section = PAGE["aider"]
    section.written(work, {f"http://{ADDRESS}:8000": site.url})
    before = len(site.model.received)
    said = await site.run(work, "cd project", *section.commands) + (work / "errors.log").read_text("utf-8")
    tried_to_download = re.search(r"connection|retries|resolve|warning|https:", said, re.IGNORECASE)
    assert tried_to_download is None, said
    assert (work / "project" / LIST).read_text("utf-8") == f"{number}\nsugar\n"
    committed = await site.run(work, f"cd project; git log --format=%s; git show --format= HEAD:{LIST}")
    assert committed.split("\n") == [COMMIT, "start", number, "sugar", ""]
    assert [request.method for request in site.model.received[before:]].count("POST") == 2


async def test_agent_asks_other_models_by_its_tool(site: Site, work: Path) -> None:
    site.model.calls = (
        Call("mcp__home__ask", {"question": ATTIC}, id="toolu_attic"),
        Call("ToolSearch", {"query": "select:mcp__home__ask", "max_results": 1}, id="toolu_search"),
    )
    settings, _ = PAGE["Claude Code"].commands
    printed = await site.run(work, settings, *PAGE["Ask other models from an agent"].commands)
    assert "It contains NOTE-7." in printed


async def test_agent_without_settings_gets_its_endpoint(site: Site, work: Path) -> None:
    (work / FILE).write_text("NOTE-8\n", encoding="utf-8")
    site.model.calls = (Call("Read", {"file_path": str(work / FILE)}, id="toolu_notes"),)
    printed = await site.run(work, PAGE["A key for each agent"].commands[-1])
    assert "It contains NOTE-8." in printed


async def test_no_request_of_an_agent_failed(site: Site, work: Path) -> None:
    usage = json.loads(await site.run(work, "zeroconf-ai usage --group-by key --label coding --format json"))
    (row,) = usage["data"]
    assert (row["key_name"], row["errors"]) == ("OpenCode", 0)
    assert row["requests"] >= 8
