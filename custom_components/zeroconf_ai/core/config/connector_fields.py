"""The section `connect:` of a file: the rules of `zeroconf-ai connect`, whatever the house at the other end asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..accounting.admission import RateLimits
from ..accounting.keys.client_key import LARGEST_RATE
from ..accounting.limits.opening_hours import OpeningHours
from .alert_fields import read_target
from .document import Value

KEYS = ("connect",)
"""The keys read by this module."""
_FIELDS = ("models", "parallel", "requestsPerMinute", "tokensPerMinute", "hours", "notify")
_MAX_PATTERN = 256


@dataclass(frozen=True, slots=True)
class ConnectorRules:
    """What a connector answers."""

    models: tuple[str, ...] = ()
    """Patterns of the models; empty: all."""
    rates: RateLimits = field(default_factory=RateLimits)
    """The limits for the requests of all houses together."""
    hours: OpeningHours = field(default_factory=OpeningHours)
    notify: tuple[str, ...] = ()
    """Who is told when the link stays down: mail addresses, `ntfy:…`, and URLs of webhooks."""


def read_connector(sections: Mapping[str, Value]) -> ConnectorRules:
    """Read `connect:`. Raises ConfigError."""
    if "connect" not in sections:
        return ConnectorRules()
    given = {key: value for key, value in sections["connect"].fields(_FIELDS).items() if not value.is_null}
    numbers = {
        name: given[name].whole(1, LARGEST_RATE) for name in ("requestsPerMinute", "tokensPerMinute", "parallel") if name in given
    }
    return ConnectorRules(
        tuple(map(_pattern, _listed(given["models"]))) if "models" in given else (),
        RateLimits(numbers.get("requestsPerMinute"), numbers.get("tokensPerMinute"), numbers.get("parallel")),
        _hours(given["hours"]) if "hours" in given else OpeningHours(),
        tuple(map(read_target, _listed(given["notify"]))) if "notify" in given else (),
    )


def connector_schema() -> dict[str, Any]:
    """The JSON Schema of `connect:`."""
    text = {"type": "string"}
    texts = {"anyOf": [text, {"type": "array", "items": text, "minItems": 1}]}
    number = {"type": "integer", "minimum": 1, "maximum": LARGEST_RATE}
    kinds = {"models": texts, "hours": texts, "notify": texts}
    return {
        "type": "object",
        "properties": {name: kinds.get(name, number) for name in _FIELDS},
        "additionalProperties": False,
    }


def _listed(value: Value) -> list[Value]:
    return [value] if value.is_single else value.items()


def _pattern(value: Value) -> str:
    text = value.text()
    if len(text) > _MAX_PATTERN:
        raise value.error(f"a pattern must have at most {_MAX_PATTERN} characters.")
    return text


def _hours(value: Value) -> OpeningHours:
    texts = [one.text() for one in _listed(value)]
    try:
        return OpeningHours.parse(texts)
    except ValueError as err:
        raise value.error(f"{err}.") from None
