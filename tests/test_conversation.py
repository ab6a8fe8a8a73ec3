"""Conversation agents: answers, tools, reasoning, failover, wake-up, and errors."""

import asyncio
import json
from typing import Any, override

import pytest
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.zeroconf_ai.const import DOMAIN
from custom_components.zeroconf_ai.core.accounting.usage.generation import Generation, Recorder
from custom_components.zeroconf_ai.core.routing.accounting import Accounting
from custom_components.zeroconf_ai.data import DATA
from homeassistant.components import conversation
from homeassistant.components.conversation import trace
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import Context, HomeAssistant, ServiceCall
from homeassistant.helpers import chat_session, intent, issue_registry as ir

from .support.fakes.chunks import delta
from .support.fakes.provider import FakeProvider, refuse, running, send_stream, text, tool_call, usage
from .support.home_assistant.entries import AGENT, agent_data, make_entry, set_up
from .support.home_assistant.states import state_of
from .support.waiting import AT_ONCE, never_answer, until

QUESTION = "Why is the sky blue?"
"""A sentence that Home Assistant's default agent does not understand."""


async def say(
    hass: HomeAssistant,
    words: str = "Hello",
    *,
    agent: str = AGENT,
    conversation_id: str | None = None,
    user_id: str | None = None,
    language: str | None = None,
) -> conversation.ConversationResult:
    """Send a text to an agent."""
    return await conversation.async_converse(hass, words, conversation_id, Context(user_id=user_id), language, agent)


def speech(result: conversation.ConversationResult) -> str:
    """The spoken text."""
    spoken: str = result.response.speech["plain"]["speech"]
    return spoken


@pytest.fixture
async def kitchen(hass: HomeAssistant) -> list[ServiceCall]:
    """A kitchen light that is exposed to Assist, and the calls that it gets."""
    calls: list[ServiceCall] = []

    async def handle(call: ServiceCall) -> None:
        calls.append(call)
        hass.states.async_set("light.kitchen", "on", {"friendly_name": "Kitchen light"})

    hass.states.async_set("light.kitchen", "off", {"friendly_name": "Kitchen light"})
    hass.services.async_register("light", "turn_on", handle)
    return calls


async def test_conversation_answer_is_the_models_text(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [text("The sky", " is", " blue.")]
    result = await say(hass, "What colour is the sky?")
    assert result.response.response_type is intent.IntentResponseType.ACTION_DONE, speech(result)
    assert speech(result) == "The sky is blue."
    asked = provider.requests[0]
    assert asked["model"] == "test-model"
    assert asked["stream"] is True
    assert asked["stream_options"] == {"include_usage": True}
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]


async def test_conversation_usage_is_recorded_for_the_user(
    hass: HomeAssistant, hass_admin_user: MockUser, hass_read_only_user: MockUser, provider: FakeProvider
) -> None:
    await set_up(hass, make_entry(provider))
    noted: list[tuple[str | None, str]] = []

    class Notes(Recorder):
        @override
        def record(self, generation: Generation) -> None:
            noted.append((generation.user_id, generation.source))

    await hass.data[DATA].engine.attach(Accounting(Notes()))
    for user_id in (hass_admin_user.id, hass_read_only_user.id, None):
        provider.answers = [text("Hi.")]
        await say(hass, user_id=user_id)
    assert noted == [(hass_admin_user.id, "assist"), (hass_read_only_user.id, "assist"), (None, "assist")]


async def test_conversation_text_is_streamed_immediately(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    heard: list[dict[str, Any]] = []
    go_on = asyncio.Event()

    async def slowly(request: Any) -> Any:
        response = await send_stream(request, [delta(role="assistant"), delta("First")], done=False)
        await go_on.wait()
        for chunk in (delta(" second"), delta(finish="stop")):
            await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        return response

    provider.answers = [slowly]
    with (
        chat_session.async_get_chat_session(hass) as session,
        conversation.async_get_chat_log(hass, session, chat_log_delta_listener=lambda _, part: heard.append(part)) as chat_log,
    ):
        answer = hass.async_create_task(say(hass, conversation_id=chat_log.conversation_id))
        await until(lambda: {"content": "First"} in heard)
        assert not answer.done()
        go_on.set()
        await answer
    assert heard == [{"role": "assistant"}, {"content": "First"}, {"content": " second"}]


async def test_conversation_tool_call_turns_the_light_on_and_returns_its_result(
    hass: HomeAssistant, provider: FakeProvider, kitchen: list[ServiceCall]
) -> None:
    await set_up(hass, make_entry(provider))
    async_expose_entity(hass, "conversation", "light.kitchen", True)
    provider.answers = [tool_call("intent__HassTurnOn", '{"name": "Kitchen light"}'), text("It is on.")]
    result = await say(hass, "Turn on the kitchen light")
    assert speech(result) == "It is on."
    assert len(kitchen) == 1
    tools = [tool["function"]["name"] for tool in provider.requests[0]["tools"]]
    assert tools == sorted(tools)
    assistant, answered = provider.requests[1]["messages"][-2:]
    assert assistant["tool_calls"][0]["function"]["name"] == "intent__HassTurnOn"
    assert answered["role"] == "tool"
    assert json.loads(answered["content"])["error"] is False


async def test_conversation_tool_name_without_namespace_is_matched(
    hass: HomeAssistant, provider: FakeProvider, kitchen: list[ServiceCall]
) -> None:
    await set_up(hass, make_entry(provider))
    async_expose_entity(hass, "conversation", "light.kitchen", True)
    provider.answers = [tool_call("HassTurnOn", '{"name": "Kitchen light"}'), text("Done.")]
    await say(hass, "Turn on the kitchen light")
    assert len(kitchen) == 1


async def test_conversation_malformed_arguments_are_returned_to_the_model(
    hass: HomeAssistant, provider: FakeProvider, kitchen: list[ServiceCall]
) -> None:
    await set_up(hass, make_entry(provider))
    async_expose_entity(hass, "conversation", "light.kitchen", True)
    provider.answers = [
        tool_call("intent__HassTurnOn", '{"name": "Kitchen li'),
        tool_call("intent__HassTurnOn", '{"name": "Kitchen light"}'),
        text("Done."),
    ]
    assert speech(await say(hass, "Turn on the kitchen light")) == "Done."
    told = json.loads(provider.requests[1]["messages"][-1]["content"])
    assert told["error"] is True
    assert "not valid JSON" in told["data"]["error_text"]
    assert len(kitchen) == 1


async def test_conversation_last_round_forces_an_answer(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [*(tool_call("intent__HassNevermind", "{}", call_id=f"c{i}") for i in range(9)), text("Enough.")]
    assert speech(await say(hass)) == "Enough."
    assert len(provider.requests) == 10
    assert provider.requests[-1]["tool_choice"] == "none"
    assert provider.requests[-1]["tools"]
    assert "tool_choice" not in provider.requests[-2]


async def test_conversation_endless_tool_calls_end_with_a_sentence(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [tool_call("intent__HassNevermind", "{}")]
    result = await say(hass)
    assert result.response.response_type is intent.IntentResponseType.ERROR
    assert len(provider.requests) == 10
    assert speech(result) == "Sorry, the AI gave no answer."


@pytest.mark.parametrize(
    "chunks",
    [
        [delta("<th"), delta("ink>secret"), delta(" plan</thi"), delta("nk>\n\nHello.")],
        [delta(reasoning_content="secret"), delta(reasoning_content=" plan"), delta("Hello.")],
        [delta(reasoning="secret plan"), delta("Hello.")],
    ],
    ids=["tags", "reasoning_content", "reasoning"],
)
async def test_conversation_reasoning_is_not_spoken(
    hass: HomeAssistant, provider: FakeProvider, chunks: list[dict[str, Any]]
) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [[delta(role="assistant"), *chunks, delta(finish="stop")]]
    with (
        chat_session.async_get_chat_session(hass) as session,
        conversation.async_get_chat_log(hass, session) as chat_log,
    ):
        result = await say(hass, conversation_id=session.conversation_id)
        answer = chat_log.content[-1]
    assert speech(result) == "Hello."
    assert isinstance(answer, conversation.AssistantContent)
    assert answer.thinking_content == "secret plan"


async def test_conversation_reasoning_without_an_opening_tag_is_not_spoken(hass: HomeAssistant, provider: FakeProvider) -> None:
    """The first answer shows that the model's text begins with reasoning: it is streamed as such from then on."""
    await set_up(hass, make_entry(provider))
    end = delta(finish="stop")
    provider.answers = [
        [delta("secret"), delta(" plan\n</thi"), delta("nk>\n\nHello."), end],
        [delta("secret"), delta(" plan"), delta("</think>"), delta("Hello."), end],
        [delta("Hel"), delta("lo."), end],
    ]
    streamed: list[dict[str, Any]] = []
    with (
        chat_session.async_get_chat_session(hass) as session,
        conversation.async_get_chat_log(hass, session, chat_log_delta_listener=lambda _, data: streamed.append(data)) as chat_log,
    ):
        thoughts = []
        for _ in range(3):
            result = await say(hass, conversation_id=session.conversation_id)
            answer = chat_log.content[-1]
            assert isinstance(answer, conversation.AssistantContent)
            assert (speech(result), answer.content) == ("Hello.", "Hello.")
            thoughts.append((answer.thinking_content or "").strip())
        assert thoughts[:2] == ["secret plan"] * 2
    assert "".join(data.get("content") or "" for data in streamed if "role" not in data).endswith("\nHello.Hello.Hello.")
    sent = [message["content"] for message in provider.requests[-1]["messages"] if message["role"] == "assistant"]
    assert sent == ["Hello.", "Hello."]


async def test_conversation_usage_is_in_the_trace(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [[delta("Hi"), delta(finish="stop"), usage(100, 7, prompt_tokens_details={"cached_tokens": 64})]]
    trace.async_clear_traces()
    await say(hass)
    events = trace.async_get_traces()[-1].as_dict()["events"]
    stats = next(event["data"]["stats"] for event in events if "stats" in (event["data"] or {}))
    assert stats["input_tokens"] == 100
    assert stats["cached_input_tokens"] == 64
    assert stats["output_tokens"] == 7
    assert stats["model"] == "test-model"


async def test_conversation_prompt_beginning_is_the_same_in_each_turn(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    first = await say(hass, "One")
    await say(hass, "Two", conversation_id=first.conversation_id)
    one, two = (request["messages"] for request in provider.requests)
    assert two[: len(one)] == one
    assert provider.requests[0]["tools"] == provider.requests[1]["tools"]


async def test_conversation_options_are_sent(hass: HomeAssistant, provider: FakeProvider) -> None:
    agent = agent_data(
        temperature=0.2, top_p=0.5, max_tokens=77.0, thinking="off", extra_body='{"seed": 7}', llm_hass_api=[], prompt="Be brief."
    )
    await set_up(hass, make_entry(provider, subentries=[agent]))
    await say(hass)
    asked = provider.requests[0]
    assert (asked["temperature"], asked["top_p"], asked["max_tokens"], asked["seed"]) == (0.2, 0.5, 77, 7)
    assert asked["chat_template_kwargs"] == {"enable_thinking": False}
    assert asked["reasoning_effort"] == "none"
    assert "tools" not in asked
    assert asked["messages"][0]["content"].startswith("Be brief.")


async def test_conversation_refused_parameter_is_omitted_later(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider, subentries=[agent_data(temperature=0.2)]))
    provider.answers = [
        refuse(400, "Unsupported value: temperature", param="temperature"),
        text("Fine."),
        text("Still fine."),
    ]
    assert speech(await say(hass)) == "Fine."
    assert speech(await say(hass)) == "Still fine."
    assert [("temperature" in request) for request in provider.requests] == [True, False, False]


async def test_conversation_for_any_provider_fails_over(hass: HomeAssistant, provider: FakeProvider) -> None:
    other = FakeProvider(id="22222222-2222-4222-8222-222222222222", models=["other-model"])
    async with running(other):
        await set_up(hass, make_entry(provider, subentries=[agent_data(model="auto")], options={"priority": 1}))
        second = make_entry(other, title="Other", subentries=[])
        await set_up(hass, second)
        assert speech(await say(hass)) == "Hello there."
        assert not other.requests
        await provider.stop()
        assert speech(await say(hass)) == "Hello there."
        assert other.requests[-1]["model"] == "other-model"


async def test_conversation_interrupted_answer_is_not_repeated(hass: HomeAssistant, provider: FakeProvider) -> None:
    other = FakeProvider(id="22222222-2222-4222-8222-222222222222")

    async def dies(request: Any) -> Any:
        response = await send_stream(request, [delta("Half a")], done=False)
        request.transport.abort()
        return response

    async with running(other):
        await set_up(hass, make_entry(provider, subentries=[agent_data(model="auto")], options={"priority": 1}))
        await set_up(hass, make_entry(other, title="Other", subentries=[]))
        provider.answers = [dies]
        result = await say(hass)
    assert result.response.response_type is intent.IntentResponseType.ERROR
    assert speech(result) == "Sorry, the answer broke off."
    assert not other.requests


async def test_conversation_agent_offline_is_unavailable_until_it_recovers(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    assert state_of(hass, AGENT).state != STATE_UNAVAILABLE
    await provider.stop()
    for _ in range(3):
        await entry.runtime_data.coordinator.async_refresh()
    assert state_of(hass, AGENT).state == STATE_UNAVAILABLE
    await provider.start()
    await entry.runtime_data.coordinator.async_refresh()
    assert state_of(hass, AGENT).state != STATE_UNAVAILABLE


async def test_conversation_with_a_sleeping_provider_wakes_it(hass: HomeAssistant, provider: FakeProvider) -> None:
    woken: list[ServiceCall] = []

    async def wake(call: ServiceCall) -> None:
        woken.append(call)
        hass.loop.call_later(0.3, lambda: hass.async_create_task(provider.start()))

    hass.services.async_register("test", "wake", wake)
    options = {"wake_action": [{"action": "test.wake"}], "wake_wait": 10}
    entry = await set_up(hass, make_entry(provider, options=options))
    await provider.stop()
    hass.data[DATA].engine.pool.record_goodbye(entry.runtime_data.member)
    assert state_of(hass, AGENT).state != STATE_UNAVAILABLE, "it can be woken"
    assert speech(await say(hass)) == "Hello there."
    assert len(woken) == 1


async def test_conversation_prompt_too_long_is_a_repair_with_both_numbers(
    hass: HomeAssistant, provider: FakeProvider, issue_registry: ir.IssueRegistry
) -> None:
    provider.models = [{"id": "test-model", "context_window": 50}]
    entry = await set_up(hass, make_entry(provider))
    result = await say(hass, "word " * 300)
    assert result.response.response_type is intent.IntentResponseType.ERROR
    subentry = next(iter(entry.subentries.values()))
    issue = issue_registry.async_get_issue(DOMAIN, f"context_too_small_{subentry.subentry_id}")
    assert issue is not None
    assert issue.translation_placeholders is not None
    assert int(issue.translation_placeholders["tokens"]) > 300
    assert issue.translation_placeholders["window"] == "50"


async def test_conversation_long_history_is_trimmed_in_steps(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider, subentries=[agent_data(max_history=4, llm_hass_api=[])]))
    talk = None
    for turn in range(9):
        result = await say(hass, f"Turn {turn}", conversation_id=talk)
        talk = result.conversation_id
    firsts = [request["messages"][1]["content"].partition("\n")[0] for request in provider.requests]
    assert firsts == ["Turn 0"] * 4 + ["Turn 2"] * 2 + ["Turn 4"] * 2 + ["Turn 6"]


async def test_conversation_refused_key_is_reported_and_requested(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.key = "zai_example-right-key"
    await set_up(hass, make_entry(provider, api_key="zai_example-wrong-key"))
    result = await say(hass, QUESTION)
    assert result.response.response_type is intent.IntentResponseType.ERROR
    assert speech(result) == "Sorry, the AI is not set up correctly."
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert [flow["context"]["source"] for flow in flows] == ["reauth"]


async def test_conversation_cancelled_closes_the_connection(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    closed = asyncio.Event()
    begun = asyncio.Event()

    async def endless(request: Any) -> Any:
        await send_stream(request, [delta("Once")], done=False)
        begun.set()
        try:
            await never_answer()
        finally:
            closed.set()

    provider.answers = [endless]
    task = hass.async_create_task(say(hass))
    await begun.wait()
    task.cancel()
    async with asyncio.timeout(AT_ONCE):
        await closed.wait()
