"""The number puts a provider in its place in the order."""

from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import snapshot_platform
from syrupy.assertion import SnapshotAssertion

from custom_components.zeroconf_ai.const import CONF_PRIORITY
from homeassistant.components.number.const import DOMAIN as NUMBER_DOMAIN, SERVICE_SET_VALUE
from homeassistant.const import ATTR_ENTITY_ID, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er

from .support.fakes.provider import FakeProvider, running
from .support.home_assistant.entries import announce, ask, make_entry, record_of, set_up
from .support.home_assistant.states import state_of

pytestmark = pytest.mark.usefixtures("all_entities_enabled")

PRIORITY = "number.test_provider_priority"


async def set_priority(hass: HomeAssistant, value: float) -> None:
    data = {ATTR_ENTITY_ID: PRIORITY, "value": value}
    await hass.services.async_call(NUMBER_DOMAIN, SERVICE_SET_VALUE, data, blocking=True)
    await hass.async_block_till_done()


async def test_entity(
    hass: HomeAssistant, provider: FakeProvider, entity_registry: er.EntityRegistry, snapshot: SnapshotAssertion
) -> None:
    with patch("custom_components.zeroconf_ai.PLATFORMS", [Platform.NUMBER]):
        entry = await set_up(hass, make_entry(provider, entry_id="01PROVIDER"))
    await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)


async def test_priority_is_the_advertised_one_until_it_is_set(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    assert state_of(hass, PRIORITY).state == "100"
    announce(hass, record_of(provider, priority=7))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, PRIORITY).state == "7"
    await set_priority(hass, 0)
    assert state_of(hass, PRIORITY).state == "0"
    assert entry.options[CONF_PRIORITY] == 0
    announce(hass, record_of(provider, priority=9))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, PRIORITY).state == "0"
    with pytest.raises(ServiceValidationError):
        await set_priority(hass, 65536)


async def test_priority_lowest_answers_first(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    member = entry.runtime_data.member
    async with running(FakeProvider(id="22222222-2222-4222-8222-222222222222")) as second:
        other = await set_up(hass, make_entry(second, title="The other one", subentries=[]))
        await set_priority(hass, 101)
        assert (await ask(hass))["provider"] == "The other one"
        await set_priority(hass, 99)
        assert (await ask(hass))["provider"] == "Test provider"
        assert entry.runtime_data.member is member  # without a reload
        assert await hass.config_entries.async_unload(other.entry_id)
