"""Optional fields of a provider in a file: limits, prices, models, headers. One reader per key."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
import re
from typing import Any

from ..backends.base import Timeouts
from ..backends.catalogue import ALL_MODELS, ModelOverride
from ..backends.headers import MOST_HEADERS, refused_header
from ..protocol.prices import DEFAULT_CURRENCY, Prices
from ..protocol.record import Capability, Cost
from ..protocol.values import NANO
from .backend_types import BackendType
from .document import Value, suggestion

_TIMEOUTS = {re.sub(r"_(.)", lambda found: found[1].upper(), item.name): item.name for item in fields(Timeouts)}
"""Key in the file → field of `Timeouts`."""
_MAX_SECONDS = 3600.0
_MAX_MONEY = 999_999.0
_MAX_TOKENS = 100_000_000
_MAX_REQUESTS = 100_000
_MAX_PER_MINUTE = 1_000_000_000
_COSTS = [cost.value for cost in Cost if cost is not Cost.UNKNOWN]
_RATES = {
    "input": "input",
    "output": "output",
    "cached": "cached",
    "reasoning": "reasoning",
    "cacheWrite": "cache_write",
    "cacheWrite1h": "cache_write_1h",
}
_CURRENCY = re.compile(r"[A-Z]{3}")
_HEALTH_PATH = re.compile(r"//?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")
_FROM_ENVIRONMENT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MODEL_KEYS = ("id", "alias", "contextWindow", "maxTokens", "capabilities", "prices")

KEYS = (
    "weight", "maxConcurrent", "queueLength", "timeouts", "health", "headers", "verifySsl", "contextWindow", "maxTokens",
    "capabilities", "isDefault", "costPer1kTokens", "prices", "cost", "monthlyLimit", "requestsPerMinute", "tokensPerMinute",
    "tags", "models", "aliases",
)  # fmt: skip
"""The keys read by this module."""


def read_fields(given: Mapping[str, Value], kind: BackendType, environment: Mapping[str, str]) -> dict[str, Any]:
    """Convert a provider's values to arguments of `BackendConfig`. Raises ConfigError."""
    found: dict[str, Any] = {name: read(given[key]) for key, (name, read) in _SIMPLE_FIELDS.items() if key in given}
    prices = dict(_prices(given["prices"])) if "prices" in given else {}
    if "costPer1kTokens" in given:
        if ALL_MODELS in prices:
            raise given["costPer1kTokens"].error("costPer1kTokens is a price for all models, and so is * in prices; keep one.")
        rate = round(given["costPer1kTokens"].number(0, _MAX_MONEY) * 1000 * NANO)
        prices[ALL_MODELS] = Prices(rate, rate)
    aliases = dict(_aliases(given["aliases"])) if "aliases" in given else {}
    if "models" in given:
        found["models"], found["overrides"] = _models(given["models"], aliases, prices)
    if "headers" in given:
        found["headers"] = _headers(given["headers"], environment)
    return found | {"aliases": aliases, "prices": prices, **_timeouts_and_health(given, kind)}


def secret_of(value: Value, environment: Mapping[str, str]) -> tuple[str | None, str | None]:
    """(secret, name of a missing environment variable) of a literal text or `${VARIABLE}`."""
    text = value.text()
    if (named := _FROM_ENVIRONMENT.fullmatch(text)) is None:
        return text, None
    found = environment.get(named[1])
    return (found, None) if found else (None, named[1])


def key_header(value: Value, kind: BackendType) -> tuple[bool, str | None]:
    """(whether a key is used, its header if that differs from the type's default)."""
    word, _, name = value.text().partition(" ")
    wanted = {"bearer": "Authorization", "x-api-key": "x-api-key", "header": name.strip()}.get(word.lower())
    if word.lower() == "none" and not name:
        return False, None
    if wanted is None or (name and word.lower() != "header"):
        raise value.error("authType must be none, bearer, x-api-key, or header with a name, such as `header X-Auth-Token`.")
    if (why := refused_header(wanted, "x")) is not None:
        raise value.error(why)
    return True, None if wanted.lower() == kind.key_header.lower() else wanted


def _timeouts_and_health(given: Mapping[str, Value], kind: BackendType) -> dict[str, Any]:
    """Read `timeouts` and `health`, which share the probe timeout."""
    named = given["timeouts"].fields(_TIMEOUTS) if "timeouts" in given else {}
    timeouts = replace(kind.timeouts, **{_TIMEOUTS[key]: value.number(0.1, _MAX_SECONDS) for key, value in named.items()})
    found: dict[str, Any] = {}
    health = given["health"].fields(("path", "interval", "timeout")) if "health" in given else {}
    if (path := health.get("path")) is not None:
        found["health_path"] = text = path.text()
        if not _HEALTH_PATH.fullmatch(text):
            raise path.error("path must begin with / (behind the endpoint) or // (at the server's root), such as //health.")
        if kind.flavor is None:
            raise path.error(f"a provider of type {kind.name} is asked for its health in its own way; delete the line.")
    if (interval := health.get("interval")) is not None:
        found["health_interval"] = interval.number(1, _MAX_SECONDS)
    if (limit := health.get("timeout")) is not None:
        if "probe" in named:
            raise limit.error("timeout is what probe is in timeouts; keep one of them.")
        timeouts = replace(timeouts, probe=limit.number(0.1, _MAX_SECONDS))
    return found | {"timeouts": timeouts}


def _headers(value: Value, environment: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, held in value.entries():
        name = key.text()
        if name.lower() in map(str.lower, found):
            raise key.error("this header is set twice; keep one of them.")
        if (why := refused_header(name, "x")) is not None:
            raise key.error(why)
        held.name = "a header"
        secret, missing = secret_of(held, environment)
        if secret is None:
            raise held.error(f"the variable {missing} is not set. Set it in the environment.")
        if (why := refused_header(name, secret)) is not None:
            raise held.error(why)
        found[name] = secret
    if len(found) > MOST_HEADERS:
        raise value.error(f"headers must be at most {MOST_HEADERS}.")
    return found


def _aliases(value: Value) -> list[tuple[str, str]]:
    return [(key.text(), target.text()) for key, target in value.entries()]


def _models(value: Value, aliases: dict[str, str], prices: dict[str, Prices]) -> tuple[tuple[str, ...], dict[str, ModelOverride]]:
    """(allowed models, overrides by model); adds the models' aliases and prices to the given ones."""
    allowed: list[str] = []
    overrides: dict[str, ModelOverride] = {}
    for entry in value.items():
        if not entry.has_keys:
            allowed.append(entry.text())
            continue
        entry.name = "a model"
        given = entry.fields(_MODEL_KEYS)
        if "id" not in given:
            raise entry.error("a model needs `id:`.")
        model = given["id"].text()
        allowed.append(model)
        if "alias" in given and aliases.setdefault(given["alias"].text(), model) != model:
            raise given["alias"].error("this alias stands for another model already; choose another one.")
        if "prices" in given:
            if model in prices:
                raise given["prices"].error("the prices of this model are set twice; keep one of them.")
            prices[model] = _rates(given["prices"])
        said = {name: read(given[key]) for key, (name, read) in _SIMPLE_FIELDS.items() if key in given and key in _MODEL_KEYS}
        if said:
            overrides[model] = ModelOverride(**said)
    if not allowed:
        raise value.error("models is empty; list those that may be used, or delete the line to allow all.")
    return tuple(dict.fromkeys(allowed)), overrides


def _prices(value: Value) -> list[tuple[str, Prices]]:
    return [(model.text(), _rates(rates)) for model, rates in value.entries()]


def _rates(value: Value) -> Prices:
    """Read prices per million tokens; omitted classes cost the same as input or output."""
    given = value.fields((*_RATES, "currency"))
    for needed in ("input", "output"):
        if needed not in given:
            raise value.error(f"prices need `{needed}:`, the money for a million tokens.")
    found = {name: round(given[key].number(0, _MAX_MONEY) * NANO) for key, name in _RATES.items() if key in given}
    currency = given["currency"].text().upper() if "currency" in given else DEFAULT_CURRENCY
    if not _CURRENCY.fullmatch(currency):
        raise given["currency"].error("currency must be three letters, such as EUR.")
    return Prices(**found, currency=currency, tiers=())


def _capabilities(value: Value) -> frozenset[Capability]:
    for item in value.items():
        if (word := item.text()) not in Capability:
            raise item.error(f"this capability is not known. {suggestion(word, [capability.value for capability in Capability])}")
    return frozenset(map(Capability, value.texts("list what its models can do, or delete the line")))


def _cost(value: Value) -> Cost:
    if (word := value.text()) not in _COSTS:
        raise value.error(f"this kind of cost is not known. {suggestion(word, _COSTS)}")
    return Cost(word)


_SIMPLE_FIELDS: Mapping[str, tuple[str, Callable[[Value], Any]]] = {
    "weight": ("weight", lambda value: value.whole(1, 1000)),
    "maxConcurrent": ("max_concurrent", lambda value: value.whole(1, _MAX_REQUESTS)),
    "queueLength": ("queue_length", lambda value: value.whole(0, _MAX_REQUESTS)),
    "verifySsl": ("verify_ssl", Value.flag),
    "contextWindow": ("context_window", lambda value: value.whole(1, _MAX_TOKENS)),
    "maxTokens": ("max_output_tokens", lambda value: value.whole(1, _MAX_TOKENS)),
    "capabilities": ("capabilities", _capabilities),
    "isDefault": ("is_default", Value.flag),
    "cost": ("cost", _cost),
    "monthlyLimit": ("monthly_limit", lambda value: round(value.number(0, _MAX_MONEY) * NANO)),
    "requestsPerMinute": ("requests_per_minute", lambda value: value.whole(1, _MAX_PER_MINUTE)),
    "tokensPerMinute": ("tokens_per_minute", lambda value: value.whole(1, _MAX_PER_MINUTE)),
    "tags": ("tags", lambda value: frozenset(value.texts("list its tags, or delete the line"))),
}
"""Key in the file → (argument name, reader)."""
