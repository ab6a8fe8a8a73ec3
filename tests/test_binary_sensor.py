"""Connectivity: on while the provider's address answers."""

from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import snapshot_platform
from syrupy.assertion import SnapshotAssertion

from homeassistant.const import STATE_OFF, STATE_ON, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from .support.fakes.provider import FakeProvider
from .support.home_assistant.entries import make_entry, set_up
from .support.home_assistant.states import state_of

pytestmark = pytest.mark.usefixtures("all_entities_enabled")

CONNECTIVITY = "binary_sensor.test_provider_connectivity"


async def test_entity(
    hass: HomeAssistant, provider: FakeProvider, entity_registry: er.EntityRegistry, snapshot: SnapshotAssertion
) -> None:
    with patch("custom_components.zeroconf_ai.PLATFORMS", [Platform.BINARY_SENSOR]):
        entry = await set_up(hass, make_entry(provider, entry_id="01PROVIDER"))
    await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)


async def test_connectivity_is_on_for_a_refused_key_and_off_when_offline(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    assert state_of(hass, CONNECTIVITY).state == STATE_ON
    provider.key, provider.open_health = "secret", False
    await entry.runtime_data.coordinator.check_now()
    assert state_of(hass, CONNECTIVITY).state == STATE_ON
    await provider.stop()
    for _ in range(3):
        await entry.runtime_data.coordinator.check_now()
    assert state_of(hass, CONNECTIVITY).state == STATE_OFF
