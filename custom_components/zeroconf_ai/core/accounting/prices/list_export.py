"""The list prices of the package `genai-prices` as plain data. As a script: prints one line of JSON for each provider.

The script imports nothing of this package.
"""

import json
import sys
from typing import Any

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ConditionalPrice, ModelPrice, StartDateConstraint, TimeOfDateConstraint

CLASSES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached": "cache_read_mtok",
    "reasoning": "output_reasoning_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "audio": "input_audio_mtok",
}
"""Our rates → fields of the package, in USD per million tokens."""
UNITS = {"minute": (("input_audio_hours", "audio_hours"), 60), "characters": (("input_mchars",), 1)}
"""Our rates → fields of the package, of which the first one counts, and by what they are divided."""


def export() -> list[dict[str, Any]]:
    """The providers: `id`, `url` (a pattern), `fallbacks` (ids of others) and `models` (`match`, `window`, `prices`)."""
    return [
        {
            "id": provider.id,
            "url": provider.api_pattern,
            "fallbacks": provider.fallback_model_providers or [],
            "models": [
                {"match": _clause(model.match), "window": model.context_window, "prices": _prices(model.prices)}
                for model in provider.models
            ],
        }
        for provider in get_snapshot().providers
    ]


def _clause(clause: object) -> list[Any]:
    """The operator, and its text or its clauses."""
    ((name, value),) = vars(clause).items()
    return [name.strip("_"), [_clause(each) for each in value] if isinstance(value, list) else value]


def _prices(prices: ModelPrice | list[ConditionalPrice]) -> list[list[Any]]:
    """Conditions, each with the rates that apply while it is met."""
    if not isinstance(prices, list):
        return [[None, _rates(prices)]]
    return [[_condition(price.constraint), _rates(price.prices)] for price in prices]


def _condition(constraint: StartDateConstraint | TimeOfDateConstraint | None) -> list[str] | None:
    """From a date on, or between two times of the day."""
    if constraint is None:
        return None
    if isinstance(constraint, StartDateConstraint):
        return [constraint.start_date.isoformat()]
    return [constraint.start_time.isoformat(), constraint.end_time.isoformat()]


def _rates(price: ModelPrice) -> dict[str, Any]:
    """Our rates → the amount, and the amounts above a number of prompt tokens."""
    given = {name: getattr(price, field, None) for name, field in CLASSES.items()}
    if (image := price.output_image_mtok) is not None:  # nearly all tokens in answers of image models are image tokens
        given["output"] = image
    for name, (fields, divisor) in UNITS.items():
        found = next((rate for field in fields if (rate := getattr(price, field, None)) is not None), None)
        if found is not None and not hasattr(found, "tiers"):
            given[name] = found / divisor
    return {
        name: [str(getattr(rate, "base", rate)), [[tier.start, str(tier.price)] for tier in getattr(rate, "tiers", ())]]
        for name, rate in given.items()
        if rate is not None
    }


if __name__ == "__main__":
    sys.stdout.writelines(json.dumps(provider) + "\n" for provider in export())
