"""Whether a request may be answered at all: what limits and budgets are asked, and how they are told what came of it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from .generation import Generation


@dataclass(frozen=True, slots=True)
class Asked:
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
    worst_costs: Mapping[str, int] = field(default_factory=dict)
    """The most that it can cost at each backend that may answer, by the backend's id."""

    @property
    def worst_cost(self) -> int:
        """The most that it can cost."""
        return max(self.worst_costs.values(), default=0)


class Admission(ABC):
    """A request that was let in. Must be settled once, however it ends."""

    @property
    @abstractmethod
    def headers(self) -> Mapping[str, str]:
        """What the answer says of the limits (`x-ratelimit-*`)."""

    @property
    @abstractmethod
    def barred(self) -> frozenset[str]:
        """Ids of the backends that must not answer it: their budget, or one that only what is free is left of, is spent."""

    @abstractmethod
    def settle(self, generation: Generation) -> None:
        """Take what was used for what was set aside. Never blocks and never raises."""


class Gatekeeper(ABC):
    """Limits and budgets."""

    @abstractmethod
    async def admit(self, asked: Asked) -> Admission:
        """Let a request in, and set aside what it may cost.

        Raises RateLimitError or QuotaError, both with the time to come back, where it must wait.
        """
