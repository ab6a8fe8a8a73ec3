"""`RequestAttempts`: the attempts to answer one request, their failures, and the next candidate."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
import time
from typing import NoReturn

from ...accounting.conversations.session_row import SessionRow
from ...accounting.usage.generation import OVERTAKEN, FailedAttempt
from ...protocol.errors import (
    ApiError,
    LoopDetectedError,
    NotFoundError,
    QuotaError,
    RateLimitError,
    UnavailableError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)
from ...protocol.model_names import has_name
from ...protocol.models import AUTO
from ...protocol.request import Request
from ...protocol.usage import Usage
from ...protocol.values import NOTHING
from ..policy import Policy
from ..pool.circuit_breaker import BreakerState
from ..pool.member import Member
from ..pricing.billing import Bill, in_budgets
from ..running import RunningRequest
from ..selection.candidates import Candidate
from .reply import Attempt

LOST = "another provider answered first"


@dataclass(slots=True)
class RequestAttempts:
    """Made for one request. Candidates are always in the order of preference."""

    request: Request
    policy: Policy
    previous: SessionRow | None
    """The backend and model that its session was on before."""
    until: float
    """`time.monotonic()` until which it waits for permits."""
    bills: list[Bill] = field(default_factory=list)
    """The bills of all attempts that a backend may charge for."""
    failures: list[FailedAttempt] = field(default_factory=list)
    """Every attempt that failed, repeated ones included."""
    started: float = 0.0
    """`time.perf_counter()` of its arrival, from which the times of failed attempts count."""
    running: RunningRequest | None = None
    """What is shown of it while it runs."""
    excluded: ApiError | None = None
    """Why admission excluded backends; None if it excluded none."""
    attempts: tuple[Attempt, ...] = ()
    errors: tuple[ApiError, ...] = ()
    never_reached: tuple[ApiError, ...] = ()
    """Those of `errors` by backends never reached that do not advertise the model: nothing says that they serve it."""
    busy: tuple[str, ...] = ()
    """Backends without a free permit, with the reason."""
    waits: tuple[float, ...] = ()
    """Seconds until they may have one."""
    shortened: Mapping[Candidate, tuple[Request, int, Usage]] = NOTHING
    """The shortened request, the number of messages removed from it, and the usage of the summary."""
    waited: bool = False
    """Whether it has waited for its session's backend to come back."""
    had_choice: bool = False
    """Whether there were several candidates."""

    @property
    def spent(self) -> int:
        """Cost of the attempts so far, in nano-units of the currency of budgets."""
        return sum(in_budgets(bill.charge, self.request.exchange) for bill in self.bills if bill.charge is not None)

    @property
    def names_model(self) -> bool:
        """Whether one model is requested by its name."""
        return self.request.model != AUTO and self.request.model not in self.policy.virtual_models

    @property
    def takes_any_model(self) -> bool:
        """Whether any model may answer."""
        virtual = self.policy.virtual_models.get(self.request.model)
        return AUTO in virtual.targets if virtual is not None else self.request.model == AUTO

    @property
    def may_continue(self) -> bool:
        """Whether the session may continue where it was: the request names neither another model nor another backend."""
        if self.previous is None or self.request.pin not in (None, self.previous.backend_id):
            return False
        return not self.names_model or has_name((self.previous.model,), self.request.model)

    def continues_with(self, candidate: Candidate) -> bool:
        """Whether the request's session was on that backend and may continue there."""
        return self.may_continue and self.previous is not None and candidate.member.id == self.previous.backend_id

    def own_first(self, ordered: Iterable[Candidate]) -> list[Candidate]:
        """The candidates, the session's own first while it is healthy (PROTOCOL 3, rule 3)."""
        model = self.previous.model if self.previous is not None else None

        def rank(candidate: Candidate) -> int:
            member = candidate.member
            if not (self.continues_with(candidate) and is_well(member)) or (self.request.listening and member.sick):
                return 2
            return 0 if candidate.model == model else 1

        return sorted(ordered, key=rank)

    def next_of(self, left: list[Candidate]) -> Candidate:
        """The next candidate: the session's backend, else the first with a free permit, else the first with room in its queue.

        While a person listens, a busy session backend is skipped if another backend is free.
        """
        ready = [candidate for candidate in left if candidate.member.breaker.ready] or left
        if self.continues_with(ready[0]) and (ready[0].member.limiter.free or not self.request.listening):
            return ready[0]
        free = next((candidate for candidate in ready if candidate.member.limiter.free), None)
        return free or next((candidate for candidate in ready if not candidate.member.limiter.full), ready[0])

    @property
    def reached_none(self) -> bool:
        """Whether there were attempts, and no connection to any of their backends could be opened."""
        return bool(self.errors) and not self.busy and all(isinstance(err, UpstreamConnectionError) for err in self.errors)

    @property
    def failed(self) -> tuple[str, ...]:
        """The failed attempts, as texts."""
        return tuple(f"{attempt.backend_name}: {attempt.failure}" for attempt in self.attempts)

    def failure_of(self, backend_id: str) -> str | None:
        """Why a backend did not answer; None if it was not tried."""
        return next((attempt.failure for attempt in self.attempts if attempt.backend_id == backend_id), None)

    def is_urgent(self, candidate: Candidate, left: Iterable[Candidate]) -> bool:
        """Whether a person listens and another backend could answer at once."""
        return self.request.listening and any(
            other.member is not candidate.member and other.member.online and other.member.limiter.free for other in left
        )

    def record_lost(self, candidate: Candidate, began: float) -> None:
        """Record an attempt that was cancelled because a second attempt answered first; `began`: `time.perf_counter()`."""
        member, now = candidate.member, time.perf_counter()
        self.attempts += (Attempt(member.id, member.name, LOST),)
        self.failures.append(
            FailedAttempt(member.id, member.name, candidate.model, LOST, OVERTAKEN, began - self.started, now - self.started)
        )

    def fail(self, passed_over: tuple[str, ...], equivalents: str = "") -> NoReturn:
        """Raise the error for a request that no candidate answered: a single candidate's own, or one that lists all.

        `equivalents`: a sentence about models that could answer instead.
        """
        details = (*self.failed, *self.busy, *passed_over)
        failures = (f"{attempt.backend_name}: {err.log_text}" for attempt, err in zip(self.attempts, self.errors, strict=True))
        log_text = f"No provider could answer. {'; '.join((*failures, *self.busy, *passed_over))}."
        waits = [*(err.retry_after for err in self.errors if err.retry_after is not None), *self.waits]
        wait = min(waits) if waits else None
        if not self.errors:
            message = f"Every provider that could answer is busy. {'; '.join(details)}."
            raise UnavailableError(message, code="provider_capacity_exceeded", retry_after=wait, details=details)
        own = RateLimitError | QuotaError | UnavailableError | UpstreamTimeoutError | LoopDetectedError
        only = len(self.errors) == 1 and not self.busy and isinstance(self.errors[0], own)
        answered = [err for err in self.errors if err not in self.never_reached] or self.errors
        not_found = all(isinstance(err, NotFoundError) for err in answered)
        if only or not_found:
            answered[0].details = details
            raise answered[0]
        message = f"No provider could answer. {'; '.join(details)}. {equivalents}".rstrip()
        failure = UpstreamError(message, retry_after=wait, details=details, log_text=log_text)
        failure.causes = tuple(self.errors)
        raise failure


def is_well(member: Member) -> bool:
    """Whether it is enabled, online, not resting, and its circuit breaker is closed."""
    return member.enabled and member.online and not member.resting() and member.breaker.state is BreakerState.CLOSED


def why_not(member: Member | None) -> str:
    """Why a session did not continue on its backend."""
    if member is None:
        return "it is not set up any more"
    if not member.enabled:
        return "it is disabled for routing"
    if not member.online:
        return "it is offline"
    if member.resting():
        return f"it asked for a pause of {max(1, round(member.resting_until - time.monotonic()))} s"
    if member.breaker.state is not BreakerState.CLOSED:
        return "its last requests failed"
    return "it is busy" if not member.limiter.free else "it cannot take this request"
