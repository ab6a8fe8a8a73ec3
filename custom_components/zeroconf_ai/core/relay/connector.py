"""`Connector`: keeps one link to a house or a broker open, from the inside out, and answers its requests.

It reconnects with exponential backoff and full jitter. After `TOLD_AFTER` failed attempts in a row its owner is told; it goes on.
A house that is about to stop says so (`goaway`): a new link is opened at once, while the requests of the old one finish.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
import logging
import random
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..backends.identity_probe import IdentityProbe
from ..lan.identity import Reply, Target
from ..server.access.relayed import House
from .dial import ConnectError, open_socket
from .handshake import HandshakeError, authenticate_to_house
from .link import DEAD_SECONDS, HEARTBEAT_SECONDS, Link, Role
from .paired_houses import PairedHouse, welcomed
from .stream import Stream

_LOGGER = logging.getLogger(__name__)

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
        """A link has ended."""

    def link_failing(self, house: PairedHouse, reason: str, attempts: int) -> None:
        """No link was opened in `attempts` attempts in a row; `reason`: why the last one failed.

        Called after `TOLD_AFTER` attempts or at a refusal, and then not again before `link_steady`.
        """

    def link_steady(self, house: PairedHouse) -> None:
        """A link has stayed open after `link_failing`."""

    def house_changed(self, house: PairedHouse) -> None:
        """The house has another name or another certificate, which the pinned one has signed: to be stored."""


def backoff(failures: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
    """Seconds until the next attempt after `failures` in a row: exponential, with full jitter."""
    return uniform(0.0, min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(max(failures - 1, 0), 10)))


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of a connector, in seconds."""

    heartbeat: float = HEARTBEAT_SECONDS
    dead: float = DEAD_SECONDS
    steady: float = STEADY_SECONDS
    delay: Callable[[int], float] = backoff
    """Until the next attempt, by the number of failures in a row."""


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
    """The links to one house: the open one, and former ones whose last requests finish."""

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
        """Open no more links and take no more requests; wait for the running ones, at most `seconds`."""
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
            try:
                await self._connect(attempt)
            except ConnectError as err:
                if err.presented is None or not await self._follow(err.presented):
                    raise
                await self._connect(attempt)
        except ConnectError as err:
            attempt.reason, attempt.refused = str(err), err.refused
            _LOGGER.warning("No link to %s: %s", self.house.name, err)
        except Exception as err:
            attempt.reason = f"{type(err).__name__}"
            _LOGGER.exception("The link to %s failed", self.house.name)
        finally:
            del self._attempts[attempt]
            attempt.over.set()

    async def _connect(self, attempt: _Attempt) -> None:
        """Open a link, and keep it until it has ended. Raises ConnectError if none is opened."""
        async with open_socket(self._session, self.house.url, self.house.pin) as socket:
            try:
                welcome = await authenticate_to_house(socket, self._key, self.house.key)
            except HandshakeError as err:
                raise ConnectError(str(err), refused=err.code != "unavailable") from None
            self._change(welcomed(self.house, welcome.id, welcome.name))
            await self._serve(socket, attempt)

    async def _follow(self, presented: str) -> bool:
        """Pin the certificate that the house presents now if the pinned one's key has signed it (`protocol/hand_over`)."""
        house = self.house
        if house.pin is None or not house.house_id:
            return False
        probe = IdentityProbe(self._session, house.name, house.house_id)
        if await probe(Target(house.base_url, presented, handed_over_by=house.pin)) is not Reply.HANDED_OVER:
            return False
        _LOGGER.info("%s has renewed its certificate, which the pinned one has signed", house.name)
        self._change(replace(house, pin=presented))
        return True

    def _change(self, house: PairedHouse) -> None:
        if house != self.house:
            self.house = house
            self._listener.house_changed(house)

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
            _LOGGER.info("The link to %s has ended: %s", self.house.name, link.reason)
            self._listener.link_closed(self.house, link.reason)

    def _stay(self) -> None:
        """A link has stayed open: the next failure is the first one."""
        self.failures = 0
        if self._told:
            self._told = False
            self._listener.link_steady(self.house)
