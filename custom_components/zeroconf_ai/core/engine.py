"""The one way in: whoever wants an answer from an LLM asks the engine (docs/architecture.md).

It is also where all parts are put together; nothing else builds a pool, a checker or a router.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import StrEnum
import logging
import time
from uuid import uuid4

import aiohttp

from .accounting.generation import Generation, Outcome, Recorder
from .backends.base import Backend
from .backends.zeroconfai import endpoint_of_record, probe
from .protocol.errors import ApiError, CertificateError, LoopDetectedError
from .protocol.models import ModelInfo
from .protocol.record import ServiceRecord
from .protocol.request import Request, Urgency
from .protocol.status import Health
from .routing.health import HealthChecker
from .routing.policy import Policy, Terms
from .routing.pool import Member, Pool
from .routing.reply import Reply
from .routing.router import Router
from .routing.sessions import Sessions
from .routing.slots import Place, Slots

_LOGGER = logging.getLogger(__name__)

_HOLDS_PLACE = ContextVar("zeroconf_ai_holds_place", default=False)
"""Whether this runs on behalf of a request that has its place already: an agent of the home asks in turn."""


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


_INSIDE = frozenset({Source.ASSIST, Source.AI_TASK, Source.ACTION})
"""Where the home itself asks."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    source: Source
    name: str = ""
    key_id: str | None = None
    user_id: str | None = None
    """Home Assistant's id of the user on whose behalf it asks."""
    address: str | None = None
    models: tuple[str, ...] = ()
    """Patterns of the models that it may use; empty: all."""
    background: bool = False
    """Whether others go first."""
    admin: bool = False
    """Whether it may see what others did."""

    @property
    def urgency(self) -> Urgency:
        """Its place where requests wait."""
        if self.background:
            return Urgency.BACKGROUND
        return Urgency.VOICE if self.source is Source.ASSIST else Urgency.NORMAL


class Engine:
    """Holds the backends and answers requests. Lives on one event loop."""

    def __init__(self, *, own_id: str | None = None, policy: Policy | None = None, recorder: Recorder | None = None) -> None:
        """`own_id` is this gateway's id, by which it recognises a request that went in a circle."""
        self.pool = Pool()
        self.checker = HealthChecker(self.pool)
        self.policy = policy or Policy()
        """May be replaced at any time; requests that are being routed go on by the former one."""
        self.recorder = recorder
        """Where what was used is left; None: nowhere."""
        self.own_id = own_id
        self.slots = Slots()
        """Places for requests of all backends together; its limit and its queue's length may be set at any time."""
        self.sessions = Sessions()
        """Where sessions are; they outlive a restart once they are opened."""
        self._router = Router(self.pool, self.checker, self.sessions)

    def add(self, backend: Backend, terms: Terms | None = None) -> Member:
        """Take a backend in. It is taken for well until it is checked. Raises ValueError where its id is taken."""
        member = Member(backend, terms or Terms())
        self.pool.add(member)
        return member

    async def replace(self, backend: Backend, terms: Terms | None = None) -> Member:
        """Put a backend in the place of the one with its id; what that one is answering goes on. Raises KeyError without one.

        It is asked how it is first, so that there is no moment in which nobody answers.
        """
        member = Member(backend, terms or Terms())
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

        Raises an ApiError before the first token where nobody answers. However it ends, it is left with the recorder.
        """
        generation = _begun(request, caller)
        started = time.perf_counter()
        place: Place | None = None
        reply: Reply | None = None
        try:
            request = self._prepare(request, caller)
            if not _HOLDS_PLACE.get():
                place = await self.slots.acquire(request.urgency, request_id=request.request_id, key_id=request.key_id)
            reply = await self._route(request)
            yield reply
        except ApiError as err:
            generation = replace(generation, outcome=Outcome.ERROR, error_code=err.code)
            raise
        finally:
            if reply is not None:
                # Shielded: the clean-up of a cancelled request must not be cancelled with it.
                await asyncio.shield(asyncio.ensure_future(reply.close()))
            if place is not None:
                place.release()
            if self.recorder is not None:
                self.recorder.record(_ended(generation, reply, started))

    async def _route(self, request: Request) -> Reply:
        """The reply, from wherever it comes. What asks the engine on the way there does so for this request, and never waits."""
        token = _HOLDS_PLACE.set(True)
        try:
            return await self._router.route(request, self.policy)
        finally:
            _HOLDS_PLACE.reset(token)

    def _prepare(self, request: Request, caller: Caller) -> Request:
        """The request as it is routed. Raises LoopDetectedError for one that came through here before."""
        if self.own_id is not None and self.own_id in request.via:
            raise LoopDetectedError("This request came through this gateway before: two gateways route to each other.")
        if request.stream:
            options = {**(request.body.get("stream_options") or {}), "include_usage": True}
            request = request.with_body(stream_options=options)
        return replace(
            request,
            via=(*request.via, self.own_id) if self.own_id is not None else request.via,
            models=caller.models,
            user_id=caller.user_id,
            key_id=caller.key_id,
            urgency=caller.urgency,
            inside=caller.source in _INSIDE,
        )

    def models(self) -> list[tuple[Member, ModelInfo]]:
        """All real models of all backends that are enabled and online, in the order of preference."""
        online = sorted((member for member in self.pool if member.enabled and member.online), key=lambda member: member.priority)
        return [(member, model) for member in online for model in member.models if not model.virtual]

    async def close(self) -> None:
        """Let everything go."""
        await self._router.close()
        await self.checker.close()
        for member in self.pool:
            try:
                await self.remove(member.id)
            except Exception:  # one that cannot be closed must not keep the others open
                _LOGGER.exception("%s could not be closed", member.name)


def _begun(request: Request, caller: Caller) -> Generation:
    """What is known of a request before anything has happened; one that is not ended otherwise was given up."""
    return Generation(
        id=request.request_id or f"gen_{uuid4().hex}",
        created=time.time(),
        source=caller.source,
        kind=request.kind,
        requested_model=request.model,
        outcome=Outcome.CANCELLED,
        stream=request.stream,
        caller=caller.name,
        key_id=caller.key_id,
        user_id=caller.user_id,
        address=caller.address,
    )


def _ended(generation: Generation, reply: Reply | None, started: float) -> Generation:
    """The record of a request that began at `started` (`time.perf_counter()`)."""
    now = time.perf_counter()
    if reply is None:
        return replace(generation, duration=now - started)
    outcome = Outcome.ERROR if reply.failure else Outcome.OK if reply.finished else generation.outcome
    return replace(
        generation,
        outcome=outcome,
        error_code=reply.failure.code if reply.failure else generation.error_code,
        model=reply.model,
        backend_id=reply.backend_id,
        backend_name=reply.backend_name,
        attempts=len(reply.attempts),
        usage=(used := reply.used),
        estimated=reply.usage is None,
        cost=used.cost,
        duration=now - started,
        first_token=None if reply.first_token_at is None else reply.first_token_at - started,
        finish_reason=reply.finish_reason,
    )
