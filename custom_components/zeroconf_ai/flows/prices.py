"""The prices of single models as lines of text, in both directions.

A line is `model = input / output / cached / reasoning / cache write / cache write 1h / audio`, of which the first two are
required. `+ PRICE per image`, `per minute` (of recordings) and `per 1M characters` (spoken) may follow, or stand alone.
"""

from collections.abc import Mapping
import re
from typing import Any

from ..core.backends.catalogue import ALL_MODELS
from ..core.config.model_fields import CURRENCY, RATE, stored_rate
from ..core.protocol.prices import CHARACTERS, IMAGE, MINUTE, TOKEN_RATES

_UNITS = {"image": stored_rate(IMAGE), "minute": stored_rate(MINUTE), "1m characters": stored_rate(CHARACTERS)}
"""The words of a line, in small letters, and the price that they stand for."""
_SHOWN_UNITS = {"1m characters": "1M characters"}
_RATES = tuple(map(stored_rate, TOKEN_RATES))
_INPUT, _OUTPUT = _RATES[:2]
_NO_RATE = "-"
"""Stands for a rate that is left out before another one."""
_NUMBER = re.compile(r"\d{1,6}(\.\d+)?|\.\d+")
_CURRENCY = re.compile(r"(?P<rates>.*\S)\s+(?P<currency>[A-Z]{3})")
_PER_UNIT = re.compile(
    r"(?:(?P<rates>.*\S)\s*\+\s*)?(?P<price>\S+)\s+per\s+(?P<unit>image|minute|1m\s+characters)", re.IGNORECASE
)
_PER_1K = re.compile(r"(?P<rate>\S+)\s+per\s+1k", re.IGNORECASE)


def read_prices(text: str) -> dict[str, dict[str, Any]]:
    """Prices as a subentry stores them, from lines of prices per million tokens, or of one rate `per 1k` for all tokens.

    A line may end with a currency. Raises ValueError with the number of the line.
    """
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        model, equals, rates_text = (part.strip() for part in line.rpartition("="))
        rates = _read(rates_text)
        if not (equals and model and rates) or model == ALL_MODELS or model in found:
            raise ValueError(str(number))
        found[model] = rates
    return found


def show_prices(prices: Mapping[str, Mapping[str, Any]]) -> str:
    """Stored prices as lines of text."""
    return "\n".join(f"{model} = {_shown(rates)}" for model, rates in prices.items())


def _read(text: str) -> dict[str, Any] | None:
    """One model's rates; None for an invalid text."""
    more: dict[str, Any] = {}
    if (named := _CURRENCY.fullmatch(text)) is not None:
        text, more[CURRENCY] = named["rates"], named["currency"]
    while (per_unit := _PER_UNIT.fullmatch(text)) is not None:
        unit = _UNITS[" ".join(per_unit["unit"].lower().split())]
        if (price := _amount(per_unit["price"])) is None or unit in more:
            return None
        text, more[unit] = per_unit["rates"] or "0 / 0", price
    if (per_1k := _PER_1K.fullmatch(text)) is not None:
        rate = _amount(per_1k["rate"])
        return None if rate is None else {_INPUT: rate * 1000, _OUTPUT: rate * 1000, **more}
    parts = [part.strip() for part in text.split("/")]
    if not 2 <= len(parts) <= len(_RATES):
        return None
    found: dict[str, Any] = {}
    for name, part in zip(_RATES, parts, strict=False):
        if part == _NO_RATE and name not in (_INPUT, _OUTPUT):
            continue
        if (amount := _amount(part)) is None:
            return None
        found[name] = amount
    return {**found, **more}


def _amount(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) and float(text) <= RATE.high else None


def _shown(rates: Mapping[str, Any]) -> str:
    last = max(position for position, name in enumerate(_RATES) if name in rates or name == _OUTPUT)
    shown = [_number(rates.get(name, 0 if position < 2 else None)) for position, name in enumerate(_RATES[: last + 1])]
    units = [f"+ {_number(rates[key])} per {_SHOWN_UNITS.get(unit, unit)}" for unit, key in _UNITS.items() if key in rates]
    return " ".join([" / ".join(shown), *units, *([rates[CURRENCY]] if CURRENCY in rates else [])])


def _number(amount: float | None) -> str:
    return _NO_RATE if amount is None else f"{amount:.9f}".rstrip("0").rstrip(".")
