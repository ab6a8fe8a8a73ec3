"""The settings of a backend that are entered as lines of text: headers, model aliases and prices, in both directions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..core.accounting.prices.hosted_tools import PRICED_TOOLS
from ..core.backends.headers import refused_header
from ..core.config.backend_fields import STORED
from ..core.config.fields import StoredKind
from ..core.config.model_fields import RATE, Aliases, HostedToolPrices, ModelPrices
from .prices import read_prices, show_prices
from .probe import Problem

MASKED = "***"
"""Stands for a stored header's value, which is never shown."""
HEADER_INVALID = "header_invalid"
ALIAS_INVALID = "alias_invalid"
PRICES_INVALID = "prices_invalid"
TOOL_PRICES_INVALID = "tool_prices_invalid"


@dataclass(frozen=True, slots=True)
class _LineFormat:
    """How a setting is entered as lines of text."""

    parse: Callable[[str], Any]
    """Text → stored value. Raises ValueError with the number of the line."""
    show: Callable[[Any], str]
    """Stored value → text."""
    error: str
    """The flow error for an invalid line."""


def read_headers(text: str, stored: Mapping[str, str]) -> dict[str, str]:
    """Headers from `Name: value` lines; a masked value is the stored one. Raises ValueError with the number of the line."""
    found = {}
    for number, line in _lines(text):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if value == MASKED:
            value = stored.get(name, "")
        if not colon or refused_header(name, value) is not None:
            raise ValueError(str(number))
        found[name] = value
    return found


def show_headers(headers: Mapping[str, str]) -> str:
    """Stored headers, without their values."""
    return "\n".join(f"{name}: {MASKED}" for name in headers)


def read_lines(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a filled-in form, with lines of text converted to what is stored. Raises Problem."""
    found = dict(values)
    for key, lines in _FORMATS.items():
        if key in found:
            try:
                found[key] = lines.parse(found[key])
            except ValueError as err:
                raise Problem(lines.error, str(err)) from None
    return found


def show_lines(data: Mapping[str, Any]) -> dict[str, Any]:
    """Stored data, with lines of text for a form."""
    return {**data, **{key: lines.show(data[key]) for key, lines in _FORMATS.items() if key in data}}


def _read_aliases(text: str) -> dict[str, str]:
    found = {}
    for number, line in _lines(text):
        alias, equals, model = (part.strip() for part in line.partition("="))
        if not (alias and equals and model) or alias in found:
            raise ValueError(str(number))
        found[alias] = model
    return found


def _show_aliases(aliases: Mapping[str, str]) -> str:
    return "\n".join(f"{alias} = {model}" for alias, model in aliases.items())


def _read_tool_prices(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for number, line in _lines(text):
        name, equals, price = (part.strip() for part in line.partition("="))
        try:
            amount = float(price)
        except ValueError:
            raise ValueError(str(number)) from None
        if not equals or name not in PRICED_TOOLS or name in found or not 0 <= amount <= RATE.high:
            raise ValueError(str(number))
        found[name] = amount
    return found


def _show_tool_prices(prices: Mapping[str, float]) -> str:
    return "\n".join(f"{name} = {price:.12g}" for name, price in prices.items())


def _lines(text: str) -> list[tuple[int, str]]:
    return [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


_BY_KIND: Mapping[type[StoredKind[Any]], _LineFormat] = {
    Aliases: _LineFormat(_read_aliases, _show_aliases, ALIAS_INVALID),
    HostedToolPrices: _LineFormat(_read_tool_prices, _show_tool_prices, TOOL_PRICES_INVALID),
    ModelPrices: _LineFormat(read_prices, show_prices, PRICES_INVALID),
}
_FORMATS: Mapping[str, _LineFormat] = {
    setting.stored: _BY_KIND[type(setting.kind)]
    for setting in STORED
    if setting.stored is not None and type(setting.kind) in _BY_KIND
}
"""By the key in the form and in the subentry. Headers are not among them: they need the stored ones."""
