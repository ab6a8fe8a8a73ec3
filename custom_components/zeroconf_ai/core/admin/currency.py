"""The currency of budgets, and how costs in other currencies count in them."""

from collections.abc import Iterable
from typing import TypedDict

from ..accounting.usage.totals import Totals
from ..engine import Engine
from ..protocol.prices import DEFAULT_CURRENCY, MILLION, Prices
from ..routing.pool.pool import Pool

_MODEL_LIMIT = 200
"""Models of a provider whose prices are looked at."""


class Currency(TypedDict):
    """The currency of budgets."""

    currency: str
    rates: dict[str, float]
    """Units of it for one unit of each other currency; empty: none is set."""
    one_to_one: list[str]
    """Other currencies in use that count one to one, because no rates are set."""
    missing: list[str]
    """Other currencies in use without a rate, although others have one: budgets do not pay for them."""


def describe_currency(engine: Engine, totals: Totals | None, usual: str = "") -> Currency:
    """`usual`: the currency in which budgets are shown without exchange rates; "": the one with the most cost this month."""
    exchange, used = engine.exchange, currencies_in_use(engine.pool, totals)
    currency = exchange.currency or usual or _most_paid(totals)
    return {
        "currency": currency,
        "rates": dict(sorted(exchange.rates.items())),
        "one_to_one": exchange.one_to_one(used, currency),
        "missing": exchange.missing(used),
    }


def currencies_in_use(pool: Pool, totals: Totals | None) -> list[str]:
    """The currencies of this month's costs, and of the prices of all providers that are not free of charge, sorted."""
    found: set[str] = set()
    if totals is not None:
        found.update(currency for currency, cost in totals.household.month.costs.items() if cost)
    for member in pool:
        if member.meter is not None:
            found.add(member.meter.currency)
        found.update(_charging(member.terms.prices.values()))
        found.update(_charging(member.served.prices(model.id) for model in member.models[:_MODEL_LIMIT]))
    return sorted(found)


def _charging(prices: Iterable[Prices | None]) -> Iterable[str]:
    """The currencies of prices that are not 0."""
    return (one.currency for one in prices if one is not None and one.dearest(MILLION, MILLION))


def _most_paid(totals: Totals | None) -> str:
    costs = {} if totals is None else totals.household.month.costs
    return max(costs, key=costs.__getitem__, default=DEFAULT_CURRENCY)
