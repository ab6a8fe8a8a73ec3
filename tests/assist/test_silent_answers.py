"""Empty answers after tool calls: the agent says "Done." if the tools succeeded."""

from typing import Any, override

import pytest

from homeassistant.components import ai_task, conversation
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import chat_session, intent, llm
from homeassistant.util.json import JsonObjectType

from ..support.fakes.chunks import delta
from ..support.fakes.provider import FakeProvider, send_stream, text, tool_call, usage
from ..support.home_assistant.assist import Kitchen, make_kitchen
from ..support.home_assistant.entries import AGENT, TASK, agent_data, make_entry, set_up, task_data
from ..test_ai_task import STRUCTURE, generate
from ..test_conversation import say, speech

SWITCH = tool_call("intent__HassTurnOff", '{"name": "Kitchen light"}')
SILENCES = {
    "nothing": text(""),
    "spaces": text(" ", "\n"),
    "thoughts": [delta(reasoning_content="It is off now."), delta(finish="stop"), usage()],
    "thoughts in the text": text("<think>It is off now.", "</think>\n"),
    "no content at all": [delta(role="assistant"), delta(finish="stop")],
}
silences = pytest.mark.parametrize("silence", SILENCES.values(), ids=SILENCES)


class Lock(llm.Tool):
    """Does something."""

    name = "test__lock"
    integration = "test"

    @override
    async def async_call(
        self, hass: HomeAssistant, tool_input: llm.ToolInput, llm_context: llm.LLMContext
    ) -> llm.ToolResult | JsonObjectType:
        return llm.ToolResult(data={"locked": True})


class Night(llm.API):
    """An API with the tool for locks."""

    @override
    async def async_get_api_instance(self, llm_context: llm.LLMContext) -> llm.APIInstance:
        return llm.APIInstance(self, "Lock the doors.", llm_context, [Lock()])


@pytest.fixture
async def kitchen(hass: HomeAssistant, provider: FakeProvider) -> Kitchen:
    """A light that is on, and the agent that can switch it."""
    await set_up(hass, make_entry(provider, subentries=[agent_data(), task_data()]))
    return make_kitchen(hass, "Kitchen light")


@silences
@pytest.mark.parametrize(
    ("language", "done"), [("en", "Done."), ("de-AT", "Erledigt."), ("nb", "Ferdig."), ("zh-TW", "已完成。")]
)
async def test_agent_empty_answer_after_a_successful_tool_says_done(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen, silence: list[dict[str, Any]], language: str, done: str
) -> None:
    provider.answers = [SWITCH, silence]
    heard: list[dict[str, Any]] = []
    with (
        chat_session.async_get_chat_session(hass) as session,
        conversation.async_get_chat_log(hass, session, chat_log_delta_listener=lambda _, part: heard.append(part)) as chat_log,
    ):
        result = await say(hass, "Turn off the kitchen light", conversation_id=session.conversation_id, language=language)
        last = chat_log.content[-1]
    assert result.response.response_type is intent.IntentResponseType.ACTION_DONE
    assert speech(result) == done
    assert len(provider.requests) == 2
    assert [state.entity_id for state in result.response.matched_states] == ["light.kitchen"]
    assert isinstance(last, conversation.AssistantContent)
    assert last.content == done
    assert heard[-1] == {"role": "assistant", "content": done}, "a voice that speaks as it comes says it too"


async def test_agent_conversation_after_an_empty_answer_continues(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen
) -> None:
    provider.answers = [SWITCH, text(""), text("You are welcome.")]
    first = await say(hass, "Turn off the kitchen light")
    assert speech(await say(hass, "Thanks", conversation_id=first.conversation_id)) == "You are welcome."
    roles = [message["role"] for message in provider.requests[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]


async def test_agent_empty_answer_after_a_failed_tool_is_an_error(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen
) -> None:
    provider.answers = [tool_call("intent__HassTurnOff", '{"name": "Attic light"}'), text("")]
    result = await say(hass, "Turn off the attic light")
    assert result.response.response_type is intent.IntentResponseType.ERROR
    assert speech(result) == "Sorry, the AI gave no answer."
    assert len(provider.requests) == 2


async def test_agent_empty_answer_after_a_corrected_call_says_done(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen
) -> None:
    provider.answers = [tool_call("intent__HassTurnOff", '{"name": "Kit'), SWITCH, text("")]
    assert speech(await say(hass, "Turn off the kitchen light")) == "Done."
    assert (kitchen.state, len(provider.requests)) == ("off", 3)


async def test_agent_empty_answer_after_a_read_only_tool_is_an_error(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen
) -> None:
    provider.answers = [tool_call("homeassistant__GetLiveContext", "{}"), text("")]
    result = await say(hass, "Is the kitchen light on?")
    assert speech(result) == "Sorry, the AI gave no answer."
    assert len(provider.requests) == 2


async def test_agent_answer_truncated_during_reasoning_is_an_error(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen
) -> None:
    provider.answers = [SWITCH, [delta(reasoning_content="And now"), delta(finish="length")]]
    result = await say(hass, "Turn off the kitchen light and the oven")
    assert result.response.response_type is intent.IntentResponseType.ERROR
    assert speech(result) == "Sorry, the answer broke off."
    assert len(provider.requests) == 2


async def test_agent_text_before_a_tool_and_an_empty_answer_says_done(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen
) -> None:
    provider.answers = [[delta("I turn it off."), *SWITCH], text("")]
    assert kitchen.state == "on"
    assert speech(await say(hass, "Turn off the kitchen light")) == "Done."
    assert len(provider.requests) == 2


async def test_agent_text_before_a_failure_is_streamed_and_the_failure_returned(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen
) -> None:
    async def dies(request: Any) -> Any:
        response = await send_stream(request, [delta(role="assistant"), delta("The light")], done=False)
        request.transport.abort()
        return response

    provider.answers = [SWITCH, dies]
    result = await say(hass, "Turn off the kitchen light")
    assert result.response.response_type is intent.IntentResponseType.ERROR
    assert speech(result) == "Sorry, the answer broke off."
    assert kitchen.state == "off"


@silences
async def test_task_empty_answer_after_a_successful_tool_has_an_empty_text(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen, silence: list[dict[str, Any]]
) -> None:
    provider.answers = [tool_call("test__lock", "{}"), silence]
    api = Night(hass=hass, id="night", name="Night")
    result = await ai_task.async_generate_data(
        hass, task_name="Night", entity_id=TASK, instructions="Lock the doors.", llm_api=api
    )
    assert result.data == ""
    assert len(provider.requests) == 2


@silences
async def test_task_empty_answer_without_a_tool_is_an_error(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen, silence: list[dict[str, Any]]
) -> None:
    provider.answers = [silence]
    with pytest.raises(HomeAssistantError) as caught:
        await generate(hass)
    assert caught.value.translation_key == "empty_response"
    assert len(provider.requests) == 1


async def test_task_empty_answer_instead_of_data_is_requested_again(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen
) -> None:
    provider.answers = [text(""), text('{"room": "Kitchen", "lamps": 3}')]
    assert await generate(hass, STRUCTURE) == {"room": "Kitchen", "lamps": 3}
    assert len(provider.requests) == 2


async def test_agent_empty_answer_without_tools_is_requested_once(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider, subentries=[agent_data(llm_hass_api=[])]))
    provider.answers = [text("")]
    result = await say(hass, "Why is the sky blue?", agent=AGENT)
    assert speech(result) == "Sorry, the AI gave no answer."
    assert len(provider.requests) == 1
