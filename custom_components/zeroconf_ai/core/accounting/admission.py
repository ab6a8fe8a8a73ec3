"""The interface of admission control: rate limits and budgets admit a request, and are reconciled when it ends."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
import time
from typing import override

from ..protocol.errors import ApiError
from ..protocol.values import NOTHING
from .usage.generation import Generation


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The maximum number of requests and tokens per minute, and of concurrent requests. None: unlimited."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel: int | None = None

    def __bool__(self) -> bool:
        """Whether there is any limit."""
        return any(limit is not None for limit in (self.requests_per_minute, self.tokens_per_minute, self.parallel))


@dataclass(frozen=True, slots=True)
class RateLimitState:
    """The state of one limit."""

    limit: int
    remaining: int
    reset: float
    """Seconds until the full limit is available again."""


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """The state of the limits that are closest to being reached for a caller. None: there is no such limit."""

    requests: RateLimitState | None = None
    tokens: RateLimitState | None = None
    parallel: RateLimitState | None = None


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """What admission control needs to know of a request. Money is in nano-units."""

    source: str
    kind: str
    model: str
    key_id: str | None = None
    user_id: str | None = None
    address: str | None = None
    prompt_tokens: int = 0
    """Estimated from the length of the prompt."""
    answer_tokens: int = 0
    """The maximum tokens of the answer: the request's own limit, or a usual length."""
    worst_costs: Mapping[str, int] = NOTHING
    """The amount that must be reserved for the request, by the id of each backend that may answer."""
    ample_costs: Mapping[str, int] = NOTHING
    """The larger amounts that are reserved instead if the budgets allow it."""
    unpriced: Mapping[str, str] = NOTHING
    """The request's field whose cost is unknown in advance, by the ids of the backends where it costs something."""
    unconverted: Mapping[str, str] = NOTHING
    """The currency without an exchange rate, by the ids of the backends whose costs no budget can therefore cover."""
    limits_answer: bool = True
    """Whether the request itself limits the length of its answer."""
    created: float = field(default_factory=time.time)
    """The time of its arrival (`Generation.created`), which determines the day, week and month that its cost counts for."""
    backend_rates: Mapping[str, RateLimits] = NOTHING
    """The rate limits of the backends that may answer, by id."""
    monthly_limits: Mapping[str, int] = NOTHING
    """The monthly limits of the backends that may answer, by id."""
    nested: bool = False
    """Whether it is part of another request, which has already passed the rate limits: only budgets apply."""

    @property
    def worst_cost(self) -> int:
        """The maximum cost."""
        return max(self.worst_costs.values(), default=0)


@dataclass(frozen=True, slots=True)
class Preview:
    """What the budgets would decide about a request."""

    barred: frozenset[str] = frozenset()
    """Ids of the backends that they would exclude."""
    refusal: ApiError | None = None
    """Why they would; None if they exclude none."""


class Admission(ABC):
    """A request that was admitted. `reconcile` must be called once, however the request ends."""

    __slots__ = ()

    @property
    @abstractmethod
    def headers(self) -> Mapping[str, str]:
        """The headers of the answer that report the limits (`x-ratelimit-*`)."""

    @property
    @abstractmethod
    def barred(self) -> frozenset[str]:
        """Ids of the backends that must not answer, because a budget or a rate limit excludes them."""

    @property
    def refusal(self) -> ApiError | None:
        """The error if only excluded backends could have answered: why they are excluded. None if none is."""
        return None

    @property
    def allowances(self) -> Mapping[str, int] | None:
        """The maximum cost in nano-units, by the ids of the backends to which a budget applies; None without any budget."""
        return None

    @abstractmethod
    def reconcile(self, generation: Generation, costs: Mapping[str, int] | None = None) -> None:
        """Replace what was reserved by what was used. Never blocks and never raises.

        `costs` are nano-units by backend id, if more than one backend charged for the request.
        """


class AdmissionControl(ABC):
    """Limits and budgets."""

    @abstractmethod
    async def admit(self, asked: AdmissionRequest) -> Admission:
        """Admit a request, and reserve its maximum cost.

        Raises RateLimitError or QuotaError, both with the time after which to try again.
        """

    def preview(self, asked: AdmissionRequest) -> Preview:
        """Which backends the budgets would exclude now. Nothing is reserved or counted, and rate limits are not considered.

        Raises QuotaError or UnavailableError if `admit` would because of them.
        """
        return Preview()

    async def rate_limit_status(self, key_id: str | None, user_id: str | None, address: str | None) -> RateLimitStatus:
        """The state of the limits of a caller."""
        return RateLimitStatus()

    @property
    def counts_money(self) -> bool:
        """Whether it needs the maximum costs of requests."""
        return True

    @property
    def free_only(self) -> bool:
        """Whether only free backends may answer, for all requests."""
        return False

    def month_cost(self, backend_id: str) -> int:
        """The cost of a backend with a monthly limit in this month, in nano-units."""
        return 0


class Admitted(Admission):
    """Admitted without a reservation. `barred` and `refusal` are as for every admission."""

    def __init__(self, barred: frozenset[str] = frozenset(), refusal: ApiError | None = None) -> None:
        """By default no backend is excluded."""
        self._barred = barred
        self._refusal = refusal

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        return NOTHING

    @property
    @override
    def barred(self) -> frozenset[str]:
        return self._barred

    @property
    @override
    def refusal(self) -> ApiError | None:
        return self._refusal

    @override
    def reconcile(self, generation: Generation, costs: Mapping[str, int] | None = None) -> None:
        """Nothing was reserved."""


class Unlimited(AdmissionControl):
    """Admits all requests."""

    @property
    @override
    def counts_money(self) -> bool:
        return False

    @override
    async def admit(self, asked: AdmissionRequest) -> Admission:
        return Admitted()


class WrappedControl(AdmissionControl):
    """Further limits around an admission control, which does what a subclass does not."""

    def __init__(self, inner: AdmissionControl | None) -> None:
        """`inner`: None admits all requests."""
        self._inner = Unlimited() if inner is None else inner

    @property
    @override
    def counts_money(self) -> bool:
        return self._inner.counts_money

    @property
    @override
    def free_only(self) -> bool:
        return self._inner.free_only

    @override
    def month_cost(self, backend_id: str) -> int:
        return self._inner.month_cost(backend_id)

    @override
    async def rate_limit_status(self, key_id: str | None, user_id: str | None, address: str | None) -> RateLimitStatus:
        return await self._inner.rate_limit_status(key_id, user_id, address)

    @override
    def preview(self, asked: AdmissionRequest) -> Preview:
        return self._inner.preview(asked)

    @override
    async def admit(self, asked: AdmissionRequest) -> Admission:
        return await self._inner.admit(asked)
