"""Providers that Home Assistant cannot reach: their connectors open a link to it."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from yarl import URL

from custom_components.zeroconf_ai.const import (
    CONF_BASE_URL,
    CONF_CONNECTOR_ID,
    CONF_OWN_PORT,
    CONF_PROVIDER_ID,
    CONF_WAKE_ACTION,
    DOMAIN,
)
from custom_components.zeroconf_ai.core.accounting.connectors import PairedConnector
from custom_components.zeroconf_ai.core.relay import uplink as uplinks
from custom_components.zeroconf_ai.core.relay.handshake import HandshakeError, Paired, public_bytes
from custom_components.zeroconf_ai.core.relay.session import relay_url
from custom_components.zeroconf_ai.flows import connector
from custom_components.zeroconf_ai.provider import relay
from custom_components.zeroconf_ai.provider.relay import AWAY_SECONDS, RELAY, connector_data
from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER, ConfigEntry, ConfigEntryDisabler, ConfigFlowContext
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.setup import async_setup_component

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.connector import Machine
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway_entry import make_gateway
from ..support.ports import free_port

pytestmark = pytest.mark.usefixtures("checked_texts", "ready_to_serve")

LIMIT = 20.0


async def begin(hass: HomeAssistant) -> Mapping[str, Any]:
    """The step that shows the command and the code."""
    result: Mapping[str, Any] = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    result = await hass.config_entries.flow.async_configure(result["flow_id"], {"next_step_id": "connector"})
    assert (result["type"], result["progress_action"]) == (FlowResultType.SHOW_PROGRESS, "connector")
    return result


async def finished(hass: HomeAssistant, result: Mapping[str, Any]) -> Mapping[str, Any]:
    """The step after the connector was connected, or was not."""
    flow = next(flow for flow in hass.config_entries.flow._progress.values() if flow.flow_id == result["flow_id"])
    await asyncio.wait([flow._waiting])  # type: ignore[attr-defined]
    again: Mapping[str, Any] = await hass.config_entries.flow.async_configure(result["flow_id"])
    if again["type"] is FlowResultType.SHOW_PROGRESS_DONE:
        again = await hass.config_entries.flow.async_configure(result["flow_id"])
    return again


async def machine_of(hass: HomeAssistant, hass_client_no_auth: ClientSessionGenerator, provider: FakeProvider) -> Machine:
    """A machine that reaches Home Assistant's port."""
    for component in ("stt", "tts", DOMAIN):  # the test's server takes no more paths once it runs
        assert await async_setup_component(hass, component, {})
    client = await hass_client_no_auth()
    return Machine(client.make_url("/v1/relay"), provider)


async def added(hass: HomeAssistant, machine: Machine) -> ConfigEntry:
    """The entry of a machine that is connected by the flow; its link is closed at the end."""
    result = await begin(hass)
    code = result["description_placeholders"]["code"]
    async with machine.connected(code):
        result = await finished(hass, result)
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
    entry: ConfigEntry = result["result"]
    return entry


async def test_connector_is_added_by_the_command_and_answers(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    async with asyncio.timeout(LIMIT):
        machine = await machine_of(hass, hass_client_no_auth, provider)
        result = await begin(hass)
        shown = result["description_placeholders"]
        assert shown["command"].startswith("zeroconf-ai connect http")
        async with machine.connected(shown["code"]):
            result = await finished(hass, result)
            assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "GPU *box*")
            await hass.async_block_till_done()
            entry = result["result"]
            assert machine.paired is not None
            assert entry.unique_id == entry.data[CONF_CONNECTOR_ID] == machine.paired.id
            assert CONF_PROVIDER_ID not in entry.data
            assert entry.runtime_data.member.online
            assert await entry.runtime_data.backend.leaves_home()
            device = dr.async_get(hass).async_get(entry.runtime_data.device_id)
            assert isinstance(device, dr.DeviceEntry)
            assert device.configuration_url is None
            (agent_id,) = [name for name in hass.states.async_entity_ids("conversation") if "gpu" in name]
            agent = {"agent_id": agent_id, "text": "Hello"}
            answer = await hass.services.async_call("conversation", "process", agent, blocking=True, return_response=True)
            assert "Hello there." in str(answer)
            assert provider.requests[-1]["messages"][-1]["content"].startswith("Hello")


async def test_connector_keeps_its_pairing_over_a_reload(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    async with asyncio.timeout(LIMIT):
        machine = await machine_of(hass, hass_client_no_auth, provider)
        entry = await added(hass, machine)
        async with machine.connected() as link:
            await hass.config_entries.async_reload(entry.entry_id)
            await hass.async_block_till_done()
            assert not link.closed
            while not entry.runtime_data.member.online:
                await entry.runtime_data.coordinator.check_now()


async def test_connector_of_an_entry_connects_after_a_restart_also_to_the_separate_port(
    hass: HomeAssistant, provider: FakeProvider, tmp_path: Path
) -> None:
    hass.http.server_host = ["127.0.0.1"]
    port = free_port()
    await set_up(hass, make_gateway(tmp_path, options={CONF_OWN_PORT: port}))
    machine = Machine(URL(f"http://127.0.0.1:{port}/v1/relay"), provider)
    data = connector_data(PairedConnector("stored", "GPU box", public_bytes(machine.key), 0.0))
    entry = MockConfigEntry(domain=DOMAIN, title="GPU box", data={CONF_BASE_URL: relay_url("stored"), **data})
    await set_up(hass, entry)
    assert not entry.runtime_data.member.online
    house = await hass.data[RELAY].hub()
    machine.paired = Paired(public_bytes(await house.key()), "Home", "stored")
    async with asyncio.timeout(LIMIT), machine.connected():
        while not entry.runtime_data.member.online:
            await asyncio.sleep(0.02)


async def test_connector_away_is_offline_and_its_owner_is_told(
    hass: HomeAssistant,
    provider: FakeProvider,
    hass_client_no_auth: ClientSessionGenerator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert AWAY_SECONDS == 300.0
    monkeypatch.setattr(uplinks, "RECONNECT_SECONDS", 0.1)
    monkeypatch.setattr(relay, "AWAY_SECONDS", 0.1)
    async with asyncio.timeout(LIMIT):
        machine = await machine_of(hass, hass_client_no_auth, provider)
        entry = await added(hass, machine)
        member = entry.runtime_data.member
        while member.online:
            await asyncio.sleep(0.02)
        issue_id = f"connector_away_{entry.entry_id}"
        while ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None:
            await asyncio.sleep(0.02)
        async with machine.connected():
            while not member.online:
                await asyncio.sleep(0.02)
            assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None


async def test_connector_of_a_disabled_or_removed_entry_is_refused(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    async with asyncio.timeout(LIMIT):
        machine = await machine_of(hass, hass_client_no_auth, provider)
        entry = await added(hass, machine)
        async with machine.connected() as link:
            await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
            while not link.closed:
                await asyncio.sleep(0.02)
        with pytest.raises(HandshakeError) as raised:
            async with machine.connected():
                pass
        assert raised.value.code == "disabled"
        await hass.config_entries.async_set_disabled_by(entry.entry_id, None)
        async with machine.connected() as link:
            await hass.config_entries.async_remove(entry.entry_id)
            while not link.closed:
                await asyncio.sleep(0.02)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with machine.connected():
                pass
        assert refused.value.status == 404  # no entry is left
        assert not await hass.async_add_executor_job(Path(hass.config.path("zeroconf_ai", "relay")).exists)


async def test_connector_without_models_is_not_added_and_a_new_code_is_offered(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    async with asyncio.timeout(LIMIT):
        machine = await machine_of(hass, hass_client_no_auth, provider)
        models, provider.models = provider.models, []
        result = await begin(hass)
        first = result["description_placeholders"]["code"]
        async with machine.connected(first):
            result = await finished(hass, result)
            assert (result["step_id"], result["errors"]) == ("connector_again", {"base": "no_models"})
        provider.models = models
        again: Mapping[str, Any] = await hass.config_entries.flow.async_configure(result["flow_id"], {})
        second = again["description_placeholders"]["code"]
        assert second != first
        async with machine.connected(second):
            result = await finished(hass, again)
            assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_flow_that_is_closed_forgets_its_code_and_its_connector(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    async with asyncio.timeout(LIMIT):
        machine = await machine_of(hass, hass_client_no_auth, provider)
        result = await begin(hass)
        code = result["description_placeholders"]["code"]
        hass.config_entries.flow.async_abort(result["flow_id"])
        with pytest.raises(HandshakeError) as raised:
            async with machine.connected(code):
                pass
        assert raised.value.code == "invalid_code"


async def test_code_that_nobody_uses_expires(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay.HomeRelay, "seconds_left", lambda *_: -0.9)
    result = await finished(hass, await begin(hass))
    assert (result["step_id"], result["errors"]) == ("connector_again", {"base": "code_expired"})


async def test_code_that_is_entered_wrongly_three_times_ends_the_dialog_soon(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "HANDSHAKE_SECONDS", 0.5)
    async with asyncio.timeout(LIMIT):
        machine = await machine_of(hass, hass_client_no_auth, provider)
        result = await begin(hass)
        right = result["description_placeholders"]["code"]
        wrong = "0000-0000" if right != "0000-0000" else "1111-1111"
        for _ in range(3):
            with pytest.raises(HandshakeError):
                async with machine.connected(wrong):
                    pass
        result = await finished(hass, result)
    assert (result["step_id"], result["errors"]) == ("connector_again", {"base": "code_used_up"})


async def test_connector_has_no_address_and_is_not_woken(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    async with asyncio.timeout(LIMIT):
        entry = await added(hass, await machine_of(hass, hass_client_no_auth, provider))
        again = ConfigFlowContext(source=SOURCE_RECONFIGURE, entry_id=entry.entry_id)
        result = await hass.config_entries.flow.async_init(DOMAIN, context=again)
        assert result["reason"] == "connector_has_no_address"
        options = await hass.config_entries.options.async_init(entry.entry_id)
        assert options["data_schema"] is not None
        assert CONF_WAKE_ACTION not in options["data_schema"].schema
        assert entry.data[CONF_BASE_URL].endswith(".relay.invalid/v1")


async def test_path_of_the_relay_without_connectors_is_closed(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    for component in ("stt", "tts", DOMAIN):  # the test's server takes no more paths once it runs
        assert await async_setup_component(hass, component, {})
    client = await hass_client_no_auth()
    response = await client.get("/v1/relay")
    assert (response.status, (await response.json())["error"]["code"]) == (404, "not_found")
    await hass.data[RELAY].hub()
    response = await client.get("/v1/relay")
    assert response.status == 426
    with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
        await client.ws_connect("/v1/relay", protocols=("zeroconfai.relay.1",), origin="https://evil.example")
    assert raised.value.status == 403
