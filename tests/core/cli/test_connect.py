"""`zeroconf-ai connect`: pairing, later starts, what the owner sees, and its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
import json
from pathlib import Path
import re
import signal
import stat
from typing import Any

import aiohttp
from aiohttp import web
import click
from click.testing import CliRunner, Result
import pytest

from tests.core.relay.houses import House, house
from zeroconf_ai.accounting.one_time_codes import Purpose
from zeroconf_ai.backends.base import BackendInfo, Endpoint
from zeroconf_ai.backends.zeroconfai import ZeroconfAIBackend
from zeroconf_ai.cli import connect, paired
from zeroconf_ai.cli.errors import CommandError
from zeroconf_ai.protocol.hand_over import pin_of
from zeroconf_ai.relay.session import relay_session, relay_url

from ...support.command import COMMAND, environment
from ...support.fakes.provider import FakeProvider, Paused, running, serving, text
from ...support.ports import free_port
from ...support.waiting import until

LIMIT = 60.0
CHAT = {"model": "test-model", "messages": [{"role": "user", "content": "Hello"}]}


@dataclass(slots=True)
class Connecting:
    """A running command. `ready` is its line of JSON."""

    process: asyncio.subprocess.Process
    ready: dict[str, Any]

    async def stop(self) -> tuple[int, list[dict[str, Any]]]:
        """Its exit code after SIGTERM, and its log."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        _, errors = await asyncio.wait_for(self.process.communicate(), LIMIT)
        assert self.process.returncode is not None
        return self.process.returncode, [json.loads(line) for line in errors.decode().splitlines() if line.startswith("{")]


@asynccontextmanager
async def connecting(state: Path, *arguments: str, **variables: str) -> AsyncIterator[Connecting]:
    """The command, which says what it offers."""
    process = await _start(state, arguments, variables)
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), LIMIT)
        if not line:
            raise EOFError((await process.communicate())[1].decode())
        yield Connecting(process, json.loads(line))
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def invoked(*arguments: str, typed: str | None = None) -> Result:
    """The command in this process, which ends by itself. Its state is in the folder of `state_home`."""
    run = partial(CliRunner().invoke, connect.command, arguments, input=typed, standalone_mode=False)
    return await asyncio.to_thread(run)


async def fails(*arguments: str) -> tuple[str, str]:
    """The kind and the text of the error of a command that ends."""
    found = (await invoked(*arguments, "--demo")).exception
    assert isinstance(found, click.ClickException)
    return found.kind if isinstance(found, CommandError) else "usage", str(found)


async def pair_only(home: House, folder: Path) -> None:
    """Pair with a house, without a connection."""
    found = await invoked(address(home), "--code-file", str(code_file(home, folder)), "--pair-only", "--demo")
    assert found.exit_code == 0, found.output


async def _start(state: Path, arguments: tuple[str, ...], variables: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *COMMAND,
        "connect",
        "--json",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(state, {"ZEROCONF_AI_ACCESS_LOG": "true", "ZEROCONF_AI_LOG_FORMAT": "json", **variables}),
    )


def address(home: House) -> str:
    """Where the connector finds the house."""
    return f"http://127.0.0.1:{home.server.port}"


def code_file(home: House, folder: Path) -> Path:
    """A file with a new one-time code, as a person saves it."""
    file = folder / "code.txt"
    file.write_text(f"{home.hub.codes.make(Purpose.RELAY).code.lower()}\n")
    return file


async def use(home: House, connector_id: str) -> None:
    """Make a connector the only provider of a house."""
    engine = home.server.engine
    for member in engine.pool:
        await engine.remove(member.id)
    await home.session.close()
    home.session = relay_session(home.hub.uplink(connector_id))
    backend = ZeroconfAIBackend(home.session, BackendInfo("remote", "GPU box"), Endpoint(relay_url(connector_id)))
    await until(lambda: home.hub.uplink(connector_id).link is not None)
    await engine.checker.check(engine.add(backend), models=True)


def is_linked(home: House) -> bool:
    """Whether the connector that was paired last has a link."""
    return home.hub.uplink(list(home.connectors.known.values())[-1].id).link is not None


async def get(url: str) -> tuple[int, str]:
    """Status and text."""
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_connect_pairs_once_and_answers_over_the_road_from_then_on(tmp_path: Path) -> None:
    """The shown command, chats with the ids of both sides, a stop that lets them end, and a start without a code."""
    paused, port = Paused(), str(free_port())
    async with house() as home, running(FakeProvider(answers=[text("from ", "afar"), paused])) as provider:
        file = code_file(home, tmp_path)
        rules = ("--parallel", "2", "--tokens-per-minute", "100000", "--allow-model", "test*", "--name", "GPU box")
        served = ("--upstream", f"openai_compatible={provider.base_url}", "--health-port", port, *rules)
        async with connecting(tmp_path / "state", address(home), "--code-file", str(file), *served) as command:
            assert command.ready["houses"] == [{"name": "Home", "url": f"ws://127.0.0.1:{home.server.port}/v1/relay"}]
            assert command.ready["models"] == ["test-model"]
            own = list(home.connectors.known.values())[-1]
            await use(home, own.id)
            offer = home.hub.offer(own.id)
            assert (offer.name, offer.models) == ("GPU box", ("test-model",))
            named = {"X-Request-ID": "req_over_the_road"}
            status, body, headers = await home.server.ask("POST", "chat/completions", json=CHAT, headers=named)
            assert (status, body["choices"][0]["message"]["content"]) == (200, "from afar")
            assert headers["X-Request-ID"] == "req_over_the_road"

            health = command.ready["health"]
            assert (await get(f"{health}/readyz"))[0] == 200
            metrics = (await get(f"{health}/metrics"))[1]
            assert 'local_ai_relay_link_up{house="Home"} 1.0' in metrics
            assert re.search(r'local_ai_requests_total\{[^}]*model="test-model"[^}]*status="ok"[^}]*\} 1\.0', metrics)

            asked = {**CHAT, "stream": True}
            async with home.server.session.post(f"{home.server.url}/chat/completions", json=asked) as response:
                await asyncio.wait_for(paused.begun.wait(), LIMIT)
                command.process.send_signal(signal.SIGTERM)
                await until(lambda: home.hub.uplink(own.id).link is None)
                assert (await get(f"{health}/readyz"))[0] == 503
                paused.go.set()
                assert (await response.text()).endswith("data: [DONE]\n\n")
            code, log = await command.stop()
        assert code == 0
        requests = [line for line in log if line.get("request_id") == "req_over_the_road" and line["logger"] == "access"]
        assert [(line["status"], line["key"], line["model"]) for line in requests] == [(200, "Home", "test-model")]
        assert file.read_text().strip().upper() not in json.dumps(log)

        folder = tmp_path / "state" / "zeroconf-ai" / "connector"
        for private in ("key.pem", "houses.json"):
            assert stat.S_IMODE((folder / private).stat().st_mode) == 0o600

        provider.answers = [text("again")]
        configuration = tmp_path / "providers.yaml"
        upstream = {"id": "gpu", "type": "openai_compatible", "endpoint": provider.base_url}

        def write(**rules: Any) -> None:
            fresh = configuration.with_suffix(".new")
            fresh.write_text(json.dumps({"providers": [upstream], "connect": rules}))
            fresh.replace(configuration)

        write(parallel=2, models="test*")
        async with connecting(tmp_path / "state", "--config", str(configuration)):
            await until(lambda: home.hub.uplink(own.id).link is not None)
            status, body, _ = await home.server.ask("POST", "chat/completions", json=CHAT)
            assert (status, body["choices"][0]["message"]["content"]) == (200, "again")
            write(models=["another*"])
            await until(lambda: home.hub.offer(own.id).models == ())
            status, body, _ = await home.server.ask("POST", "chat/completions", json=CHAT)
            assert status != 200, body
        await home.session.close()


async def test_connect_without_a_host_connects_to_all_paired_houses(tmp_path: Path) -> None:
    """Such as a house and a broker, or two brokers."""
    async with house() as home, house() as other:
        for one in (home, other):
            await pair_only(one, tmp_path)
        async with connecting(tmp_path / "state", "--demo") as command:
            assert len(command.ready["houses"]) == 2
            for one in (home, other):
                await until(partial(is_linked, one))


async def test_connect_tells_its_owner_when_the_house_has_removed_it(tmp_path: Path) -> None:
    """By webhook, and in its log; it goes on trying."""
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def hook(request: web.BaseRequest) -> web.Response:
        told.put_nowait(await request.json())
        return web.Response()

    async with house() as home, serving(hook) as port:
        await pair_only(home, tmp_path)
        home.connectors.known.clear()
        target = f"http://127.0.0.1:{port}/secret-path"
        async with connecting(tmp_path / "state", address(home), "--demo", "--notify", target) as command:
            alert = await asyncio.wait_for(told.get(), LIMIT)
            assert (alert["event"], alert["name"]) == ("link_down", "Home")
            assert "does not know this connector" in alert["reason"]
            assert command.process.returncode is None
            code, log = await command.stop()
        assert code == 0
        assert any("was not reached (The house does not know this connector" in line["event"] for line in log)
        assert "secret-path" not in json.dumps(log)


async def test_connect_without_a_valid_code_says_what_is_missing(tmp_path: Path) -> None:
    """No error repeats the code."""
    async with house() as home:
        file = code_file(home, tmp_path)
        by_file = (address(home), "--code-file", str(file))
        assert (await fails())[0] == "not_paired"
        assert "no one-time code was given" in (await fails(address(home)))[1]
        file.write_text("a secret that is no code")
        kind, message = await fails(*by_file)
        assert (kind, "secret" in message) == ("invalid_code", False)
        file.write_text("0000-0000")
        kind, message = await fails(*by_file)
        assert (kind, "code is wrong" in message) == ("not_paired", True)
        assert not paired.houses()
        assert (await fails("wss://127.0.0.1:1", "--code-file", str(file)))[0] == "unreachable"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("http://192.0.2.7",), "must begin with wss://"),
        (("ai.example.net", "--pin", "12:34"), "SHA-256"),
        (("ai.example.net", "--hours", "night"), "08:00-22:00"),
        (("ai.example.net", "--notify", "nobody"), "webhook"),
        (("--forget",), "--forget needs HOST"),
        (("ai.example.net", "--upstream", "ollama"), "--demo cannot be combined"),
    ],
)
async def test_connect_with_an_invalid_option_says_how_it_is_written(arguments: tuple[str, ...], message: str) -> None:
    """Before anything is sent."""
    kind, text = await fails(*arguments)
    assert (kind, message in text) == ("usage", True)


async def test_connect_pairs_only_and_forgets_a_house(tmp_path: Path) -> None:
    """Afterwards a new code is needed."""
    async with house() as home:
        await pair_only(home, tmp_path)
        assert [house.name for house in paired.houses()] == ["Home"]
        assert (await invoked(address(home), "--forget")).exit_code == 0
        assert not paired.houses()
        assert (await fails(address(home), "--forget"))[0] == "not_found"


async def test_connect_pairs_again_with_a_code_on_stdin() -> None:
    """The house has removed this machine, whose key stays."""
    async with house() as home:
        for option in ((), ("--pair-again",)):
            code = f"  {home.hub.codes.make(Purpose.RELAY).code.replace('-', ' ').lower()}\n"
            found = await invoked(address(home), "--code-file", "-", "--pair-only", "--demo", *option, typed=code)
            assert found.exit_code == 0, found.output
            assert code.strip() not in found.output
        assert len(home.connectors.known) == 2, "the connector of `house` and this one"
        assert len(paired.houses()) == 1


async def test_connect_uses_the_pin_that_was_passed_last(tmp_path: Path) -> None:
    """A house that has a new certificate needs no new code."""
    async with house() as home:
        await pair_only(home, tmp_path)
        pin = "00:" * 31 + "01"
        found = await invoked(address(home), "--pin", pin, "--pair-only", "--demo")
        assert found.exit_code == 0, found.output
        assert paired.houses()[0].pin == pin_of(pin)
