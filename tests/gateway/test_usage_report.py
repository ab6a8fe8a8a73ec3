"""`/admin/usage` of Home Assistant: the report for administrators, and the way to the panel for browsers."""

import aiohttp
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.const import CONF_OWN_PORT
from custom_components.zeroconf_ai.page import PATH, async_remove_page
from homeassistant.core import HomeAssistant

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import bearer, box, gateway_with, post_chat, runtime_of

pytestmark = pytest.mark.usefixtures("ready_to_serve")

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


async def test_usage_report_of_home_assistant_names_keys_and_users_for_administrators_only(
    hass: HomeAssistant,
    provider: FakeProvider,
    hass_client: ClientSessionGenerator,
    hass_client_no_auth: ClientSessionGenerator,
    hass_read_only_access_token: str,
) -> None:
    entry = await set_up(hass, gateway_with(box(provider)))
    store = runtime_of(entry).store
    _, admin = await store.keys.create("Report", endpoints=("admin",))
    http = await hass_client_no_auth()
    assert (await post_chat(http))[0] == 200
    for client, headers in ((await hass_client(), {}), (http, bearer(admin))):
        response = await client.get("/admin/usage?group_by=hour,key", headers=headers)
        assert response.status == 200
        report = await response.json()
        assert [(row["key_name"], row["requests"]) for row in report["rows"]] == [("First key", 1)]
    for headers, status in (({}, 401), (bearer(), 403), (bearer(hass_read_only_access_token), 403)):
        assert (await http.get("/admin/usage", headers=headers)).status == status


async def test_usage_report_of_a_browser_is_the_panel(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    hass.config.components.add("frontend")
    entry = await set_up(hass, gateway_with(box(provider)))
    http = await hass_client_no_auth()
    response = await http.get("/admin/usage?format=csv", headers=BROWSER, allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (303, f"/{PATH}/usage")
    async_remove_page(hass)
    assert (await http.get("/admin/usage", headers=BROWSER, allow_redirects=False)).status == 401
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert (await http.get("/admin/usage", headers=bearer())).status == 503


async def test_usage_report_of_a_browser_at_the_separate_port_is_the_panel_of_home_assistant(
    hass: HomeAssistant, provider: FakeProvider, unused_tcp_port: int
) -> None:
    hass.config.components.add("frontend")
    hass.config.internal_url = "http://192.0.2.2:8123"
    await set_up(hass, gateway_with(box(provider), options={CONF_OWN_PORT: unused_tcp_port}))
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{unused_tcp_port}/admin/usage"
        async with session.get(url, headers=BROWSER, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, f"http://192.0.2.2:8123/{PATH}/usage")
