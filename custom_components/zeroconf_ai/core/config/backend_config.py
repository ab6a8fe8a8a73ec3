"""`BackendConfig`: the settings of one configured backend, whatever they were read from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from ..backends.base import Timeouts
from ..backends.catalogue import BackendOverrides, ModelOverride
from ..protocol.prices import Prices
from ..protocol.record import DEFAULT_PRIORITY, Capability, Cost, Placement
from ..routing.policy import Terms
from .backend_types import BackendType

_TIMEOUT = "timeouts."
_PLACEMENTS: Mapping[str, Placement] = {
    **dict.fromkeys(("local", "lan", "home", "on-premise", "on-prem", "onprem", "self-hosted"), Placement.LOCAL),
    **dict.fromkeys(("cloud", "remote", "internet", "external", "hosted"), Placement.CLOUD),
}
"""Words for a location that say where the models run."""


def placement_of(location: str | None) -> Placement | None:
    """Where requests go by the words of a location; None if it does not say."""
    return None if location is None else _PLACEMENTS.get(location.strip().lower())


@dataclass(frozen=True, slots=True)
class BackendConfig:
    """The configuration of one backend. Money is in nano-units, times are in seconds."""

    id: str
    name: str
    type: BackendType
    endpoint: str
    key: str | None = field(default=None, repr=False)
    priority: int = DEFAULT_PRIORITY
    timeouts: Timeouts = field(default_factory=Timeouts)
    models: tuple[str, ...] = ()
    """The allowed models, besides the aliases; empty: all."""
    enabled: bool = True
    """A disabled backend stays in the pool without requests or checks."""
    weight: int = 1
    """The share of requests among backends of equal rank."""
    max_concurrent: int | None = None
    queue_length: int = 32
    cost: Cost | None = None
    """None: metered if there are prices, else the type's default."""
    prices: Mapping[str, Prices] = field(default_factory=dict)
    """By model or alias; `*` for all others."""
    hosted_tool_prices: Mapping[str, int] = field(default_factory=dict)
    """For one call of a hosted tool, by the name of the price."""
    monthly_limit: int | None = None
    requests_per_minute: int | None = None
    """None: unlimited."""
    tokens_per_minute: int | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Alias → model."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every request; values may be secrets."""
    key_header: str | None = None
    """The header for the key; None: the type's default."""
    verify_ssl: bool = True
    context_window: int | None = None
    """In tokens; overrides what the backend reports for all models."""
    max_output_tokens: int | None = None
    """The maximum length of an answer, and its default limit."""
    capabilities: frozenset[Capability] | None = None
    """Applies to models without reported capabilities."""
    overrides: Mapping[str, ModelOverride] = field(default_factory=dict)
    """Overrides for single models, by model or alias."""
    tags: frozenset[str] = frozenset()
    num_ctx: int | None = None
    """The context window in tokens with which an Ollama server loads its models; None: as large as the prompts require."""
    keep_alive: str | None = None
    """How long an Ollama server keeps a model loaded; None: the server's default."""
    health_path: str | None = None
    """Replaces the type's health path: relative to the endpoint, or to the server root if it begins with `//`."""
    health_interval: float | None = None
    is_default: bool = False
    """Whether it comes before all others: its priority is then 0."""
    default_model: str | None = None
    """The model that its id alone and `auto` mean; None: the first one that can do what a request needs."""
    location: str | None = None
    """Where the models run (`placement_of`); None: as usual for the type."""
    gpu: str | None = None
    """A description of the graphics card."""

    @classmethod
    def build(cls, values: Mapping[str, Any]) -> Self:
        """A configuration from values by attribute; `timeouts.connect` and the like override the type's timeouts."""
        plain = {name: value for name, value in values.items() if not name.startswith(_TIMEOUT)}
        timeouts = {name.removeprefix(_TIMEOUT): value for name, value in values.items() if name.startswith(_TIMEOUT)}
        return cls(**plain, timeouts=replace(values["type"].timeouts, **timeouts))

    @classmethod
    def usual(cls, backend_type: BackendType) -> Self:
        """A configuration of a type in which nothing is set."""
        return cls.build({"id": "", "name": "", "type": backend_type, "endpoint": ""})

    @property
    def limited(self) -> bool:
        """Whether it has a monthly limit or rate limits."""
        return not (self.monthly_limit is None and self.requests_per_minute is None and self.tokens_per_minute is None)

    @property
    def terms(self) -> Terms:
        """The settings for routing. An alias has the prices of its model."""
        prices = {alias: self.prices[model] for alias, model in self.aliases.items() if model in self.prices}
        return Terms(
            weight=self.weight,
            max_concurrent=self.max_concurrent,
            queue_length=self.queue_length,
            prices={**prices, **self.prices},
            hosted_tool_prices=self.hosted_tool_prices,
            monthly_limit=self.monthly_limit,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            tags=self.tags,
            check_every=self.health_interval,
        )

    @property
    def backend_overrides(self) -> BackendOverrides:
        """The overrides for the backend's own information."""
        priced = any(rate.input or rate.output for rate in self.prices.values())
        usual = self.type.info(self.id, self.name).cost
        cost, placement = self.cost, placement_of(self.location)
        if cost is None and priced and usual in (Cost.FREE, Cost.UNKNOWN):
            cost = Cost.METERED
        elif cost is None and usual is Cost.UNKNOWN and placement is Placement.LOCAL:
            cost = Cost.FREE
        return BackendOverrides(
            priority=0 if self.is_default else self.priority,
            cost=cost,
            placement=placement,
            default_model=self.default_model,
            allowed=self.models,
            aliases=self.aliases,
            prices=self.prices,
            general=ModelOverride(self.context_window, self.max_output_tokens, self.capabilities),
            models=self.overrides,
        )
