"""The switch takes a provider out of what any provider may answer."""

from unittest.mock import patch

from pytest_homeassistant_custom_component.common import snapshot_platform
from syrupy.assertion import SnapshotAssertion

from custom_components.zeroconf_ai.const import CONF_ROUTING
from homeassistant.components.switch.const import DOMAIN as SWITCH_DOMAIN
from homeassistant.const import (
    ATTR_ENTITY_ID,
    SERVICE_TURN_OFF,
    SERVICE_TURN_ON,
    STATE_OFF,
    STATE_ON,
    STATE_UNAVAILABLE,
    Platform,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from .support.fakes.provider import FakeProvider
from .support.home_assistant.entries import AGENT, agent_data, ask, make_entry, set_up
from .support.home_assistant.states import state_of

ROUTING = "switch.test_provider_use_this_provider"


async def test_entity(
    hass: HomeAssistant, provider: FakeProvider, entity_registry: er.EntityRegistry, snapshot: SnapshotAssertion
) -> None:
    with patch("custom_components.zeroconf_ai.PLATFORMS", [Platform.SWITCH]):
        entry = await set_up(hass, make_entry(provider, entry_id="01PROVIDER"))
    await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)


async def test_provider_switched_off_answers_only_pinned_requests(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider, subentries=[agent_data(model="auto")]))
    member = entry.runtime_data.member

    async def turn(service: str) -> None:
        await hass.services.async_call(SWITCH_DOMAIN, service, {ATTR_ENTITY_ID: ROUTING}, blocking=True)
        await hass.async_block_till_done()

    await turn(SERVICE_TURN_OFF)
    assert entry.options[CONF_ROUTING] is False
    assert entry.runtime_data.member is member  # at once, without a reload
    assert state_of(hass, ROUTING).state == STATE_OFF
    assert state_of(hass, AGENT).state == STATE_UNAVAILABLE
    await ask(hass, fails=True)
    assert (await ask(hass, config_entry_id=entry.entry_id))["provider"] == "Test provider"
    await turn(SERVICE_TURN_ON)
    assert state_of(hass, ROUTING).state == STATE_ON
    assert state_of(hass, AGENT).state != STATE_UNAVAILABLE
    await ask(hass)
