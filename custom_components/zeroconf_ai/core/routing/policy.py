"""The owner's settings for routing: strategy, model aliases, fallbacks, and the terms of each backend."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from ..protocol.home_rule import HomeRule
from ..protocol.models import AUTO
from ..protocol.prices import Prices


class Strategy(StrEnum):
    """The order of candidates."""

    PRIORITY = "priority"
    LOCAL_FIRST = "local_first"
    COST = "cost"
    LATENCY = "latency"
    LEAST_BUSY = "least_busy"
    COMPLEXITY = "complexity"


@dataclass(frozen=True, slots=True)
class ModelAlias:
    """A name for a chain of models, which are tried in their order.

    A target is a model's id, `backend/model`, or `auto` for any model; `strategy` replaces the owner's for this name.
    """

    targets: tuple[str, ...] = (AUTO,)
    strategy: Strategy | None = None
    together: bool = False
    """Whether the strategy ranks the targets together; their order decides only between equal ones."""


DEFAULT_VIRTUAL_MODELS: Mapping[str, ModelAlias] = MappingProxyType(
    {
        AUTO: ModelAlias(),
        "fast": ModelAlias(strategy=Strategy.LATENCY),
        "cheap": ModelAlias(strategy=Strategy.COST),
        "generic-chat": ModelAlias(),
        "openrouter/auto": ModelAlias(),  # requested by Saturn's clients
    }
)


@dataclass(frozen=True, slots=True)
class Policy:
    """The owner's rules. Immutable: requests in progress use the former one."""

    strategy: Strategy = Strategy.PRIORITY
    virtual_models: Mapping[str, ModelAlias] = field(default_factory=lambda: DEFAULT_VIRTUAL_MODELS)
    """By name. Each hides models of backends with the same name."""
    cloud_fallback: bool = True
    """Whether a request may go to a backend outside the home if those at home that could answer it fail."""
    home_only: bool = False
    """Whether no request leaves the home, whatever it asks for: backends outside are used for nothing."""
    retry_metered_timeouts: bool = False
    """Whether the next backend is tried after a timeout although the first one may charge for it."""

    def home_rule(self, of_request: HomeRule | None) -> HomeRule | None:
        """The rule that keeps a request at home; None: it may leave. `of_request`: the rule of the request itself, or None."""
        return HomeRule.SWITCH if self.home_only else of_request


@dataclass(frozen=True, slots=True)
class Terms:
    """The owner's settings for one backend, without its connection. Money in nano-units."""

    weight: int = 1
    """Share of the requests among equal candidates."""
    max_concurrent: int | None = None
    """Parallel requests; None: the backend's own limit."""
    queue_length: int = 32
    """Maximum number of waiting requests."""
    prices: Mapping[str, Prices] = field(default_factory=dict)
    """By model; `*` for all others. They override the prices that the backend reports."""
    hosted_tool_prices: Mapping[str, int] = field(default_factory=dict)
    """For one call of a hosted tool, by the name of the price. They replace the list of public prices."""
    monthly_limit: int | None = None
    tags: frozenset[str] = frozenset()
    listed: Callable[[str], Prices | None] | None = field(default=None, compare=False, repr=False)
    """Looks up the list prices of a model, which are used if there are no others; None: no list prices."""
    requests_per_minute: int | None = None
    """Rate limit; None: unlimited."""
    tokens_per_minute: int | None = None
    check_every: float | None = None
    """Seconds between health checks; None: the default interval."""
