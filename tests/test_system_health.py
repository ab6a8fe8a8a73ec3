"""The system information page."""

import pytest
from pytest_homeassistant_custom_component.common import get_system_health_info

from custom_components.zeroconf_ai.const import CONF_ENABLED, DOMAIN
from custom_components.zeroconf_ai.data import DATA
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .support.fakes.provider import FakeProvider
from .support.home_assistant.entries import announce, make_entry, record_of, set_up
from .support.home_assistant.gateway import box, gateway_with


async def test_system_health_of_providers_has_their_counts(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    announce(hass, record_of(FakeProvider(id="33333333-3333-4333-8333-333333333333", port=9), "Stranger"))
    assert await get_system_health_info(hass, DOMAIN) == {
        "providers": 1,
        "online": 1,
        "models": 1,
        "discovered": 1,
        "browsing": True,
    }
    await provider.stop()
    for _ in range(3):
        await entry.runtime_data.coordinator.check_now()
    await hass.data[DATA].discovery.close()
    info = await get_system_health_info(hass, DOMAIN)
    assert (info["online"], info["browsing"]) == (0, False)


@pytest.mark.usefixtures("ready_to_serve")
async def test_system_health_of_a_gateway_has_its_state(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, gateway_with(box(provider)))
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    info = await get_system_health_info(hass, DOMAIN)
    assert (info["providers"], info["online"], info["models"]) == (0, 0, 2)
    assert (info["gateway"], info["backends"], info["advertised"]) == ("running", 2, False)
    hass.config_entries.async_update_entry(entry, options={CONF_ENABLED: False})
    await hass.async_block_till_done()
    assert (await get_system_health_info(hass, DOMAIN))["gateway"] == "off"
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert "gateway" not in await get_system_health_info(hass, DOMAIN)
