"""Exchange rates in the gateway's options: fixed or from an entity, added, changed and removed, and what they do to budgets."""

from collections.abc import Mapping
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import DOMAIN
from custom_components.zeroconf_ai.core.protocol.exchange import NO_EXCHANGE
from custom_components.zeroconf_ai.data import DATA
from custom_components.zeroconf_ai.issues import EXCHANGE_RATES_MISSING
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import box, gateway_with, runtime_of
from .options import begin, submit

pytestmark = pytest.mark.usefixtures("checked_texts", "ready_to_serve")

PRICED: dict[str, Any] = {"input_price": 1.0, "output_price": 2.0}


@pytest.fixture
async def entry(hass: HomeAssistant, provider: FakeProvider) -> MockConfigEntry:
    """A gateway in a home of euros, with a backend that is paid in dollars."""
    hass.config.currency = "EUR"
    return await set_up(hass, gateway_with(box(provider, **PRICED)))


async def add_rate(hass: HomeAssistant, entry: MockConfigEntry, **fields: Any) -> Mapping[str, Any]:
    result = await submit(hass, await begin(hass, entry, "exchange_rates"), {"id": "new"})
    result = await submit(hass, result, {"inverted": False, **fields})
    await hass.async_block_till_done()
    return result


def rates(hass: HomeAssistant) -> Mapping[str, float]:
    return hass.data[DATA].engine.exchange.rates


async def test_exchange_rates_currencies_in_use_are_listed_and_a_fixed_rate_applies_at_once(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    result = await begin(hass, entry, "exchange_rates")
    assert result["description_placeholders"] == {"currency": "EUR", "rates": "| USD | – |"}
    assert hass.data[DATA].engine.exchange == NO_EXCHANGE
    assert runtime_of(entry).trackers.household.currency == "EUR"
    result = await add_rate(hass, entry, currency="usd", rate=0.92)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    assert (hass.data[DATA].engine.exchange.currency, rates(hass)) == ("EUR", {"USD": 0.92})
    result = await begin(hass, entry, "exchange_rates")
    assert result["description_placeholders"]["rates"] == "| USD | 0.92 |"
    result = await submit(hass, result, {"id": "USD"})
    await submit(hass, result, {"rate": 1.25, "inverted": True, "remove": False})
    await hass.async_block_till_done()
    assert rates(hass) == {"USD": 0.8}
    result = await submit(hass, await begin(hass, entry, "exchange_rates"), {"id": "USD"})
    await submit(hass, result, {"inverted": False, "remove": True})
    await hass.async_block_till_done()
    assert hass.data[DATA].engine.exchange == NO_EXCHANGE


async def test_exchange_rate_of_an_entity_follows_it_and_outlasts_it(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await add_rate(hass, entry, currency="USD", rate_entity="sensor.usd")
    issues = ir.async_get(hass)
    assert rates(hass) == {}
    issue = issues.async_get_issue(DOMAIN, EXCHANGE_RATES_MISSING)
    assert issue is not None
    assert issue.translation_placeholders == {"missing": "USD", "currency": "EUR"}
    hass.states.async_set("sensor.usd", "0.9")
    await hass.async_block_till_done()
    assert rates(hass) == {"USD": 0.9}
    assert issues.async_get_issue(DOMAIN, EXCHANGE_RATES_MISSING) is None
    for state in ("unavailable", "unknown", "nan", "-1", "0", "1e99"):
        hass.states.async_set("sensor.usd", state)
        await hass.async_block_till_done()
        assert rates(hass) == {"USD": 0.9}
    hass.states.async_set("sensor.usd", "0.95")
    await hass.async_block_till_done()
    assert rates(hass) == {"USD": 0.95}
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert hass.data[DATA].engine.exchange == NO_EXCHANGE


async def test_exchange_rates_keep_the_currency_for_which_they_were_set(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await add_rate(hass, entry, currency="USD", rate=0.92)
    hass.config.currency = "CHF"
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert hass.data[DATA].engine.exchange.currency == "EUR"
    assert runtime_of(entry).trackers.household.currency == "EUR"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"currency": "dollars", "rate": 1}, "currency_invalid"),
        ({"currency": "EUR", "rate": 1}, "currency_own"),
        ({"currency": "USD"}, "rate_needed"),
        ({"currency": "USD", "rate": 1, "rate_entity": "sensor.usd"}, "rate_needed"),
    ],
)
async def test_exchange_rate_form_wrong_values_are_told_and_change_nothing(
    hass: HomeAssistant, entry: MockConfigEntry, fields: dict[str, Any], error: str
) -> None:
    result = await add_rate(hass, entry, **fields)
    assert result["errors"] == {"base": error}
    assert hass.data[DATA].engine.exchange == NO_EXCHANGE


async def test_exchange_rate_form_a_currency_has_one_rate(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await add_rate(hass, entry, currency="USD", rate=0.92)
    result = await add_rate(hass, entry, currency="USD", rate=0.5)
    assert result["errors"] == {"base": "currency_taken"}
    assert rates(hass) == {"USD": 0.92}
