"""The entities of the gateway's backends: what they show of the engine's picture, and what they set."""

import time
from types import MappingProxyType
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import async_capture_events
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.const import CONF_ENABLED, CONF_PRIORITY, DOMAIN
from custom_components.zeroconf_ai.core.accounting.usage.generation import Generation, Outcome
from custom_components.zeroconf_ai.core.protocol.errors import UpstreamError
from custom_components.zeroconf_ai.data import DATA
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_API_KEY, EVENT_STATE_CHANGED, STATE_OFF, STATE_ON, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import set_up, settle
from ..support.home_assistant.gateway import CHAT, CHAT_PATH, bearer, box, gateway_with, runtime_of
from ..support.home_assistant.gateway_entry import home_agent_data
from ..support.home_assistant.states import value, values
from .test_entities import member_called, pool_of, use

pytestmark = pytest.mark.usefixtures("ready_to_serve", "all_entities_enabled")


async def test_backend_switch_and_priority_change_the_routing(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    entry = await set_up(hass, gateway_with(box(provider)))
    runtime, member = runtime_of(entry), member_called(hass, "Box")
    client = await hass_client_no_auth()
    assert value(hass, "number.box_priority") == "100"
    await use(hass, "set_value", "number.box_priority", value=7)
    await use(hass, "turn_off", "switch.box_use_this_provider")
    assert (value(hass, "number.box_priority"), value(hass, "switch.box_use_this_provider")) == ("7", STATE_OFF)
    stored = next(iter(entry.subentries.values())).data
    assert (stored[CONF_PRIORITY], stored[CONF_ENABLED]) == (7, False)
    assert (member.priority, member.enabled) == (7, False)
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status == 503
    await use(hass, "turn_on", "switch.box_use_this_provider")
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status == 200
    assert (entry.runtime_data, member_called(hass, "Box")) == (runtime, member)  # at once, without a reload


async def test_agent_backend_has_only_applicable_entities(hass: HomeAssistant) -> None:
    entry = await set_up(hass, gateway_with(home_agent_data(title="House")))
    assert values(hass, "house", "status", "models", "requests") == ["healthy", "1", "0"]
    assert value(hass, "sensor.house_latency") is value(hass, "button.house_check_now") is None
    assert value(hass, "sensor.house_queue_depth") is None
    await use(hass, "set_value", "number.house_priority", value=3)
    assert value(hass, "number.house_priority") == "3"
    assert member_called(hass, "House").priority == 3  # another object in the pool, and found all the same
    await use(hass, "turn_off", "switch.house_use_this_provider")
    await settle(hass)
    assert not member_called(hass, "House").enabled
    assert value(hass, "sensor.house_status") == "healthy"
    assert next(iter(entry.subentries.values())).data == {"priority": 3, "enabled": False}


async def test_backend_entities_follow_adding_removing_and_renaming(
    hass: HomeAssistant, provider: FakeProvider, device_registry: dr.DeviceRegistry, entity_registry: er.EntityRegistry
) -> None:
    entry = await set_up(hass, gateway_with())
    runtime = runtime_of(entry)
    assert value(hass, "sensor.box_status") is None
    new = box(provider)
    subentry = ConfigSubentry(
        data=MappingProxyType(dict(new["data"])), subentry_type=new["subentry_type"], title=new["title"], unique_id=None
    )
    hass.config_entries.async_add_subentry(entry, subentry)
    await settle(hass)
    assert value(hass, "sensor.box_status") == "healthy"

    def device() -> dr.DeviceEntry | None:
        devices = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
        return next((item for item in devices if item.config_subentry_id == subentry.subentry_id), None)

    found = device()
    assert found is not None
    assert (found.name, found.model, found.sw_version) == ("Box", "OpenAI-compatible server", None)
    assert found.via_device_id == runtime.device_id
    hass.config_entries.async_update_subentry(entry, subentry, title="Attic")
    await hass.async_block_till_done()
    assert (found := device()) is not None
    assert found.name == "Attic"
    hass.config_entries.async_remove_subentry(entry, subentry.subentry_id)
    await settle(hass)
    assert device() is None
    assert value(hass, "sensor.box_status") is None
    left = er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    assert {item.config_subentry_id for item in left} == {None}
    assert entry.runtime_data is runtime


async def test_backend_refusing_its_key_shows_it_and_starts_reauthentication(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.key = "right"
    entry = await set_up(hass, gateway_with(box(provider, **{CONF_API_KEY: "wrong"})))
    assert value(hass, "sensor.box_status") == "unauthorized"
    assert value(hass, "binary_sensor.box_connectivity") == STATE_ON
    flow = next(iter(hass.config_entries.flow.async_progress_by_handler(DOMAIN)))
    assert flow["context"]["source"] == "reauth"
    subentry = next(iter(entry.subentries.values()))
    hass.config_entries.async_update_subentry(entry, subentry, data={**subentry.data, CONF_API_KEY: "right"})
    await settle(hass)
    assert value(hass, "sensor.box_status") == "healthy"


async def test_backend_failing_repeatedly_is_shown_as_temporarily_skipped(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, gateway_with(box(provider)))
    member = member_called(hass, "Box")
    assert value(hass, "binary_sensor.box_temporarily_skipped") == STATE_OFF
    for _ in range(3):
        pool_of(hass).record_request_failure(member, UpstreamError("500"))
    await settle(hass)
    assert value(hass, "binary_sensor.box_temporarily_skipped") == STATE_ON
    assert value(hass, "sensor.box_status") == "healthy"  # its health checks still succeed
    member.breaker.succeed()
    pool_of(hass).record_success(member)
    await settle(hass)
    assert value(hass, "binary_sensor.box_temporarily_skipped") == STATE_OFF


async def test_backend_button_checks_the_backend(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, gateway_with(box(provider)))
    provider.models.append({"id": "second-model"})
    await use(hass, "press", "button.box_refresh_models")
    assert value(hass, "sensor.box_models") == "2"


async def test_backend_not_in_the_pool_has_unavailable_entities(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, gateway_with(box(provider)))
    member = member_called(hass, "Box")
    pool_of(hass).remove(member.id)
    pool_of(hass).notify_state(member.id)
    await settle(hass)
    assert values(hass, "box", "status", "errors", "models") == [STATE_UNAVAILABLE] * 3
    assert value(hass, "sensor.box_requests") == "0"  # totals stay available
    assert value(hass, "event.box_availability") == STATE_UNAVAILABLE
    assert value(hass, "switch.box_use_this_provider") == STATE_UNAVAILABLE
    await use(hass, "press", "button.box_check_now")
    pool_of(hass).add(member)
    pool_of(hass).notify_state(member.id)
    await settle(hass)
    assert values(hass, "box", "status", "requests") == ["healthy", "0"]
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_entities_under_many_requests_are_written_once_per_second(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, gateway_with(box(provider)))
    await settle(hass)
    written = async_capture_events(hass, EVENT_STATE_CHANGED)
    member, recorder = member_called(hass, "Box"), hass.data[DATA].engine.recorder
    assert recorder is not None
    for number in range(100):
        pool_of(hass).notify_state(member.id)
        pool_of(hass).notify_load(member.id)
        recorder.record(Generation(f"gen_{number}", time.time(), "http", "chat", "auto", Outcome.CANCELLED, backend_id=member.id))
    await hass.async_block_till_done()
    assert written == []
    await settle(hass)
    assert sorted(event.data["entity_id"] for event in written) == ["sensor.box_requests", "sensor.test_gateway_requests"]
    assert value(hass, "sensor.box_requests") == "100"


async def test_backend_alternating_quickly_notifies_listeners_at_a_limited_rate(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    entry = await set_up(hass, gateway_with(box(provider)))
    await settle(hass)
    member = member_called(hass, "Box")
    written: list[str] = []

    def listen(_: Any = None) -> None:
        written.append(member.state)

    stop = next(iter(runtime_of(entry).backend_coordinators)).async_add_listener(listen)
    for _ in range(50):
        pool_of(hass).record_goodbye(member)
        pool_of(hass).record_success(member)
    pool_of(hass).record_goodbye(member)
    assert len(written) < 6
    await settle(hass)
    assert written[-1] == value(hass, "sensor.box_status") == "offline"
    assert len(written) < 8
    stop()
