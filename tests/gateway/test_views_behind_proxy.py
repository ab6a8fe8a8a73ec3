"""The gateway behind a trusted reverse proxy: the forwarded address is the client's."""

from pathlib import Path

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.const import CONF_AUTH, CONF_NETWORKS
from homeassistant.components.http.ban import KEY_FAILED_LOGIN_ATTEMPTS
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import CHAT, CHAT_PATH, bearer, box, gateway_with

HOME, ABROAD = "192.0.2.7", "203.0.113.9"


@pytest.fixture
async def behind(hass: HomeAssistant, provider: FakeProvider, tmp_path: Path) -> HomeAssistant:
    """A Home Assistant behind a proxy at 127.0.0.1, with a gateway that requires no key in 192.0.2.0/24."""
    hass.config.config_dir = str(tmp_path)
    believed = {"use_x_forwarded_for": True, "trusted_proxies": ["127.0.0.0/8"]}
    assert await async_setup_component(hass, "http", {"http": believed})
    await set_up(hass, gateway_with(box(provider), options={CONF_AUTH: "none", CONF_NETWORKS: ["192.0.2.0/24"]}))
    return hass


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [(HOME, 200), (ABROAD, 403), (f"{HOME}, {ABROAD}", 403), (f"{ABROAD}, 127.0.0.2", 403), (f"{HOME}, 127.0.0.2", 200)],
)
async def test_proxy_forwarded_address_is_the_clients(
    behind: HomeAssistant, hass_client_no_auth: ClientSessionGenerator, forwarded: str, status: int
) -> None:
    client = await hass_client_no_auth()
    answer = await client.post(CHAT_PATH, json=CHAT, headers={"X-Forwarded-For": forwarded})
    assert answer.status == status
    if status == 403:
        assert (await answer.json())["error"]["code"] == "network_not_allowed"


async def test_proxy_address_has_no_access_but_a_key_works_from_everywhere(
    behind: HomeAssistant, hass_client_no_auth: ClientSessionGenerator
) -> None:
    client = await hass_client_no_auth()
    assert (await client.post(CHAT_PATH, json=CHAT)).status == 403
    abroad = {"X-Forwarded-For": ABROAD}
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer() | abroad)).status == 200
    assert not behind.http.app.get(KEY_FAILED_LOGIN_ATTEMPTS)
