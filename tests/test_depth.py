"""Values of models, tools, automations and clients that are nested too deeply are an error, and are serialized nowhere."""

import json
from typing import Any

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.assist.chat_log import messages_to_json
from custom_components.zeroconf_ai.const import CONF_AUTH, DOMAIN
from custom_components.zeroconf_ai.core.protocol.errors import UpstreamError
from custom_components.zeroconf_ai.core.protocol.json import MAX_DEPTH
from custom_components.zeroconf_ai.home_agents.exchange import GenerateData
from custom_components.zeroconf_ai.home_agents.prompt import Prompt, Structure
from homeassistant.components import ai_task, conversation
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import llm

from .support.fakes.provider import FakeProvider, text, tool_call
from .support.fakes.upstream import nested
from .support.home_assistant.entries import ask, make_entry, set_up
from .support.home_assistant.gateway import CHAT_PATH, gateway_with
from .support.home_assistant.gateway_entry import home_agent_data
from .test_conversation import say, speech

DEEP = nested(MAX_DEPTH)


async def test_depth_of_tool_arguments_beyond_the_limit_is_reported_to_the_model(
    hass: HomeAssistant, ready: None, provider: FakeProvider
) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [tool_call("intent__HassTurnOn", json.dumps({"name": DEEP})), text("Sorry.")]
    assert speech(await say(hass)) == "Sorry."
    told = json.loads(provider.requests[1]["messages"][-1]["content"])
    assert "JSON nested deeper than 64 levels" in told["data"]["error_text"]
    assert provider.requests[1]["messages"][-2]["tool_calls"][0]["function"]["arguments"] == "{}"


@pytest.mark.parametrize("data", [{"found": DEEP}, {"found": 2**70}, {"found": object()}], ids=["deep", "huge", "no JSON"])
def test_tool_result_that_is_not_json_is_reported_to_the_model(data: dict[str, Any]) -> None:
    item = conversation.ToolResultContent(agent_id="a", tool_call_id="c", tool_name="look", result=llm.ToolResult(data=data))
    (message,) = messages_to_json([item], {})
    assert "cannot be converted to JSON" in json.loads(message["content"])["error"]


@pytest.mark.parametrize(
    "data",
    [
        {"messages": [{"role": "user", "content": "Hi", "x": DEEP}]},
        {"extra": {"x": DEEP}},
        {"extra": {"x": 2**70}},
        {"extra": {"x": "\ud800"}},
        {"json_schema": {"type": "object", "x": DEEP}},
    ],
    ids=["messages", "extra", "huge", "surrogate", "json_schema"],
)
async def test_chat_action_with_values_that_are_not_json_is_refused(
    hass: HomeAssistant, ready: None, provider: FakeProvider, data: dict[str, Any]
) -> None:
    await set_up(hass, make_entry(provider))
    with pytest.raises(ServiceValidationError, match=r"64 levels|given as JSON"):
        await hass.services.async_call(DOMAIN, "chat", {"prompt": "?", **data}, blocking=True, return_response=True)
    assert provider.requests == []


async def test_chat_action_structured_answer_beyond_the_limit_is_an_error(
    hass: HomeAssistant, ready: None, provider: FakeProvider
) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [text(json.dumps({"a": DEEP}))]
    with pytest.raises(HomeAssistantError) as caught:
        await hass.services.async_call(
            DOMAIN, "chat", {"prompt": "?", "json_schema": {"type": "object"}}, blocking=True, return_response=True
        )
    assert caught.value.translation_key == "structure_failed"


async def test_chat_action_values_of_yaml_are_sent_as_json(hass: HomeAssistant, ready: None, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    await ask(hass, extra={"x": {1: {"on"}, "nan": float("nan")}})
    assert provider.requests[0]["x"] == {"1": ["on"], "nan": None}


@pytest.mark.parametrize("data", [{"a": DEEP}, {"a": 2**70}], ids=["deep", "huge"])
async def test_data_of_another_integrations_task_that_is_not_json_is_an_upstream_error(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, data: Any
) -> None:
    async def generate(*_: Any, **__: Any) -> ai_task.GenDataTaskResult:
        return ai_task.GenDataTaskResult(conversation_id="x", data=data)

    monkeypatch.setattr(ai_task, "async_generate_data", generate)
    task = GenerateData(hass, "ai_task.other", "The task", Prompt("Hi"), Structure("x"), Context())
    with pytest.raises(UpstreamError, match="cannot be converted to JSON"):
        await task(lambda _: None)


@pytest.mark.parametrize("field", ["tools", "prompt", "input", "metadata"])
async def test_gateway_request_for_assist_beyond_the_limit_is_a_400(
    hass: HomeAssistant,
    ready_to_serve: None,
    hass_client_no_auth: ClientSessionGenerator,
    field: str,
) -> None:
    await set_up(hass, gateway_with(home_agent_data(), options={CONF_AUTH: "none"}))
    client = await hass_client_no_auth()
    body = {"model": "homeassistant/assist", "messages": [{"role": "user", "content": "Hi"}], field: [{"x": DEEP}]}
    response = await client.post(CHAT_PATH, json=body)
    assert (response.status, "64 levels" in await response.text()) == (400, True)
