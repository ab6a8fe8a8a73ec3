"""Cost sensors have one unit for good: none before the first real cost, then that of the first currency that was paid in."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, mock_restore_cache_with_extra_data
from pytest_homeassistant_custom_component.components.recorder.common import async_wait_recording_done, do_adhoc_statistics

from custom_components.zeroconf_ai.const import DOMAIN
from custom_components.zeroconf_ai.core.accounting.budget import Scope
from custom_components.zeroconf_ai.core.accounting.periods import Period
from custom_components.zeroconf_ai.core.protocol.values import NANO
from homeassistant.components.recorder.statistics import validate_statistics
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import get_instance
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from ..support.fakes.provider import FakeProvider, text, usage
from ..support.home_assistant.entries import ask, make_entry, set_up, settle
from ..support.home_assistant.gateway import box, gateway_with
from ..support.home_assistant.usage import spend

pytestmark = pytest.mark.usefixtures("all_entities_enabled")

ACCOUNTS = [f"sensor.{device}_cost_{part}" for device in ("test_gateway", "box") for part in ("today", "this_month", "total")]
PROVIDER = [f"sensor.test_provider_cost_{part}" for part in ("today", "this_month", "total")]


@pytest.fixture(autouse=True)
def custom_integrations(recorder_db_url: str, hass: HomeAssistant, enable_custom_integrations: None, tmp_path: Path) -> None:
    """The recorder must be set up before Home Assistant."""
    hass.config.config_dir = str(tmp_path)


def shown(hass: HomeAssistant, entity_ids: list[str]) -> set[tuple[str, str | None]]:
    """States, and their units."""
    states = [hass.states.get(entity_id) for entity_id in entity_ids]
    assert all(states)
    return {(state.state, state.attributes.get("unit_of_measurement")) for state in states if state is not None}


async def complaints(hass: HomeAssistant) -> dict[str, list[Any]]:
    """The recorder's issues about units, after it has processed all states."""
    await async_wait_recording_done(hass)
    start = dt_util.utcnow().replace(second=0, microsecond=0)
    do_adhoc_statistics(hass, start=start - timedelta(minutes=start.minute % 5))
    await async_wait_recording_done(hass)
    found: dict[str, list[Any]] = await get_instance(hass).async_add_executor_job(validate_statistics, hass)
    return found


async def test_cost_sensors_are_added_with_the_first_real_cost_whose_unit_they_keep(
    recorder_mock: object, hass: HomeAssistant, ready_to_serve: None, provider: FakeProvider
) -> None:
    assert await async_setup_component(hass, "sensor", {})
    hass.config.currency = "EUR"
    entry = await set_up(hass, gateway_with(box(provider)))
    backend_id = next(iter(entry.subentries))
    await spend(hass, entry, 0.0, backend_id=backend_id)
    await settle(hass)
    assert await complaints(hass) == {}
    assert not any(map(hass.states.get, ACCOUNTS))
    await spend(hass, entry, 2.0, backend_id=backend_id, currency="USD")
    await settle(hass)
    assert await complaints(hass) == {}
    assert shown(hass, ACCOUNTS) == {("2.0", "USD")}
    await spend(hass, entry, 9.0, backend_id=backend_id, currency="EUR")
    for _ in range(2):
        assert await hass.config_entries.async_reload(entry.entry_id)
        await settle(hass)
        assert shown(hass, ACCOUNTS) == {("2.0", "USD")}
    total = hass.states.get("sensor.test_gateway_cost_total")
    assert total is not None
    assert total.attributes["other_currencies"] == {"EUR": 9.0}
    assert await complaints(hass) == {}


@pytest.mark.usefixtures("ready_to_serve")
async def test_cost_unit_is_kept_where_the_database_was_lost(hass: HomeAssistant, provider: FakeProvider, tmp_path: Any) -> None:
    hass.config.currency = "EUR"
    entry = await set_up(hass, gateway_with(box(provider)))
    await spend(hass, entry, 2.0, currency="USD")
    await settle(hass)
    assert await hass.config_entries.async_unload(entry.entry_id)
    (tmp_path / "zeroconf_ai.db").unlink()
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    household = [entity_id for entity_id in ACCOUNTS if "gateway" in entity_id]
    assert shown(hass, household) == {(STATE_UNKNOWN, "USD")}
    await spend(hass, entry, 3.0, currency="EUR")
    await settle(hass)
    assert shown(hass, household) == {("0.0", "USD")}


@pytest.mark.usefixtures("ready_to_serve")
async def test_cost_unit_of_an_earlier_version_is_kept_where_something_was_paid_in_it(
    hass: HomeAssistant, provider: FakeProvider, entity_registry: er.EntityRegistry
) -> None:
    hass.config.currency = "EUR"
    entry = await set_up(hass, gateway_with(box(provider)))
    await spend(hass, entry, 2.0, currency="USD")
    await spend(hass, entry, 3.0, currency="GBP")
    await spend(hass, entry, 1.0, currency="EUR")
    await settle(hass)
    assert await hass.config_entries.async_unload(entry.entry_id)
    household = [entity_id for entity_id in ACCOUNTS if "gateway" in entity_id]
    for entity_id in household:
        entity_registry.async_update_entity_options(entity_id, DOMAIN, None)
        entity_registry.async_update_entity(entity_id, unit_of_measurement="USD")
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert shown(hass, household) == {("2.0", "USD")}


@pytest.mark.usefixtures("ready_to_serve")
async def test_budget_before_any_cost_is_in_the_homes_currency(hass: HomeAssistant, provider: FakeProvider) -> None:
    hass.config.currency = "EUR"
    entry = await set_up(hass, gateway_with(box(provider)))
    await entry.runtime_data.store.budgets.set(Scope.HOUSEHOLD, None, NANO, Period.MONTH)
    await settle(hass)
    assert shown(hass, ["sensor.test_gateway_budget"]) == {("1.0", "EUR")}


# Providers that report their own costs.


def status(currency: str, cost: float) -> dict[str, Any]:
    used = {"requests": 12, "prompt_tokens": 3100, "completion_tokens": 900, "currency": currency, "cost": cost}
    return {"object": "status", "usage": {"today": used, "month": used, "total": used}}


async def report(hass: HomeAssistant, entry: MockConfigEntry, provider: FakeProvider, currency: str, cost: float) -> None:
    provider.status = status(currency, cost)
    await entry.runtime_data.coordinator.check_now()
    await settle(hass)


async def test_reported_cost_sensors_of_periods_are_added_with_the_first_real_cost_whose_unit_they_keep(
    recorder_mock: object, hass: HomeAssistant, ready_to_serve: None, provider: FakeProvider
) -> None:
    assert await async_setup_component(hass, "sensor", {})
    provider.status = status("USD", 0.0)
    entry = await set_up(hass, make_entry(provider))
    assert shown(hass, PROVIDER[2:]) == {(STATE_UNKNOWN, None)}
    assert not any(map(hass.states.get, PROVIDER[:2]))
    assert await complaints(hass) == {}
    await report(hass, entry, provider, "EUR", 1.5)
    assert shown(hass, PROVIDER) == {("1.5", "EUR")}
    assert await complaints(hass) == {}
    await report(hass, entry, provider, "USD", 7.0)
    assert shown(hass, PROVIDER[:2]) == {(STATE_UNKNOWN, "EUR")}
    assert shown(hass, PROVIDER[2:]) == {("1.5", "EUR")}
    await provider.stop()
    assert await hass.config_entries.async_reload(entry.entry_id)
    await settle(hass)
    assert shown(hass, PROVIDER[:2]) == {(STATE_UNAVAILABLE, "EUR")}
    assert await complaints(hass) == {}


@pytest.mark.usefixtures("ready_to_serve")
async def test_total_cost_that_was_restored_keeps_its_unit(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = make_entry(provider)
    entry.add_to_hass(hass)
    registry = er.async_get(hass)
    known = registry.async_get_or_create(
        "sensor", DOMAIN, f"{entry.entry_id}_cost_total", config_entry=entry, suggested_object_id="test_provider_cost_total"
    )
    restored = {"native_value": 4.5, "native_unit_of_measurement": "EUR"}
    mock_restore_cache_with_extra_data(hass, [(State(known.entity_id, "4.5"), restored)])
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert shown(hass, [known.entity_id]) == {("4.5", "EUR")}
    provider.answers = [[*text("Yes.")[:-1], usage(10, 4, cost=0.5)]]
    await ask(hass)
    await settle(hass)
    assert shown(hass, [known.entity_id]) == {("5.0", "EUR")}
