"""A backend as the gateway's subentries store it, and as the engine's configuration takes it: there and back."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_API_KEY, CONF_TYPE

from ..const import (
    CONF_ALIASES,
    CONF_BASE_URL,
    CONF_CACHED_PRICE,
    CONF_COST,
    CONF_HEADERS,
    CONF_INPUT_PRICE,
    CONF_MODELS,
    CONF_MONTHLY_LIMIT,
    CONF_OUTPUT_PRICE,
    CONF_REASONING_PRICE,
)
from ..core.backends.base import Timeouts
from ..core.backends.catalogue import ModelOverride
from ..core.config.backend_config import BackendConfig
from ..core.config.backend_types import BACKEND_TYPES
from ..core.protocol.prices import DEFAULT_CURRENCY, Prices
from ..core.protocol.record import Capability, Cost
from ..core.protocol.values import NANO, money

CONF_CURRENCY = "currency"
CONF_PRICES = "prices"
"""Model → its prices, in the same keys as those for all models."""
CONF_OVERRIDES = "overrides"
CONF_CAPABILITIES = "capabilities"
CONF_TAGS = "tags"

ALL_MODELS = "*"
_PRICES = {
    "input": CONF_INPUT_PRICE,
    "output": CONF_OUTPUT_PRICE,
    "cached": CONF_CACHED_PRICE,
    "reasoning": CONF_REASONING_PRICE,
}
_TIMEOUTS = {item.name: f"{item.name}_timeout" for item in fields(Timeouts)}
_PLAIN = (
    "priority",
    "enabled",
    "weight",
    "max_concurrent",
    "queue_length",
    "key_header",
    "verify_ssl",
    "context_window",
    "max_output_tokens",
    "health_path",
    "health_interval",
    "is_default",
)
"""What is stored under the name and in the form that `BackendConfig` has it in."""
_DEFAULTS = {item.name: item.default for item in fields(BackendConfig) if item.default is not MISSING}


def upstream_of(subentry: ConfigSubentry) -> BackendConfig:
    """The backend that a subentry describes. Raises KeyError for a type that is not known."""
    return upstream(subentry.subentry_id, subentry.title, subentry.data)


def upstream(backend_id: str, name: str, data: Mapping[str, Any]) -> BackendConfig:
    """The backend that a subentry's data describe. Raises KeyError for a type that is not known."""
    kind = BACKEND_TYPES[data[CONF_TYPE]]
    prices = {model: _prices(rates) for model, rates in {ALL_MODELS: data, **data.get(CONF_PRICES, {})}.items()}
    capabilities = data.get(CONF_CAPABILITIES)
    return BackendConfig(
        id=backend_id,
        name=name,
        kind=kind,
        endpoint=data[CONF_BASE_URL],
        key=data.get(CONF_API_KEY) or None,
        timeouts=replace(kind.timeouts, **{name: float(data[key]) for name, key in _TIMEOUTS.items() if data.get(key)}),
        models=tuple(data.get(CONF_MODELS, ())),
        cost=Cost(data[CONF_COST]) if data.get(CONF_COST) else None,
        prices={model: rates for model, rates in prices.items() if rates is not None},
        monthly_limit=money(data.get(CONF_MONTHLY_LIMIT)),
        aliases=dict(data.get(CONF_ALIASES, {})),
        headers=dict(data.get(CONF_HEADERS, {})),
        capabilities=None if capabilities is None else frozenset(map(Capability, capabilities)),
        overrides={model: _override(said) for model, said in data.get(CONF_OVERRIDES, {}).items()},
        tags=frozenset(data.get(CONF_TAGS, ())),
        **{name: data[name] for name in _PLAIN if data.get(name) is not None},
    )


def data_of(config: BackendConfig) -> dict[str, Any]:
    """What a subentry stores of a backend; what is as it would be anyway is left out."""
    named = {name: getattr(config, name) for name in _PLAIN if getattr(config, name) != _DEFAULTS[name]}
    usual = config.kind.timeouts
    seconds = {
        key: getattr(config.timeouts, name)
        for name, key in _TIMEOUTS.items()
        if getattr(config.timeouts, name) != getattr(usual, name)
    }
    prices = {model: _rates(rates) for model, rates in config.prices.items()}
    data = {
        CONF_TYPE: config.kind.name,
        CONF_BASE_URL: config.endpoint,
        CONF_API_KEY: config.key,
        CONF_MODELS: list(config.models),
        CONF_COST: config.cost,
        **prices.pop(ALL_MODELS, {}),
        CONF_PRICES: prices,
        CONF_MONTHLY_LIMIT: _amount(config.monthly_limit),
        CONF_ALIASES: dict(config.aliases),
        CONF_HEADERS: dict(config.headers),
        CONF_CAPABILITIES: None if config.capabilities is None else sorted(config.capabilities),
        CONF_OVERRIDES: {model: _said(override) for model, override in config.overrides.items()},
        CONF_TAGS: sorted(config.tags),
        **seconds,
        **named,
    }
    return {key: value for key, value in data.items() if value not in (None, [], {})}


def _prices(rates: Mapping[str, Any]) -> Prices | None:
    """None where neither input nor output has a price."""
    found = {name: money(rates.get(key)) for name, key in _PRICES.items()}
    if found["input"] is None and found["output"] is None:
        return None
    currency = rates.get(CONF_CURRENCY, DEFAULT_CURRENCY)
    return Prices(found["input"] or 0, found["output"] or 0, found["cached"], found["reasoning"], currency)


def _rates(prices: Prices) -> dict[str, Any]:
    named = {key: _amount(getattr(prices, name)) for name, key in _PRICES.items()}
    found: dict[str, Any] = {key: amount for key, amount in named.items() if amount is not None}
    return found if prices.currency == DEFAULT_CURRENCY else {**found, CONF_CURRENCY: prices.currency}


def _amount(nano: int | None) -> float | None:
    return None if nano is None else nano / NANO


def _override(said: Mapping[str, Any]) -> ModelOverride:
    can = said.get(CONF_CAPABILITIES)
    capabilities = None if can is None else frozenset(map(Capability, can))
    return ModelOverride(said.get("context_window"), said.get("max_output_tokens"), capabilities)


def _said(override: ModelOverride) -> dict[str, Any]:
    can = None if override.capabilities is None else sorted(override.capabilities)
    said = {
        "context_window": override.context_window,
        "max_output_tokens": override.max_output_tokens,
        CONF_CAPABILITIES: can,
    }
    return {key: value for key, value in said.items() if value is not None}
