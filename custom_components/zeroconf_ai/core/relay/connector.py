"""`Connector`: keeps one link to a house or a broker open, from the inside out, and answers its requests.

It reconnects with exponential backoff and full jitter. After `TOLD_AFTER` failed attempts in a row its owner is told; it goes on.
A house that is about to stop says so (`goaway`): a new link is opened at once, while the requests of the old one finish.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
import logging
import random
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..backends.zeroconfai import fingerprint_ssl
from ..protocol.reasons import connection_reason
from ..server.access.relayed import House
from .frames import MAX_FRAME_BYTES, SUBPROTOCOL
from .handshake import HandshakeError, authenticate_to_house, pair_with_house
from .link import DEAD_SECONDS, HEARTBEAT_SECONDS, Link, Role
from .paired_houses import PairedHouse, renamed
from .stream import Stream

_LOGGER = logging.getLogger(__name__)

CONNECT_SECONDS = 20.0
"""For name resolution, TCP, TLS and the upgrade to a WebSocket."""
FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
STEADY_SECONDS = 30.0
"""A link that was open for so long counts as a success: a house that accepts and then closes is not asked all the time."""
TOLD_AFTER = 5
"""Failed attempts in a row after which the owner is told."""

type Answer = Callable[[Link, House, Stream], Awaitable[None]]


class Listener:
    """What is called at the events of a connector's links. Does nothing by itself."""

    def link_opened(self, house: PairedHouse) -> None:
        """A link is open and its sides have proved who they are."""

    def link_closed(self, house: PairedHouse, reason: str) -> None:
        """It has ended."""

    def link_failing(self, house: PairedHouse, reason: str, attempts: int) -> None:
        """So many attempts in a row have failed: once, at `TOLD_AFTER` or at a refusal, until `link_steady`."""

    def link_steady(self, house: PairedHouse) -> None:
        """A link has stayed open after `link_failing`."""


class ConnectError(Exception):
    """No link was opened. The message says why, without secrets."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        """`refused`: by the house, so that another attempt helps only after its owner has done something."""
        super().__init__(message)
        self.refused = refused


async def pair(
    session: aiohttp.ClientSession, url: str, pin: str | None, key: Ed25519PrivateKey, name: str, code: str
) -> PairedHouse:
    """Pair with a house by a one-time code. Raises ConnectError, and CodeError for a text that cannot be a code."""
    async with _open_socket(session, url, pin) as socket:
        try:
            found = await pair_with_house(socket, key, name, code)
        except HandshakeError as err:
            raise ConnectError(str(err), refused=True) from None
    return PairedHouse(url, found.house_key, found.house_name, found.id, pin)


def backoff(failures: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
    """Seconds until the next attempt after so many failures in a row: exponential, with full jitter."""
    return uniform(0.0, min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(max(failures - 1, 0), 10)))


@dataclass(frozen=True, slots=True)
class Timing:
    """When what happens, in seconds."""

    heartbeat: float = HEARTBEAT_SECONDS
    dead: float = DEAD_SECONDS
    steady: float = STEADY_SECONDS
    delay: Callable[[int], float] = backoff
    """Until the next attempt, after so many failures in a row."""


@dataclass(slots=True, eq=False)
class _Attempt:
    """One attempt to open a link, and the link that it opened."""

    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the next link may be opened: it failed, its link has ended, or the house is about to stop."""
    link: Link | None = None
    reason: str = ""
    refused: bool = False
    going_away: bool = False

    def goes_away(self) -> None:
        """The house takes no more requests on this link."""
        self.going_away = True
        self.over.set()


class Connector:
    """The links to one house: one that is open, and those whose last requests finish."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        house: PairedHouse,
        key: Ed25519PrivateKey,
        answer: Answer,
        hello: Callable[[], Mapping[str, Any]],
        listener: Listener,
        timing: Timing | None = None,
    ) -> None:
        """`answer` answers the requests, `hello` returns what the connector offers now. `session` stays open."""
        self.house = house
        self.attempts = 0
        """All attempts to open a link."""
        self.failures = 0
        """Attempts in a row without a link that stayed open."""
        self._session = session
        self._key = key
        self._answer = answer
        self._hello = hello
        self._listener = listener
        self._timing = timing or Timing()
        self._attempts: dict[_Attempt, asyncio.Task[None]] = {}
        self._told = False
        self._running: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether a link takes requests now."""
        return any(not link.draining for link in self._links)

    @property
    def streams(self) -> int:
        """How many requests run, also on links that take no new ones."""
        return sum(link.streams for link in self._links)

    def start(self) -> None:
        """Begin to connect, until `drain` or `stop`."""
        self._running = asyncio.create_task(self._run(), name="zeroconf_ai relay")

    def say_hello(self) -> None:
        """Tell the house what the connector offers now."""
        for link in self._links:
            if not link.draining:
                link.hello(self._hello())

    async def drain(self, seconds: float) -> None:
        """Open no more links and take no more requests; wait for the running ones, at most so many seconds."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        unopened = [task for attempt, task in self._attempts.items() if attempt.link is None]
        for task in unopened:
            task.cancel()
        await asyncio.gather(*(link.drain(seconds) for link in self._links), *unopened, return_exceptions=True)

    async def stop(self) -> None:
        """Close the links."""
        await self.drain(0.0)
        tasks = list(self._attempts.values())
        for link in self._links:
            await link.close("the connector stops")
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def _links(self) -> list[Link]:
        return [attempt.link for attempt in self._attempts if attempt.link is not None]

    async def _run(self) -> None:
        while True:
            self.attempts += 1
            attempt = _Attempt()
            self._attempts[attempt] = asyncio.create_task(self._keep(attempt), name="zeroconf_ai relay link")
            await attempt.over.wait()
            self.failures += 1
            if attempt.going_away:
                _LOGGER.info("%s is about to stop: a new link is opened", self.house.name)
            elif not self._told and (attempt.refused or self.failures >= TOLD_AFTER):
                self._told = True
                self._listener.link_failing(self.house, attempt.reason, self.failures)
            await asyncio.sleep(self._timing.delay(self.failures))

    async def _keep(self, attempt: _Attempt) -> None:
        """Open a link, and keep it until it has ended."""
        try:
            async with _open_socket(self._session, self.house.url, self.house.pin) as socket:
                try:
                    welcome = await authenticate_to_house(socket, self._key, self.house.key)
                except HandshakeError as err:
                    raise ConnectError(str(err), refused=err.code != "unavailable") from None
                self.house = renamed(self.house, welcome.name)
                await self._serve(socket, attempt)
        except ConnectError as err:
            attempt.reason, attempt.refused = str(err), err.refused
            _LOGGER.warning("No link to %s: %s", self.house.name, err)
        except Exception as err:
            attempt.reason = f"{type(err).__name__}"
            _LOGGER.exception("The link to %s failed", self.house.name)
        finally:
            del self._attempts[attempt]
            attempt.over.set()

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse, attempt: _Attempt) -> None:
        """Answer the requests of an open link until it ends."""
        house = House(self.house.id, self.house.name)
        link = Link(
            socket,
            Role.CONNECTOR,
            accept=lambda stream: self._answer(link, house, stream),
            on_goaway=attempt.goes_away,
            heartbeat=self._timing.heartbeat,
            dead=self._timing.dead,
        )
        attempt.link = link
        steady = asyncio.get_running_loop().call_later(self._timing.steady, self._stay)
        self._listener.link_opened(self.house)
        try:
            link.hello(self._hello())
            await link.run()
        finally:
            steady.cancel()
            attempt.reason = link.reason
            _LOGGER.warning("The link to %s has ended: %s", self.house.name, link.reason)
            self._listener.link_closed(self.house, link.reason)

    def _stay(self) -> None:
        """A link has stayed open: the next failure is the first one."""
        self.failures = 0
        if self._told:
            self._told = False
            self._listener.link_steady(self.house)


@asynccontextmanager
async def _open_socket(
    session: aiohttp.ClientSession, url: str, pin: str | None
) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
    """The WebSocket to a house. Raises ConnectError."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            socket = await session.ws_connect(
                url,
                protocols=(SUBPROTOCOL,),
                ssl=True if pin is None else fingerprint_ssl(pin),
                max_msg_size=MAX_FRAME_BYTES,
                compress=0,
            )
    except aiohttp.ServerFingerprintMismatch:
        message = "the certificate is not the pinned one. If the house has renewed it, pair again with the new --pin"
        raise ConnectError(message, refused=True) from None
    except aiohttp.ClientConnectorCertificateError:
        message = "no authority that this system trusts has issued the certificate. Pass its fingerprint as --pin"
        raise ConnectError(message, refused=True) from None
    except aiohttp.WSServerHandshakeError as err:
        raise ConnectError(_rejected(err.status)) from None
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as err:
        raise ConnectError(f"no connection ({connection_reason(err)})") from None
    try:
        if socket.protocol != SUBPROTOCOL:
            raise ConnectError("the server at this address does not speak the relay's protocol")
        if url.startswith("wss:") and socket.get_extra_info("ssl_object") is None:
            raise ConnectError("the server redirects to an address without TLS", refused=True)
        yield socket
    finally:
        await socket.close()


def _rejected(status: int) -> str:
    """Why a server that answers is no house."""
    if status == HTTPStatus.NOT_FOUND:
        return "there is no relay at this address: check it, and that the house has its gateway enabled"
    if status in (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT):
        return f"the house does not answer (status {status})"
    return f"the house refuses the connection (status {status})"
