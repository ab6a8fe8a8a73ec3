"""All models of the home: which providers serve them, what they can, and what they cost."""

from collections.abc import Iterator
from typing import TypedDict

from ..engine import Engine
from ..protocol.models import ModelInfo
from ..protocol.values import NANO
from ..routing.policy import Strategy
from ..routing.pool.member import Member
from ..routing.pricing.costs import price_of
from .aliases import AliasState, list_aliases

LIMIT = 2000
"""Models in a list."""


class ServedModel(TypedDict):
    """A model at one provider. Prices are whole units for a million tokens; None: the provider reports none."""

    backend_id: str
    backend: str
    online: bool
    """Whether requests may go there now."""
    cost: str
    """"free", "metered", "subscription" or "unknown"."""
    warm: bool | None
    context_window: int | None
    capabilities: list[str] | None
    price_prompt: float | None
    price_completion: float | None
    currency: str | None


class KnownModel(TypedDict):
    """A model, and the providers that serve it, by priority."""

    id: str
    providers: list[ServedModel]


class Models(TypedDict):
    """Aliases and models. `editable`: whether the page changes them; else a configuration file does, or there is no gateway."""

    strategy: str
    strategies: list[str]
    editable: bool
    aliases: list[AliasState]
    models: list[KnownModel]
    models_total: int


def list_models(engine: Engine, *, editable: bool) -> Models:
    """The aliases with what they mean now, and all models by name, at most `LIMIT`."""
    found: dict[str, list[ServedModel]] = {}
    for member, model in _served(engine):
        found.setdefault(model.id, []).append(_model(member, model))
    names = sorted(found, key=str.casefold)
    return {
        "strategy": engine.policy.strategy.value,
        "strategies": [strategy.value for strategy in Strategy],
        "editable": editable,
        "aliases": list_aliases(engine),
        "models": [{"id": name, "providers": found[name]} for name in names[:LIMIT]],
        "models_total": len(names),
    }


def _served(engine: Engine) -> Iterator[tuple[Member, ModelInfo]]:
    members = [member for member in engine.pool if not member.backend.info.agent]
    for member in sorted(members, key=lambda member: member.priority):
        for model in member.models:
            if not model.virtual:
                yield member, model


def _model(member: Member, model: ModelInfo) -> ServedModel:
    prices = price_of(member, model.id)
    return {
        "backend_id": member.id,
        "backend": member.name,
        "online": member.enabled and member.online,
        "cost": member.backend.info.cost.value,
        "warm": model.warm,
        "context_window": model.context_window,
        "capabilities": None if model.capabilities is None else sorted(model.capabilities),
        "price_prompt": None if prices is None else prices.input / NANO,
        "price_completion": None if prices is None else prices.output / NANO,
        "currency": None if prices is None else prices.currency,
    }
