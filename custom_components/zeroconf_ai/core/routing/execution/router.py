"""Sees a request to its first token: tries candidates, waits for their turn, and keeps sessions where they are."""

import asyncio
import itertools
import logging
import time
from typing import Any

from ...accounting.usage.generation import FailedAttempt
from ...backends.base import Answer
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
from ..pool.pool import Member, Pool
from ..pricing.billing import Bill
from ..pricing.bounds import Ceiling, bounded
from ..selection.candidates import Candidate, Candidates, candidates, settle
from .attempts import RequestAttempts, is_well, why_not
from .plan import Plan
from .reply import Attempt, Reply, Turn
from .session_handover import SessionHandover, shorten, shortest
from .sessions import Sessions
from .waking import Waker

_LOGGER = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Pause before a 5xx is tried once more on the same backend (PROTOCOL 3, rule 6)."""
SESSION_SECONDS = 5.0
"""How long a session waits for its own backend, be it busy or only just gone, before it goes to another one."""
_JUST_NOW = 60.0
"""Seconds for which a backend is taken to be only just gone."""
_CALLERS_OWN = (InvalidRequestError, NotFoundError, RequestTooLargeError)
_OF_ALL_ITS_MODELS = (UpstreamConnectionError, AuthenticationError, PermissionDeniedError)
"""Failures after which no other model of the same backend need be tried."""


class Router:
    """Tries candidates in turn (PROTOCOL 3, rules 3 and 6 to 9)."""

    def __init__(self, pool: Pool, checker: HealthChecker, sessions: Sessions | None = None) -> None:
        """`sessions` are kept by whoever opens them."""
        self._pool = pool
        self._checker = checker
        self._sessions = sessions or Sessions()
        self._waker = Waker(checker)
        self._turn = itertools.count(1)

    async def route(
        self,
        request: Request,
        policy: Policy | None = None,
        bills: list[Bill] | None = None,
        plan: Plan | None = None,
        failures: list[FailedAttempt] | None = None,
    ) -> Reply:
        """The reply of the first candidate that answers. Raises the caller's own error, or one that names every candidate's.

        `bills` takes the bill of every sending that a backend may charge for, also where it never answered. `plan` is that of
        the request's admission. `failures` takes every attempt that fails before an answer begins.
        """
        stay = self._sessions.find(request)
        journey = RequestAttempts(
            request,
            policy or Policy(),
            stay,
            time.monotonic() + MAX_WAIT,
            [] if bills is None else bills,
            [] if failures is None else failures,
        )
        await self._wait_for_its_own(journey)
        try:
            found = None if plan is None else plan.candidates(request, journey.policy)
            reply = await self._go(journey, found or self._candidates(journey))
        except ApiError as err:
            smaller = self._smaller(journey, err)
            if smaller is None:
                raise
            reply = await self._go(journey, smaller)
        if request.session is not None and (stay is not None or journey.had_choice or not journey.names_model):
            self._sessions.put(request.session, reply.backend_id, reply.model)
        return reply

    def plan(self, request: Request, policy: Policy) -> Plan | None:
        """The plan of a request; None where it cannot be answered at all, for which `route` raises the reason."""
        journey = RequestAttempts(request, policy, self._sessions.find(request), time.monotonic(), [])
        try:
            found = self._candidates(journey)
        except ApiError:
            return None
        return Plan(policy, found, self._with_less(journey))

    async def close(self, backend_id: str | None = None) -> None:
        """End the waking of one member, or of all."""
        await self._waker.close(backend_id)

    async def _go(self, journey: RequestAttempts, found: Candidates) -> Reply:
        """Try candidates until one answers or none is left."""
        left = journey.own_first(found.ordered)
        journey.had_choice = journey.had_choice or len(left) > 1
        while left:
            candidate = journey.next_of(left)
            left.remove(candidate)
            turn = await self._take_turn(candidate, journey, alone=not left)
            if turn is None:
                continue
            try:
                reply = await self._attempt(candidate, journey, turn)
            except ApiError as err:
                turn.release()
                self._note(err, candidate, journey)
                if isinstance(err, _OF_ALL_ITS_MODELS):
                    left = [other for other in left if other.member is not candidate.member]
                self._tell_failover(candidate.member, err, journey.next_of(left).member if left else None)
                continue
            except BaseException:
                turn.release()
                raise
            candidate.member.breaker.answered()
            self._pool.record_success(candidate.member)
            return reply
        journey.fail(found.passed_over)

    async def _take_turn(self, candidate: Candidate, journey: RequestAttempts, *, alone: bool) -> Turn | None:
        """Wait for a place at a backend; None where it has none in time."""
        member, request = candidate.member, journey.request
        seconds = max(0.0, journey.until - time.monotonic())
        if journey.stays_with(candidate) and not alone:
            seconds = min(seconds, SESSION_SECONDS)
        try:
            place = await member.limiter.acquire(
                request.urgency, seconds=seconds, request_id=request.request_id, key_id=request.key_id
            )
        except UnavailableError as err:
            journey.busy += (f"{member.name}: {err.message}",)
            journey.waits += (err.retry_after or 1.0,)
            return None
        return Turn(member, place)

    async def _attempt(self, candidate: Candidate, journey: RequestAttempts, turn: Turn) -> Reply:
        """One candidate's reply, started; a 5xx is tried once more, and a session's own backend when it is back."""
        member = candidate.member
        await self._waker.wake(member)
        candidate = settle(candidate, journey.request)
        member.take_turn(next(self._turn))
        try:
            return await self._send(candidate, journey, turn)
        except (UpstreamError, UnavailableError) as err:
            if isinstance(err, UpstreamConnectionError):
                may_return = journey.stays_with(candidate) and not isinstance(err, CertificateError | IdentityChangedError)
                if not may_return or journey.knocked or not await self._waker.comes_back(member, SESSION_SECONDS):
                    raise
                return await self._send(candidate, journey, turn)
            # One that says when to come back (503 with Retry-After) is not asked before.
            if isinstance(err, StreamBrokenError) or err.retry_after is not None:
                raise
        await asyncio.sleep(RETRY_SECONDS)
        return await self._send(candidate, journey, turn)

    async def _send(self, candidate: Candidate, journey: RequestAttempts, turn: Turn) -> Reply:
        member = candidate.member
        member.active += 1
        self._pool.notify_load(member.id)
        answer: Answer | None = None
        bill: Bill | None = None
        try:
            request, summarized, used = await self._fit(candidate, journey)
            sent = _as_sent(request, candidate.model)
            ceiling: Ceiling | None = None
            if (allowance := request.allowances.get(member.id)) is not None:
                sent, ceiling = bounded(member, candidate.model, sent, allowance - journey.spent)
            sent_at = time.perf_counter()
            bill = Bill(member, candidate.model, sent, ceiling)
            bill.answer = answer = await member.backend.send(sent)
            attempted = (*journey.attempts, Attempt(member.id, member.name))
            reply = Reply(self._pool, bill, answer, attempted, turn)
            await reply.start(sent_at)
        except BaseException as err:
            member.active -= 1
            if isinstance(err, ApiError):
                journey.failures.append(FailedAttempt(member.id, member.name, candidate.model))
            self._pool.notify_load(member.id)
            if bill is not None:
                bill.close()
                # One that refuses bills nothing; one that began to answer, or is left alone in the midst of its work, does.
                begun = answer is not None and isinstance(err, UpstreamError) and not getattr(err, "reported", False)
                if begun or isinstance(err, UpstreamTimeoutError) or not isinstance(err, Exception):
                    journey.bills.append(bill)
            if answer is not None:
                await answer.close()
            raise
        journey.bills.append(bill)
        reply.migration = self._migration(candidate, journey, summarized, used)
        return reply

    async def _fit(self, candidate: Candidate, journey: RequestAttempts) -> tuple[Request, int, Usage]:
        """The request as it fits into the model's context, where it comes from a larger one: see `_smaller`."""
        request = journey.request
        window = _context_window(candidate)
        if journey.stay is None or window is None or request.estimated_prompt_tokens <= window:
            return request, 0, Usage()
        if candidate not in journey.shortened:  # a second try takes no second summary
            # A summary costs money of its own, which was not set aside.
            backend = None if candidate.member.id in request.allowances else candidate.member.backend
            journey.shortened = {**journey.shortened, candidate: await shorten(request, window, backend, candidate.model)}
        return journey.shortened[candidate]

    # Sessions.

    async def _wait_for_its_own(self, journey: RequestAttempts) -> None:
        """Wait a little for the backend of the request's session where it has only just gone."""
        member = self._pool.get(journey.stay.backend_id) if journey.stay is not None and journey.may_stay else None
        if member is None or member.online or member.wake is not None or not member.enabled:
            return
        if time.monotonic() - member.offline_since < _JUST_NOW:
            journey.knocked = True
            await self._waker.comes_back(member, SESSION_SECONDS)

    def _candidates(self, journey: RequestAttempts) -> Candidates:
        """Who may answer; of a session's own backend the session's own model, where any will do."""
        stay, request = journey.stay, journey.request
        found = candidates(self._pool, request, journey.policy)
        own = [candidate for candidate in found.ordered if journey.stays_with(candidate)]
        if stay is None or not own or not journey.takes_any_model or stay.model in (candidate.model for candidate in own):
            return found
        try:
            named = candidates(self._pool, request.with_body(model=stay.model), journey.policy)
        except ApiError:
            return found
        same = [candidate for candidate in named.ordered if journey.stays_with(candidate)]
        return Candidates((*same, *found.ordered), found.rejections, found.later)

    def _smaller(self, journey: RequestAttempts, err: ApiError) -> Candidates | None:
        """Who could go on with a session that lost its backend if its conversation were shortened; None where it need not be."""
        stay, request = journey.stay, journey.request
        if stay is None or (isinstance(err, _CALLERS_OWN) and err.code != "context_length_exceeded"):
            return None
        own = self._pool.get(stay.backend_id)
        if own is not None and is_well(own) and journey.failure_of(own.id) is None:
            return None  # it is too long for the model that it is with: the caller's to shorten
        try:
            found = candidates(self._pool, shortest(request), journey.policy)
        except ApiError:
            return None
        tried = {attempt.backend_id for attempt in journey.attempts}
        more = tuple(
            candidate
            for candidate in found.ordered
            if candidate.member.id not in tried and request.estimated_prompt_tokens > (_context_window(candidate) or 0) > 0
        )
        return Candidates(more, found.rejections) if more else None

    def _with_less(self, journey: RequestAttempts) -> tuple[Candidate, ...]:
        """The candidates for whom a session's conversation would have to be shortened."""
        tokens = journey.request.estimated_prompt_tokens
        windows = (model.context_window or tokens for member in self._pool for model in member.models)
        if journey.stay is None or all(window >= tokens for window in windows):
            return ()
        try:
            return candidates(self._pool, shortest(journey.request), journey.policy).ordered
        except ApiError:
            return ()

    def _migration(self, candidate: Candidate, journey: RequestAttempts, summarized: int, used: Usage) -> SessionHandover | None:
        """What became of the session, or None where it stayed or the caller asked for another model himself."""
        stay, member = journey.stay, candidate.member
        if stay is None or not journey.may_stay or (stay.backend_id, stay.model) == (member.id, candidate.model):
            return None
        own = self._pool.get(stay.backend_id)
        origin = stay.backend_id if own is None else own.name
        reason = journey.failure_of(stay.backend_id) or why_not(own)
        _LOGGER.info("A session moved from %s to %s: %s", origin, member.name, reason)
        return SessionHandover(origin, member.name, reason, summarized, used)

    # Failures.

    def _note(self, err: ApiError, candidate: Candidate, journey: RequestAttempts) -> None:
        """Note what a failure says of the backend. Raises where another one must not be tried."""
        member = candidate.member
        if err.code == "model_not_found":
            self._checker.forget_models(member)
        elif not isinstance(err, MethodNotAllowedError | LoopDetectedError | BudgetShortError):  # well, only not for this request
            if isinstance(err, _CALLERS_OWN):
                raise err
            self._pool.record_request_failure(member, err)
            if isinstance(err, UpstreamTimeoutError) and journey.request.kind is not Kind.EMBEDDINGS:
                may_bill = member.backend.info.cost in (Cost.METERED, Cost.UNKNOWN)
                if may_bill and not journey.policy.retry_metered_timeouts:
                    raise err
        journey.errors += (err,)
        journey.attempts += (Attempt(member.id, member.name, err.message),)

    def _tell_failover(self, member: Member, err: ApiError, following: Member | None) -> None:
        _LOGGER.info("%s did not answer (%s); next: %s", member.name, err.log_text, following and following.name)
        if following is not None:
            self._pool.notify_state(
                member.id, RoutingEvent(EventKind.FAILOVER, member.id, err.message, following.id, err.log_text)
            )


def _as_sent(request: Request, model: str) -> Request:
    """The request for a model; the usage of a stream is always requested. Copies the body at most once."""
    body = request.body
    changes: dict[str, Any] = {} if body.get("model") == model else {"model": model}
    if request.stream:
        changes["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return request.with_meta(body={**body, **changes}) if changes else request


def _context_window(candidate: Candidate) -> int | None:
    model = candidate.member.served.find(candidate.model)
    return None if model is None else model.context_window
