"""`currency:` and `exchangeRates:` of a file."""

import pytest

from zeroconf_ai.config.document import ConfigError
from zeroconf_ai.config.providers_file import read_config
from zeroconf_ai.protocol.exchange import NO_EXCHANGE, Exchange

ATTIC = "providers:\n  - id: attic\n    type: ollama\n"


def exchange(text: str) -> Exchange:
    return read_config(ATTIC + text, "p.yaml", {}).exchange


def test_exchange_rates_of_a_file_are_read() -> None:
    assert exchange("") == NO_EXCHANGE
    assert exchange("currency: EUR\nexchangeRates: {USD: 0.92, gbp: 1.2}\n") == Exchange("EUR", {"USD": 0.92, "GBP": 1.2})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("currency: EUR\n", "needs `exchangeRates:`"),
        ("exchangeRates: {USD: 1}\n", "needs `currency:`"),
        ("currency: euro\nexchangeRates: {USD: 1}\n", "three letters"),
        ("currency: EUR\nexchangeRates: {dollars: 1}\n", "three letters"),
        ("currency: EUR\nexchangeRates: {USD: 0}\n", "exchangeRates"),
        ("currency: EUR\nexchangeRates: {USD: -1}\n", "exchangeRates"),
        ("currency: EUR\nexchangeRates: {USD: .nan}\n", "exchangeRates"),
        ("currency: EUR\nexchangeRates: {USD: much}\n", "exchangeRates"),
        ("currency: EUR\nexchangeRates: [USD]\n", "exchangeRates"),
        ("currency: EUR\nexchangeRates: {}\n", "exchangeRates"),
    ],
)
def test_exchange_rates_of_a_file_that_are_impossible_are_an_error_with_the_position(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=r"p\.yaml") as raised:
        exchange(text)
    assert reason in str(raised.value)
