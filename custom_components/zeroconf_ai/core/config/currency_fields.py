"""The sections of a file about the currency of budgets: `currency:` and `exchangeRates:`."""

from collections.abc import Iterable, Mapping
from typing import Any

from ..protocol.exchange import HIGHEST_RATE, LOWEST_RATE, NO_EXCHANGE, Exchange, is_currency
from ..protocol.prices import DEFAULT_CURRENCY, MILLION
from ..protocol.record import Cost
from .backend_config import BackendConfig
from .document import Value

KEYS = ("currency", "exchangeRates")
"""The keys read by this module."""


def read_exchange(sections: Mapping[str, Value], backends: Iterable[BackendConfig]) -> Exchange:
    """The exchange rates, units of `currency` for one unit of each other one; without `currency`, nothing is converted.

    `currency` alone is enough where all costs are in it. Warns of the currencies of `backends` that have no rate. Raises
    ConfigError.
    """
    rates = sections["exchangeRates"].entries() if "exchangeRates" in sections else []
    if "currency" not in sections:
        if "exchangeRates" in sections:
            raise sections["exchangeRates"].error("`exchangeRates:` needs `currency:`, the currency of budgets, such as EUR.")
        return NO_EXCHANGE
    currency = _currency(sections["currency"])
    exchange = Exchange.of(currency, {_currency(name): rate.number(LOWEST_RATE, HIGHEST_RATE) for name, rate in rates})
    if missing := exchange.missing(name for backend in backends for name in _currencies(backend)):
        names = " and ".join(missing)
        sections["currency"].warn(
            f"providers cost {names}, and `exchangeRates:` has no rate for {names}: they do not answer where a budget in "
            f"{currency} applies. Add {', '.join(f'`{name}: RATE`' for name in missing)} to `exchangeRates:`."
        )
    return exchange


def currency_schema() -> dict[str, Any]:
    """The JSON Schemas of both sections, by key."""
    rate = {"type": "number", "minimum": LOWEST_RATE, "maximum": HIGHEST_RATE}
    return {
        "currency": {"type": "string", "minLength": 3, "maxLength": 3},
        "exchangeRates": {"type": "object", "additionalProperties": rate},
    }


def _currencies(backend: BackendConfig) -> set[str]:
    """The currencies of its prices that are not 0. List prices of cloud services are in US dollars."""
    found = {prices.currency for prices in backend.prices.values() if prices.dearest(MILLION, MILLION)}
    listed = backend.type.needs_key and "*" not in backend.prices and backend.cost not in (Cost.FREE, Cost.SUBSCRIPTION)
    return found | ({DEFAULT_CURRENCY} if listed else set())


def _currency(value: Value) -> str:
    text = value.text().upper()
    if not is_currency(text):
        raise value.error("a currency must be three letters, such as EUR.")
    return text
