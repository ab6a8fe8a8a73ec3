"""What can be changed of a provider that is set up: its key, its address, its options."""

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import (
    CONF_BASE_URL,
    CONF_FINGERPRINT,
    CONF_FIRST_TOKEN_TIMEOUT,
    CONF_HEALTH_INTERVAL,
    CONF_PRIORITY,
    CONF_PROVIDER_ID,
    CONF_ROUTING,
    CONF_WAKE_ACTION,
    CONF_WAKE_WAIT,
    DOMAIN,
)
from custom_components.zeroconf_ai.core.protocol.status import ProviderState
from homeassistant.config_entries import SOURCE_REAUTH, ConfigFlowResult
from homeassistant.const import CONF_API_KEY, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from ..support.fakes.provider import FakeProvider, running
from ..support.home_assistant.entries import make_entry, set_up

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")

OTHER_ID = "22222222-2222-4222-8222-222222222222"


async def submit(hass: HomeAssistant, result: ConfigFlowResult, fields: dict[str, Any]) -> ConfigFlowResult:
    """Fill in the form that is shown."""
    return await hass.config_entries.flow.async_configure(result["flow_id"], fields)


def address(host: str, *, verify: bool = True, **fields: Any) -> dict[str, Any]:
    """The filled-in form."""
    return {"host": host, **fields, "advanced": {"ssl": False, "verify_ssl": verify}}


def typed_entry(provider: FakeProvider, **data: Any) -> MockConfigEntry:
    """An entry of a server that names no identity."""
    return MockConfigEntry(domain=DOMAIN, title="Typed", data={CONF_BASE_URL: provider.base_url, **data})


async def test_reauthentication_after_a_refused_key_stores_the_new_key(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.key = "old"
    entry = await set_up(hass, make_entry(provider))
    provider.key = "new"
    await entry.runtime_data.coordinator.check_now(models=True)
    await hass.async_block_till_done()
    (flow,) = hass.config_entries.flow.async_progress()
    assert (flow["context"]["source"], flow["step_id"]) == (SOURCE_REAUTH, "reauth_confirm")
    result = await submit(hass, flow, {CONF_API_KEY: "wrong"})
    assert result["errors"] == {"base": "invalid_auth"}
    await provider.stop()
    result = await submit(hass, result, {CONF_API_KEY: "new"})
    assert result["errors"] == {"base": "cannot_connect"}
    await provider.start()
    result = await submit(hass, result, {CONF_API_KEY: "new"})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    assert entry.data[CONF_API_KEY] == "new"
    await hass.async_block_till_done()
    assert entry.runtime_data.member.state is ProviderState.HEALTHY


async def test_new_key_is_not_sent_to_another_server(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.key = "old"
    entry = make_entry(provider)
    entry.add_to_hass(hass)
    result = await entry.start_reauth_flow(hass)
    own_id, provider.id = provider.id, OTHER_ID
    result = await submit(hass, result, {CONF_API_KEY: "new"})
    assert result["errors"] == {"base": "unique_id_mismatch"}
    assert set(provider.keys) == {None}
    provider.id, provider.key = own_id, "new"
    result = await submit(hass, result, {CONF_API_KEY: "new"})
    assert result["reason"] == "reauth_successful"


async def test_reauthentication_refuses_another_id_that_is_shown_only_with_the_key(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    provider.key, provider.open_health = "new", False
    entry = make_entry(provider)
    entry.add_to_hass(hass)
    provider.id = OTHER_ID
    result = await submit(hass, await entry.start_reauth_flow(hass), {CONF_API_KEY: "new"})
    assert result["errors"] == {"base": "unique_id_mismatch"}


async def test_reconfigure_keeps_the_key_for_the_same_provider(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.key = "secret"
    entry = await set_up(hass, make_entry(provider))
    async with running(FakeProvider(id=provider.id, key="secret")) as moved:
        result = await entry.start_reconfigure_flow(hass)
        assert result["step_id"] == "reconfigure"
        schema = result["data_schema"]
        assert schema is not None
        (host,) = (field for field in schema.schema if field == "host")
        assert host.description == {"suggested_value": provider.base_url}
        assert "secret" not in str(schema.schema)
        result = await submit(hass, result, address(moved.base_url))
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
        assert entry.data[CONF_BASE_URL] == moved.base_url
        assert entry.data[CONF_API_KEY] == "secret"
        await hass.async_block_till_done()
        assert entry.runtime_data.backend.base_url == moved.base_url


async def test_reconfigure_refuses_another_provider(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.key = "secret"
    entry = make_entry(provider)
    entry.add_to_hass(hass)
    async with running(FakeProvider(id=OTHER_ID)) as other:
        result = await entry.start_reconfigure_flow(hass)
        result = await submit(hass, result, address(other.base_url))
        assert result["errors"] == {"base": "unique_id_mismatch"}
        assert set(other.keys) == {None}
        result = await submit(hass, result, address(provider.base_url))
        assert result["reason"] == "reconfigure_successful"


async def test_reconfigure_does_not_send_the_stored_key_to_another_server(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = typed_entry(provider, api_key="secret")
    entry.add_to_hass(hass)
    async with running(FakeProvider(id=None, key="secret", open_health=False)) as stranger:
        result = await submit(hass, await entry.start_reconfigure_flow(hass), address(stranger.base_url))
        assert result["errors"] == {"base": "needs_key"}
        assert set(stranger.keys) == {None}
        result = await submit(hass, result, address(stranger.base_url, api_key="secret"))
        assert result["reason"] == "reconfigure_successful"
        assert entry.data == {CONF_BASE_URL: stranger.base_url, CONF_API_KEY: "secret", CONF_VERIFY_SSL: True}


async def test_reconfigure_stores_the_reported_id(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = typed_entry(provider)
    entry.add_to_hass(hass)
    result = await submit(hass, await entry.start_reconfigure_flow(hass), address(provider.base_url))
    assert result["reason"] == "reconfigure_successful"
    assert entry.unique_id == provider.id
    assert entry.data[CONF_PROVIDER_ID] == provider.id


async def test_reconfigure_with_the_id_of_another_entry_aborts(hass: HomeAssistant, provider: FakeProvider) -> None:
    make_entry(provider).add_to_hass(hass)
    entry = typed_entry(provider)
    entry.add_to_hass(hass)
    result = await submit(hass, await entry.start_reconfigure_flow(hass), address(provider.base_url))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert entry.unique_id is None


async def test_reconfigure_keeps_a_pinned_certificate_until_verification_is_off(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    entry = make_entry(provider, fingerprint="A" * 43)
    entry.add_to_hass(hass)
    result = await submit(hass, await entry.start_reconfigure_flow(hass), address(provider.base_url))
    assert result["reason"] == "reconfigure_successful"
    assert entry.data[CONF_FINGERPRINT] == "A" * 43
    result = await submit(hass, await entry.start_reconfigure_flow(hass), address(provider.base_url, verify=False))
    assert result["reason"] == "reconfigure_successful"
    assert CONF_FINGERPRINT not in entry.data
    assert entry.data[CONF_VERIFY_SSL] is False


async def test_reconfigure_of_an_ephemeral_provider_aborts(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = make_entry(provider, ephemeral=True)
    entry.add_to_hass(hass)
    result = await entry.start_reconfigure_flow(hass)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "follows_advertisement")


async def test_options_apply_and_keep_values_set_by_entities(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider, options={CONF_PRIORITY: 7, CONF_ROUTING: False}))
    result = await hass.config_entries.options.async_init(entry.entry_id)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "init")
    wake = [{"action": "script.wake", "data": {"who": "gpu"}}]
    result = await hass.config_entries.options.async_configure(
        result["flow_id"],
        {CONF_HEALTH_INTERVAL: 45.0, CONF_FIRST_TOKEN_TIMEOUT: 12, CONF_WAKE_ACTION: wake, CONF_WAKE_WAIT: 90},
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {
        CONF_PRIORITY: 7,
        CONF_ROUTING: False,
        CONF_HEALTH_INTERVAL: 45,
        CONF_FIRST_TOKEN_TIMEOUT: 12,
        CONF_WAKE_ACTION: wake,
        CONF_WAKE_WAIT: 90,
    }
    await hass.async_block_till_done()
    runtime = entry.runtime_data
    assert runtime.backend.timeouts.first_token == 12
    assert runtime.member.wake is not None
    assert runtime.member.wake.wait == 90

    result = await hass.config_entries.options.async_init(entry.entry_id)
    result = await hass.config_entries.options.async_configure(result["flow_id"], {CONF_WAKE_ACTION: []})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert CONF_WAKE_ACTION not in entry.options
    await hass.async_block_till_done()
    assert runtime.member.wake is None


async def test_options_invalid_wake_action_is_refused(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    result = await hass.config_entries.options.async_init(entry.entry_id)
    result = await hass.config_entries.options.async_configure(result["flow_id"], {CONF_WAKE_ACTION: [{"delay": "soon"}]})
    assert result["errors"] == {CONF_WAKE_ACTION: "invalid_action"}
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["reason"]
    result = await hass.config_entries.options.async_configure(result["flow_id"], {CONF_WAKE_ACTION: [{"delay": "00:00:01"}]})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options[CONF_WAKE_ACTION] == [{"delay": "00:00:01"}]
