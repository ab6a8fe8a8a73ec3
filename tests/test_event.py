"""The event entity: events of a provider with reason and next provider."""

from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import async_capture_events, snapshot_platform
from syrupy.assertion import SnapshotAssertion

from custom_components.zeroconf_ai.core.routing.pool.events import EventKind, RoutingEvent
from custom_components.zeroconf_ai.data import DATA
from homeassistant.const import EVENT_STATE_CHANGED, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from .support.fakes.provider import FakeProvider, refuse, running
from .support.home_assistant.entries import ask, make_entry, set_up, settle
from .support.home_assistant.states import state_of

pytestmark = pytest.mark.usefixtures("all_entities_enabled")

AVAILABILITY = "event.test_provider_availability"


async def test_entity(
    hass: HomeAssistant, provider: FakeProvider, entity_registry: er.EntityRegistry, snapshot: SnapshotAssertion
) -> None:
    with patch("custom_components.zeroconf_ai.PLATFORMS", [Platform.EVENT]):
        entry = await set_up(hass, make_entry(provider, entry_id="01PROVIDER"))
    await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)


async def test_availability_offline_and_recovered_are_events(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    assert state_of(hass, AVAILABILITY).attributes["event_type"] is None
    await provider.stop()
    for _ in range(2):
        await entry.runtime_data.coordinator.check_now()
    assert state_of(hass, AVAILABILITY).attributes["event_type"] is None
    await entry.runtime_data.coordinator.check_now()
    assert state_of(hass, AVAILABILITY).attributes["event_type"] == "offline"
    assert state_of(hass, AVAILABILITY).attributes["reason"] == "Test provider could not be reached: the connection was refused"
    went = state_of(hass, AVAILABILITY).state
    await entry.runtime_data.coordinator.check_now()
    assert state_of(hass, AVAILABILITY).state == went  # still offline is no event
    await provider.start()
    await entry.runtime_data.coordinator.check_now()
    assert state_of(hass, AVAILABILITY).attributes["event_type"] == "recovered"
    assert "reason" not in state_of(hass, AVAILABILITY).attributes


async def test_availability_failover_has_reason_and_next_provider(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.answers = [refuse(429, "too busy")]
    await set_up(hass, make_entry(provider))
    async with running(FakeProvider(id="22222222-2222-4222-8222-222222222222")) as second:
        other = await set_up(hass, make_entry(second, title="The other one"))
        answer = await ask(hass)
        await hass.async_block_till_done()
        assert answer["provider"] == "The other one"
        assert state_of(hass, AVAILABILITY).attributes["event_type"] == "failover"
        assert state_of(hass, AVAILABILITY).attributes["reason"] == "the provider has reached its rate limit"
        assert state_of(hass, AVAILABILITY).attributes["to"] == "The other one"
        assert await hass.config_entries.async_unload(other.entry_id)


async def test_availability_failovers_in_a_second_are_one_event(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    pool, member_id = hass.data[DATA].engine.pool, entry.runtime_data.member.id
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    for number in range(100):
        pool.notify_state(member_id, RoutingEvent(EventKind.FAILOVER, member_id, f"error {number}"))
    pool.notify_state(member_id, RoutingEvent(EventKind.OFFLINE, member_id))  # another kind does not wait for these
    await hass.async_block_till_done()
    written = [event for event in changes if event.data["entity_id"] == AVAILABILITY]
    told = [state.attributes for event in written if (state := event.data["new_state"])]
    assert [attributes["event_type"] for attributes in told] == ["failover", "offline"]
    assert "count" not in told[0]
    await settle(hass)
    assert (state_of(hass, AVAILABILITY).attributes["event_type"], state_of(hass, AVAILABILITY).attributes["count"]) == (
        "failover",
        99,
    )
    assert state_of(hass, AVAILABILITY).attributes["reason"] == "error 99"
    assert [event.data["entity_id"] for event in changes].count(AVAILABILITY) == 3
