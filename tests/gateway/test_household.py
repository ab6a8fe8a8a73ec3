"""The household of the gateway: programs with its code chat without an API key, and do nothing else."""

import time

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.const import (
    CONF_ADVERTISE,
    CONF_HOUSEHOLD,
    CONF_HOUSEHOLD_COST_PER_HOUR,
    CONF_HOUSEHOLD_TOKENS_PER_HOUR,
)
from custom_components.zeroconf_ai.core.protocol.household import HouseholdCode, HouseholdKey
from custom_components.zeroconf_ai.core.server.tool_requests import HEADER as HOUSE_TOOLS
from custom_components.zeroconf_ai.diagnostics import async_get_config_entry_diagnostics
from custom_components.zeroconf_ai.flows.household_probe import HOUSEHOLD_INVALID
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from ..flows.options import begin, submit, suggested
from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.assist import make_kitchen
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import CHAT, CHAT_PATH, KEY, bearer, box, gateway_with, runtime_of
from ..support.home_assistant.gateway_entry import home_agent_data

pytestmark = pytest.mark.usefixtures("ready_to_serve")


async def test_gateway_with_a_household_admits_its_members_to_chat_alone(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator, caplog: pytest.LogCaptureFixture
) -> None:
    entry = gateway_with(box(provider), options={CONF_ADVERTISE: False}, key=None)
    await set_up(hass, entry)
    result = await begin(hass, entry, "household")
    code = HouseholdCode.parse(suggested(result)[CONF_HOUSEHOLD])
    limits = {CONF_HOUSEHOLD_TOKENS_PER_HOUR: 5000, CONF_HOUSEHOLD_COST_PER_HOUR: 0.5}
    result = await submit(hass, result, {CONF_HOUSEHOLD: "my secret word", **limits})
    assert result["errors"] == {CONF_HOUSEHOLD: HOUSEHOLD_INVALID}
    result = await submit(hass, result, {CONF_HOUSEHOLD: code.text.upper(), **limits})
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    await hass.async_block_till_done()
    assert entry.options[CONF_HOUSEHOLD] == code.text
    runtime = runtime_of(entry)
    tokens = runtime.household.tokens
    assert tokens is not None
    key = await hass.async_add_executor_job(HouseholdKey, code)
    token = key.open(tokens.sealed, runtime.server.id, time.time()).token
    assert runtime.presence._record().sealed_token == tokens.sealed
    client = await hass_client_no_auth()
    answer = await client.post(CHAT_PATH, json=CHAT, headers=bearer(token))
    assert answer.status == 200
    answer = await client.get("/v1/usage", headers=bearer(token))
    assert answer.status == 403
    for path in ("/v1/images/upload", "/v1/responses", "/v1/audio/speech", "/v1/embeddings"):
        answer = await client.post(path, json={}, headers=bearer(token))
        assert (answer.status, (await answer.json())["error"]["code"]) == (403, "endpoint_not_allowed")
    answer = await client.post(CHAT_PATH, json=CHAT, headers=bearer(token) | {HOUSE_TOOLS: "home"})
    assert (answer.status, (await answer.json())["error"]["code"]) == (403, "house_tools_not_allowed")
    answer = await client.post(CHAT_PATH, json=CHAT | {"max_tokens": 6000}, headers=bearer(token))
    assert answer.status == 429
    shown = str(await async_get_config_entry_diagnostics(hass, entry))
    assert code.text not in shown
    assert code.passphrase[:9] not in shown + caplog.text
    assert token not in shown + caplog.text
    result = await begin(hass, entry, "household")
    await submit(hass, result, limits)
    await hass.async_block_till_done()
    assert runtime.household.tokens is None
    assert CONF_HOUSEHOLD not in entry.options
    answer = await client.post(CHAT_PATH, json=CHAT, headers=bearer(token))
    assert answer.status == 401
    assert runtime.presence._record().sealed_token is None


async def test_household_token_reaches_no_agent_of_the_home(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    code = HouseholdCode.generate()
    entry = gateway_with(box(provider), home_agent_data(), options={CONF_ADVERTISE: False, CONF_HOUSEHOLD: code.text})
    kitchen = make_kitchen(hass, "Kitchen light")
    await set_up(hass, entry)
    runtime = runtime_of(entry)
    tokens = runtime.household.tokens
    assert tokens is not None
    key = await hass.async_add_executor_job(HouseholdKey, code)
    token = key.open(tokens.sealed, runtime.server.id, time.time()).token
    client = await hass_client_no_auth()
    order = {"model": "homeassistant/assist", "messages": [{"role": "user", "content": "Turn off the kitchen light"}]}
    refused = await client.post(CHAT_PATH, json=order, headers=bearer(token))
    assert refused.status >= 400
    assert kitchen.state == "on"
    allowed = await client.post(CHAT_PATH, json=order, headers=bearer(KEY))
    assert (allowed.status, kitchen.state) == (200, "off"), await allowed.text()
    await hass.async_block_till_done()
