"""The sections of a file besides its providers: `models:` (model aliases), `routing:` and `limits:`."""

from collections.abc import Mapping
from typing import Any

from ..accounting.admission import RateLimits
from ..accounting.keys.key_store import LARGEST_RATE
from ..routing.policy import DEFAULT_VIRTUAL_MODELS, ModelAlias, Policy, Strategy
from .document import Value, suggestion

KEYS = ("models", "routing", "limits")
"""The keys read by this module."""
_MAX_NAME_CHARACTERS = 256


def read_policy(given: Mapping[str, Value]) -> Policy:
    """Read the routing policy; omitted keys have their defaults. Raises ConfigError."""
    found: dict[str, Any] = {}
    if "routing" in given:
        rules = given["routing"].fields(("strategy", "cloudFallback", "homeOnly", "retryMeteredTimeouts"))
        found |= {"strategy": _strategy(rules["strategy"])} if "strategy" in rules else {}
        found |= {"cloud_fallback": rules["cloudFallback"].flag()} if "cloudFallback" in rules else {}
        found |= {"home_only": rules["homeOnly"].flag()} if "homeOnly" in rules else {}
        found |= {"retry_metered_timeouts": rules["retryMeteredTimeouts"].flag()} if "retryMeteredTimeouts" in rules else {}
    if "models" in given:
        found["virtual_models"] = {**DEFAULT_VIRTUAL_MODELS, **dict(map(_virtual_model, given["models"].entries()))}
    return Policy(**found)


def read_limits(given: Mapping[str, Value]) -> Mapping[str, RateLimits]:
    """Read `perAddress` and `perUser` of `limits:`; empty without it. Raises ConfigError."""
    if "limits" not in given:
        return {}
    return {scope: _rates(value) for scope, value in given["limits"].fields(("perAddress", "perUser")).items()}


def _rates(value: Value) -> RateLimits:
    limits = value.fields(("requestsPerMinute", "tokensPerMinute"))
    if not limits:
        raise value.error(f"{value.name} needs `requestsPerMinute:`, `tokensPerMinute:`, or both.")
    numbers = {name: number.whole(1, LARGEST_RATE) for name, number in limits.items()}
    return RateLimits(numbers.get("requestsPerMinute"), numbers.get("tokensPerMinute"))


def _virtual_model(entry: tuple[Value, Value]) -> tuple[str, ModelAlias]:
    """Read a model alias: one target, a list of them, or a mapping with `targets` and `strategy`."""
    key, value = entry
    if len(name := key.text()) > _MAX_NAME_CHARACTERS:
        raise key.error(f"a name must have at most {_MAX_NAME_CHARACTERS} characters.")
    value.name = "a virtual model"
    if not value.has_keys:
        return name, ModelAlias(_targets(value))
    given = value.fields(("targets", "strategy"))
    found: dict[str, Any] = {"targets": _targets(given["targets"])} if "targets" in given else {}
    if "strategy" in given:
        found["strategy"] = _strategy(given["strategy"])
    if not found:
        raise value.error("a virtual model needs `targets:`, `strategy:`, or both.")
    return name, ModelAlias(**found)


def _targets(value: Value) -> tuple[str, ...]:
    return (value.text(),) if value.is_single else value.texts("name the models that it stands for, the first choice first")


def _strategy(value: Value) -> Strategy:
    if (word := value.text()) not in Strategy:
        raise value.error(f"this strategy is not known. {suggestion(word, [strategy.value for strategy in Strategy])}")
    return Strategy(word)
