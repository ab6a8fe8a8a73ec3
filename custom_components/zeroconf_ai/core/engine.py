"""The one way in: whoever wants an answer from an LLM asks the engine (docs/architecture.md).

It is also where all parts are put together; nothing else builds a pool, a checker or a router.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
import logging

import aiohttp

from .backends.base import Backend
from .backends.zeroconfai import endpoint_of_record, probe
from .protocol.errors import CertificateError, LoopDetectedError
from .protocol.models import ModelInfo
from .protocol.record import ServiceRecord
from .protocol.request import Request
from .protocol.status import Health
from .routing.health import HealthChecker
from .routing.pool import Member, Pool
from .routing.router import Reply, Router

_LOGGER = logging.getLogger(__name__)


def ask_health(session: aiohttp.ClientSession) -> Callable[[ServiceRecord], Awaitable[Health]]:
    """What a `DiscoveryManager` asks providers with: `/v1/health`, without any key."""

    async def ask(record: ServiceRecord) -> Health:
        try:
            endpoint = endpoint_of_record(record)
        except ValueError:
            raise CertificateError(f"{record.name} advertises a certificate fingerprint that is none") from None
        return await probe(session, replace(endpoint, key=None), record.name)

    return ask


class Source(StrEnum):
    """Through which door a request came."""

    ASSIST = "assist"
    AI_TASK = "ai_task"
    ACTION = "action"
    HTTP = "http"
    CLI = "cli"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    source: Source
    name: str = ""


class Engine:
    """Holds the backends and answers requests. Lives on one event loop."""

    def __init__(self, *, own_id: str | None = None) -> None:
        """`own_id` is this gateway's id, by which it recognises a request that went in a circle."""
        self.pool = Pool()
        self.checker = HealthChecker(self.pool)
        self._router = Router(self.pool, self.checker)
        self._own_id = own_id

    def add(self, backend: Backend) -> Member:
        """Take a backend in. It is taken for well until it is checked. Raises ValueError where its id is taken."""
        member = Member(backend)
        self.pool.add(member)
        return member

    async def replace(self, backend: Backend) -> Member:
        """Put a backend in the place of the one with its id; what that one is answering goes on. Raises KeyError without one.

        It is asked how it is first, so that there is no moment in which nobody answers.
        """
        member = Member(backend)
        await self.checker.check(member, models=True)
        await self._router.close(member.id)
        former = self.pool.replace(member)
        await former.backend.close()
        return member

    async def remove(self, backend_id: str) -> None:
        """Let a backend go; does nothing where there is none."""
        member = self.pool.remove(backend_id)
        if member is not None:
            await self._router.close(backend_id)
            await self.checker.close(backend_id)
            await member.backend.close()

    @asynccontextmanager
    async def run(self, request: Request, caller: Caller) -> AsyncIterator[Reply]:
        """Route a request; the reply is good inside the block, and leaving it early cuts the upstream off.

        Raises an ApiError before the first token where nobody answers.
        """
        if self._own_id is not None and self._own_id in request.via:
            raise LoopDetectedError("This request came through this gateway before: two gateways route to each other.")
        if request.stream:
            options = {**(request.body.get("stream_options") or {}), "include_usage": True}
            request = request.with_body(stream_options=options)
        if self._own_id is not None:
            request = replace(request, via=(*request.via, self._own_id))
        reply = await self._router.route(request)
        try:
            yield reply
        finally:
            # Shielded: the clean-up of a cancelled request must not be cancelled with it.
            await asyncio.shield(asyncio.ensure_future(reply.close()))

    def models(self) -> list[tuple[Member, ModelInfo]]:
        """All models of all backends that are enabled and online, in the order of preference."""
        online = (member for member in self.pool if member.enabled and member.online)
        return [(member, model) for member in sorted(online, key=lambda member: member.priority) for model in member.models]

    async def close(self) -> None:
        """Let everything go."""
        await self._router.close()
        await self.checker.close()
        for member in self.pool:
            try:
                await self.remove(member.id)
            except Exception:  # one that cannot be closed must not keep the others open
                _LOGGER.exception("%s could not be closed", member.name)
