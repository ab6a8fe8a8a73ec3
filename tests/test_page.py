"""The page in the sidebar: there while an entry is loaded."""

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.page import PATH
from homeassistant.components.frontend import DATA_PANELS
from homeassistant.core import HomeAssistant

from .support.fakes.provider import FakeProvider
from .support.home_assistant.entries import make_entry, set_up
from .support.home_assistant.gateway import gateway_with

pytestmark = pytest.mark.usefixtures("ready_to_serve")


async def test_page_is_there_until_the_last_entry_is_unloaded(hass: HomeAssistant, provider: FakeProvider) -> None:
    hass.config.components.add("frontend")
    gateway = await set_up(hass, gateway_with())
    other = await set_up(hass, make_entry(provider))
    panel = hass.data[DATA_PANELS][PATH]
    assert not panel.require_admin
    await hass.config_entries.async_unload(gateway.entry_id)
    assert PATH in hass.data[DATA_PANELS]
    await hass.config_entries.async_unload(other.entry_id)
    assert PATH not in hass.data[DATA_PANELS]
    await hass.config_entries.async_setup(other.entry_id)
    assert PATH in hass.data[DATA_PANELS]


async def test_page_module_of_its_panel_is_served(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    hass.config.components.add("frontend")
    await set_up(hass, make_entry(provider))
    config = hass.data[DATA_PANELS][PATH].config
    assert config is not None
    client = await hass_client_no_auth()
    response = await client.get(config["_panel_custom"]["module_url"])
    assert response.status == 200
    assert "zeroconf-ai-panel" in await response.text()


async def test_page_home_without_frontend_has_none(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    assert PATH not in hass.data.get(DATA_PANELS, {})
