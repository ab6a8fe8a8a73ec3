"""The assistant that a new provider gets in Assist."""

import pytest

from custom_components.zeroconf_ai.const import CONF_ASSISTANT
from homeassistant.components import assist_pipeline
from homeassistant.components.assist_pipeline.pipeline import KEY_ASSIST_PIPELINE
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import AGENT, make_entry, set_up


def assistants(hass: HomeAssistant) -> dict[str, str]:
    """The agent of each assistant by the assistant's name."""
    return {pipeline.name: pipeline.conversation_engine for pipeline in assist_pipeline.async_get_pipelines(hass)}


@pytest.fixture
async def assist(hass: HomeAssistant) -> None:
    """Assist, as every Home Assistant has it."""
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "assist_pipeline", {})


@pytest.mark.usefixtures("assist")
async def test_assistant_of_a_new_provider_is_created(hass: HomeAssistant, provider: FakeProvider) -> None:
    preferred = assist_pipeline.async_get_pipelines(hass)[0].id
    await set_up(hass, make_entry(provider))
    assert assistants(hass)["Test provider"] == AGENT
    assert hass.data[KEY_ASSIST_PIPELINE].pipeline_store.async_get_preferred_item() == preferred


@pytest.mark.usefixtures("assist")
async def test_assistant_deleted_is_not_created_again(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    before = assistants(hass)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert assistants(hass) == before
    await hass.data[KEY_ASSIST_PIPELINE].pipeline_store.async_delete_item(entry.data[CONF_ASSISTANT])
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert "Test provider" not in assistants(hass)
    await hass.config_entries.async_remove(entry.entry_id)


@pytest.mark.usefixtures("assist")
async def test_assistant_of_a_removed_provider_is_deleted(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    await hass.config_entries.async_remove(entry.entry_id)
    assert "Test provider" not in assistants(hass)


@pytest.mark.usefixtures("assist")
async def test_assistant_preferred_of_a_removed_provider_uses_the_default_agent(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    entry = await set_up(hass, make_entry(provider))
    hass.data[KEY_ASSIST_PIPELINE].pipeline_store.async_set_preferred_item(entry.data[CONF_ASSISTANT])
    await hass.config_entries.async_remove(entry.entry_id)
    assert assistants(hass)["Test provider"] == "conversation.home_assistant"


@pytest.mark.usefixtures("assist")
async def test_assistant_of_a_provider_without_agent_is_not_created(hass: HomeAssistant, provider: FakeProvider) -> None:
    before = assistants(hass)
    entry = await set_up(hass, make_entry(provider, subentries=[]))
    assert assistants(hass) == before
    assert CONF_ASSISTANT not in entry.data


async def test_assistant_without_assist_is_not_created(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    assert CONF_ASSISTANT not in entry.data
    assert await hass.config_entries.async_remove(entry.entry_id)
