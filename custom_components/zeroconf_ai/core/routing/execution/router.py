"""The router: tries candidates until the first token, waits for permits, and keeps sessions on their backends."""

import asyncio
from functools import partial
import itertools
import logging
import time
from typing import Any

from ...accounting.usage.generation import FailedAttempt
from ...backends.base import Answer
from ...backends.connect_limit import connecting_within
from ...protocol.errors import (
    ApiError,
    AuthenticationError,
    BudgetShortError,
    CertificateError,
    IdentityChangedError,
    InvalidRequestError,
    LoopDetectedError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
    RequestTooLargeError,
    StreamBrokenError,
    UnavailableError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)
from ...protocol.record import Cost
from ...protocol.request import Kind, Request
from ...protocol.usage import Usage
from ..policy import Policy
from ..pool.concurrency import MAX_WAIT
from ..pool.events import EventKind, RoutingEvent
from ..pool.health import HealthChecker
from ..pool.member import Member
from ..pool.pool import Pool
from ..pricing.billing import Bill
from ..pricing.bounds import Ceiling, bounded
from ..pricing.costs import currency_of
from ..running import RunningRequest
from ..selection.candidates import Candidate, Candidates, candidates, resolve_model
from ..selection.eligibility import Reason, Rejection
from ..selection.routing_errors import equivalents, unknown_model
from ..selection.strategies import kept_out, leaves_home
from .attempts import RequestAttempts, is_well, why_not
from .hedging import first_to_answer
from .plan import Plan
from .reply import Attempt, HeldPermit, Reply
from .session_handover import SessionHandover, shorten, shortest
from .sessions import Sessions
from .waking import Waker

_LOGGER = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Pause before a 5xx is tried once more on the same backend (PROTOCOL 3, rule 6)."""
SESSION_SECONDS = 5.0
"""How long a session waits for its own backend that is busy or has just gone offline, before it continues on another one."""
LISTENING_CONNECT_SECONDS = 1.0
"""Limit of the time to connect to a backend at home while a person listens and another backend could answer at once."""
_JUST_NOW = 60.0
"""Seconds after going offline in which a backend may be back soon."""
_CALLERS_OWN = (InvalidRequestError, NotFoundError, RequestTooLargeError)
_OF_ALL_ITS_MODELS = (UpstreamConnectionError, AuthenticationError, PermissionDeniedError)
"""Failures after which the other models of the same backend are not tried."""


class Router:
    """Tries candidates one after the other (PROTOCOL 3, rules 3 and 6 to 9)."""

    def __init__(self, pool: Pool, checker: HealthChecker, sessions: Sessions | None = None) -> None:
        """`sessions` may be opened and closed by the caller at any time."""
        self._pool = pool
        self._checker = checker
        self._sessions = Sessions() if sessions is None else sessions  # an empty one is false
        self._waker = Waker(checker)
        self._uses = itertools.count(1)

    async def route(
        self,
        request: Request,
        policy: Policy | None = None,
        bills: list[Bill] | None = None,
        plan: Plan | None = None,
        failures: list[FailedAttempt] | None = None,
        excluded: ApiError | None = None,
        started: float | None = None,
        running: RunningRequest | None = None,
    ) -> Reply:
        """Return the reply of the first candidate that answers.

        Raises the error of the request itself, or one that lists all failures.

        `bills` gets the bill of every attempt that a backend may charge for, even if it never answered. `plan` is that of
        the request's admission. `failures` gets every attempt that fails before an answer begins. `excluded` is why admission
        excluded backends (`Admission.refusal`): it is raised if none of the others can be reached. `started` is
        `time.perf_counter()` of the request's arrival (default: now). `running` gets the backend that is tried, and its model.
        """
        request = self._led(request)
        previous = self._sessions.find(request)
        routing = RequestAttempts(
            request,
            policy or Policy(),
            previous,
            time.monotonic() + MAX_WAIT,
            [] if bills is None else bills,
            [] if failures is None else failures,
            excluded=excluded,
            started=time.perf_counter() if started is None else started,
            running=running,
        )
        await self._wait_for_its_own(routing)
        try:
            found = None if plan is None else plan.candidates(request, routing.policy)
            reply = await self._go(routing, found or self._candidates(routing))
        except ApiError as err:
            smaller = self._smaller(routing, err)
            if smaller is None:
                raise
            reply = await self._go(routing, smaller)
        if request.session is not None and (previous is not None or routing.had_choice or not routing.names_model):
            self._sessions.put(request.session, reply.backend_id, reply.model)
        if request.leads and request.pin is None and (routing.had_choice or not routing.names_model):
            self._sessions.leaders.put(request.leads, reply.backend_id, reply.model)
        return reply

    def plan(self, request: Request, policy: Policy) -> Plan | None:
        """The plan of a request; None if no backend can answer it, for which `route` raises the error."""
        request = self._led(request)
        routing = RequestAttempts(request, policy, self._sessions.find(request), time.monotonic(), [])
        try:
            found = self._candidates(routing)
        except ApiError:
            return None
        return Plan(policy, found, self._with_less(routing))

    def order(self, request: Request, policy: Policy) -> Candidates:
        """The candidates of a request in the order in which they would be tried now.

        Raises an ApiError if no backend can answer it.
        """
        request = self._led(request)
        routing = RequestAttempts(request, policy, self._sessions.find(request), time.monotonic(), [])
        found = self._candidates(routing)
        return Candidates(tuple(routing.own_first(found.ordered)), found.rejections, found.later)

    async def close(self, backend_id: str | None = None) -> None:
        """Cancel waking one member, or all."""
        await self._waker.close(backend_id)

    async def _go(self, routing: RequestAttempts, found: Candidates) -> Reply:
        """Try candidates until one answers. Raises an ApiError if none does."""
        left = routing.own_first(found.ordered)
        routing.had_choice = routing.had_choice or len(left) > 1
        while left:
            candidate = routing.next_of(left)
            left.remove(candidate)
            held = await self._acquire(candidate, routing, alone=not left)
            if held is None:
                continue
            try_ = partial(self._try, routing=routing, left=left)
            reply = await first_to_answer(candidate, held, routing, left, try_, self._checker)
            if reply is not None:
                return reply
        if routing.reached_none and routing.excluded is not None:
            routing.excluded.details = (*routing.failed, *found.passed_over)
            raise routing.excluded
        not_served = any(isinstance(why, Rejection) and why.reason is Reason.NOT_SERVED for why in found.rejections)
        if routing.names_model and not_served and routing.errors and routing.errors == routing.never_reached:
            asked = routing.request
            raise unknown_model(self._pool, asked.model, found.passed_over, patterns=asked.models, needs=asked.needs)
        tried = (attempt.backend_id for attempt in routing.attempts)
        routing.fail(found.passed_over, equivalents(self._pool, routing.request, tried))

    async def _try(
        self, candidate: Candidate, held: HeldPermit, *, routing: RequestAttempts, left: list[Candidate]
    ) -> Reply | None:
        """The reply of a candidate; None if it failed, which is recorded. Raises the error if no other candidate may be tried.

        `left`: the candidates that follow; candidates that failed together with this one are removed.
        """
        try:
            reply = await self._attempt(candidate, routing, held, urgent=routing.is_urgent(candidate, left))
        except ApiError as err:
            held.release()
            self._record_failure(err, candidate, routing)
            if isinstance(err, _OF_ALL_ITS_MODELS):
                left[:] = [other for other in left if other.member is not candidate.member]
            self._notify_failover(candidate.member, err, routing.next_of(left).member if left else None)
            return None
        except BaseException:
            held.release()
            raise
        candidate.member.breaker.answered()
        self._pool.record_success(candidate.member)
        return reply

    async def _acquire(self, candidate: Candidate, routing: RequestAttempts, *, alone: bool) -> HeldPermit | None:
        """Wait for a permit of a backend; None if none becomes free in time."""
        member, request = candidate.member, routing.request
        seconds = max(0.0, routing.until - time.monotonic())
        if routing.continues_with(candidate) and not alone:
            seconds = min(seconds, SESSION_SECONDS)
        try:
            permit = await member.limiter.acquire(
                request.urgency, seconds=seconds, request_id=request.request_id, key_id=request.key_id
            )
        except UnavailableError as err:
            routing.busy += (f"{member.name}: {err.message}",)
            routing.waits += (err.retry_after or 1.0,)
            return None
        return HeldPermit(member, permit)

    async def _attempt(self, candidate: Candidate, routing: RequestAttempts, held: HeldPermit, *, urgent: bool) -> Reply:
        """Return the started reply of a candidate. Retried once after a 5xx, and when a session's own backend is back.

        `urgent`: a person listens, and another backend could answer at once: nothing is retried here.
        """
        member = candidate.member
        await self._waker.wake(member)
        candidate = resolve_model(candidate, routing.request)
        member.record_use(next(self._uses))
        limit = LISTENING_CONNECT_SECONDS if urgent and not leaves_home(member) else None
        try:
            with connecting_within(limit):
                return await self._send(candidate, routing, held)
        except (UpstreamError, UnavailableError) as err:
            if urgent:
                raise
            if isinstance(err, UpstreamConnectionError):
                own = routing.continues_with(candidate) and not routing.request.listening
                may_return = own and not isinstance(err, CertificateError | IdentityChangedError)
                if not may_return or routing.waited or not await self._waker.comes_back(member, SESSION_SECONDS):
                    raise
                return await self._send(candidate, routing, held)
            # A backend that names a time (503 with Retry-After) is not asked before it.
            if isinstance(err, StreamBrokenError) or err.retry_after is not None:
                raise
        await asyncio.sleep(RETRY_SECONDS)
        return await self._send(candidate, routing, held)

    async def _send(self, candidate: Candidate, routing: RequestAttempts, held: HeldPermit) -> Reply:
        member = candidate.member
        member.active += 1
        if routing.running is not None:
            routing.running.backend_id, routing.running.model = member.id, candidate.model
        self._pool.notify_load(member.id)
        answer: Answer | None = None
        bill: Bill | None = None
        loading = member.preparations.begin(candidate.model) if member.is_warm(candidate.model) is False else None
        loaded = False
        began = time.perf_counter() - routing.started
        try:
            request, summarized, used = await self._fit(candidate, routing)
            sent = _as_sent(request, candidate.model)
            ceiling: Ceiling | None = None
            if (allowance := request.allowances.get(member.id)) is not None:
                left = allowance - routing.spent
                own = request.exchange.revert(left, currency_of(member, candidate.model))
                sent, ceiling = bounded(member, candidate.model, sent, left if own is None else own)
            bill = Bill(member, candidate.model, sent, ceiling)
            bill.answer = answer = await member.backend.send(sent)
            bill.answered_at = time.perf_counter()
            attempted = (*routing.attempts, Attempt(member.id, member.name))
            reply = Reply(self._pool, bill, answer, attempted, held)
            await reply.start()
            loaded = sent.stream  # any other answer takes as long as its generation, too
            if loading is not None or loaded:
                member.preparations.answered(candidate.model)
        except BaseException as err:
            member.active -= 1
            if routing.running is not None:
                routing.running.backend_id = routing.running.model = None
            if isinstance(err, ApiError):
                ended = time.perf_counter() - routing.started
                routing.failures.append(
                    FailedAttempt(member.id, member.name, candidate.model, err.message, err.code, began, ended)
                )
            self._pool.notify_load(member.id)
            if bill is not None:
                bill.close()
                # A rejected request costs nothing; one that was answered in part, or was cancelled during the work, may.
                begun = answer is not None and isinstance(err, UpstreamError) and not getattr(err, "reported", False)
                if begun or isinstance(err, UpstreamTimeoutError) or not isinstance(err, Exception):
                    routing.bills.append(bill)
            if answer is not None:
                await answer.close()
            raise
        finally:
            if loading is not None:
                member.preparations.end(loading, measured=loaded)
                self._pool.notify_load(member.id)
        routing.bills.append(bill)
        reply.handover = self._handover(candidate, routing, summarized, used)
        return reply

    async def _fit(self, candidate: Candidate, routing: RequestAttempts) -> tuple[Request, int, Usage]:
        """The request, shortened to the model's context window if its session was on a larger one (`_smaller`)."""
        request = routing.request
        window = _context_window(candidate)
        if routing.previous is None or window is None or request.estimated_prompt_tokens <= window:
            return request, 0, Usage()
        if candidate not in routing.shortened:  # a retry does not summarize again
            # A summary costs money too, which was not reserved.
            # It also takes time, which would delay a spoken answer.
            none = candidate.member.id in request.allowances or request.listening
            backend = None if none else candidate.member.backend
            routing.shortened = {**routing.shortened, candidate: await shorten(request, window, backend, candidate.model)}
        return routing.shortened[candidate]

    # Sessions.

    def _led(self, request: Request) -> Request:
        """The request with the backend that answered last for its conversation, device or user."""
        leader = self._sessions.leaders.find(request.leads) if request.leads else None
        return request if leader is None else request.with_meta(leader=leader)

    async def _wait_for_its_own(self, routing: RequestAttempts) -> None:
        """Wait shortly for the backend of the request's session if it has just gone offline, unless a person listens."""
        if routing.request.listening:
            return
        member = self._pool.get(routing.previous.backend_id) if routing.previous is not None and routing.may_continue else None
        if member is None or member.online or member.wake is not None or not member.enabled:
            return
        if kept_out(member, routing.request.home_rule, routing.policy) is not None:
            return
        if time.monotonic() - member.offline_since < _JUST_NOW:
            routing.waited = True
            await self._waker.comes_back(member, SESSION_SECONDS)

    def _candidates(self, routing: RequestAttempts) -> Candidates:
        """The candidates; on the session's own backend with the session's own model, if any model may answer."""
        previous, request = routing.previous, routing.request
        found = candidates(self._pool, request, routing.policy)
        own = [candidate for candidate in found.ordered if routing.continues_with(candidate)]
        if previous is None or not own or not routing.takes_any_model or previous.model in (candidate.model for candidate in own):
            return found
        try:
            named = candidates(self._pool, request.with_body(model=previous.model), routing.policy)
        except ApiError:
            return found
        same = [candidate for candidate in named.ordered if routing.continues_with(candidate)]
        return Candidates((*same, *found.ordered), found.rejections, found.later)

    def _smaller(self, routing: RequestAttempts, err: ApiError) -> Candidates | None:
        """The candidates that could continue a session with a shortened conversation after its backend was lost; None if none."""
        previous, request = routing.previous, routing.request
        if previous is None or (isinstance(err, _CALLERS_OWN) and err.code != "context_length_exceeded"):
            return None
        own = self._pool.get(previous.backend_id)
        at_home = own is not None and kept_out(own, request.home_rule, routing.policy) is None
        if own is not None and at_home and is_well(own) and routing.failure_of(own.id) is None:
            return None  # too long for the session's own model: the caller has to shorten it
        try:
            found = candidates(self._pool, shortest(request), routing.policy)
        except ApiError:
            return None
        tried = {attempt.backend_id for attempt in routing.attempts}
        more = tuple(
            candidate
            for candidate in found.ordered
            if candidate.member.id not in tried and request.estimated_prompt_tokens > (_context_window(candidate) or 0) > 0
        )
        return Candidates(more, found.rejections) if more else None

    def _with_less(self, routing: RequestAttempts) -> tuple[Candidate, ...]:
        """The candidates for which a session's conversation would have to be shortened."""
        tokens = routing.request.estimated_prompt_tokens
        windows = (model.context_window or tokens for member in self._pool for model in member.models)
        if routing.previous is None or all(window >= tokens for window in windows):
            return ()
        try:
            return candidates(self._pool, shortest(routing.request), routing.policy).ordered
        except ApiError:
            return ()

    def _handover(self, candidate: Candidate, routing: RequestAttempts, summarized: int, used: Usage) -> SessionHandover | None:
        """The handover of the session; None if it stayed, or if the caller requested another model."""
        previous, member = routing.previous, candidate.member
        if previous is None or not routing.may_continue or (previous.backend_id, previous.model) == (member.id, candidate.model):
            return None
        own = self._pool.get(previous.backend_id)
        origin = previous.backend_id if own is None else own.name
        rule = None if own is None else kept_out(own, routing.request.home_rule, routing.policy)
        failure = routing.failure_of(previous.backend_id)
        rule = rule if failure is None else None
        reason = failure or (why_not(own) if rule is None else rule.words)
        _LOGGER.info("A session moved from %s to %s: %s", origin, member.name, reason)
        return SessionHandover(origin, member.name, reason, rule, summarized, used)

    # Failures.

    def _record_failure(self, err: ApiError, candidate: Candidate, routing: RequestAttempts) -> None:
        """Record a failure. Raises it if no other backend may be tried."""
        member = candidate.member
        if err.code == "model_not_found":
            self._checker.forget_models(member)
        elif not isinstance(err, MethodNotAllowedError | LoopDetectedError | BudgetShortError):  # healthy, not for this request
            if isinstance(err, _CALLERS_OWN):
                raise err
            self._pool.record_request_failure(member, err)
            if isinstance(err, UpstreamTimeoutError) and routing.request.kind is not Kind.EMBEDDINGS:
                may_bill = member.backend.info.cost in (Cost.METERED, Cost.UNKNOWN)
                if may_bill and not routing.policy.retry_metered_timeouts:
                    raise err
        routing.errors += (err,)
        advertised = candidate.model in member.backend.info.advertised_models
        if isinstance(err, UpstreamConnectionError) and member.last_seen is None and not advertised:
            routing.never_reached += (err,)
        routing.attempts += (Attempt(member.id, member.name, err.message),)

    def _notify_failover(self, member: Member, err: ApiError, following: Member | None) -> None:
        _LOGGER.info("%s did not answer (%s); next: %s", member.name, err.log_text, following and following.name)
        if following is not None:
            self._pool.notify_state(
                member.id, RoutingEvent(EventKind.FAILOVER, member.id, err.message, following.id, err.log_text)
            )


def _as_sent(request: Request, model: str) -> Request:
    """The request for a model; the usage of a stream is always requested. Copies the body at most once."""
    body = request.body
    changes: dict[str, Any] = {} if body.get("model") == model else {"model": model}
    if request.stream and request.kind.writes:
        changes["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return request.with_meta(body={**body, **changes}) if changes else request


def _context_window(candidate: Candidate) -> int | None:
    model = candidate.member.served.find(candidate.model)
    return None if model is None else model.context_window
