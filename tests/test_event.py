"""The event entity: what happened to a provider, why, and who stepped in."""

from unittest.mock import patch

from pytest_homeassistant_custom_component.common import snapshot_platform
from syrupy.assertion import SnapshotAssertion

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er

from .common import ask, make_entry, set_up
from .fakes import FakeProvider, refuse, running

AVAILABILITY = "event.test_provider_availability"


def shown(hass: HomeAssistant) -> State:
    state = hass.states.get(AVAILABILITY)
    assert state is not None
    return state


async def test_entity(
    hass: HomeAssistant, provider: FakeProvider, entity_registry: er.EntityRegistry, snapshot: SnapshotAssertion
) -> None:
    with patch("custom_components.zeroconf_ai.PLATFORMS", [Platform.EVENT]):
        entry = await set_up(hass, make_entry(provider, entry_id="01PROVIDER"))
    await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)


async def test_going_offline_and_coming_back_are_events(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    assert shown(hass).attributes["event_type"] is None
    await provider.stop()
    for _ in range(2):
        await entry.runtime_data.coordinator.check_now()
    assert shown(hass).attributes["event_type"] is None
    await entry.runtime_data.coordinator.check_now()
    assert shown(hass).attributes["event_type"] == "offline"
    assert "cannot be reached" in shown(hass).attributes["reason"]
    went = shown(hass).state
    await entry.runtime_data.coordinator.check_now()
    assert shown(hass).state == went  # still offline is no event
    await provider.start()
    await entry.runtime_data.coordinator.check_now()
    assert shown(hass).attributes["event_type"] == "recovered"
    assert "reason" not in shown(hass).attributes


async def test_a_failover_says_why_and_to_whom(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.answers = [refuse(429, "too busy")]
    await set_up(hass, make_entry(provider))
    async with running(FakeProvider(id="22222222-2222-4222-8222-222222222222")) as second:
        other = await set_up(hass, make_entry(second, title="The other one"))
        answer = await ask(hass)
        await hass.async_block_till_done()
        assert answer["provider"] == "The other one"
        assert shown(hass).attributes["event_type"] == "failover"
        assert shown(hass).attributes["reason"] == "too busy"
        assert shown(hass).attributes["to"] == "The other one"
        assert await hass.config_entries.async_unload(other.entry_id)
