"""The home-only switch in Home Assistant: the page, the entity and agents follow it, and it outlasts restarts."""

import json
from typing import Any

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, WebSocketGenerator

from custom_components.zeroconf_ai.core.engine import Engine
from custom_components.zeroconf_ai.data import DATA, Shared
from custom_components.zeroconf_ai.gateway.home_only import async_load_home_only
from homeassistant.components.switch.const import DOMAIN as SWITCH_DOMAIN
from homeassistant.const import ATTR_ENTITY_ID, CONF_API_KEY, CONF_TYPE, SERVICE_TURN_OFF, STATE_OFF, STATE_ON, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import agent_data, set_up, settle
from ..support.home_assistant.gateway import box, gateway_with, post_chat
from ..support.home_assistant.states import state_of

pytestmark = pytest.mark.usefixtures("ready_to_serve")

SWITCH = "switch.test_gateway_home_only"


async def test_home_only_keeps_requests_and_agents_at_home_until_it_is_turned_off(
    hass: HomeAssistant,
    provider: FakeProvider,
    hass_ws_client: WebSocketGenerator,
    hass_client_no_auth: ClientSessionGenerator,
    hass_storage: dict[str, Any],
) -> None:
    cloud = box(provider, "Cloud", **{CONF_TYPE: "openai", CONF_API_KEY: "sk-test"})
    await set_up(hass, gateway_with(cloud, agent_data(model="auto", title="Auto agent")))
    agent = "conversation.auto_agent"
    assert state_of(hass, SWITCH).state == STATE_OFF
    assert state_of(hass, agent).state != STATE_UNAVAILABLE
    client = await hass_ws_client(hass)
    await client.send_json_auto_id({"type": "zeroconf_ai/home_only", "enabled": True})
    assert (await client.receive_json())["success"]
    await settle(hass)
    assert state_of(hass, SWITCH).state == STATE_ON
    asked = len(provider.requests)
    http = await hass_client_no_auth()
    status, answer = await post_chat(http)
    error = json.loads(answer)["error"]
    assert (status, error["code"]) == (503, "home_only")
    assert error["message"] == "The home-only switch is on, and no provider at home serves the model test-model."
    assert len(provider.requests) == asked
    engine = hass.data[DATA].engine
    hass.data[DATA] = Shared(Engine(), hass.data[DATA].discovery)
    await async_load_home_only(hass)  # as after a restart
    assert hass.data[DATA].engine.home_only
    hass.data[DATA] = Shared(engine, hass.data[DATA].discovery)
    await hass.services.async_call(SWITCH_DOMAIN, SERVICE_TURN_OFF, {ATTR_ENTITY_ID: SWITCH}, blocking=True)
    assert state_of(hass, SWITCH).state == STATE_OFF
    assert (await post_chat(http))[0] == 200
    assert hass_storage["zeroconf_ai.home_only"]["data"] == {"enabled": False}


async def test_home_only_is_forgotten_with_the_last_entry(
    hass: HomeAssistant, provider: FakeProvider, hass_ws_client: WebSocketGenerator, hass_storage: dict[str, Any]
) -> None:
    entry = await set_up(hass, gateway_with(box(provider)))
    client = await hass_ws_client(hass)
    await client.send_json_auto_id({"type": "zeroconf_ai/home_only", "enabled": True})
    assert (await client.receive_json())["success"]
    await hass.config_entries.async_remove(entry.entry_id)
    assert "zeroconf_ai.home_only" not in hass_storage
    assert not hass.data[DATA].engine.home_only
