"""Agents and AI tasks are added and changed."""

import json
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import (
    CONF_EXTRA_BODY,
    CONF_HOME_ONLY,
    CONF_LOCAL_FALLBACK,
    CONF_MAX_HISTORY,
    CONF_MAX_TOKENS,
    CONF_TEMPERATURE,
    CONF_THINKING,
    CONF_TOP_P,
    SUBENTRY_AI_TASK,
    SUBENTRY_CONVERSATION,
)
from homeassistant.config_entries import SOURCE_USER, ConfigSubentry, SubentryFlowResult
from homeassistant.const import CONF_LLM_HASS_API, CONF_MODEL, CONF_PROMPT
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResult, FlowResultType
from homeassistant.helpers import llm

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import agent_data, announce, make_entry, record_of, set_up, task_data

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")


async def begin(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> SubentryFlowResult:
    """Open the form for a new one."""
    return await hass.config_entries.subentries.async_init((entry.entry_id, kind), context={"source": SOURCE_USER})


async def submit(hass: HomeAssistant, result: FlowResult[Any, Any], fields: dict[str, Any]) -> SubentryFlowResult:
    """Fill in the form that is shown."""
    return await hass.config_entries.subentries.async_configure(result["flow_id"], fields)


def only(entry: MockConfigEntry, kind: str) -> ConfigSubentry:
    """The entry's single subentry of a kind."""
    (subentry,) = entry.get_subentries_of_type(kind)
    return subentry


def model_options(result: FlowResult[Any, Any]) -> list[str]:
    """The models that the form offers."""
    assert result["data_schema"] is not None
    return [option["value"] for option in result["data_schema"].schema[CONF_MODEL].config["options"]]


def suggested(result: FlowResult[Any, Any], name: str) -> Any:
    """The suggested value of a field, including those of the section."""
    assert result["data_schema"] is not None
    schema = result["data_schema"].schema
    for field in (*schema, *schema["advanced"].schema.schema):
        if field == name:
            return field.description["suggested_value"] if field.description else field.default()
    raise AssertionError(name)


async def test_agent_form_creates_an_agent_with_its_options(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.models = [{"id": "embed-small"}, {"id": "small"}, {"id": "large", "warm": True}]
    entry = await set_up(hass, make_entry(provider, subentries=[]))
    result = await begin(hass, entry, SUBENTRY_CONVERSATION)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "user")
    assert model_options(result) == ["auto", "small", "large"]
    assert suggested(result, "name") == "Test provider Agent"
    assert suggested(result, CONF_MODEL) == "large"
    assert suggested(result, CONF_PROMPT) == llm.DEFAULT_INSTRUCTIONS_PROMPT
    assert suggested(result, CONF_LLM_HASS_API) == ["assist"]
    assert suggested(result, CONF_MAX_HISTORY) == 20
    assert suggested(result, CONF_LOCAL_FALLBACK) is True
    result = await submit(
        hass,
        result,
        {
            "name": "Butler",
            CONF_MODEL: "auto",
            CONF_PROMPT: "Be brief.",
            CONF_LLM_HASS_API: ["assist"],
            CONF_LOCAL_FALLBACK: False,
            "advanced": {
                CONF_TEMPERATURE: 0.7,
                CONF_TOP_P: 0.9,
                CONF_MAX_TOKENS: 500.0,
                CONF_THINKING: "off",
                CONF_MAX_HISTORY: 5.0,
                CONF_EXTRA_BODY: '{"seed": 1}',
            },
        },
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    agent = only(entry, SUBENTRY_CONVERSATION)
    assert agent.title == "Butler"
    assert agent.data == {
        CONF_MODEL: "auto",
        CONF_PROMPT: "Be brief.",
        CONF_LLM_HASS_API: ["assist"],
        CONF_LOCAL_FALLBACK: False,
        CONF_HOME_ONLY: False,
        CONF_TEMPERATURE: 0.7,
        CONF_TOP_P: 0.9,
        CONF_MAX_TOKENS: 500,
        CONF_THINKING: "off",
        CONF_MAX_HISTORY: 5,
        CONF_EXTRA_BODY: {"seed": 1},
    }
    await hass.async_block_till_done()
    assert hass.states.get("conversation.butler") is not None


@pytest.mark.parametrize(("kind", "title"), [(SUBENTRY_CONVERSATION, "Box Agent"), (SUBENTRY_AI_TASK, "Box AI Task")])
async def test_agent_form_suggests_a_name_that_is_not_in_use(
    hass: HomeAssistant, provider: FakeProvider, kind: str, title: str
) -> None:
    entry = await set_up(hass, make_entry(provider, title="Box", subentries=[]))
    for expected in (title, f"{title} 2", f"{title} 3"):
        result = await begin(hass, entry, kind)
        assert suggested(result, "name") == expected
        result = await submit(hass, result, {"name": expected, CONF_MODEL: "test-model", "advanced": {}})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()


async def test_ai_task_form_creates_an_ai_task(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider, subentries=[]))
    result = await begin(hass, entry, SUBENTRY_AI_TASK)
    assert result["data_schema"] is not None
    assert [str(field) for field in result["data_schema"].schema] == ["name", CONF_MODEL, CONF_HOME_ONLY, "advanced"]
    result = await submit(hass, result, {"name": "Describe", CONF_MODEL: "test-model", "advanced": {}})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    task = only(entry, SUBENTRY_AI_TASK)
    assert task.title == "Describe"
    assert task.data == {CONF_MODEL: "test-model", CONF_HOME_ONLY: False, CONF_THINKING: "default"}


async def test_agent_form_reconfigures_an_agent_and_removes_empty_fields(hass: HomeAssistant, provider: FakeProvider) -> None:
    data: dict[str, Any] = {
        CONF_MODEL: "gone-model",
        CONF_LLM_HASS_API: ["assist", "removed-api"],
        CONF_EXTRA_BODY: {"stop": ["ä"]},
    }
    entry = await set_up(hass, make_entry(provider, subentries=[agent_data(**data)]))
    agent = only(entry, SUBENTRY_CONVERSATION)
    result = await entry.start_subentry_reconfigure_flow(hass, agent.subentry_id)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "reconfigure")
    assert model_options(result) == ["auto", "test-model", "gone-model"]
    assert suggested(result, CONF_LLM_HASS_API) == ["assist"]
    assert json.loads(suggested(result, CONF_EXTRA_BODY)) == {"stop": ["ä"]}
    # Empty fields are removed: no tools, the default instructions, no extra body.
    changed = await submit(
        hass, result, {"name": "Chatterbox", CONF_MODEL: "hand-typed", CONF_LLM_HASS_API: [], "advanced": {CONF_TEMPERATURE: 0}}
    )
    assert (changed["type"], changed["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    agent = only(entry, SUBENTRY_CONVERSATION)
    assert agent.title == "Chatterbox"
    assert agent.data == {
        CONF_MODEL: "hand-typed",
        CONF_HOME_ONLY: False,
        CONF_LOCAL_FALLBACK: True,
        CONF_TEMPERATURE: 0,
        CONF_THINKING: "default",
        CONF_MAX_HISTORY: 20,
    }
    await hass.async_block_till_done()
    assert "conversation.test_provider" in hass.states.async_entity_ids("conversation")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"seed": 1,\n "stop": }', "line 2, column 10: unexpected character"),
        ('{"stop": Infinity}', "line 1, column 10: unexpected character"),
        ('{"stop": ' + "[" * 64 + "]" * 64 + "}", "line 1, column 1: JSON nested deeper than 64 levels"),
        ("[1, 2]", 'it must be an object: {"name": value}'),
        ('{"stream": false, "messages": []}', "messages, stream cannot be set here, the agent does that itself"),
    ],
)
async def test_agent_form_invalid_extra_body_shows_the_reason_and_can_be_corrected(
    hass: HomeAssistant, provider: FakeProvider, text: str, reason: str
) -> None:
    entry = await set_up(hass, make_entry(provider, subentries=[]))
    result = await begin(hass, entry, SUBENTRY_CONVERSATION)
    fields = {"name": "Butler", CONF_MODEL: "auto", "advanced": {CONF_EXTRA_BODY: text, CONF_TOP_P: 0.5}}
    result = await submit(hass, result, fields)
    assert result["errors"] == {"base": "invalid_extra_body"}
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["reason"] == reason
    assert suggested(result, CONF_EXTRA_BODY) == text
    assert suggested(result, CONF_TOP_P) == 0.5
    fields["advanced"] = {CONF_EXTRA_BODY: '{"seed": 1}'}
    result = await submit(hass, result, fields)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_agent_form_of_a_provider_that_is_not_loaded_aborts(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = make_entry(provider)
    entry.add_to_hass(hass)
    result = await begin(hass, entry, SUBENTRY_CONVERSATION)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "entry_not_loaded")


async def test_agent_form_of_an_offline_provider_offers_the_advertised_models(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    await provider.stop()
    entry = await set_up(hass, make_entry(provider, subentries=[task_data()]))
    announce(hass, record_of(provider, models=("announced-model",)))
    await hass.async_block_till_done()
    result = await begin(hass, entry, SUBENTRY_CONVERSATION)
    assert model_options(result) == ["auto", "announced-model"]
    assert suggested(result, CONF_MODEL) == "auto"
    result = await submit(hass, result, {"name": "Later", CONF_MODEL: "announced-model", "advanced": {}})
    assert result["type"] is FlowResultType.CREATE_ENTRY
