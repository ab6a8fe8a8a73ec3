"""Exchange rates: what a cost in another currency counts in budgets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import math
import re
from typing import Self

from .values import NOTHING

LOWEST_RATE, HIGHEST_RATE = 1e-6, 1e6
"""No two currencies of ISO 4217 are further apart."""
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Exchange:
    """Converts costs to the currency of budgets.

    Without a `currency`, nothing is converted: a unit of each currency counts one to one. With one, a currency without a rate
    cannot be converted.
    """

    currency: str | None = None
    """The currency of budgets (ISO 4217); None: nothing is converted."""
    rates: Mapping[str, float] = NOTHING
    """Units of `currency` for one unit of each other currency."""

    @classmethod
    def of(cls, currency: str, rates: Mapping[str, float]) -> Self:
        """Raises ValueError, with a sentence, for a name that is no currency or a rate that is no possible one."""
        for name in (currency, *rates):
            if not is_currency(name):
                raise ValueError(f"'{name}' is no currency: write three capital letters, such as EUR.")
        for name, rate in rates.items():
            if not is_rate(rate):
                raise ValueError(f"The exchange rate of {name} must be between {LOWEST_RATE:f} and {HIGHEST_RATE:,.0f}.")
        return cls(currency, {name: rate for name, rate in rates.items() if name != currency})

    def rate(self, currency: str) -> float | None:
        """Units of the currency of budgets for one of `currency`; None: unknown."""
        return 1.0 if self.currency in (None, currency) else self.rates.get(currency)

    def convert(self, nano: int, currency: str) -> int | None:
        """A cost in nano-units of the currency of budgets, rounded up so that nothing becomes free; None: the rate is unknown."""
        rate = self.rate(currency)
        if rate is None:
            return 0 if nano == 0 else None
        return nano if rate == 1.0 else math.ceil(nano * rate)

    def revert(self, nano: int, currency: str) -> int | None:
        """An amount in the currency of budgets as nano-units of another one, rounded down; None: the rate is unknown."""
        rate = self.rate(currency)
        if rate is None:
            return None
        return nano if rate == 1.0 else math.floor(nano / rate)

    def one_to_one(self, currencies: Iterable[str], budgets: str) -> list[str]:
        """Which of `currencies` count one to one in budgets, which are shown in the currency `budgets`: nothing converts them."""
        return sorted({name for name in currencies if name != budgets}) if self.currency is None else []

    def missing(self, currencies: Iterable[str]) -> list[str]:
        """Which of `currencies` cannot be converted because there is no rate."""
        return sorted({name for name in currencies if self.rate(name) is None})


NO_EXCHANGE = Exchange()


def is_currency(text: object) -> bool:
    """Whether a text has the form of a currency's code (ISO 4217)."""
    return isinstance(text, str) and _CURRENCY.fullmatch(text) is not None


def is_rate(value: object) -> bool:
    """Whether a value can be an exchange rate: a finite number within the bounds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and LOWEST_RATE <= value <= HIGHEST_RATE
