"""`HouseholdCap`: the tokens and the money that all requests with a household token may use in an hour.

It is counted in memory: after a restart the hour begins anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
import time
from typing import override

from ..protocol.errors import ApiError, QuotaError, RateLimitError
from ..protocol.household import CALLER_ID, PERIOD_SECONDS
from ..protocol.values import NOTHING
from .admission import Admission, AdmissionControl, AdmissionRequest, Preview, RateLimitState, RateLimitStatus, WrappedControl
from .budget import format_amount
from .usage.generation import Generation

DEFAULT_TOKENS = 50_000
DEFAULT_COST = 0.0
"""Money per hour: without a configured amount, a household token reaches free providers only."""


@dataclass(slots=True)
class _Hour:
    """What was used and reserved within one hour."""

    number: int
    tokens: int = 0
    cost: int = 0

    def add(self, tokens: int, cost: int) -> None:
        """Count what is reserved, or the difference to what was used."""
        self.tokens += tokens
        self.cost += cost


class HouseholdCap:
    """The limit, and what was used of it. Money is in nano-units."""

    def __init__(self, tokens: int, cost: int, clock: Callable[[], float] = time.time) -> None:
        """`tokens` and `cost` are per hour; `clock` returns seconds since the epoch."""
        self.tokens = tokens
        self.cost = cost
        self._clock = clock
        self._hour = _Hour(self._number())

    def around(self, inner: AdmissionControl | None) -> AdmissionControl:
        """The admission control that applies this limit to requests of the household, and then `inner` to all."""
        return _Capped(self, inner)

    def hour(self) -> _Hour:
        """The current hour."""
        if self._hour.number != (number := self._number()):
            self._hour = _Hour(number)
        return self._hour

    @property
    def wait(self) -> float:
        """Seconds until the next hour."""
        return max(1.0, (self.hour().number + 1) * PERIOD_SECONDS - self._clock())

    def check_tokens(self, estimate: int) -> None:
        """Raise RateLimitError if this many tokens are not left."""
        left = self.tokens - self.hour().tokens
        if estimate > left:
            minutes = round(self.wait / 60) or 1
            message = (
                f"The household has a limit of {self.tokens} tokens per hour, {max(0, left)} are left, and this request may use "
                f"{estimate}. Ask for a shorter answer, try again in {minutes} min, or use an API key."
            )
            raise RateLimitError(message, retry_after=self.wait)

    def barred(self, asked: AdmissionRequest) -> frozenset[str]:
        """Ids of the backends that cost more than is left, or an unknown amount."""
        left = self.cost - self.hour().cost
        dear = {backend_id for backend_id, cost in asked.worst_costs.items() if cost > max(0, left)}
        return frozenset(dear | asked.unpriced.keys() | asked.unconverted.keys())

    def refusal(self) -> ApiError:
        """The error for a request that only backends could answer that cost too much."""
        left = max(0, self.cost - self.hour().cost)
        message = (
            f"The household may spend {format_amount(self.cost)} per hour, {format_amount(left)} is left, and the providers that "
            "could answer this cost more. Use an API key, or ask the owner for a higher limit."
        )
        return QuotaError(message, retry_after=self.wait)

    def _number(self) -> int:
        return int(self._clock() // PERIOD_SECONDS)


class _Capped(WrappedControl):
    def __init__(self, cap: HouseholdCap, inner: AdmissionControl | None) -> None:
        super().__init__(inner)
        self._cap = cap

    @property
    @override
    def counts_money(self) -> bool:
        return True

    @override
    async def rate_limit_status(self, key_id: str | None, user_id: str | None, address: str | None) -> RateLimitStatus:
        if key_id == CALLER_ID:
            cap = self._cap
            return RateLimitStatus(tokens=RateLimitState(cap.tokens, max(0, cap.tokens - cap.hour().tokens), cap.wait))
        return await super().rate_limit_status(key_id, user_id, address)

    @override
    def preview(self, asked: AdmissionRequest) -> Preview:
        if asked.key_id != CALLER_ID:
            return super().preview(asked)
        mine = self._barred(asked)
        found = super().preview(_without(asked, mine))
        return Preview(found.barred | mine, found.refusal or (self._cap.refusal() if mine else None))

    @override
    async def admit(self, asked: AdmissionRequest) -> Admission:
        if asked.key_id != CALLER_ID:
            return await super().admit(asked)
        cap = self._cap
        # A part of another request has been counted with it, but its cost has not.
        tokens = 0 if asked.nested else asked.prompt_tokens + asked.answer_tokens
        cap.check_tokens(tokens)
        mine = self._barred(asked)
        rest = _without(asked, mine)
        cost, hour = rest.worst_cost, cap.hour()
        hour.add(tokens, cost)  # before the wait below, so that requests at the same time do not share what is left
        try:
            inner = await super().admit(rest)
        except BaseException:
            hour.add(-tokens, -cost)
            raise
        return _CappedAdmission(inner, mine, cap.refusal() if mine else None, rest.worst_costs, hour, tokens, nested=asked.nested)

    def _barred(self, asked: AdmissionRequest) -> frozenset[str]:
        """The backends that cost too much. Raises QuotaError if no other could answer."""
        mine = self._cap.barred(asked)
        if asked.worst_costs and mine >= asked.worst_costs.keys():
            raise self._cap.refusal()
        return mine


class _CappedAdmission(Admission):
    """A request of the household, with what it reserved of the hour."""

    def __init__(
        self,
        inner: Admission,
        barred: frozenset[str],
        refusal: ApiError | None,
        costs: Mapping[str, int],
        hour: _Hour,
        tokens: int,
        *,
        nested: bool,
    ) -> None:
        self._inner = inner
        self._barred = barred
        self._refusal = refusal
        self._costs = costs
        self._hour = hour
        self._tokens = tokens
        self._nested = nested
        self._reconciled = False

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        return self._inner.headers

    @property
    @override
    def barred(self) -> frozenset[str]:
        return self._inner.barred | self._barred

    @property
    @override
    def refusal(self) -> ApiError | None:
        return self._inner.refusal or self._refusal

    @property
    @override
    def allowances(self) -> Mapping[str, int]:
        # Never None: a backend that was not planned, and may cost something, must not answer instead.
        limited = self._inner.allowances or NOTHING
        return {**limited, **{one: min(cost, limited.get(one, cost)) for one, cost in self._costs.items() if cost}}

    @override
    def reconcile(self, generation: Generation, costs: Mapping[str, int] | None = None) -> None:
        if self._reconciled:
            return
        self._reconciled = True
        charged = generation.usage.cost if generation.cost is None else generation.budget_cost
        spent = sum(costs.values()) if costs else charged or 0
        used = 0 if self._nested else generation.usage.total_tokens
        self._hour.add(used - self._tokens, spent - max(self._costs.values(), default=0))
        self._inner.reconcile(generation, costs)


def _without(asked: AdmissionRequest, barred: frozenset[str]) -> AdmissionRequest:
    """The request without the backends that must not answer it."""
    if not barred:
        return asked

    def rest[T](values: Mapping[str, T]) -> Mapping[str, T]:
        return {one: value for one, value in values.items() if one not in barred}

    return replace(
        asked,
        worst_costs=rest(asked.worst_costs),
        ample_costs=rest(asked.ample_costs),
        unpriced=rest(asked.unpriced),
        unconverted=rest(asked.unconverted),
        backend_rates=rest(asked.backend_rates),
        monthly_limits=rest(asked.monthly_limits),
    )
