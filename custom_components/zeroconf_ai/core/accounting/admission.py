"""Whether a request may be answered at all: what limits and budgets are asked, and how they are told what came of it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
import time

from ..protocol.values import NOTHING
from .usage.generation import Generation


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The most that may be asked within a minute, and at a time. None: any number."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel: int | None = None

    def __bool__(self) -> bool:
        """Whether there is any limit."""
        return any(limit is not None for limit in (self.requests_per_minute, self.tokens_per_minute, self.parallel))


@dataclass(frozen=True, slots=True)
class RateLimitState:
    """How one limit stands."""

    limit: int
    remaining: int
    reset: float
    """Seconds until all of it is there again."""


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """How the limits stand that a caller is nearest to. None: there is no such limit."""

    requests: RateLimitState | None = None
    tokens: RateLimitState | None = None
    parallel: RateLimitState | None = None


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """What is known of a request before it is routed. Money in nano-units."""

    source: str
    kind: str
    model: str
    key_id: str | None = None
    user_id: str | None = None
    address: str | None = None
    prompt_tokens: int = 0
    """Estimated from the prompt's length."""
    answer_tokens: int = 0
    """The most that may be answered with: the request's own limit, or what is usual."""
    worst_costs: Mapping[str, int] = NOTHING
    """What must be set aside for it at each backend that may answer, by the backend's id."""
    ample_costs: Mapping[str, int] = NOTHING
    """What is set aside in their place where there is so much."""
    unpriced: Mapping[str, str] = NOTHING
    """The field of the request whose cost is not known before, by the ids of the backends where it would cost something."""
    limits_answer: bool = True
    """Whether the request itself says how long its answer may be."""
    created: float = field(default_factory=time.time)
    """When it came (`Generation.created`): what it costs counts for the day, week and month of then."""
    backend_rates: Mapping[str, RateLimits] = NOTHING
    """The owner's limits of backends that may answer, by id."""
    monthly_limits: Mapping[str, int] = NOTHING
    """What backends that may answer may cost in a month, by id."""
    nested: bool = False
    """Whether it is asked on behalf of another request: that one has passed the limits already, and money alone counts."""

    @property
    def worst_cost(self) -> int:
        """The most that it can cost."""
        return max(self.worst_costs.values(), default=0)


class Admission(ABC):
    """A request that was admitted. `reconcile` must be called once, however the request ends."""

    __slots__ = ()

    @property
    @abstractmethod
    def headers(self) -> Mapping[str, str]:
        """What the answer says of the limits (`x-ratelimit-*`)."""

    @property
    @abstractmethod
    def barred(self) -> frozenset[str]:
        """Ids of the backends that must not answer it: their budget, or one that only what is free is left of, is spent."""

    @property
    def allowances(self) -> Mapping[str, int] | None:
        """What it may cost at most, in nano-units by the ids of the backends that a budget concerns; None without any budget."""
        return None

    @abstractmethod
    def reconcile(self, generation: Generation, costs: Mapping[str, int] | None = None) -> None:
        """Take what was used for what was set aside. Never blocks and never raises.

        `costs` are nano-units by the ids of the backends, where more than one was paid for the request.
        """


class AdmissionControl(ABC):
    """Limits and budgets."""

    @abstractmethod
    async def admit(self, asked: AdmissionRequest) -> Admission:
        """Let a request in, and set aside what it may cost.

        Raises RateLimitError or QuotaError, both with the time to come back, where it must wait.
        """

    async def standing(self, key_id: str | None, user_id: str | None, address: str | None) -> RateLimitStatus:
        """How the limits of a caller stand."""
        return RateLimitStatus()

    @property
    def counts_money(self) -> bool:
        """Whether it needs to know what requests may cost."""
        return True

    @property
    def free_only(self) -> bool:
        """Whether no backend may answer that costs money, whatever a request asks for."""
        return False

    def month_cost(self, backend_id: str) -> int:
        """What a backend with a monthly limit cost this month, in nano-units, as far as it is known."""
        return 0
