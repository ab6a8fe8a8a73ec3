"""Home Assistant agents of the gateway, and the agents that use its models."""

from pathlib import Path

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import SUBENTRY_CONVERSATION, SUBENTRY_HOME_AGENT
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er

from ..support.clouds.ollama import FakeOllama
from ..support.home_assistant.backend_flow import add, change, submit
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway_entry import backend_data, home_agent_data, make_gateway

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")

KEY = "sk-canary-0123456789"
TLS_ON = {"verify_ssl": True}


async def test_home_agent_is_shared_only_once(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    registry = er.async_get(hass)
    other = registry.async_get_or_create("conversation", "other", "butler", suggested_object_id="butler")
    registry.async_get_or_create("conversation", "zeroconf_ai", "own", suggested_object_id="own")
    hass.states.async_set(other.entity_id, "idle", {"friendly_name": "Butler"})
    result = await add(hass, gateway, SUBENTRY_HOME_AGENT)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "user")
    assert "conversation.own" in result["data_schema"].schema["entity_id"].config["exclude_entities"]
    result = await submit(hass, result, {"priority": 50})
    assert result["errors"] == {"base": "already_chosen"}  # Assist, which every gateway begins with
    result = await submit(hass, result, {"entity_id": "conversation.home_assistant", "priority": 50})
    assert result["errors"] == {"base": "already_chosen"}
    result = await submit(hass, result, {"entity_id": other.entity_id, "priority": 20})
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "Butler")
    await hass.async_block_till_done()
    butler = next(item for item in gateway.get_subentries_of_type(SUBENTRY_HOME_AGENT) if item.title == "Butler")
    assert butler.data == {"entity_id": other.entity_id, "priority": 20}

    result = await change(hass, gateway, butler)
    assert result["step_id"] == "reconfigure"
    result = await submit(hass, result, {"entity_id": other.entity_id, "priority": 5})
    assert result["reason"] == "reconfigure_successful"
    assert gateway.subentries[butler.subentry_id].data["priority"] == 5


async def test_gateway_agent_form_offers_chat_models_of_all_backends(hass: HomeAssistant, tmp_path: Path) -> None:
    async with FakeOllama() as ollama:
        entry = await set_up(hass, make_gateway(tmp_path, backend_data("ollama", ollama.root), home_agent_data()))
        result = await add(hass, entry, SUBENTRY_CONVERSATION)
        models = [option["value"] for option in result["data_schema"].schema["model"].config["options"]]
        assert models[:3] == ["auto", "fast", "cheap"]
        assert {"qwen3:8b", "homeassistant/assist"} <= set(models)
        assert "nomic-embed-text:latest" not in models
        result = await submit(
            hass,
            result,
            {"name": "Butler", "model": "fast", "advanced": {"thinking": "default", "max_history": 20}},
        )
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
        assert "Butler" in {subentry.title for subentry in entry.subentries.values()}
