"""The prices of single models as lines of text, there and back: `model = input / output / cached / reasoning`."""

from collections.abc import Mapping
import re
from typing import Any

from ..const import CONF_CACHED_PRICE, CONF_INPUT_PRICE, CONF_OUTPUT_PRICE, CONF_REASONING_PRICE
from ..gateway.backend_storage import ALL_MODELS, CONF_CURRENCY

_RATES = (CONF_INPUT_PRICE, CONF_OUTPUT_PRICE, CONF_CACHED_PRICE, CONF_REASONING_PRICE)
_NOT_SAID = "-"
"""Where a rate is left out before one that is named."""
_MOST = 100_000
_NUMBER = re.compile(r"\d{1,6}(\.\d+)?|\.\d+")
_CURRENCY = re.compile(r"(?P<rates>.*\S)\s+(?P<currency>[A-Z]{3})")
_PER_1K = re.compile(r"(?P<rate>\S+)\s+per\s+1k", re.IGNORECASE)


def read_prices(text: str) -> dict[str, dict[str, Any]]:
    """Prices as a backend stores them, from lines of money for a million tokens, or of one rate `per 1k` for every token.

    A currency may stand at the end of a line. Raises ValueError naming the line.
    """
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        model, equals, said = (part.strip() for part in line.rpartition("="))
        rates = _read(said)
        if not (equals and model and rates) or model == ALL_MODELS or model in found:
            raise ValueError(str(number))
        found[model] = rates
    return found


def show_prices(prices: Mapping[str, Mapping[str, Any]]) -> str:
    """Stored prices as they are typed in."""
    return "\n".join(f"{model} = {_shown(rates)}" for model, rates in prices.items())


def _read(said: str) -> dict[str, Any] | None:
    """One model's rates, or None for a text that names none."""
    more: dict[str, Any] = {}
    if (named := _CURRENCY.fullmatch(said)) is not None:
        said, more[CONF_CURRENCY] = named["rates"], named["currency"]
    if (per_1k := _PER_1K.fullmatch(said)) is not None:
        rate = _amount(per_1k["rate"])
        return None if rate is None else {CONF_INPUT_PRICE: rate * 1000, CONF_OUTPUT_PRICE: rate * 1000, **more}
    parts = [part.strip() for part in said.split("/")]
    if not 2 <= len(parts) <= len(_RATES):
        return None
    found: dict[str, Any] = {}
    for name, part in zip(_RATES, parts, strict=False):
        if part == _NOT_SAID and name not in (CONF_INPUT_PRICE, CONF_OUTPUT_PRICE):
            continue
        if (amount := _amount(part)) is None:
            return None
        found[name] = amount
    return {**found, **more}


def _amount(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) and float(text) <= _MOST else None


def _shown(rates: Mapping[str, Any]) -> str:
    last = max(position for position, name in enumerate(_RATES) if name in rates or name == CONF_OUTPUT_PRICE)
    said = [_number(rates.get(name, 0 if position < 2 else None)) for position, name in enumerate(_RATES[: last + 1])]
    return " ".join([" / ".join(said), *([rates[CONF_CURRENCY]] if CONF_CURRENCY in rates else [])])


def _number(amount: float | None) -> str:
    return _NOT_SAID if amount is None else f"{amount:.9f}".rstrip("0").rstrip(".")
