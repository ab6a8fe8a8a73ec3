"""The engine: the only entry point for requests to an LLM (docs/architecture.md).

It is also the composition root: nothing else creates a pool, a health checker or a router.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
import logging
import time
from typing import TYPE_CHECKING

import aiohttp

from .accounting.admission import Admission, AdmissionControl, AdmissionRequest
from .accounting.conversations.stored_exchange import BODY_LIMIT
from .accounting.usage.generation import FailedAttempt, Generation, Recorder
from .backends.base import Backend
from .backends.locate import locate
from .protocol.errors import ApiError, LoopDetectedError
from .protocol.exchange import NO_EXCHANGE
from .protocol.home_rule import HomeRule
from .protocol.models import ModelInfo
from .protocol.record import ServiceRecord
from .protocol.request import Request
from .protocol.status import Located
from .protocol.tasks import start_eagerly
from .protocol.values import NOTHING
from .routing.accounting import Accounting, combined
from .routing.caller import Caller, Source
from .routing.execution.leaders import lead_keys
from .routing.execution.plan import Plan
from .routing.execution.reply import Reply
from .routing.execution.router import Router
from .routing.execution.sessions import Sessions
from .routing.explanation import Explanation
from .routing.policy import Policy, Terms
from .routing.pool.concurrency import ConcurrencyLimiter, Permit
from .routing.pool.health import HealthChecker
from .routing.pool.member import Member
from .routing.pool.pool import Pool
from .routing.pricing.admission_request import admission_request
from .routing.pricing.billing import Bill
from .routing.pricing.worst_case import worst_case
from .routing.records import LocalRun, exchange_of, local_record_of, record_of
from .routing.reservations import Reservations
from .routing.running import RunningRequest, RunningRequests
from .routing.selection.chains import requested_alias
from .routing.selection.strategies import kept_out

if TYPE_CHECKING:  # needs SQLAlchemy, which engines without a database do not load
    from .accounting.conversations.exchanges import ExchangeStore

__all__ = ["Caller", "Engine", "Source", "ask_health"]

_LOGGER = logging.getLogger(__name__)


def ask_health(session: aiohttp.ClientSession) -> Callable[[ServiceRecord], Awaitable[Located]]:
    """The probe for a `DiscoveryManager`: `/v1/health` at each advertised address, without an API key."""
    return partial(locate, session)


_ON_BEHALF_OF: ContextVar[Caller | None] = ContextVar("zeroconf_ai_on_behalf_of", default=None)
"""The caller of the running request on whose behalf a nested request is made, such as by an agent of the home."""


class Engine:
    """Holds the backends and answers requests. Lives on one event loop."""

    def __init__(self, *, own_id: str | None = None, policy: Policy | None = None) -> None:
        """`own_id` is this gateway's id, by which it recognizes a request that it has forwarded before."""
        self.pool = Pool()
        self.checker = HealthChecker(self.pool)
        self._configured = self._policy = policy or Policy()
        self._home_only = False
        self.exchange = NO_EXCHANGE
        """Converts costs to the currency of budgets. May be replaced at any time; requests in progress use the former one."""
        self.own_id = own_id
        self.limiter = ConcurrencyLimiter()
        """Limits parallel requests to all backends together; its limit and queue length may be set at any time."""
        self.sessions = Sessions()
        """Sessions with their backends; stored across restarts once they are opened."""
        self.running = RunningRequests()
        self.last_answer: tuple[str, str] | None = None
        """The id of the backend that answered last, and its model."""
        self._router = Router(self.pool, self.checker, self.sessions)
        self._reservations = Reservations(self.pool, self._router)
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
    def policy(self) -> Policy:
        """The rules in force. May be replaced at any time; requests in progress use the former ones."""
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self._configured = policy
        self._apply_policy()

    @property
    def home_only(self) -> bool:
        """Whether no request leaves the home: by this switch, or by the configured rules. The former outlasts new rules."""
        return self._policy.home_only

    @home_only.setter
    def home_only(self, home_only: bool) -> None:
        self._home_only = home_only
        self._apply_policy()

    @property
    def home_only_configured(self) -> bool:
        """Whether the configured rules keep requests at home, so that the switch cannot allow more."""
        return self._configured.home_only

    def _apply_policy(self) -> None:
        former = self._policy
        self._policy = replace(self._configured, home_only=True) if self._home_only else self._configured
        if self._policy.home_only != former.home_only:
            self.pool.notify_all()

    @property
    def recorder(self) -> Recorder | None:
        """Records every request; None: nothing is recorded."""
        return self._accounting.recorder

    @property
    def admission_control(self) -> AdmissionControl | None:
        """Checks every request; None: there are no limits and no budgets."""
        return self._accounting.admission_control

    @property
    def exchanges(self) -> "ExchangeStore | None":
        """Stores prompts and answers; None: they are not stored."""
        return self._accounting.exchanges

    async def attach(self, accounting: Accounting) -> Callable[[], None]:
        """Add accounting; returns the function that detaches it, which may be called in any order and more than once.

        Every recorder that is attached gets each record. Of admission control, stored exchanges and stored sessions, the
        newest counts. A request in progress is reconciled with the admission control that admitted it, and recorded by
        what is attached when it ends. If the sessions cannot be loaded (DatabaseError), nothing is attached.
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
        """Add a backend, which counts as healthy until its first check. Raises ValueError if its id exists."""
        member = Member(backend, terms or Terms())
        self.pool.add(member)
        return member

    async def replace(self, backend: Backend, terms: Terms | None = None) -> Member:
        """Replace the backend with the same id, whose running requests finish. Raises KeyError if no backend has that id.

        It is checked first, so that one of the two is always available.
        """
        member = Member(backend, terms or Terms())
        await self.checker.check(member, models=True)
        await self._router.close(member.id)
        former = self.pool.replace(member)
        await former.backend.close()
        return member

    async def remove(self, backend_id: str) -> None:
        """Remove a backend; does nothing if no backend has that id."""
        member = self.pool.remove(backend_id)
        if member is not None:
            await self._router.close(backend_id)
            await self.checker.close(backend_id)
            await member.backend.close()

    @asynccontextmanager
    async def run(self, request: Request, caller: Caller) -> AsyncIterator[Reply]:
        """Route a request. The reply is valid inside the block; leaving it early closes the upstream connection.

        Raises an ApiError before the first token if no backend answers. It is recorded, however it ends.
        """
        created, started = time.time(), time.perf_counter()
        refusal: ApiError | None = None
        permit: Permit | None = None
        reply: Reply | None = None
        bills: list[Bill] = []
        failures: list[FailedAttempt] = []
        plan: Plan | None = None
        admission: Admission | None = None
        running: RunningRequest | None = None
        excluded: ApiError | None = None
        admission_control, exchanges = self.admission_control, None
        outer = _ON_BEHALF_OF.get()
        if outer is not None:  # what an agent uses on behalf of a key counts for that key
            caller = replace(
                caller,
                key_id=caller.key_id or outer.key_id,
                user_id=caller.user_id or outer.user_id,
                home_rule=caller.home_rule or outer.home_rule,
            )
        try:
            request = self._prepare(request, caller)
            if admission_control is not None:
                plan = self._reservations.plan(admission_control, request, self.policy)
                admission, barred = await self._reservations.admit(
                    admission_control, request, caller, created, plan, self.policy, nested=outer is not None
                )
                excluded = admission.refusal
                if barred or admission.allowances:
                    request = request.with_meta(barred=barred, allowances=admission.allowances or NOTHING)
            running = self.running.begin(request, caller, created)
            if outer is None:
                permit = await self.limiter.acquire(request.urgency, request_id=request.request_id, key_id=request.key_id)
            reply = await self._route(request, outer or caller, bills, plan, failures, excluded, started, running)
            running.backend_id, running.model = self.last_answer = (reply.backend_id, reply.model)
            if admission is not None:
                reply.headers = admission.headers
            if self.exchanges is not None and self.exchanges.keep:
                exchanges = self.exchanges
                reply.listen(BODY_LIMIT)
            yield reply
        except ApiError as err:
            refusal = err
            raise
        finally:
            try:
                if reply is not None:
                    # Shielded: cancelling the request must not cancel its clean-up. Eager: it rarely has to wait.
                    await asyncio.shield(start_eagerly(reply.close()))
            finally:
                if running is not None:
                    self.running.end(running)
                if permit is not None:
                    permit.release()
                if self.recorder is not None or admission is not None:
                    generation = record_of(request, caller, reply, bills, failures, refusal, created, started)
                    if admission_control is not None and admission is not None:
                        self._reservations.reconcile(admission_control, admission, generation, bills, request.exchange)
                    if self.recorder is not None:
                        self.recorder.record(generation)
                    if reply is not None and exchanges is not None and exchanges is self.exchanges:
                        self._store_exchange(exchanges, generation, request, reply, caller.username)

    @asynccontextmanager
    async def run_local(self, kind: str, caller: Caller, request_id: str, requested_model: str) -> AsyncIterator[LocalRun]:
        """Run a request that no backend of the pool answers, such as Home Assistant's speech to text, inside the block.

        The caller's limits and the queue are the same as for `run`. Raises RateLimitError, QuotaError or UnavailableError.
        However it ends, it is recorded.
        """
        created, started = time.time(), time.perf_counter()
        run = LocalRun(kind, requested_model)
        refusal: ApiError | None = None
        permit: Permit | None = None
        admission: Admission | None = None
        try:
            if self.admission_control is not None:
                asked = AdmissionRequest(
                    caller.source, kind, requested_model, caller.key_id, caller.user_id, caller.address, created=created
                )
                admission = await self.admission_control.admit(asked)
                run.headers = admission.headers
            permit = await self.limiter.acquire(caller.urgency, request_id=request_id, key_id=caller.key_id)
            yield run
            run.finished = True
        except ApiError as err:
            refusal = err
            raise
        finally:
            if permit is not None:
                permit.release()
            record = local_record_of(run, caller, request_id, refusal, created, started)
            if admission is not None:
                admission.reconcile(record)
            if self.recorder is not None:
                self.recorder.record(record)

    def _store_exchange(
        self, store: "ExchangeStore", generation: Generation, request: Request, reply: Reply, username: str | None
    ) -> None:
        if not store.keep:
            return  # disabled in the meantime
        try:
            store.put(exchange_of(generation, request, reply, username))
        except Exception:  # the rest of the clean-up must run
            _LOGGER.exception("The prompt and answer of request %s could not be stored", generation.id)

    async def _route(
        self,
        request: Request,
        caller: Caller,
        bills: list[Bill],
        plan: Plan | None,
        failures: list[FailedAttempt],
        excluded: ApiError | None,
        started: float,
        running: RunningRequest,
    ) -> Reply:
        """Route the request. Nested requests made meanwhile count for its caller and skip the queue."""
        if caller.home_rule is not request.home_rule:  # what an agent asks for while it answers stays at home, too
            caller = replace(caller, home_rule=request.home_rule)
        token = _ON_BEHALF_OF.set(caller)
        try:
            return await self._router.route(request, self.policy, bills, plan, failures, excluded, started, running)
        finally:
            _ON_BEHALF_OF.reset(token)

    def _prepare(self, request: Request, caller: Caller) -> Request:
        """The request with the caller's data and the exact name of the model alias that it asks for.

        Raises LoopDetectedError for a request that this gateway has forwarded before.
        """
        if self.own_id is not None and self.own_id in request.via:
            raise LoopDetectedError("This request came through this gateway before: two gateways route to each other.")
        alias = None if request.pin is not None else requested_alias(self.pool, request.model, self.policy)
        if alias is not None and alias != request.model:
            request = request.of_model(alias)
        return request.with_meta(
            via=(*request.via, self.own_id) if self.own_id is not None else request.via,
            models=caller.models,
            user_id=caller.user_id,
            key_id=caller.key_id,
            urgency=caller.urgency,
            inside=caller.inside,
            home_rule=request.home_rule or caller.home_rule,
            # Programs spread their requests, which may be many at a time.
            leads=lead_keys(request, device_id=caller.device_id, user_id=caller.user_id)
            if caller.is_person and not request.kind.is_audio
            else (),
            exchange=self.exchange,
        )

    def explain(self, request: Request, caller: Caller) -> Explanation:
        """The candidates of a request in the order in which they would be tried now, and what each may charge.

        Nothing is sent, reserved or counted. Raises the ApiError of a request that no backend can answer.
        """
        request = self._prepare(request, caller)
        found = self._router.order(request, self.policy)
        every = (*found.ordered, *found.later)
        worst = worst_case(every, request, again=self.policy.retry_metered_timeouts)
        if self.admission_control is None:
            return Explanation(found, worst)
        asked = admission_request(request, caller, worst, time.time(), nested=False)
        try:
            preview = self.admission_control.preview(asked)
        except ApiError as err:
            return Explanation(found, worst, frozenset(worst.worst_costs), err, refused=True)
        return Explanation(found, worst, preview.barred, preview.refusal)

    def models(self, home_rule: HomeRule | None = None) -> list[tuple[Member, ModelInfo]]:
        """The models of all usable backends, by priority, without virtual ones. `home_rule`: as for `usable`."""
        return [(member, model) for member in self.usable(home_rule) for model in member.models if not model.virtual]

    def keeps_out(self, member: Member, home_rule: HomeRule | None = None) -> bool:
        """Whether requests are not sent to a backend because they stay at home. `home_rule`: that of the requests, or None."""
        return kept_out(member, home_rule, self._policy) is not None

    def usable(self, home_rule: HomeRule | None = None) -> list[Member]:
        """All backends that requests may go to now, by priority: enabled, online, and at home if only those are used.

        `home_rule`: why the requests in question stay at home, or None.
        """
        found = (member for member in self.pool if member.enabled and member.online and not self.keeps_out(member, home_rule))
        return sorted(found, key=lambda member: member.priority)

    async def close(self) -> None:
        """Close the router, the health checker and all backends."""
        await self._router.close()
        await self.checker.close()
        for member in self.pool:
            try:
                await self.remove(member.id)
            except Exception:  # the others must be closed too
                _LOGGER.exception("%s could not be closed", member.name)
