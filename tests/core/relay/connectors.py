"""A house on loopback, and connectors that keep their links to it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, override

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.server import Served, served
from tests.support.waiting import until
from zeroconf_ai.backends.base import Backend
from zeroconf_ai.relay.connector import Connector, Listener, Timing
from zeroconf_ai.relay.handshake import public_bytes
from zeroconf_ai.relay.paired_houses import PairedHouse
from zeroconf_ai.relay.relayed_requests import RelayedRequests
from zeroconf_ai.server.access.relayed import RelayedAccess
from zeroconf_ai.server.in_process import InProcess
from zeroconf_ai.server.tls.server_tls import ServerTls

from .houses import House, house

LIMIT = 30.0
AT_ONCE = Timing(delay=lambda _: 0.01)


class Heard(Listener):
    """Keeps the events of a connector's links."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    @override
    def link_opened(self, house: PairedHouse) -> None:
        self.events.append(("opened", house.name))

    @override
    def link_closed(self, house: PairedHouse, reason: str) -> None:
        self.events.append(("closed", reason))

    @override
    def link_failing(self, house: PairedHouse, reason: str, attempts: int) -> None:
        self.events.append(("failing", reason, attempts))

    @override
    def link_steady(self, house: PairedHouse) -> None:
        self.events.append(("steady", house.name))

    @override
    def house_changed(self, house: PairedHouse) -> None:
        self.events.append(("changed", house))

    def all(self, kind: str) -> list[tuple[Any, ...]]:
        """The events of one kind."""
        return [event for event in self.events if event[0] == kind]


@dataclass
class Road:
    """A house, a machine behind a NAT, and the connector between them."""

    home: House
    remote: Served
    """The server of the machine: only its connector reaches it."""
    paired: PairedHouse
    key: Ed25519PrivateKey
    timing: Timing
    session: aiohttp.ClientSession
    heard: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        """Make the connector."""
        self.connector = self._connector()

    def _connector(self) -> Connector:
        return Connector(
            self.session,
            self.paired,
            self.key,
            RelayedRequests(InProcess(self.remote.runner)).answer,
            lambda: {"name": "GPU box", "models": ["demo-rules"]},
            self.heard,
            self.timing,
        )

    @asynccontextmanager
    async def another(self) -> AsyncGenerator[Connector]:
        """Another process of the same connector, with its key."""
        connector = self._connector()
        connector.start()
        try:
            yield connector
        finally:
            await connector.stop()

    @property
    def url(self) -> str:
        """Of the house's API."""
        return self.home.server.url

    async def opened(self, times: int = 1) -> None:
        """Wait until so many links were opened, and the newest takes requests."""
        await until(lambda: len(self.heard.all("opened")) >= times and self.connector.is_open, seconds=LIMIT)
        await until(lambda: self.home.uplink.link is not None, seconds=LIMIT)


def paired_with(home: House) -> PairedHouse:
    """What the connector of a house stores."""
    url, tls = f"ws://127.0.0.1:{home.server.port}/v1/relay", home.server.gateway.tls
    pin = None if tls is None else tls.fingerprint
    return PairedHouse(url if tls is None else url.replace("ws:", "wss:"), public_bytes(home.key), "Home", home.id, pin)


@asynccontextmanager
async def road(
    *backends: Backend,
    timing: Timing = AT_ONCE,
    key: Ed25519PrivateKey | None = None,
    url: Callable[[str], str] = str,
    models: tuple[str, ...] = (),
    house_id: str = "gateway-id",
    tls: ServerTls | None = None,
) -> AsyncGenerator[Road]:
    """A house that uses a machine with these backends over the road. `url` changes the address that the connector uses.

    `tls`: the house speaks TLS with this certificate, and has the id for which it was made.
    """
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(120))
        remote = await stack.enter_async_context(served(*backends, provider_id="connector-id", access=RelayedAccess(models)))
        home = await stack.enter_async_context(house(house_id=house_id, tls=tls))
        engine = home.server.engine
        for member in engine.pool:
            await engine.remove(member.id)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        heard = Heard()
        paired = paired_with(home)
        found = Road(home, remote, replace(paired, url=url(paired.url)), key or home.key_of_connector, timing, session, heard)
        stack.push_async_callback(found.connector.stop)
        yield found


@asynccontextmanager
async def connected(*backends: Backend, **options: Any) -> AsyncGenerator[Road]:
    """The same, with an open link, and the machine as the only provider of the house."""
    async with road(*backends, **options) as found:
        found.connector.start()
        await found.opened()
        engine = found.home.server.engine
        await engine.checker.check(engine.add(found.home.backend()), models=True)
        yield found
