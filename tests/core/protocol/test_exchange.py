"""Exchange rates: conversion in both directions, and what cannot be converted."""

from hypothesis import given, strategies as st
import pytest

from zeroconf_ai.protocol.exchange import HIGHEST_RATE, LOWEST_RATE, NO_EXCHANGE, Exchange

EUR = Exchange.of("EUR", {"USD": 0.92, "JPY": 0.0061})


def test_exchange_converts_costs_and_rounds_up_so_that_nothing_becomes_free() -> None:
    assert EUR.convert(1_000_000_000, "USD") == 920_000_000
    assert EUR.convert(1_000_000_000, "EUR") == 1_000_000_000
    assert EUR.convert(1, "JPY") == 1


def test_exchange_without_a_rate_converts_nothing_but_zero() -> None:
    assert EUR.convert(5, "GBP") is None
    assert EUR.revert(5, "GBP") is None
    assert EUR.convert(0, "GBP") == 0
    assert EUR.missing(["GBP", "USD", "EUR", "CHF"]) == ["CHF", "GBP"]
    assert EUR.one_to_one(["GBP"], "EUR") == []


def test_exchange_that_is_not_set_counts_one_to_one_and_names_the_currencies() -> None:
    assert NO_EXCHANGE.convert(7, "USD") == NO_EXCHANGE.revert(7, "USD") == 7
    assert NO_EXCHANGE.one_to_one(["USD", "EUR", "USD"], "EUR") == ["USD"]
    assert NO_EXCHANGE.missing(["USD"]) == []


@given(st.integers(0, 10**15), st.floats(LOWEST_RATE, HIGHEST_RATE))
def test_exchange_amount_that_is_reverted_never_costs_more_than_it_was(amount: int, rate: float) -> None:
    exchange = Exchange.of("EUR", {"USD": rate})
    foreign = exchange.revert(amount, "USD")
    assert foreign is not None
    back = exchange.convert(foreign, "USD")
    assert back is not None
    assert back <= amount + 1 + amount * 1e-15


@pytest.mark.parametrize(
    ("currency", "rates"),
    [
        ("euro", {}),
        ("€", {}),
        ("EUR", {"US": 1.0}),
        ("EUR", {"USD": 0.0}),
        ("EUR", {"USD": -1.0}),
        ("EUR", {"USD": float("nan")}),
        ("EUR", {"USD": float("inf")}),
        ("EUR", {"USD": 1e9}),
        ("EUR", {"USD": True}),
    ],
)
def test_exchange_of_an_impossible_currency_or_rate_is_an_error_in_a_sentence(currency: str, rates: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        Exchange.of(currency, rates)
