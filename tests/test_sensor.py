"""Sensors of a provider: values, unavailability, and restored totals."""

import asyncio
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    async_fire_time_changed,
    mock_restore_cache_with_extra_data,
    snapshot_platform,
)
from syrupy.assertion import SnapshotAssertion

from custom_components.zeroconf_ai.const import DOMAIN
from homeassistant.components.sensor import ATTR_LAST_RESET
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, STATE_UNAVAILABLE, STATE_UNKNOWN, Platform
from homeassistant.core import CoreState, HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from .support.fakes.provider import FakeProvider, refuse, text, usage
from .support.home_assistant.entries import announce, ask, make_entry, record_of, set_up, settle
from .support.home_assistant.states import state_of, value

pytestmark = pytest.mark.usefixtures("all_entities_enabled")

ENTRY_ID = "01PROVIDER"
QUEUE = {"depth": 2, "active": 1, "max_concurrent": 4, "estimated_wait_seconds": 1.5}
SPENT = {"requests": 12, "prompt_tokens": 3100, "completion_tokens": 900, "currency": "EUR"}
STATUS = {
    "object": "status",
    "queue": QUEUE,
    "usage": {"today": SPENT | {"cost": 0.0131}, "month": SPENT | {"cost": 1.25}, "total": SPENT | {"cost": 17.5}},
}


def provider_value(hass: HomeAssistant, key: str) -> str | None:
    """The value of a sensor of the provider; None if there is no such sensor."""
    return value(hass, f"sensor.test_provider_{key}")


async def test_all_sensors_of_a_provider_that_says_everything(
    hass: HomeAssistant,
    provider: FakeProvider,
    entity_registry: er.EntityRegistry,
    snapshot: SnapshotAssertion,
    freezer: FrozenDateTimeFactory,
) -> None:
    provider.status = STATUS
    await hass.config.async_set_time_zone("Europe/Vienna")
    entry = make_entry(provider, entry_id=ENTRY_ID)
    with patch("custom_components.zeroconf_ai.PLATFORMS", [Platform.SENSOR]):
        await set_up(hass, entry)
    member = entry.runtime_data.member
    member.latency, member.last_seen, member.last_error = 0.0125, 1795200000.0, "it was busy"
    freezer.move_to("2026-11-20T23:30:00+00:00")  # the 21st in Vienna
    entry.runtime_data.coordinator.async_update_listeners()
    await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)


async def test_sensor_of_unreported_data_is_added_when_it_is_reported(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    assert provider_value(hass, "waiting_requests") == "0"
    for key in ("cost_today", "cost_this_month", "cost_total"):
        assert provider_value(hass, key) is None
    provider.status = STATUS
    announce(hass, record_of(provider))  # a provider that advertises itself again may have new models
    await hass.async_block_till_done(wait_background_tasks=True)
    assert provider_value(hass, "waiting_requests") == "2"
    assert provider_value(hass, "cost_today") == "0.0131"
    assert provider_value(hass, "cost_this_month") == "1.25"
    assert provider_value(hass, "cost_total") == "17.5"

    provider.status = None  # known by now: they come back without a value instead of going away
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert provider_value(hass, "waiting_requests") == "0"
    assert provider_value(hass, "cost_today") == STATE_UNKNOWN
    assert provider_value(hass, "cost_total") == "17.5"


async def test_queue_depth_of_an_earlier_version_stays(
    hass: HomeAssistant, provider: FakeProvider, entity_registry: er.EntityRegistry
) -> None:
    provider.status = STATUS
    entry = await set_up(hass, make_entry(provider))
    assert provider_value(hass, "queue_depth") is None
    assert await hass.config_entries.async_unload(entry.entry_id)
    entity_registry.async_get_or_create(
        "sensor", DOMAIN, f"{entry.entry_id}_queue_depth", config_entry=entry, suggested_object_id="test_provider_queue_depth"
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert provider_value(hass, "queue_depth") == provider_value(hass, "waiting_requests") == "2"


async def test_status_follows_the_provider(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.key = "right"
    entry = await set_up(hass, make_entry(provider))
    assert provider_value(hass, "status") == "healthy"
    provider.key, provider.open_health = "another", False
    await entry.runtime_data.coordinator.check_now()
    assert provider_value(hass, "status") == "unauthorized"
    provider.key = "right"
    await entry.runtime_data.coordinator.check_now()
    assert provider_value(hass, "status") == "healthy"
    await provider.stop()
    for _ in range(3):
        assert provider_value(hass, "status") == "healthy"
        await entry.runtime_data.coordinator.check_now()
    assert provider_value(hass, "status") == "offline"


async def test_load_of_an_offline_provider_is_unavailable(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.status = STATUS
    entry = await set_up(hass, make_entry(provider))
    assert float(provider_value(hass, "latency") or 0) > 0
    assert provider_value(hass, "models") == "1"
    await provider.stop()
    for _ in range(3):
        await entry.runtime_data.coordinator.check_now()
    for key in ("latency", "waiting_requests", "active_requests", "models", "cost_today", "cost_this_month"):
        assert provider_value(hass, key) == STATE_UNAVAILABLE
    assert provider_value(hass, "status") == "offline"
    assert provider_value(hass, "requests") == "0"
    assert provider_value(hass, "cost_total") == "17.5"
    assert "127.0.0.1" in (provider_value(hass, "last_error") or "")


async def test_sensors_before_the_first_check_are_unknown(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.status_gate = asyncio.Event()
    hass.set_state(CoreState.not_running)
    await set_up(hass, make_entry(provider))
    assert provider_value(hass, "status") == STATE_UNKNOWN
    connectivity = hass.states.get("binary_sensor.test_provider_connectivity")
    assert connectivity is not None
    assert connectivity.state == STATE_UNKNOWN
    provider.status_gate.set()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert provider_value(hass, "status") == "healthy"


async def test_models_sensor_counts_and_lists_models(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.models = [{"id": "one"}, {"id": "two"}]
    await set_up(hass, make_entry(provider))
    state = state_of(hass, "sensor.test_provider_models")
    assert (state.state, state.attributes["models"]) == ("2", ["one", "two"])


async def test_counters_of_requests_tokens_and_errors_increase(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    details = {"prompt_tokens_details": {"cached_tokens": 5}}
    provider.answers = [[*text("Yes.")[:-1], usage(10, 4, **details)]]
    await ask(hass)
    await ask(hass)
    provider.answers = [refuse(400, "no")]
    await ask(hass, fails=True)
    await settle(hass)
    counted = [provider_value(hass, key) for key in ("requests", "tokens_in", "tokens_out", "errors", "active_requests")]
    assert counted == ["2", "20", "8", "1", "0"]


async def test_counters_continue_after_a_reload(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    await ask(hass)
    await settle(hass)
    before = provider_value(hass, "tokens_in")
    assert before == "12"
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert provider_value(hass, "tokens_in") == before
    await ask(hass)
    await settle(hass)
    assert (provider_value(hass, "tokens_in"), provider_value(hass, "requests")) == ("24", "2")


async def test_counters_continue_after_a_restart(hass: HomeAssistant, provider: FakeProvider) -> None:
    restored: list[tuple[State, dict[str, Any]]] = [
        (State("sensor.test_provider_requests", "41"), {"native_value": 41, "native_unit_of_measurement": None}),
        (State("sensor.test_provider_errors", STATE_UNAVAILABLE), {"native_value": 3, "native_unit_of_measurement": None}),
    ]
    mock_restore_cache_with_extra_data(hass, restored)
    await set_up(hass, make_entry(provider))
    assert provider_value(hass, "requests") == "41"
    assert provider_value(hass, "errors") == "3"
    await ask(hass)
    await settle(hass)
    assert provider_value(hass, "requests") == "42"


@pytest.mark.parametrize(("key", "counted"), [("requests", "1"), ("cost_total", "0.5")])
async def test_counter_renamed_does_not_count_twice(
    hass: HomeAssistant, provider: FakeProvider, entity_registry: er.EntityRegistry, key: str, counted: str
) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [[*text("Yes.")[:-1], usage(10, 4, cost=0.5)]]
    await ask(hass)
    await settle(hass)
    entity_registry.async_update_entity(f"sensor.test_provider_{key}", new_entity_id="sensor.other")
    await hass.async_block_till_done()
    entity_registry.async_update_entity("sensor.other", new_entity_id=f"sensor.test_provider_{key}")
    await hass.async_block_till_done()
    assert provider_value(hass, key) == counted


async def test_cost_in_answers_is_summed_and_continues(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    assert provider_value(hass, "cost_total") is None
    provider.answers = [[*text("Yes.")[:-1], usage(10, 4, cost=0.00002)]]
    await ask(hass)
    await ask(hass)
    await settle(hass)
    state = state_of(hass, "sensor.test_provider_cost_total")
    assert float(state.state) == pytest.approx(0.00004)
    assert state.attributes[ATTR_UNIT_OF_MEASUREMENT] == "USD"
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    await ask(hass)
    await settle(hass)
    assert float(provider_value(hass, "cost_total") or 0) == pytest.approx(0.00006)


async def test_cost_total_continues_from_the_last_report(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.status = STATUS
    entry = await set_up(hass, make_entry(provider))
    provider.answers = [[*text("Yes.")[:-1], usage(10, 4, cost=0.5)]]
    await ask(hass)
    await settle(hass)
    assert provider_value(hass, "cost_total") == "17.5"  # the provider's report has precedence over the counted costs
    provider.status = {"object": "status"}
    await entry.runtime_data.coordinator.check_now()
    await ask(hass)
    await settle(hass)
    assert provider_value(hass, "cost_total") == "18.0"
    state = state_of(hass, "sensor.test_provider_cost_total")
    assert state.attributes[ATTR_UNIT_OF_MEASUREMENT] == "EUR"


async def test_periods_start_in_home_assistants_time_zone(
    hass: HomeAssistant, provider: FakeProvider, freezer: FrozenDateTimeFactory
) -> None:
    provider.status = STATUS
    await hass.config.async_set_time_zone("Europe/Vienna")
    entry = await set_up(hass, make_entry(provider))
    freezer.move_to("2026-11-20T23:30:00+00:00")
    entry.runtime_data.coordinator.async_update_listeners()
    today, month = (hass.states.get(f"sensor.test_provider_{key}") for key in ("cost_today", "cost_this_month"))
    assert today is not None
    assert month is not None
    assert today.attributes[ATTR_LAST_RESET] == "2026-11-21T00:00:00+01:00"
    assert month.attributes[ATTR_LAST_RESET] == "2026-11-01T00:00:00+01:00"


async def test_last_error_contains_no_key(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.key = "sesame-open-up"
    await set_up(hass, make_entry(provider))
    provider.answers = [refuse(500, f"the key {provider.key} made a {'very ' * 100}long error")]
    await ask(hass, fails=True)
    await settle(hass)
    shown = provider_value(hass, "last_error") or ""
    assert 100 < len(shown) <= 255
    assert "(HTTP 500): the key *** made" in shown
    assert provider.key not in shown


async def test_provider_without_entities_is_checked_at_the_interval(hass: HomeAssistant, provider: FakeProvider) -> None:
    with patch("custom_components.zeroconf_ai.PLATFORMS", []):
        entry = await set_up(hass, make_entry(provider))
    asked = provider.paths.count("/v1/health")
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=31))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert provider.paths.count("/v1/health") == asked + 1
    with patch("custom_components.zeroconf_ai.PLATFORMS", []):
        assert await hass.config_entries.async_unload(entry.entry_id)
