"""`Cluster`: brokers with one database use each other's connectors.

Each stores which connectors have a link to it. To a broker that has the link of a connector, the others open a relay link of
their own, and use it like the connector's. Its requests go to the connector's own link and never to a third broker, so they
cannot go in circles. Both sides prove by signatures that they know the secret of the cluster.
"""

import asyncio
from functools import partial
import logging
import time
from typing import Final

import aiohttp
from aiohttp import hdrs, web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..accounting.broker_links import BrokerLink, BrokerLinks
from ..accounting.connectors import PairedConnector
from ..accounting.one_time_codes import OneTimeCode, OneTimeCodes
from ..accounting.storage.database import DatabaseError
from ..config.cluster_fields import ClusterSettings
from ..protocol.errors import NotFoundError, PermissionDeniedError, RateLimitError
from ..server.access.auth_throttle import AuthThrottle
from ..server.relay_entrance import BROKERS_PATH
from .frames import MAX_FRAME_BYTES, SUBPROTOCOL
from .handshake import HandshakeError, Welcome, admit_connector, authenticate_to_house, public_bytes
from .hub import MAX_HANDSHAKES, RelayHub, UpgradeRequiredError
from .link import Link, Role
from .splice import pass_on

_LOGGER = logging.getLogger(__name__)

BEAT_SECONDS: Final = 1.0
"""How soon the others know of a new link."""
GONE_SECONDS: Final = 10.0
"""How long the links of a broker count that has stopped to store them."""
_FORGET_SECONDS: Final = 300.0
_WATCH_SECONDS: Final = 0.25
_DRAIN_SECONDS: Final = 3600.0
"""Maximum time for the last requests of a link whose connector is being restarted. The connector itself ends them earlier."""
_CONNECT_SECONDS: Final = 5.0
"""Maximum time for TCP, TLS and the upgrade to a WebSocket: another broker may have a link of the same connector."""
_SALT: Final = b"zeroconf-ai cluster 1"


def cluster_key(secret: str, purpose: bytes) -> Ed25519PrivateKey:
    """A key that all brokers with the secret have. Each purpose has another one."""
    return Ed25519PrivateKey.from_private_bytes(HKDF(SHA256(), 32, _SALT, purpose).derive(secret.encode()))


class _Brokers:
    """All that have the key of the cluster are its brokers; none can be added (`PairedConnectors`)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    async def find(self, key: bytes) -> PairedConnector | None:
        return PairedConnector("", "another broker", key, 0.0) if key == self._key else None

    async def add(self, key: bytes, name: str, code: OneTimeCode) -> PairedConnector:
        raise HandshakeError("not_paired", "Brokers are not paired.")


class Cluster:
    """One broker of several. Used on one event loop, from `start` to `close`."""

    def __init__(self, hub: RelayHub, links: BrokerLinks, session: aiohttp.ClientSession, settings: ClusterSettings) -> None:
        """`session` asks the other brokers. Brokers are told apart by their addresses: on one machine, they have one ID."""
        self._hub = hub
        self._stored = links
        self._session = session
        self._settings = settings
        self._asking = cluster_key(settings.secret, b"asking broker")
        self._asked = cluster_key(settings.secret, b"asked broker")
        self._brokers = _Brokers(public_bytes(self._asking))
        self._codes = OneTimeCodes()
        self._throttle = AuthThrottle(what="failed to connect as a broker")
        self._handshakes = 0
        self._beat = time.time_ns()
        self._seen: dict[tuple[str, str], tuple[int, float]] = {}
        """The last beat of a link of another broker, and when it changed here, by the connector's id and the broker's address."""
        self._opened: dict[str, asyncio.Task[None]] = {}
        """The links to other brokers, by the connector's id."""
        self._answered: set[Link] = set()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to exchange links."""
        self._stop = self._hub.listen(lambda _: self._changed.set())
        self._task = asyncio.get_running_loop().create_task(self._run(), name="zeroconf_ai cluster")

    async def close(self) -> None:
        """End all links with other brokers."""
        self._stop()
        tasks = [task for task in (self._task, *self._opened.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(link.close("the broker stops") for link in tuple(self._answered)))
        try:
            await self._stored.forget(self._settings.url)
        except DatabaseError as err:
            _LOGGER.debug("The links of this broker were not removed: %s", err)

    async def _run(self) -> None:
        failing = False
        while True:
            self._changed.clear()
            try:
                await self._exchange()
            except DatabaseError as err:
                if not failing:
                    _LOGGER.warning("The links of other brokers cannot be read: %s", err)
                failing = True
            else:
                failing = False
            try:
                async with asyncio.timeout(BEAT_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _exchange(self) -> None:
        """Store the own links, and open those that are missing to brokers that have them. Raises DatabaseError."""
        self._beat += 1
        own = self._hub.direct_ids
        found = await self._stored.exchange(self._settings.url, self._beat, own)
        now, living = time.monotonic(), {}
        for link in found:
            known = self._seen.get(key := (link.connector_id, link.url))
            if known is None or known[0] != link.beat:
                known = self._seen[key] = link.beat, now
            if now - known[1] < GONE_SECONDS:
                living[link.connector_id] = link
            elif now - known[1] > _FORGET_SECONDS:
                await self._stored.forget(link.url)
        stored = {(link.connector_id, link.url) for link in found}
        self._seen = {key: seen for key, seen in self._seen.items() if key in stored}
        for connector_id in living.keys() - own - self._opened.keys():
            link = living[connector_id]
            task = asyncio.get_running_loop().create_task(self._open(link), name="zeroconf_ai broker link")
            self._opened[connector_id] = task
            task.add_done_callback(partial(self._closed, connector_id))

    def _closed(self, connector_id: str, task: asyncio.Task[None]) -> None:
        del self._opened[connector_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOGGER.error("A link to another broker failed", exc_info=error)

    async def _open(self, where: BrokerLink) -> None:
        """Use a connector over a link to the broker that has it, until that link ends."""
        uplink = self._hub.uplink(where.connector_id)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                socket = await self._session.ws_connect(
                    f"{where.url}{BROKERS_PATH}/{where.connector_id}",
                    protocols=(SUBPROTOCOL,),
                    max_msg_size=MAX_FRAME_BYTES,
                    compress=0,
                )
            async with socket:
                await authenticate_to_house(socket, self._asking, public_bytes(self._asked))
                link = Link(socket, Role.HOUSE, on_goaway=lambda: uplink.lose(link))
                running = asyncio.ensure_future(link.run())
                try:
                    if self._hub.direct_link(where.connector_id) is None:
                        await uplink.attach(link)
                        _LOGGER.info("The connector %s is used over the broker at %s", where.connector_id, where.url)
                        await running
                finally:
                    running.cancel()
                    await asyncio.gather(running, return_exceptions=True)
                    uplink.lose(link)
        except (HandshakeError, aiohttp.ClientError, OSError) as err:
            _LOGGER.info("The broker at %s cannot be asked: %s", where.url, err)
            await asyncio.sleep(BEAT_SECONDS)

    async def answer(self, request: web.Request, address: str | None) -> web.StreamResponse:
        """Admit another broker, and serve its link until it ends. Raises an ApiError before the WebSocket is open."""
        connector_id = request.match_info["connector"]
        self._check(request, address, connector_id)
        socket = web.WebSocketResponse(protocols=(SUBPROTOCOL,), compress=False, max_msg_size=MAX_FRAME_BYTES, timeout=1.0)
        self._handshakes += 1
        try:
            await socket.prepare(request)
            try:
                await admit_connector(socket, self._asked, Welcome("", "broker"), self._brokers, self._codes)
            except HandshakeError as err:
                if err.code != "unavailable":
                    self._throttle.failed(address)
                _LOGGER.info("A broker from %s was not admitted: %s", address, err)
                await socket.close(code=1008, message=err.code.encode())
                return socket
        finally:
            self._handshakes -= 1
        await self._serve(socket, connector_id)
        return socket

    def _check(self, request: web.Request, address: str | None, connector_id: str) -> None:
        """Raises an ApiError before the WebSocket is open."""
        if hdrs.ORIGIN in request.headers:
            raise PermissionDeniedError("Web pages cannot be brokers.", code="origin_not_allowed")
        if request.headers.get(hdrs.UPGRADE, "").lower() != "websocket":
            raise UpgradeRequiredError
        if self._handshakes >= MAX_HANDSHAKES or self._throttle.wait(address) > 0:
            raise RateLimitError("Too many brokers connect at once.", retry_after=5.0)
        if self._hub.direct_link(connector_id) is None:
            raise NotFoundError("This broker has no link of this connector.", code="connector_not_found")

    async def _serve(self, socket: web.WebSocketResponse, connector_id: str) -> None:
        """Serve the link of another broker while the connector has a link to this one."""
        link = Link(socket, Role.CONNECTOR, accept=lambda stream: pass_on(link, stream, self._hub.direct_link(connector_id)))
        self._answered.add(link)
        running = asyncio.ensure_future(link.run())
        try:
            while self._hub.direct_link(connector_id) is not None and not running.done():
                await asyncio.wait({running}, timeout=_WATCH_SECONDS)
            if not running.done():
                await link.drain(_DRAIN_SECONDS)
                await link.close("the connector is not connected here any more")
            await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            self._answered.discard(link)
