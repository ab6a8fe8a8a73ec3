"""The sections of a file about the currency of budgets: `currency:` and `exchangeRates:`."""

from collections.abc import Mapping

from ..protocol.exchange import HIGHEST_RATE, LOWEST_RATE, NO_EXCHANGE, Exchange, is_currency
from .document import Value

KEYS = ("currency", "exchangeRates")
"""The keys read by this module."""


def read_exchange(sections: Mapping[str, Value]) -> Exchange:
    """The exchange rates, units of `currency` for one unit of each other one; without them, nothing is converted.

    Raises ConfigError.
    """
    if "exchangeRates" not in sections:
        if "currency" in sections:
            raise sections["currency"].error("`currency:` needs `exchangeRates:`, the worth of other currencies in it.")
        return NO_EXCHANGE
    if "currency" not in sections:
        raise sections["exchangeRates"].error("`exchangeRates:` needs `currency:`, the one of budgets, such as EUR.")
    currency = _currency(sections["currency"])
    rates = {_currency(name): rate.number(LOWEST_RATE, HIGHEST_RATE) for name, rate in sections["exchangeRates"].entries()}
    if not rates:
        raise sections["exchangeRates"].error("`exchangeRates:` is empty: write a rate such as USD: 0.92, or delete both lines.")
    return Exchange.of(currency, rates)


def _currency(value: Value) -> str:
    text = value.text().upper()
    if not is_currency(text):
        raise value.error("a currency must be three letters, such as EUR.")
    return text
