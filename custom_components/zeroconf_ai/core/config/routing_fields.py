"""The sections of a file besides its providers: `models:` (model aliases), `routing:` and `limits:`; and routers of backends."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ..accounting.admission import RateLimits
from ..accounting.keys.client_key import LARGEST_RATE
from ..routing.policy import DEFAULT_VIRTUAL_MODELS, ModelAlias, Policy, Strategy
from .document import Value, suggestion

KEYS = ("models", "routing", "limits")
_RATES = {
    "perAddress": ("requestsPerMinute", "tokensPerMinute", "parallel"),
    "perUser": ("requestsPerMinute", "tokensPerMinute"),
}
"""The limits of each scope, in the order of the fields of `RateLimits`."""
"""The keys read by this module."""
ROUTER = "router-llm"
"""The type of a backend in a file that stands for others: a model alias."""
ROUTER_KEYS = ("name", "id", "type", "routing_logic", "routingLogic", "fallback_chain", "fallbackChain", "enabled")
_LOGICS: Mapping[str, Strategy] = {
    "complexity_based": Strategy.COMPLEXITY,
    "cost_based": Strategy.COST,
    "cost_optimized": Strategy.COST,
    "latency_based": Strategy.LATENCY,
    "load_based": Strategy.LEAST_BUSY,
    "priority_based": Strategy.PRIORITY,
    **{strategy.value: strategy for strategy in Strategy},
}
_MAX_NAME_CHARACTERS = 256


def read_policy(given: Mapping[str, Value], aliases: Iterable[tuple[Value, Value]], others: Mapping[str, ModelAlias]) -> Policy:
    """Read the routing policy; omitted keys have their defaults. Raises ConfigError.

    `aliases` are the entries of `models:` that are aliases; `others` are aliases from other sections, which `models:` overrides.
    """
    found: dict[str, Any] = {}
    if "routing" in given:
        rules = given["routing"].fields(("strategy", "cloudFallback", "homeOnly", "retryMeteredTimeouts"))
        found |= {"strategy": _strategy(rules["strategy"])} if "strategy" in rules else {}
        found |= {"cloud_fallback": rules["cloudFallback"].flag()} if "cloudFallback" in rules else {}
        found |= {"home_only": rules["homeOnly"].flag()} if "homeOnly" in rules else {}
        found |= {"retry_metered_timeouts": rules["retryMeteredTimeouts"].flag()} if "retryMeteredTimeouts" in rules else {}
    if named := {**others, **dict(map(_virtual_model, aliases))}:
        found["virtual_models"] = {**DEFAULT_VIRTUAL_MODELS, **named}
    return Policy(**found)


def is_router(entry: Value) -> bool:
    """Whether an entry of the backends is a router: a name for others."""
    return entry.has("type", ROUTER)


def read_router(entry: Value, name: Value | None, known: Collection[str]) -> tuple[str, ModelAlias] | None:
    """Read a backend of the type `router-llm` as a model alias; None for a disabled one. Raises ConfigError.

    `name` is its key if the backends are keyed by name; `known` are the ids and names of the other backends.
    Its targets are ranked together by `routing_logic`; without it, they are tried in the order of `fallback_chain`.
    """
    given = {key: value for key, value in entry.fields(ROUTER_KEYS).items() if not value.is_null}
    named = given.get("name", given.get("id", name))
    if named is None:
        raise entry.error(f"a backend of type {ROUTER} needs `name:`, by which requests name it as their model.")
    if len(text := named.text()) > _MAX_NAME_CHARACTERS:
        raise named.error(f"a name must have at most {_MAX_NAME_CHARACTERS} characters.")
    if "enabled" in given and not given["enabled"].flag():
        return None
    routing = given.get("routing_logic", given.get("routingLogic"))
    chain = given.get("fallback_chain", given.get("fallbackChain"))
    strategy = None
    if routing is not None:
        if (word := routing.text()) not in _LOGICS:
            raise routing.error(f"this routing logic is not known. {suggestion(word, list(_LOGICS))}")
        strategy = _LOGICS[word]
    if chain is None:
        return text, ModelAlias(strategy=strategy)
    targets = _targets(chain)
    for target in chain.items() if chain.is_list else [chain]:
        if target.text() == text:
            raise target.error("a router cannot contain itself; delete this entry.")
        if (head := target.text().partition("/")[0]) not in known:
            target.warn(
                f"{target.name} is no backend of this file, so it is taken as the name of a model. {suggestion(head, known)}"
            )
    return text, ModelAlias(targets, strategy, together=strategy is not None)


def read_limits(given: Mapping[str, Value]) -> Mapping[str, RateLimits]:
    """Read `perAddress` and `perUser` of `limits:`; empty without it. Raises ConfigError."""
    if "limits" not in given:
        return {}
    return {scope: _rates(value, _RATES[scope]) for scope, value in given["limits"].fields(tuple(_RATES)).items()}


def _rates(value: Value, names: Sequence[str]) -> RateLimits:
    limits = value.fields(names)
    if not limits:
        raise value.error(f"{value.name} needs `{':`, `'.join(names[:-1])}:` or `{names[-1]}:`.")
    numbers = {name: number.whole(1, LARGEST_RATE) for name, number in limits.items()}
    return RateLimits(*(numbers.get(name) for name in _RATES["perAddress"]))


def _virtual_model(entry: tuple[Value, Value]) -> tuple[str, ModelAlias]:
    """Read a model alias: one target, a list of them, or a mapping with `targets` and `strategy`."""
    key, value = entry
    if len(name := key.text()) > _MAX_NAME_CHARACTERS:
        raise key.error(f"a name must have at most {_MAX_NAME_CHARACTERS} characters.")
    value.name = "a virtual model"
    if not value.has_keys:
        return name, ModelAlias(_targets(value))
    given = value.fields(("targets", "strategy", "together"))
    found: dict[str, Any] = {"targets": _targets(given["targets"])} if "targets" in given else {}
    if "strategy" in given:
        found["strategy"] = _strategy(given["strategy"])
    if not found:
        raise value.error("a virtual model needs `targets:`, `strategy:`, or both.")
    if "together" in given:
        found["together"] = given["together"].flag()
    return name, ModelAlias(**found)


def _targets(value: Value) -> tuple[str, ...]:
    return (value.text(),) if value.is_single else value.texts("name the models that it stands for, the first choice first")


def _strategy(value: Value) -> Strategy:
    if (word := value.text()) not in Strategy:
        raise value.error(f"this strategy is not known. {suggestion(word, [strategy.value for strategy in Strategy])}")
    return Strategy(word)


def routing_schema() -> dict[str, Any]:
    """The JSON Schema of `routing:`."""
    flag = {"type": "boolean"}
    strategy = {"enum": [strategy.value for strategy in Strategy]}
    return {
        "type": "object",
        "properties": {"strategy": strategy, "cloudFallback": flag, "homeOnly": flag, "retryMeteredTimeouts": flag},
        "additionalProperties": False,
    }


def limits_schema() -> dict[str, Any]:
    """The JSON Schema of `limits:`."""
    number = {"type": "integer", "minimum": 1, "maximum": LARGEST_RATE}
    scopes = {
        scope: {"type": "object", "properties": dict.fromkeys(names, number), "minProperties": 1, "additionalProperties": False}
        for scope, names in _RATES.items()
    }
    return {"type": "object", "properties": scopes, "additionalProperties": False}
