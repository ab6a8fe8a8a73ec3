"""`RelayHub`: the house's side of the relay. Admits connectors at `GET /v1/relay` and keeps their links."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
import logging
import math
from typing import TYPE_CHECKING, Any

from aiohttp import hdrs, web

from ..accounting.connectors import PairedConnector
from ..accounting.one_time_codes import OneTimeCodes
from ..protocol.addresses import subscriber
from ..protocol.errors import ApiError, InvalidRequestError, PermissionDeniedError, RateLimitError, UnavailableError
from ..protocol.values import clean
from ..server.access.auth_throttle import AuthThrottle
from .frames import MAX_FRAME_BYTES, SUBPROTOCOL
from .handshake import HandshakeError, PairedConnectors, Welcome, admit_connector
from .key_file import KeyFileError
from .link import Link, Role
from .uplink import Uplink

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_LOGGER = logging.getLogger(__name__)

MAX_HANDSHAKES = 16
"""Connections that have not proved yet who they are."""
MAX_HANDSHAKES_OF_ADDRESS = 4
_CLOSE_SECONDS = 1.0
_MAX_MODELS = 1000
_MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class Offer:
    """What a connector says of itself in its `hello`: names are untrusted texts of bounded length."""

    name: str = ""
    models: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    version: str = ""

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> "Offer":
        """From a `hello`; malformed values are left out."""
        return cls(
            clean(_text(value.get("name")), _MAX_TEXT),
            _texts(value.get("models"), _MAX_MODELS),
            _texts(value.get("capabilities"), 32),
            clean(_text(value.get("version")), 32),
        )


class RelayHub:
    """The links of all connectors of a house. Belongs to one event loop."""

    def __init__(
        self,
        key: "Ed25519PrivateKey | Callable[[], Awaitable[Ed25519PrivateKey]]",
        house: Welcome,
        connectors: PairedConnectors,
        codes: OneTimeCodes,
    ) -> None:
        """`key`: the house's, or what loads it when it is first needed (raises KeyFileError).

        `house` is what connectors are told of it; `codes` has the code for pairing.
        """
        self.codes = codes
        self.house = house
        self._key = key
        self._loading = asyncio.Lock()
        self._connectors = connectors
        self._uplinks: dict[str, Uplink] = {}
        self._offers: dict[str, Offer] = {}
        self._handshakes: Counter[str] = Counter()
        self._throttle = AuthThrottle(what="failed to connect as a connector")
        self._listeners: list[Callable[[PairedConnector], None]] = []
        self._links: dict[Link, asyncio.Future[None]] = {}
        self._closing = False

    async def key(self) -> "Ed25519PrivateKey":
        """The key of the house. Raises KeyFileError if it cannot be loaded."""
        async with self._loading:  # two that make the first key would make two
            if callable(self._key):
                self._key = await self._key()
            return self._key

    def uplink(self, connector_id: str) -> Uplink:
        """The way to a connector, connected or not."""
        found = self._uplinks.get(connector_id)
        if found is None:
            found = self._uplinks[connector_id] = Uplink(connector_id)
        return found

    def is_connected(self, connector_id: str) -> bool:
        """Whether a connector has a link, or has lost it so recently that requests wait for it."""
        uplink = self._uplinks.get(connector_id)
        return uplink is not None and uplink.connected

    def direct_link(self, connector_id: str) -> Link | None:
        """The connector's own link, if it takes requests; else None, also if it has a link to another broker."""
        uplink = self._uplinks.get(connector_id)
        link = None if uplink is None else uplink.link
        return link if link in self._links else None

    @property
    def direct_ids(self) -> frozenset[str]:
        """The ids of the connectors with a link of their own that takes requests."""
        return frozenset(one for one in self._uplinks if self.direct_link(one) is not None)

    def offer(self, connector_id: str) -> Offer:
        """What a connector said of itself last."""
        return self._offers.get(connector_id, Offer())

    def listen(self, callback: Callable[[PairedConnector], None]) -> Callable[[], None]:
        """Call `callback` with each connector that connects, also after its pairing. Returns the function that unsubscribes."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    async def forget(self, connector_id: str, reason: str = "the owner has removed this connector") -> None:
        """Close the link of a connector that was removed or disabled."""
        self._offers.pop(connector_id, None)
        if (uplink := self._uplinks.pop(connector_id, None)) is not None:
            await uplink.close(reason)

    async def close(self, seconds: float = 0.0) -> None:
        """Admit no more connectors, let running requests finish, at most for `seconds`, and close all links."""
        self._closing = True
        await asyncio.gather(*(link.drain(seconds) for link in tuple(self._links)))
        await asyncio.gather(*(uplink.close("the house stops") for uplink in tuple(self._uplinks.values())))
        if self._links:
            await asyncio.wait([asyncio.ensure_future(ended) for ended in self._links.values()], timeout=_CLOSE_SECONDS * 3)

    async def answer(self, request: web.Request, address: str | None) -> web.StreamResponse:
        """Admit a connector, and serve its link until it ends. `address`: where it comes from. Raises an ApiError before that."""
        self._check(request, address)
        source = subscriber(address)
        self._handshakes[source] += 1
        try:
            try:
                key = await self.key()
            except KeyFileError as err:
                _LOGGER.error("No connector can be admitted: %s", err)
                raise UnavailableError("The key of the house cannot be used.", retry_after=60.0) from None
            socket = web.WebSocketResponse(
                protocols=(SUBPROTOCOL,), compress=False, max_msg_size=MAX_FRAME_BYTES, timeout=_CLOSE_SECONDS
            )
            await socket.prepare(request)
            try:
                connector = await admit_connector(socket, key, self.house, self._connectors, self.codes)
            except HandshakeError as err:
                if err.code != "unavailable":
                    self._throttle.failed(address)
                _LOGGER.info("A connector from %s was not admitted: %s", address, err)
                await socket.close(code=1008, message=err.code.encode())
                return socket
        finally:
            self._handshakes[source] -= 1
            if not self._handshakes[source]:
                del self._handshakes[source]
        await self._serve(socket, connector, address)
        return socket

    def _check(self, request: web.Request, address: str | None) -> None:
        if self._closing:
            raise UnavailableError("The house is stopping. Try again in a minute.", retry_after=30.0)
        if hdrs.ORIGIN in request.headers:  # connectors are no web pages
            raise PermissionDeniedError("Web pages cannot be connectors.", code="origin_not_allowed")
        if request.headers.get(hdrs.UPGRADE, "").lower() != "websocket":
            raise UpgradeRequiredError
        offered = [text.strip() for line in request.headers.getall(hdrs.SEC_WEBSOCKET_PROTOCOL, ()) for text in line.split(",")]
        if SUBPROTOCOL not in offered:
            raise InvalidRequestError(
                f"This relay speaks {SUBPROTOCOL}. Update the connector or the house.", code="wrong_protocol"
            )
        if (wait := self._throttle.wait(address)) > 0:
            raise RateLimitError("Too many failed attempts to connect.", retry_after=math.ceil(wait))
        if self._handshakes.total() >= MAX_HANDSHAKES or self._handshakes[subscriber(address)] >= MAX_HANDSHAKES_OF_ADDRESS:
            raise RateLimitError("Too many connectors connect at once.", retry_after=5.0)

    async def _serve(self, socket: web.WebSocketResponse, connector: PairedConnector, address: str | None) -> None:
        uplink = self.uplink(connector.id)

        def hello(value: Mapping[str, Any]) -> None:
            self._offers[connector.id] = Offer.parse(value)
            self._notify(connector)

        link = Link(socket, Role.HOUSE, on_hello=hello, on_goaway=lambda: uplink.lose(link))
        ended = self._links[link] = asyncio.get_running_loop().create_future()
        _LOGGER.info("The connector %s is connected from %s", connector.name, address)
        running = asyncio.ensure_future(link.run())
        try:
            if uplink.link is not None:
                _LOGGER.warning("The connector %s opened another link from %s; its former one is closed", connector.name, address)
            await uplink.attach(link)
            self._notify(connector)
            await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            del self._links[link]
            ended.set_result(None)
            uplink.lose(link)
            _LOGGER.info("The link of the connector %s ended: %s", connector.name, link.reason)

    def _notify(self, connector: PairedConnector) -> None:
        for callback in tuple(self._listeners):
            try:
                callback(connector)
            except Exception:
                _LOGGER.exception("A listener of the relay failed")


class UpgradeRequiredError(ApiError):
    """The request is no WebSocket handshake."""

    status = 426
    type = "invalid_request_error"
    default_code = "upgrade_required"

    def __init__(self) -> None:
        super().__init__("Connectors open a WebSocket here.", more_headers={"Upgrade": "websocket"})


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object, most: int) -> tuple[str, ...]:
    items = value[:most] if isinstance(value, list) else []
    return tuple(text for item in items if isinstance(item, str) and (text := clean(item, _MAX_TEXT)))
