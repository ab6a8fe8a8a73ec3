"""What tokens cost, class by class."""

import pytest

from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.protocol.values import NANO

M = 1_000_000
PLAIN = Prices(3, 15)
EACH = Prices(10, 20, cached=1, reasoning=40, cache_write=12, cache_write_1h=16)


@pytest.mark.parametrize(
    ("prices", "usage", "cost"),
    [
        (PLAIN, Usage(M, 0), 3),
        (PLAIN, Usage(0, M), 15),
        (PLAIN, Usage(3 * M, 2 * M, cached_tokens=M, reasoning_tokens=M, cache_write_tokens=M, cache_write_1h_tokens=M), 39),
        (EACH, Usage(M, M), 30),
        (EACH, Usage(2 * M, 0, cached_tokens=M), 10 + 1),
        (EACH, Usage(M, 0, cached_tokens=M), 1),
        (EACH, Usage(0, 3 * M, reasoning_tokens=M), 2 * 20 + 40),
        (EACH, Usage(3 * M, 0, cache_write_tokens=2 * M), 10 + 2 * 12),
        (EACH, Usage(3 * M, 0, cache_write_tokens=2 * M, cache_write_1h_tokens=M), 10 + 12 + 16),
        (EACH, Usage(4 * M, 2 * M, M, M, cache_write_tokens=2 * M, cache_write_1h_tokens=M), 10 + 1 + 12 + 16 + 20 + 40),
        (Prices(10, 20, cache_write=12), Usage(M, 0, cache_write_tokens=M, cache_write_1h_tokens=M), 12),
        # A class that is larger than what it is part of is no more than that.
        (EACH, Usage(M, 0, cached_tokens=5 * M), 1),
        (EACH, Usage(M, 0, cached_tokens=M, cache_write_tokens=M), 1),
        (EACH, Usage(M, 0, cache_write_tokens=M, cache_write_1h_tokens=9 * M), 16),
        (EACH, Usage(0, M, reasoning_tokens=5 * M), 40),
        # A fraction of a nano-unit is one.
        (PLAIN, Usage(1, 0), 1),
        (Prices(0, 0), Usage(M, M), 0),
    ],
)
def test_prices_each_class_of_tokens_has_its_rate(prices: Prices, usage: Usage, cost: int) -> None:
    assert prices.cost(usage) == cost


@pytest.mark.parametrize("prices", [PLAIN, EACH, Prices(0, 0, currency="EUR")])
def test_prices_serialized_are_parsed_back(prices: Prices) -> None:
    assert Prices.parse(prices.to_json()) == prices


def test_prices_per_million_tokens_give_the_cost() -> None:
    found = Prices.parse({"input_cost_per_1m": "0.15", "output_cost_per_1m": 0.6, "cached_cost_per_1m": 0.075, "currency": "eur"})
    assert found == Prices(150_000_000, 600_000_000, 75_000_000, currency="EUR")


def test_prices_per_thousand_are_read_if_there_are_none_per_million() -> None:
    per_thousand = {"input_cost_per_1k": 0.00015, "output_cost_per_1k": "0.0006"}
    assert Prices.parse(per_thousand) == Prices(NANO * 15 // 100, NANO * 6 // 10)
    per_million = {"input_cost_per_1m": 3.0, "output_cost_per_1m": 15.0}
    assert Prices.parse(per_thousand | per_million) == Prices(3 * NANO, 15 * NANO)
    assert Prices(3 * NANO, 15 * NANO).per_thousand() == {"input_cost_per_1k": 0.003, "output_cost_per_1k": 0.015}


@pytest.mark.parametrize("data", [None, [], {}, {"input_cost_per_1m": 1}, {"input_cost_per_1m": -1, "output_cost_per_1m": 1}])
def test_prices_missing_are_none(data: object) -> None:
    assert Prices.parse(data) is None
