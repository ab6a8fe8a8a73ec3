"""The buttons ask the provider at once."""

from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import snapshot_platform
from syrupy.assertion import SnapshotAssertion

from homeassistant.components.button.const import DOMAIN as BUTTON_DOMAIN, SERVICE_PRESS
from homeassistant.const import ATTR_ENTITY_ID, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from .support.fakes.provider import FakeProvider
from .support.home_assistant.entries import make_entry, set_up
from .support.home_assistant.states import state_of

pytestmark = pytest.mark.usefixtures("all_entities_enabled")


async def press(hass: HomeAssistant, key: str) -> None:
    data = {ATTR_ENTITY_ID: f"button.test_provider_{key}"}
    await hass.services.async_call(BUTTON_DOMAIN, SERVICE_PRESS, data, blocking=True)


async def test_entities(
    hass: HomeAssistant, provider: FakeProvider, entity_registry: er.EntityRegistry, snapshot: SnapshotAssertion
) -> None:
    with patch("custom_components.zeroconf_ai.PLATFORMS", [Platform.BUTTON]):
        entry = await set_up(hass, make_entry(provider, entry_id="01PROVIDER"))
    await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)


async def test_buttons_check_the_health_and_refresh_the_models(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    provider.received.clear()
    provider.models = [{"id": "new-model"}]
    await press(hass, "check_now")
    assert "/v1/health" in provider.paths
    assert "/v1/models" not in provider.paths
    assert state_of(hass, "sensor.test_provider_models").attributes["models"] == ["test-model"]
    await press(hass, "refresh_models")
    assert state_of(hass, "sensor.test_provider_models").attributes["models"] == ["new-model"]


async def test_button_for_an_offline_provider_shows_it_offline(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    await provider.stop()
    for _ in range(3):
        await press(hass, "check_now")
    assert state_of(hass, "sensor.test_provider_status").state == "offline"
