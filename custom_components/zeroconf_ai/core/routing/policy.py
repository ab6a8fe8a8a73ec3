"""What the owner wants of the routing: the strategy, names that stand for others, and what may be done on their behalf."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from ..protocol.models import AUTO
from ..protocol.prices import Prices


class Strategy(StrEnum):
    """By what backends that may answer are put in order."""

    PRIORITY = "priority"
    LOCAL_FIRST = "local_first"
    COST = "cost"
    LATENCY = "latency"
    LEAST_BUSY = "least_busy"
    COMPLEXITY = "complexity"


@dataclass(frozen=True, slots=True)
class ModelAlias:
    """A name for a chain of models, tried from the first to the last.

    A target is a model's id, `backend/model`, or `auto` for any model; `strategy` replaces the owner's for this name.
    """

    targets: tuple[str, ...] = (AUTO,)
    strategy: Strategy | None = None


DEFAULT_VIRTUAL_MODELS: Mapping[str, ModelAlias] = MappingProxyType(
    {
        AUTO: ModelAlias(),
        "fast": ModelAlias(strategy=Strategy.LATENCY),
        "cheap": ModelAlias(strategy=Strategy.COST),
        "generic-chat": ModelAlias(),
        "openrouter/auto": ModelAlias(),  # what Saturn's clients ask for
    }
)


@dataclass(frozen=True, slots=True)
class Policy:
    """The owner's rules. Replaced as a whole; what runs goes on by the former one."""

    strategy: Strategy = Strategy.PRIORITY
    virtual_models: Mapping[str, ModelAlias] = field(default_factory=lambda: DEFAULT_VIRTUAL_MODELS)
    """By name. A backend's own model of the same name is hidden by it."""
    cloud_fallback: bool = True
    """Whether a request that a backend at home could answer may go to one outside when those at home fail."""
    retry_metered_timeouts: bool = False
    """Whether the next backend is tried although the first may bill for an answer that came too late."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the owner says of one backend, beyond its address. Money in nano-units."""

    weight: int = 1
    """Share of the requests among backends of equal rank."""
    max_concurrent: int | None = None
    """Requests at a time; None: as many as it takes."""
    queue_length: int = 32
    """How many more may wait for their turn."""
    prices: Mapping[str, Prices] = field(default_factory=dict)
    """By model; `*` for all others. They go before those that the backend names."""
    monthly_limit: int | None = None
    tags: frozenset[str] = frozenset()
    listed: Callable[[str], Prices | None] | None = field(default=None, compare=False, repr=False)
    """Finds the public prices of one of its models; they go behind all others. None: nobody publishes any."""
    requests_per_minute: int | None = None
    """The most that it is asked; None: any number."""
    tokens_per_minute: int | None = None
    check_every: float | None = None
    """Seconds between two checks of its health; None: as often as all others."""
