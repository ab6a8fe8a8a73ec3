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


def test_currency_without_rates_is_enough_where_all_costs_are_in_it() -> None:
    for rates in ("", "exchangeRates: {}\n"):
        read = read_config(f"{ATTIC}  - id: cloud\n    type: openai\n    authSecret: key\ncurrency: USD\n{rates}", "p.yaml", {})
        assert (read.exchange, read.warnings) == (Exchange("USD"), ())
    assert exchange("currency: EUR\n") == Exchange("EUR"), "it costs nothing"


def test_currencies_of_providers_without_a_rate_warn_with_the_position() -> None:
    paid = (
        "  - id: cloud\n    type: openai\n    authSecret: key\n  - id: paid\n    type: vllm\n    endpoint: http://192.0.2.1/v1\n"
    )
    text = f"{ATTIC}{paid}    prices: {{'*': {{input: 1, output: 2, currency: GBP}}}}\ncurrency: EUR\nexchangeRates: "
    assert "p.yaml:11:11: providers cost GBP and USD," in read_config(f"{text}{{CHF: 1}}\n", "p.yaml", {}).warnings[0]
    assert "providers cost GBP," in read_config(f"{text}{{USD: 0.9}}\n", "p.yaml", {}).warnings[0]
    assert not read_config(f"{text}{{USD: 0.9, GBP: 1.2}}\n", "p.yaml", {}).warnings


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exchangeRates: {USD: 1}\n", "needs `currency:`"),
        ("currency: euro\nexchangeRates: {USD: 1}\n", "three letters"),
        ("currency: EUR\nexchangeRates: {dollars: 1}\n", "three letters"),
        ("currency: EUR\nexchangeRates: {USD: 0}\n", "exchangeRates"),
        ("currency: EUR\nexchangeRates: {USD: -1}\n", "exchangeRates"),
        ("currency: EUR\nexchangeRates: {USD: .nan}\n", "exchangeRates"),
        ("currency: EUR\nexchangeRates: {USD: much}\n", "exchangeRates"),
        ("currency: EUR\nexchangeRates: [USD]\n", "exchangeRates"),
    ],
)
def test_exchange_rates_of_a_file_that_are_impossible_are_an_error_with_the_position(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=r"p\.yaml") as raised:
        exchange(text)
    assert reason in str(raised.value)
