"""The repairs are offered, and lead out of the trouble."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai import issues
from custom_components.zeroconf_ai.const import (
    CONF_BASE_URL,
    CONF_FINGERPRINT,
    CONF_PROVIDER_ID,
    CONF_SERVICE_NAME,
    DOMAIN,
    SUBENTRY_CONVERSATION,
)
from homeassistant.components.repairs import RepairsFlowManager, RepairsFlowResult, repairs_flow_manager
from homeassistant.config_entries import SOURCE_ZEROCONF
from homeassistant.const import CONF_API_KEY, CONF_MODEL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from ..support.fakes.provider import FakeProvider, running
from ..support.home_assistant.discovery import announced, discover
from ..support.home_assistant.entries import agent_data, make_entry, record_of, set_up

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")

OTHER_ID = "22222222-2222-4222-8222-222222222222"


@pytest.fixture
async def repairs(hass: HomeAssistant, ready: None) -> RepairsFlowManager:
    """The manager of repair flows."""
    await async_setup_component(hass, "repairs", {})
    manager = repairs_flow_manager(hass)
    assert manager is not None
    return manager


@pytest.fixture
async def successor(provider: FakeProvider) -> AsyncIterator[FakeProvider]:
    """Another provider that is advertised in place of the provider."""
    async with running(FakeProvider(id=OTHER_ID)) as fake:
        yield fake


def issue_of(hass: HomeAssistant, prefix: str) -> str | None:
    """The id of the one issue of a kind, or None."""
    found = [key for domain, key in ir.async_get(hass).issues if domain == DOMAIN and key.startswith(prefix)]
    assert len(found) < 2
    return found[0] if found else None


async def mend(repairs: RepairsFlowManager, issue_id: str | None) -> RepairsFlowResult:
    """Open the flow of an issue."""
    assert issue_id is not None
    return await repairs.async_init(DOMAIN, context={"issue_id": issue_id})


async def vanish(hass: HomeAssistant, provider: FakeProvider) -> MockConfigEntry:
    """An entry with an agent whose model no longer exists."""
    provider.models = [{"id": "embed"}, {"id": "new-model"}]
    entry = await set_up(hass, make_entry(provider, subentries=[agent_data("Butler")]))
    assert issue_of(hass, issues.MODEL_VANISHED) is not None
    return entry


async def test_vanished_model_is_replaced(hass: HomeAssistant, provider: FakeProvider, repairs: RepairsFlowManager) -> None:
    entry = await vanish(hass, provider)
    result = await mend(repairs, issue_of(hass, issues.MODEL_VANISHED))
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "init")
    assert result["description_placeholders"] == {"agent": "Butler", "provider": "Test provider", "model": "test-model"}
    assert result["data_schema"] is not None
    options = result["data_schema"].schema[CONF_MODEL].config["options"]
    assert [option["value"] for option in options] == ["auto", "new-model"]
    result = await repairs.async_configure(result["flow_id"], {CONF_MODEL: "new-model"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    (agent,) = entry.get_subentries_of_type(SUBENTRY_CONVERSATION)
    assert agent.data == {CONF_MODEL: "new-model", "llm_hass_api": ["assist"]}
    await hass.async_block_till_done()
    assert issue_of(hass, issues.MODEL_VANISHED) is None


async def test_vanished_model_of_an_unloaded_provider_offers_auto(
    hass: HomeAssistant, provider: FakeProvider, repairs: RepairsFlowManager
) -> None:
    entry = await vanish(hass, provider)
    await hass.config_entries.async_unload(entry.entry_id)
    result = await mend(repairs, issue_of(hass, issues.MODEL_VANISHED))
    result = await repairs.async_configure(result["flow_id"], {})  # the default is `auto`
    assert result["type"] is FlowResultType.CREATE_ENTRY
    (agent,) = entry.get_subentries_of_type(SUBENTRY_CONVERSATION)
    assert agent.data[CONF_MODEL] == "auto"


async def test_issues_of_a_removed_agent_are_deleted(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await vanish(hass, provider)
    (agent,) = entry.get_subentries_of_type(SUBENTRY_CONVERSATION)
    issues.check_context(hass, entry, agent, 300, 50)
    assert issue_of(hass, issues.MODEL_VANISHED) is not None
    hass.config_entries.async_remove_subentry(entry, agent.subentry_id)
    await hass.async_block_till_done()
    assert issue_of(hass, issues.MODEL_VANISHED) is issue_of(hass, issues.CONTEXT_TOO_SMALL) is None


async def test_issue_of_a_prompt_ends_with_another_model_and_stays_with_other_changes(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    entry = await set_up(hass, make_entry(provider, subentries=[agent_data()]))
    (agent,) = entry.subentries.values()
    issues.check_context(hass, entry, agent, 300, 50)
    hass.config_entries.async_update_subentry(entry, agent, data={**agent.data, "max_history": 4})
    await hass.async_block_till_done()
    assert issue_of(hass, issues.CONTEXT_TOO_SMALL) is not None
    hass.config_entries.async_update_subentry(entry, agent, data={**agent.data, CONF_MODEL: "auto"})
    await hass.async_block_till_done()
    assert issue_of(hass, issues.CONTEXT_TOO_SMALL) is None


async def test_issues_without_a_fix_flow_link_to_what_can_be_done(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider, subentries=[agent_data()]))
    (agent,) = entry.subentries.values()
    issues.check_context(hass, entry, agent, 300, 50)
    issues.database_unavailable(hass, "The disk is full")
    found = [issue for (domain, _), issue in ir.async_get(hass).issues.items() if domain == DOMAIN]
    assert len(found) == 2
    for issue in found:
        assert (issue.is_fixable, issue.learn_more_url) == (False, issues.MORE_URL)


async def test_vanished_model_of_a_removed_agent_aborts(
    hass: HomeAssistant, provider: FakeProvider, repairs: RepairsFlowManager
) -> None:
    entry = await vanish(hass, provider)
    result = await mend(repairs, issue_of(hass, issues.MODEL_VANISHED))
    (agent,) = entry.get_subentries_of_type(SUBENTRY_CONVERSATION)
    hass.config_entries.async_remove_subentry(entry, agent.subentry_id)
    result = await repairs.async_configure(result["flow_id"], {CONF_MODEL: "new-model"})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "gone")


async def replaced(
    hass: HomeAssistant, provider: FakeProvider, successor: FakeProvider, **data: Any
) -> tuple[MockConfigEntry, str | None]:
    """An entry whose provider is offline while another one advertises its name, and the issue."""
    entry = await set_up(hass, make_entry(provider, **data))
    await provider.stop()
    issues.identity_changed(entry.runtime_data.coordinator, record_of(successor, "GPU box"))
    return entry, issue_of(hass, issues.IDENTITY_CHANGED)


async def test_new_identity_is_accepted_without_the_former_key(
    hass: HomeAssistant, provider: FakeProvider, successor: FakeProvider, repairs: RepairsFlowManager
) -> None:
    entry, issue_id = await replaced(hass, provider, successor, **{CONF_API_KEY: "old", CONF_FINGERPRINT: "A" * 43})
    offered = await discover(hass, announced(successor, "GPU box"))
    assert offered["type"] is FlowResultType.FORM
    agents = set(entry.subentries)
    result = await mend(repairs, issue_id)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "confirm")
    assert result["data_schema"] is not None
    assert {str(field) for field in result["data_schema"].schema} == {"api_key", "keep_key"}
    result = await repairs.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.unique_id == OTHER_ID
    assert entry.data == {
        CONF_BASE_URL: successor.base_url,
        CONF_PROVIDER_ID: OTHER_ID,
        CONF_SERVICE_NAME: "GPU box",
    }
    assert set(entry.subentries) == agents
    await hass.async_block_till_done()
    assert set(successor.keys) == {None}
    assert entry.runtime_data.backend.base_url == successor.base_url
    assert issue_of(hass, issues.IDENTITY_CHANGED) is None
    assert not [flow for flow in hass.config_entries.flow.async_progress() if flow["context"]["source"] == SOURCE_ZEROCONF]


@pytest.mark.parametrize(("fields", "key"), [({"keep_key": True}, "old"), ({"api_key": "new"}, "new")])
async def test_new_identity_requiring_a_key_uses_the_stored_key_only_by_choice(
    hass: HomeAssistant,
    provider: FakeProvider,
    successor: FakeProvider,
    repairs: RepairsFlowManager,
    fields: dict[str, Any],
    key: str,
) -> None:
    successor.key = key
    entry, issue_id = await replaced(hass, provider, successor, **{CONF_API_KEY: "old"})
    result = await repairs.async_configure((await mend(repairs, issue_id))["flow_id"], {})
    assert result["errors"] == {"base": "needs_key"}
    assert set(successor.keys) == {None}
    result = await repairs.async_configure(result["flow_id"], {"api_key": "wrong"})
    assert result["errors"] == {"base": "invalid_auth"}
    assert entry.unique_id == provider.id
    result = await repairs.async_configure(result["flow_id"], fields)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.data[CONF_API_KEY] == key


async def test_new_identity_with_another_id_is_refused(
    hass: HomeAssistant, provider: FakeProvider, successor: FakeProvider, repairs: RepairsFlowManager
) -> None:
    entry, issue_id = await replaced(hass, provider, successor)
    result = await mend(repairs, issue_id)
    assert result["data_schema"] is not None
    assert [str(field) for field in result["data_schema"].schema] == ["api_key"]
    successor.id = "33333333-3333-4333-8333-333333333333"
    result = await repairs.async_configure(result["flow_id"], {"api_key": "new"})
    assert result["errors"] == {"base": "unique_id_mismatch"}
    assert set(successor.keys) == {None}
    successor.id = OTHER_ID
    result = await repairs.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.unique_id == OTHER_ID


async def test_new_identity_with_its_own_entry_aborts(
    hass: HomeAssistant, provider: FakeProvider, successor: FakeProvider, repairs: RepairsFlowManager
) -> None:
    entry, issue_id = await replaced(hass, provider, successor)
    make_entry(successor).add_to_hass(hass)
    result = await repairs.async_configure((await mend(repairs, issue_id))["flow_id"], {})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert entry.unique_id == provider.id


async def test_new_identity_of_a_removed_entry_aborts(
    hass: HomeAssistant, provider: FakeProvider, successor: FakeProvider, repairs: RepairsFlowManager
) -> None:
    entry, issue_id = await replaced(hass, provider, successor)
    result = await mend(repairs, issue_id)
    coordinator = entry.runtime_data.coordinator
    await hass.config_entries.async_remove(entry.entry_id)
    issues.identity_changed(coordinator, record_of(successor))  # seen a moment too late
    result = await repairs.async_configure(result["flow_id"], {})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "gone")
