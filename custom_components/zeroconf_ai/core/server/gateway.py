"""`Gateway`: the state that all HTTP requests share, and the shutdown that ends them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from aiohttp import web

from ..accounting.conversations.image_store import ImageStore
from ..accounting.conversations.response_store import ResponseStore
from ..accounting.limits.opening_hours import OpeningHours
from ..accounting.one_time_codes import OneTimeCodes
from ..accounting.usage.ledger import Ledger
from ..accounting.usage.totals import Totals
from ..admin.names import Names
from ..engine import Engine
from ..protocol.errors import UnavailableError
from .access.auth import Access, KeyCheck
from .access.cors import Origins
from .access.key_proofs import KeyProofs
from .access.trusted_proxies import TrustedProxies
from .audio import Audio
from .body_memory import BodyMemory
from .metrics import Metrics
from .recent_responses import RecentResponses
from .request_log import AccessLog
from .tool_memory import ToolMemory
from .tool_runner import ToolRunner

if TYPE_CHECKING:
    from .enrolment.enrolment import Enrolment
    from .relay_entrance import RelayEntrance
    from .tls.server_tls import ServerTls

MAX_BODY_BYTES = 32 * 1024 * 1024
"""Enough for a few photos as base64. Most models accept far less."""
DRAIN_SECONDS = 5.0
"""Default of the seconds that running requests may take when the gateway is drained."""


class InterruptibleBlock:
    """A block that the gateway may interrupt, as an asynchronous context manager."""

    __slots__ = ("_gateway", "_timeout")

    def __init__(self, gateway: "Gateway") -> None:
        """Made by `Gateway.interruptible`."""
        self._gateway = gateway
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> Self:
        """Raises UnavailableError if the server is ending."""
        if self._gateway.ending:
            raise _stopping()
        await self._timeout.__aenter__()
        self._gateway.interruptible_blocks.add(self)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None) -> None:
        """Raises UnavailableError if the block was interrupted."""
        self._gateway.interruptible_blocks.discard(self)
        try:
            await self._timeout.__aexit__(kind, err, trace)
        except TimeoutError:
            if not self._timeout.expired():
                raise
            raise _stopping() from None

    def exempt(self) -> None:
        """Let the rest of the block finish. Raises UnavailableError if it is too late."""
        if self._gateway.ending:
            raise _stopping()
        self._gateway.interruptible_blocks.discard(self)

    def interrupt(self) -> None:
        """End the block now."""
        self._timeout.reschedule(asyncio.get_running_loop().time())


async def _unnamed() -> Names:
    return Names()


def _no_page(_: web.Request) -> str | None:
    return None


class Gateway:
    """The engine with HTTP endpoints. Belongs to one event loop."""

    def __init__(
        self,
        engine: Engine,
        *,
        provider_id: str,
        name: str,
        access: Access | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        ledger: Ledger | None = None,
        totals: Totals | None = None,
        metrics: Metrics | None = None,
        audio: Audio | None = None,
        images: ImageStore | None = None,
        responses: ResponseStore | None = None,
        tool_runner: ToolRunner | None = None,
        body_memory: BodyMemory | None = None,
        cors_origins: Iterable[str] = (),
    ) -> None:
        """`provider_id` and `name` are the advertised ones. Without `access`, every client is accepted.

        `ledger`, `totals` and `metrics` are only read; the engine's recorder fills them. `totals` default to those of the ledger;
        without both, `/v1/status` reports no usage. `audio` transcribes and speaks. `images` are those of
        conversations; `responses` are those of the Responses API, if they are stored. `tool_runner` has the tools of the
        house. `body_memory` limits the bodies of all requests together. Web pages of `cors_origins` may read the answers.
        """
        self.engine = engine
        self.id = provider_id
        self.name = name
        self.access = access or KeyCheck(None)
        self.max_body_bytes = max_body_bytes
        self.ledger = ledger
        self.totals = ledger.totals if totals is None and ledger is not None else totals
        self.metrics = metrics
        self.audio = audio
        self.images = images
        self.responses = responses
        self.tool_runner = tool_runner
        self.tool_memory = ToolMemory()
        self.body_memory = body_memory or BodyMemory()
        self.origins = Origins(cors_origins)
        self.tls: ServerTls | None = None
        """The certificate of its separate port; None if the port speaks plain HTTP, or if it has no separate port."""
        self.relay: RelayEntrance | None = None
        """Admits connectors on its separate port; None: it takes none there."""
        self.brokers: RelayEntrance | None = None
        """Admits other brokers of its cluster; None: it is in none."""
        self.codes = OneTimeCodes()
        """The open one-time codes, of clients and of connectors."""
        self.enrolment: Enrolment | None = None
        """Gives clients their certificates; None if it is not offered. Belongs to the separate port."""
        self.proxies = TrustedProxies()
        """The proxies before its separate port."""
        self.key_proofs = KeyProofs()
        self.recent_responses = RecentResponses()
        self.provider_in_chunks = False
        """Whether each chunk of a stream in OpenAI's format names the provider, instead of the first one."""
        self.names: Callable[[], Awaitable[Names]] = _unnamed
        """Finds the names of keys and users for reports."""
        self.usage_page: Callable[[web.Request], str | None] = _no_page
        """The address of the page with the usage for a browser; None: there is no page."""
        self.request_log: AccessLog | None = None
        """Logs the requests to the health port; None: they are not logged."""
        self.enabled = True
        """False: the gateway is disabled and answers public paths only."""
        self.opening = OpeningHours()
        """The hours in which it answers other than public paths; running requests may take longer."""
        self._started = time.monotonic()
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.interruptible_blocks: set[InterruptibleBlock] = set()
        """The blocks that are interrupted when the server ends."""
        self._draining = False
        self._drain_timeout: asyncio.Timeout | None = None
        self.ending = False
        """Whether running requests are being interrupted."""

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def answers(self) -> bool:
        """Whether it answers requests now."""
        return self.enabled and not self._draining and not self.opening.closed_seconds()

    @property
    def draining(self) -> bool:
        """Whether new requests are rejected because the server is stopping."""
        return self._draining

    def begin(self) -> None:
        """Count a new request, which must `end`. Raises UnavailableError if the gateway is stopping or disabled."""
        if self._draining:
            raise _stopping()
        if not self.enabled:
            raise UnavailableError("This gateway is disabled. Ask its owner to enable it, or use another provider.")
        if wait := self.opening.closed_seconds():
            message = f"Requests are answered at {self.opening} only. Use another provider until then."
            raise UnavailableError(message, code="outside_hours", retry_after=wait)
        self._running += 1
        self._idle.clear()

    def end(self) -> None:
        """Count the end of a request."""
        self._running -= 1
        if not self._running:
            self._idle.set()

    def interruptible(self) -> InterruptibleBlock:
        """A block that ends with an UnavailableError when the server cannot wait for it any longer.

        Raises that error at once if it is too late. Does not nest before `exempt`.
        """
        return InterruptibleBlock(self)

    def reject_new(self) -> None:
        """Reject new requests from now on; the health is `unavailable`."""
        self._draining = True

    async def drain(self, seconds: float = DRAIN_SECONDS, *, whole_engine: bool = False) -> None:
        """Reject new requests, wait `seconds` for running ones, then `interrupt` them.

        `whole_engine`: also wait for requests that reach the engine without this gateway, such as from the page's conversations.
        """
        self.reject_new()
        if self.ending:
            return
        with suppress(TimeoutError):
            try:
                async with asyncio.timeout(seconds) as self._drain_timeout:
                    await self._idle.wait()
                    if whole_engine:
                        await self.engine.running.wait_for_none()
            finally:
                self._drain_timeout = None
        self.interrupt()

    def interrupt(self) -> None:
        """Reject new requests; end running streams with an error event and other requests with a 503, also during a drain."""
        self._draining = self.ending = True
        for block in tuple(self.interruptible_blocks):
            block.interrupt()
        if self._drain_timeout is not None:
            self._drain_timeout.reschedule(asyncio.get_running_loop().time())


def _stopping() -> UnavailableError:
    return UnavailableError("The server is stopping. Use another provider, or try again in a minute.", retry_after=60.0)
