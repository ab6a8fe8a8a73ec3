"""A house with a relay, and connectors of it, on loopback."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, override

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.server import Served, served
from zeroconf_ai.accounting.connectors import PairedConnector
from zeroconf_ai.accounting.one_time_codes import OneTimeCode, OneTimeCodes
from zeroconf_ai.backends.base import Backend, BackendInfo, Endpoint
from zeroconf_ai.backends.zeroconfai import ZeroconfAIBackend
from zeroconf_ai.protocol.relayed import response_headers
from zeroconf_ai.relay.frames import MAX_FRAME_BYTES, SUBPROTOCOL
from zeroconf_ai.relay.handshake import Welcome, authenticate_to_house, public_bytes
from zeroconf_ai.relay.hub import RelayHub
from zeroconf_ai.relay.link import Accept, Link, Role
from zeroconf_ai.relay.session import relay_session, relay_url
from zeroconf_ai.relay.stream import RelayError, Stream
from zeroconf_ai.relay.uplink import Uplink
from zeroconf_ai.server.in_process import AnswerSink, InProcess
from zeroconf_ai.server.tls.server_tls import ServerTls


class Connectors:
    """The paired connectors of a house, in memory."""

    def __init__(self) -> None:
        self.known: dict[bytes, PairedConnector] = {}

    async def find(self, key: bytes) -> PairedConnector | None:
        """The connector with a public key."""
        return self.known.get(key)

    async def add(self, key: bytes, name: str, code: OneTimeCode) -> PairedConnector:
        """Store a connector."""
        self.known[key] = PairedConnector(f"c{len(self.known)}", name, key, 0.0)
        return self.known[key]


@dataclass(slots=True)
class House:
    """A house: its server, its hub, and what it knows."""

    server: Served
    hub: RelayHub
    connectors: Connectors
    key: Ed25519PrivateKey
    key_of_connector: Ed25519PrivateKey
    id: str
    session: aiohttp.ClientSession
    """Whose requests go to the connector."""
    links: list[Link] = field(default_factory=list)

    @property
    def uplink(self) -> Uplink:
        """The way to the connector."""
        return self.hub.uplink(self.id)

    def backend(self) -> ZeroconfAIBackend:
        """The connector's provider."""
        return ZeroconfAIBackend(self.session, BackendInfo("remote", "GPU box"), Endpoint(relay_url(self.id)))

    @asynccontextmanager
    async def connected(self, accept: Accept) -> AsyncGenerator[Link]:
        """The connector, with a link, whose requests `accept` answers."""
        async with self.open() as socket:
            await authenticate_to_house(socket, self.key_of_connector, public_bytes(self.key))
            link = Link(socket, Role.CONNECTOR, accept=accept)
            self.links.append(link)
            running = asyncio.create_task(link.run())
            while self.uplink.link is None:
                await asyncio.sleep(0.01)
            try:
                yield link
            finally:
                await link.close()
                await running

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
        """A connection of a connector, without a handshake."""
        async with open_socket(self.server.url) as socket:
            yield socket


@asynccontextmanager
async def open_socket(base_url: str, headers: Mapping[str, str] | None = None) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
    """A connection of a connector to the house with this base URL, without a handshake."""
    options: dict[str, Any] = {"protocols": (SUBPROTOCOL,), "max_msg_size": MAX_FRAME_BYTES, "headers": headers}
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{base_url}/relay", **options) as socket:
        yield socket


@asynccontextmanager
async def house(
    *backends: Backend, house_id: str = "gateway-id", tls: ServerTls | None = None, **options: Any
) -> AsyncGenerator[House]:
    """A running house that was paired with one connector. `tls`: its certificate; `options`: of its server."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(served(*backends, provider_id=house_id, tls=tls, **options))
        connectors, key, other = Connectors(), Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        connectors.known[public_bytes(other)] = known = PairedConnector("gpu", "GPU box", public_bytes(other), 0.0)
        server.gateway.relay = hub = RelayHub(key, Welcome(house_id, "Home"), connectors, OneTimeCodes())
        stack.push_async_callback(hub.close)
        session = await stack.enter_async_context(relay_session(hub.uplink(known.id)))
        yield House(server, hub, connectors, key, other, known.id, session)


class _Sink(AnswerSink):
    """Sends an answer over a stream."""

    def __init__(self, link: Link, stream: Stream) -> None:
        self._link, self._stream = link, stream

    @override
    async def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        try:
            self._link.answer(self._stream, status, tuple(response_headers(headers)))
        except RelayError as err:
            raise ConnectionResetError(str(err)) from None

    @override
    async def write(self, data: bytes) -> None:
        try:
            await self._stream.send(data)
        except RelayError as err:
            raise ConnectionResetError(str(err)) from None

    @override
    async def end(self) -> None:
        self._stream.end()


async def _body(stream: Stream) -> AsyncIterator[bytes]:
    try:
        async for part in stream:
            yield part
    except RelayError as err:
        raise ConnectionResetError(str(err)) from None


class InProcessProvider:
    """Answers requests that arrive over a link by a server of this process."""

    def __init__(self, server: Served) -> None:
        self._inside = InProcess(server.runner)

    async def answer(self, link: Link, stream: Stream) -> None:
        """Answer one request."""
        request = stream.request
        await self._inside.answer(request.method, request.path, request.headers, _body(stream), _Sink(link, stream))


def answering(home: House, server: Served) -> Accept:
    """Answer requests as a connector whose provider is `server`."""
    provider = InProcessProvider(server)

    async def accept(stream: Stream) -> None:
        await provider.answer(home.links[-1], stream)

    return accept
