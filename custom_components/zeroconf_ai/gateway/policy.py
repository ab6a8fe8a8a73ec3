"""The gateway's options ↔ the routing policy."""

from collections.abc import Mapping
from typing import Any

from ..const import (
    CONF_CLOUD_FALLBACK,
    CONF_RETRY_METERED_TIMEOUTS,
    CONF_STRATEGY,
    CONF_TARGETS,
    CONF_TOGETHER,
    CONF_VIRTUAL_MODELS,
)
from ..core.routing.policy import DEFAULT_VIRTUAL_MODELS, ModelAlias, Policy, Strategy


def policy_of(options: Mapping[str, Any]) -> Policy:
    """The routing policy of the gateway's options."""
    default = Policy()
    return Policy(
        strategy=_strategy(options.get(CONF_STRATEGY)) or default.strategy,
        virtual_models=virtual_models_of(options),
        cloud_fallback=options.get(CONF_CLOUD_FALLBACK, False),
        retry_metered_timeouts=options.get(CONF_RETRY_METERED_TIMEOUTS, default.retry_metered_timeouts),
    )


def virtual_models_of(options: Mapping[str, Any]) -> Mapping[str, ModelAlias]:
    """The model aliases, by name."""
    stored = options.get(CONF_VIRTUAL_MODELS)
    if stored is None:
        return DEFAULT_VIRTUAL_MODELS
    return {
        name: ModelAlias(tuple(data[CONF_TARGETS]), _strategy(data.get(CONF_STRATEGY)), data.get(CONF_TOGETHER, False))
        for name, data in stored.items()
    }


def stored_aliases(aliases: Mapping[str, ModelAlias]) -> dict[str, dict[str, Any]]:
    """Model aliases as the option `CONF_VIRTUAL_MODELS`."""
    return {
        name: {
            CONF_TARGETS: list(alias.targets),
            CONF_STRATEGY: alias.strategy and alias.strategy.value,
            **({CONF_TOGETHER: True} if alias.together else {}),
        }
        for name, alias in aliases.items()
    }


def _strategy(word: str | None) -> Strategy | None:
    return Strategy(word) if word is not None and word in Strategy else None
