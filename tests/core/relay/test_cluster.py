"""Brokers with one database: a request reaches a connector over the broker that has its link."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
import pytest

from tests.support.server import Served, served
from tests.support.waiting import until
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.config.cluster_fields import ClusterSettings
from zeroconf_ai.relay.cluster import Cluster, cluster_key
from zeroconf_ai.relay.frames import SUBPROTOCOL
from zeroconf_ai.relay.handshake import HandshakeError, Paired, Welcome, authenticate_to_house, pair_with_house, public_bytes
from zeroconf_ai.relay.house import RelayHouse
from zeroconf_ai.relay.link import Link, Role
from zeroconf_ai.relay.members import member_id
from zeroconf_ai.relay.session import relay_session, relay_url
from zeroconf_ai.relay.stream import Stream

from .houses import InProcessProvider, open_socket

JSON = {"Content-Type": "application/json"}
SECRET = "a-secret-of-all-brokers-of-the-tests"


@dataclass
class Broker:
    """One broker of several."""

    server: Served
    store: AccountingStore
    relay: RelayHouse
    cluster: Cluster

    async def chat(self, **more: Any) -> tuple[int, Any]:
        """Status and body of a chat that a connector answers."""
        body = {"model": "demo-rules", "messages": [{"role": "user", "content": "Count to three"}], **more}
        status, found, _ = await self.server.ask("POST", "chat/completions", json=body)
        return status, found

    def is_online(self, connector_id: str) -> bool:
        """Whether a connector can be asked here."""
        member = self.server.engine.pool.get(member_id(connector_id))
        return member is not None and member.known and member.online


@asynccontextmanager
async def broker(file: Path, name: str) -> AsyncGenerator[Broker]:
    """A broker that shares the database `file`, and serves only connectors."""
    async with AsyncExitStack() as stack:
        store = await AccountingStore.open(file)
        stack.push_async_callback(store.close)
        server = await stack.enter_async_context(served(provider_id=name))
        for member in list(server.engine.pool):
            await server.engine.remove(member.id)
        relay = RelayHouse(server.engine, store, cluster_key(SECRET, b"house"), Welcome(name, name))
        server.gateway.relay = relay.hub
        await relay.start()
        stack.push_async_callback(relay.close)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        settings = ClusterSettings(f"http://127.0.0.1:{server.port}", SECRET)
        cluster = server.gateway.brokers = Cluster(relay.hub, store.broker_links, session, settings)
        cluster.start()
        stack.push_async_callback(cluster.close)
        yield Broker(server, store, relay, cluster)


class Machine:
    """A machine with the built-in model."""

    def __init__(self, provider: InProcessProvider) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.provider = provider
        self.paired: Paired | None = None

    @property
    def id(self) -> str:
        """Its id at the brokers."""
        assert self.paired is not None
        return self.paired.id

    async def pair(self, at: Broker) -> None:
        """Pair with one broker, and so with all."""
        shown = await at.relay.make_code("https://ai.example.net", actor="anna")
        async with open_socket(at.server.url) as socket:
            self.paired = await pair_with_house(socket, self.key, "GPU box", shown["code"])

    @asynccontextmanager
    async def connected(self, to: Broker) -> AsyncGenerator[Link]:
        """A link to a broker."""
        assert self.paired is not None
        async with open_socket(to.server.url) as socket:
            await authenticate_to_house(socket, self.key, self.paired.house_key)

            async def accept(stream: Stream) -> None:
                await self.provider.answer(link, stream)

            link = Link(socket, Role.CONNECTOR, accept=accept)
            running = asyncio.create_task(link.run())
            try:
                yield link
            finally:
                await link.close()
                await running


@asynccontextmanager
async def two_brokers(folder: Path) -> AsyncGenerator[tuple[Broker, Broker, Machine]]:
    """Two brokers, and a machine that was paired with the first."""
    async with (
        asyncio.timeout(60),
        broker(folder / "shared.db", "broker-a") as first,
        broker(folder / "shared.db", "broker-b") as second,
        served(provider_id="gpu-id") as remote,
    ):
        machine = Machine(InProcessProvider(remote))
        await machine.pair(first)
        yield first, second, machine


async def test_request_at_a_broker_without_the_connector_is_answered_over_the_one_that_has_it(tmp_path: Path) -> None:
    async with two_brokers(tmp_path) as (first, second, machine):
        async with machine.connected(first):
            await until(lambda: first.is_online(machine.id) and second.is_online(machine.id))
            for one in (first, second):
                status, found = await one.chat()
                assert (status, found["choices"][0]["message"]["content"] != "") == (200, True)
            assert first.relay.hub.direct_link(machine.id) is not None
            assert second.relay.hub.direct_link(machine.id) is None
            # A stream too, and many at once.
            answers = await asyncio.gather(*(second.chat(stream=True) for _ in range(20)))
            assert all(status == 200 and b"[DONE]" in found for status, found in answers)
            # More than the first credit of a stream, there and back.
            large = json.dumps({"model": "demo-embed", "input": ["word"] * 300}).encode() + b" " * 600_000
            async with (
                relay_session(second.relay.hub.uplink(machine.id)) as session,
                session.post(f"{relay_url(machine.id)}/embeddings", data=large, headers=JSON) as response,
            ):
                assert response.status == 200
                assert len((await response.json())["data"]) == 300
        await until(lambda: not first.relay.hub.is_connected(machine.id) or first.relay.hub.direct_link(machine.id) is None)
        # It comes back, at the other broker.
        async with machine.connected(second):
            await until(lambda: second.relay.hub.direct_link(machine.id) is not None)
            status, found = await first.chat()
            assert status == 200, found
            assert second.relay.hub.direct_link(machine.id) is not None


async def test_connector_at_both_brokers_is_asked_directly(tmp_path: Path) -> None:
    async with two_brokers(tmp_path) as (first, second, machine), machine.connected(first):
        await until(lambda: second.is_online(machine.id))
        async with machine.connected(second):
            await until(lambda: second.relay.hub.direct_link(machine.id) is not None)
            assert (await second.chat())[0] == 200
            assert (await first.chat())[0] == 200
        await until(lambda: second.relay.hub.direct_link(machine.id) is None)
        assert (await second.chat())[0] == 200  # over the first broker again


async def test_links_of_a_broker_that_is_gone_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with two_brokers(tmp_path) as (first, second, machine):
        await first.store.broker_links.exchange("http://127.0.0.1:9", 1, [machine.id])
        monkeypatch.setattr("zeroconf_ai.relay.cluster.GONE_SECONDS", 0.0)
        monkeypatch.setattr("zeroconf_ai.relay.cluster._FORGET_SECONDS", 0.0)

        async def is_forgotten() -> bool:
            return not await second.store.broker_links.exchange("http://127.0.0.1:8", 1, [])

        await until(is_forgotten)
        assert not second.is_online(machine.id)


async def test_broker_that_does_not_answer_is_left_for_another_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroconf_ai.relay.cluster._CONNECT_SECONDS", 0.1)
    monkeypatch.setattr("zeroconf_ai.relay.cluster.BEAT_SECONDS", 0.1)
    asked: list[asyncio.StreamWriter] = []
    async with two_brokers(tmp_path) as (first, _, machine), AsyncExitStack() as stack:
        silent = await asyncio.start_server(lambda _, writer: asked.append(writer), "127.0.0.1", 0)
        stack.callback(silent.close_clients)
        stack.callback(silent.close)
        port = silent.sockets[0].getsockname()[1]
        await first.store.broker_links.exchange(f"http://127.0.0.1:{port}", 1, [machine.id])
        await until(lambda: len(asked) > 2)


@pytest.mark.parametrize("secret", ["another-secret-of-other-brokers-here", SECRET])
async def test_broker_must_know_the_secret(tmp_path: Path, secret: str) -> None:
    async with two_brokers(tmp_path) as (first, _, machine), machine.connected(first):
        await until(lambda: first.relay.hub.direct_link(machine.id) is not None)
        address = f"{first.server.url}/relay/brokers/{machine.id}"
        asking = cluster_key(secret, b"asking broker") if secret != SECRET else machine.key
        async with first.server.session.ws_connect(address, protocols=(SUBPROTOCOL,)) as socket:
            with pytest.raises(HandshakeError):
                await authenticate_to_house(socket, asking, public_bytes(cluster_key(SECRET, b"asked broker")))
        async with first.server.session.ws_connect(address, protocols=(SUBPROTOCOL,)) as socket:
            with pytest.raises(HandshakeError):  # nobody is paired here
                await pair_with_house(socket, machine.key, "x", "ABCD-EFGH")


async def test_entrance_of_brokers_refuses_everybody_else(tmp_path: Path) -> None:
    async with two_brokers(tmp_path) as (first, _, machine):
        status, found, _ = await first.server.ask("GET", f"relay/brokers/{machine.id}")
        assert (status, found["error"]["code"]) == (426, "upgrade_required")
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
        status, found, _ = await first.server.ask("GET", f"relay/brokers/{machine.id}", headers=upgrade)
        assert (status, found["error"]["code"]) == (404, "connector_not_found")
        status, found, _ = await first.server.ask(
            "GET", f"relay/brokers/{machine.id}", headers={**upgrade, "Origin": "https://evil.example"}
        )
        assert (status, found["error"]["code"]) == (403, "origin_not_allowed")
        first.server.gateway.brokers = None
        assert (await first.server.ask("GET", f"relay/brokers/{machine.id}"))[0] == 404
