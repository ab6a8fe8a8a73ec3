"""The relay of a server with a database: members of the pool, and what administrators control."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
import json
from pathlib import Path
import subprocess

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.command import COMMAND, environment, serving
from tests.support.server import Served, served
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.reasons import CONNECTOR_AWAY
from zeroconf_ai.relay.handshake import Paired, Welcome, authenticate_to_house, pair_with_house
from zeroconf_ai.relay.house import RelayHouse, connect_command, house_key
from zeroconf_ai.relay.link import Link, Role
from zeroconf_ai.relay.members import member_id
from zeroconf_ai.relay.stream import Stream
from zeroconf_ai.relay.uplink import RECONNECT_SECONDS
from zeroconf_ai.routing.pool.member import Member

from .houses import InProcessProvider, open_socket

LIMIT = 30.0
DEMO = {"model": "demo-rules", "messages": [{"role": "user", "content": "Hello"}]}


class Site:
    """A server with a relay, and a machine that can be connected to it."""

    def __init__(self, server: Served, relay: RelayHouse, provider: InProcessProvider) -> None:
        self.server, self.relay, self.provider = server, relay, provider
        self.key = Ed25519PrivateKey.generate()
        self.paired: Paired | None = None

    async def pair(self, name: str = "GPU box") -> str:
        """Pair the machine; returns its id."""
        shown = await self.relay.make_code("https://home.example", actor="anna")
        async with open_socket(self.server.url) as socket:
            self.paired = await pair_with_house(socket, self.key, name, shown["code"])
        return self.paired.id

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[Link]:
        """A link of the machine."""
        assert self.paired is not None
        async with open_socket(self.server.url) as socket:
            await authenticate_to_house(socket, self.key, self.paired.house_key)
            link = Link(socket, Role.CONNECTOR, accept=self._accept)
            self.link = link
            link.hello({"name": "GPU box", "models": ["demo-rules"], "version": "1.2.3"})
            running = asyncio.create_task(link.run())
            try:
                yield link
            finally:
                await link.close()
                await running

    async def _accept(self, stream: Stream) -> None:
        await self.provider.answer(self.link, stream)

    async def state(self, wanted: bool) -> Member:
        """The member of the machine, as soon as it is online or not."""
        assert self.paired is not None
        while True:
            member = self.server.engine.pool.get(member_id(self.paired.id))
            if member is not None and member.known and member.online == wanted:
                return member
            await asyncio.sleep(0.02)


@asynccontextmanager
async def site(folder: Path) -> AsyncGenerator[Site]:
    """A server with a relay."""
    async with AsyncExitStack() as stack, asyncio.timeout(LIMIT):
        store = await AccountingStore.open(folder / "a.db")
        stack.push_async_callback(store.close)
        server = await stack.enter_async_context(served())
        remote = await stack.enter_async_context(served(provider_id="gpu-id"))
        key = await asyncio.to_thread(house_key, folder / "relay")
        relay = RelayHouse(server.engine, store, key, Welcome("house", "Home"))
        server.gateway.relay = relay.hub
        await relay.start()
        stack.push_async_callback(relay.close)
        yield Site(server, relay, InProcessProvider(remote))


async def test_connector_paired_becomes_a_provider_while_it_is_connected(tmp_path: Path) -> None:
    async with site(tmp_path) as found:
        await found.pair()
        async with found.connected():
            member = await found.state(wanted=True)
            assert member.name == "GPU box"
            assert await member.backend.leaves_home()
            request = {**DEMO, "model": "GPU box/demo-rules"}
            status, answer, headers = await found.server.ask("POST", "chat/completions", json=request)
            assert (status, headers["X-ZeroconfAI-Provider"]) == (200, "GPU box")
            assert answer["choices"][0]["message"]["content"]
            found.server.engine.home_only = True
            status, answer, _ = await found.server.ask("POST", "chat/completions", json=request)
            assert (status >= 400, answer["error"]["code"]) == (True, "home_only")
            shown = (await found.relay.describe("https://home.example"))["connectors"]
            assert [(one["name"], one["connected"], one["models"], one["version"]) for one in shown] == [
                ("GPU box", True, ["demo-rules"], "1.2.3")
            ]


async def test_connector_away_is_offline_and_comes_back(tmp_path: Path) -> None:
    async with site(tmp_path) as found:
        connector_id = await found.pair()
        async with found.connected():
            await found.state(wanted=True)
        reasons: list[str] = []
        found.server.engine.pool.listen(lambda event: reasons.append("" if event is None else event.reason))
        uplink = found.relay.hub.uplink(connector_id)
        while uplink._gone is None:
            await asyncio.sleep(0.02)
        assert uplink.connected  # requests wait for it first
        assert uplink._gone.when() - asyncio.get_running_loop().time() <= RECONNECT_SECONDS
        uplink._gone.cancel()
        uplink._lost_at = asyncio.get_running_loop().time() - RECONNECT_SECONDS
        uplink._give_up()
        await found.state(wanted=False)
        assert CONNECTOR_AWAY in reasons
        async with found.connected():
            await found.state(wanted=True)


async def test_connector_disabled_is_disconnected_and_may_come_back(tmp_path: Path) -> None:
    async with site(tmp_path) as found:
        connector_id = await found.pair()
        async with found.connected() as link:
            await found.state(wanted=True)
            await found.relay.update(connector_id, enabled=False, actor="anna")
            while not link.closed:
                await asyncio.sleep(0.02)
            assert found.server.engine.pool.get(member_id(connector_id)) is None
        await found.relay.update(connector_id, enabled=True, actor="anna")
        async with found.connected():
            await found.state(wanted=True)


async def test_connector_renamed_and_removed_by_another_process(tmp_path: Path) -> None:
    async with site(tmp_path) as found:
        connector_id = await found.pair()
        other = await AccountingStore.open(tmp_path / "a.db")
        async with found.connected() as link:
            await found.state(wanted=True)
            await other.connectors.update(connector_id, name="Attic")
            while (await found.state(wanted=True)).name != "Attic":
                await asyncio.sleep(0.02)
            await other.connectors.remove(connector_id)
            while not link.closed:
                await asyncio.sleep(0.02)
            assert found.server.engine.pool.get(member_id(connector_id)) is None
        await other.close()


async def test_code_is_shown_with_its_command_until_it_is_cancelled(tmp_path: Path) -> None:
    async with site(tmp_path) as found:
        made = await found.relay.make_code("https://home.example:8123", actor="anna")
        assert made["command"] == "zeroconf-ai connect https://home.example:8123"
        assert (await found.relay.describe("https://home.example:8123"))["code"] == made
        await found.relay.cancel_code()
        assert (await found.relay.describe("https://home.example:8123"))["code"] is None


def test_command_has_the_pin_of_an_own_certificate() -> None:
    assert connect_command("https://192.0.2.7:8443", "AbC_-1") == "zeroconf-ai connect https://192.0.2.7:8443 --pin AbC_-1"


def test_command_connectors_of_a_running_server(tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*COMMAND, "connectors", *words]
        return subprocess.run(command, capture_output=True, text=True, env=environment(tmp_path), timeout=60, check=False)

    with serving(tmp_path, "--no-advertise", "--keys") as server:
        made = json.loads(run("pair", "--json").stdout)
        assert made["command"] == f"zeroconf-ai connect http://127.0.0.1:{server.ready['port']}"
        assert len(made["code"]) == 9
        failed = run("remove", "Attic")
        assert failed.returncode != 0
        assert "There is no connector Attic." in failed.stderr
