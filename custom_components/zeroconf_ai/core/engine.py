"""The one way in: whoever wants an answer from an LLM asks the engine (docs/architecture.md).

It is also where all parts are put together; nothing else builds a pool, a checker or a router.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
import logging
from secrets import token_hex
import time

import aiohttp
import orjson

from .accounting.admission import Admission, AdmissionControl, AdmissionRequest
from .accounting.conversations.messages import BODY_LIMIT, ConversationStore, StoredExchange
from .accounting.usage.generation import Generation, Outcome, Recorder
from .backends.base import Backend
from .backends.locate import locate
from .protocol.demand import answer_count, answer_limit
from .protocol.errors import ApiError, LoopDetectedError
from .protocol.models import ModelInfo
from .protocol.prices import DEFAULT_CURRENCY
from .protocol.record import ServiceRecord
from .protocol.request import Kind, Request, Urgency
from .protocol.status import Located
from .protocol.usage import Usage
from .routing.accounting import Accounting, combined
from .routing.execution.reply import Reply
from .routing.execution.router import Router
from .routing.execution.sessions import Sessions
from .routing.policy import Policy, Terms
from .routing.pool.concurrency import ConcurrencyLimiter, Permit
from .routing.pool.health import HealthChecker
from .routing.pool.pool import Member, Pool
from .routing.pricing.billing import Bill, costs_by_backend, total
from .routing.pricing.bounds import USUAL_ANSWER
from .routing.pricing.worst_case import WorstCase, is_limited, may_cost, worst_case

_LOGGER = logging.getLogger(__name__)


def ask_health(session: aiohttp.ClientSession) -> Callable[[ServiceRecord], Awaitable[Located]]:
    """What a `DiscoveryManager` asks providers with: `/v1/health` at each advertised address, without any key."""
    return partial(locate, session)


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
    username: str | None = None
    """Home Assistant's name of that user, where it is known."""
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


_ON_BEHALF_OF: ContextVar[Caller | None] = ContextVar("zeroconf_ai_on_behalf_of", default=None)
"""Who asked for a request that has its place already, on whose behalf this runs: an agent of the home asks in turn."""


class Engine:
    """Holds the backends and answers requests. Lives on one event loop."""

    def __init__(self, *, own_id: str | None = None, policy: Policy | None = None) -> None:
        """`own_id` is this gateway's id, by which it recognises a request that went in a circle."""
        self.pool = Pool()
        self.checker = HealthChecker(self.pool)
        self.policy = policy or Policy()
        """May be replaced at any time; requests that are being routed go on by the former one."""
        self.own_id = own_id
        self.limiter = ConcurrencyLimiter()
        """Places for requests of all backends together; its limit and its queue's length may be set at any time."""
        self.sessions = Sessions()
        """Where sessions are; they outlive a restart once they are opened."""
        self._router = Router(self.pool, self.checker, self.sessions)
        self._attached: dict[object, Accounting] = {}
        self._accounting = Accounting()

    @property
    def own_id(self) -> str | None:
        """This gateway's id."""
        return self.pool.own_id

    @own_id.setter
    def own_id(self, own_id: str | None) -> None:
        self.pool.own_id = own_id

    @property
    def recorder(self) -> Recorder | None:
        """Records every request; None: nothing is recorded."""
        return self._accounting.recorder

    @property
    def admission_control(self) -> AdmissionControl | None:
        """Checks every request; None: there are no limits and no budgets."""
        return self._accounting.admission_control

    @property
    def bodies(self) -> ConversationStore | None:
        """Stores prompts and answers; None: they are not stored."""
        return self._accounting.bodies

    async def attach(self, accounting: Accounting) -> Callable[[], None]:
        """Add accounting; returns the function that detaches it, which may be called in any order and more than once.

        Every recorder that is attached gets each record. Of admission control, stored conversations and stored sessions, the
        newest counts. A request that runs meanwhile is settled with the admission control that admitted it, and recorded by
        what is attached when it ends. Where the sessions cannot be loaded (DatabaseError), nothing is attached.
        """
        if accounting.sessions is not None:
            await self.sessions.open(accounting.sessions)
        token = object()
        self._attached[token] = accounting
        self._combine()

        def detach() -> None:
            if self._attached.pop(token, None) is not None:
                self._combine()

        return detach

    def _combine(self) -> None:
        self._accounting = combined(self._attached.values())
        self.sessions.store_in(self._accounting.sessions)

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
        created, started = time.time(), time.perf_counter()
        refusal: ApiError | None = None
        place: Permit | None = None
        reply: Reply | None = None
        bills: list[Bill] = []
        admission: Admission | None = None
        admission_control, bodies = self.admission_control, None
        first = _ON_BEHALF_OF.get()
        if first is not None:  # what an agent spends on behalf of a key is that key's to pay
            caller = replace(caller, key_id=caller.key_id or first.key_id, user_id=caller.user_id or first.user_id)
        try:
            request = self._prepare(request, caller)
            if admission_control is not None:
                admission, barred = await self._admit(admission_control, request, caller, created, nested=first is not None)
                if barred or admission.allowances:
                    request = request.with_meta(barred=barred, allowances=admission.allowances or {})
            if first is None:
                place = await self.limiter.acquire(request.urgency, request_id=request.request_id, key_id=request.key_id)
            reply = await self._route(request, first or caller, bills)
            if admission is not None:
                reply.headers = admission.headers
            if self.bodies is not None and self.bodies.keep:
                bodies = self.bodies
                reply.listen(BODY_LIMIT)
            yield reply
        except ApiError as err:
            refusal = err
            raise
        finally:
            try:
                if reply is not None:
                    # Shielded: the clean-up of a cancelled request must not be cancelled with it. Eager: it seldom has to wait.
                    await asyncio.shield(asyncio.create_task(reply.close(), eager_start=True))
            finally:
                if place is not None:
                    place.release()
                if self.recorder is not None or admission is not None:
                    generation = _ended(request, caller, reply, bills, refusal, created, started)
                    if admission_control is not None and admission is not None:
                        self._settle(admission_control, admission, generation, bills)
                    if self.recorder is not None:
                        self.recorder.record(generation)
                    if reply is not None and bodies is not None and bodies is self.bodies and bodies.keep:
                        self._keep(bodies, generation, request, reply, caller.username)

    async def _admit(
        self, admission_control: AdmissionControl, request: Request, caller: Caller, created: float, *, nested: bool
    ) -> tuple[Admission, frozenset[str]]:
        """Let a request in; and the backends that must not answer it. Raises RateLimitError or QuotaError."""
        known = WorstCase()
        if admission_control.counts_money or any(is_limited(member) for member in self.pool):
            known = worst_case(self._router.possible(request, self.policy), request, again=self.policy.retry_metered_timeouts)
        limit = answer_limit(request.body)
        asked = AdmissionRequest(
            source=caller.source,
            kind=request.kind,
            model=request.model,
            key_id=caller.key_id,
            user_id=caller.user_id,
            address=caller.address,
            prompt_tokens=request.estimated_prompt_tokens,
            answer_tokens=(limit or USUAL_ANSWER) * answer_count(request.body) if request.kind is not Kind.EMBEDDINGS else 0,
            limits_answer=limit is not None,
            worst_costs=known.worst_costs,
            ample_costs=known.ample_costs,
            unpriced=known.unpriced,
            created=created,
            backend_rates=known.rates,
            monthly_limits=known.monthly_limits,
            nested=nested,
        )
        admission = await admission_control.admit(asked)
        for backend_id in known.monthly_limits:
            self._follow_cost(admission_control, backend_id)
        if not admission.barred and admission.allowances is None and not admission_control.free_only:
            return admission, admission.barred
        # One that nobody reckoned with must not come in their place: it may cost as much, and nothing was set aside for it.
        others = {member.id for member in self.pool if member.id not in known.worst_costs and may_cost(member)}
        return admission, admission.barred | others

    def _settle(
        self, admission_control: AdmissionControl, admission: Admission, generation: Generation, bills: Sequence[Bill]
    ) -> None:
        """Give the reservation back for what was used."""
        admission.settle(generation, costs_by_backend(bills) if len(bills) > 1 else None)
        if generation.backend_id is not None:
            self._follow_cost(admission_control, generation.backend_id)

    def _keep(
        self, bodies: ConversationStore, generation: Generation, request: Request, reply: Reply, username: str | None
    ) -> None:
        try:
            bodies.put(_kept(generation, request, reply, username))
        except Exception:  # whatever is in it, the rest of the clean-up goes on
            _LOGGER.exception("What was asked and answered in request %s could not be kept", generation.id)

    def _follow_cost(self, admission_control: AdmissionControl, backend_id: str) -> None:
        member = self.pool.get(backend_id)
        if member is not None and member.terms.monthly_limit is not None:
            member.month_cost = admission_control.month_cost(backend_id)

    async def _route(self, request: Request, caller: Caller, bills: list[Bill]) -> Reply:
        """The reply, from wherever it comes. What asks the engine on the way there does so for this request, and never waits."""
        token = _ON_BEHALF_OF.set(caller)
        try:
            return await self._router.route(request, self.policy, bills)
        finally:
            _ON_BEHALF_OF.reset(token)

    def _prepare(self, request: Request, caller: Caller) -> Request:
        """The request as it is routed. Raises LoopDetectedError for one that came through here before."""
        if self.own_id is not None and self.own_id in request.via:
            raise LoopDetectedError("This request came through this gateway before: two gateways route to each other.")
        body = request.body
        if request.stream:
            body = {**body, "stream_options": {**(body.get("stream_options") or {}), "include_usage": True}}
        return request.with_meta(
            body=body,
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


def _kept(generation: Generation, request: Request, reply: Reply, username: str | None) -> StoredExchange:
    """What was asked and answered in a request whose record is `generation`."""
    return StoredExchange(
        generation.id,
        generation.created,
        generation.source,
        orjson.dumps(request.body, default=str).decode(errors="replace"),
        reply.said,
        conversation_id=request.session,
        username=username,
        display_name=generation.caller or None,
        key_id=generation.key_id,
        user_id=generation.user_id,
    )


def _ended(
    request: Request,
    caller: Caller,
    reply: Reply | None,
    bills: Sequence[Bill],
    refusal: ApiError | None,
    created: float,
    started: float,
) -> Generation:
    """The record of a request that came at `created` (`time.time()`) and `started` (`time.perf_counter()`).

    One that neither came to its end nor failed was given up. `refusal` is why it was not answered.
    """
    failure = (reply and reply.failure) or refusal
    answered = reply is not None and reply.finished and reply.failure is None
    bill = bills[-1] if bills else None
    charge = total(bills)
    return Generation(
        id=request.request_id or f"gen_{token_hex(16)}",
        created=created,
        source=caller.source,
        kind=request.kind,
        requested_model=request.model,
        outcome=Outcome.OK if answered else Outcome.ERROR if failure is not None else Outcome.CANCELLED,
        model=None if bill is None else bill.model,
        backend_id=None if bill is None else bill.member.id,
        backend_name=None if bill is None else bill.member.name,
        attempts=len(bills) if reply is None else len(reply.attempts),
        stream=request.stream,
        usage=reply.used if reply is not None else bill.used if bill is not None else Usage(),
        estimated=bill is not None and bill.estimated,
        cost=None if charge is None else charge.nano,
        cost_source=None if charge is None else charge.source,
        currency=DEFAULT_CURRENCY if charge is None else charge.currency,
        duration=time.perf_counter() - started,
        first_token=None if reply is None or reply.first_token_at is None else reply.first_token_at - started,
        finish_reason=None if reply is None else reply.finish_reason,
        error_code=None if failure is None else failure.code,
        caller=caller.name,
        key_id=caller.key_id,
        user_id=caller.user_id,
        address=caller.address,
    )
