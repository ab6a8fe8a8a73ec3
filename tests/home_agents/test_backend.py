"""Agents of this Home Assistant as backends: prompts, answers and permissions."""

import asyncio
from collections.abc import AsyncGenerator
import json
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.zeroconf_ai.const import DOMAIN, SUBENTRY_HOME_AGENT
from custom_components.zeroconf_ai.core.backends.base import Timeouts
from custom_components.zeroconf_ai.core.protocol.errors import (
    ApiError,
    InvalidRequestError,
    LoopDetectedError,
    NotFoundError,
    StreamBrokenError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)
from custom_components.zeroconf_ai.core.protocol.record import Capability
from custom_components.zeroconf_ai.core.protocol.request import Kind, Request
from custom_components.zeroconf_ai.home_agents.backend import MAX_IDENTICAL, follow_renames, model_of
from homeassistant.components import conversation
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.const import CONF_ENTITY_ID, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import chat_session, entity_registry as er, intent
from homeassistant.setup import async_setup_component

from ..support.home_assistant.agents import ENTITY, MODEL, Lamp, ScriptedAgent, backend, chat, message_of, says, uses_tool
from ..support.home_assistant.entries import add_entity


@pytest.fixture
async def home(hass: HomeAssistant, ready: None) -> HomeAssistant:
    """A home with Assist."""
    assert await async_setup_component(hass, "conversation", {})
    assert await async_setup_component(hass, "ai_task", {})
    return hass


@pytest.fixture
async def tester(home: HomeAssistant) -> ScriptedAgent:
    """The agent."""
    agent = ScriptedAgent()
    await add_entity(home, Platform.CONVERSATION, agent)
    return agent


@pytest.fixture
async def light(home: HomeAssistant) -> Lamp:
    """A kitchen light that Assist may control; it is off."""
    lamp = Lamp()
    await add_entity(home, Platform.LIGHT, lamp)
    async_expose_entity(home, "conversation", "light.kitchen_light", True)
    return lamp


def test_agent_model_id_is_assist_or_the_object_id() -> None:
    assert model_of(None) == model_of("conversation.home_assistant") == "homeassistant/assist"
    assert model_of("ai_task.google_ai") == "homeassistant/google_ai"


@pytest.mark.parametrize("stream", [False, True])
async def test_assist_command_turns_the_light_on_without_an_llm(home: HomeAssistant, light: Lamp, stream: bool) -> None:
    agent = backend(home, None)
    message = await message_of(agent, chat("Turn on the kitchen light", model="homeassistant/assist", stream=stream))
    assert light.is_on
    assert message.content == "Turned on the light"
    assert message.finish_reason == "stop"


async def test_assist_unrecognized_command_returns_assists_sentence(home: HomeAssistant) -> None:
    message = await message_of(backend(home, None), chat("Xyzzy", model="homeassistant/assist"))
    assert message.content == "Sorry, I couldn't understand that"


@pytest.mark.parametrize("stream", [False, True])
async def test_assist_sentence_is_limited_to_2000_characters(home: HomeAssistant, light: Lamp, stream: bool) -> None:
    agent, command = backend(home, None), "Turn on the kitchen light"
    with pytest.raises(InvalidRequestError, match="up to 2000 characters; this one has 2001") as refused:
        await agent.send(chat("x" * 2001, model="homeassistant/assist", stream=stream))
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "messages")
    history = ({"role": "system", "content": "x" * 3000}, "x" * 3000, {"role": "assistant", "content": "x" * 3000})
    await message_of(agent, chat(*history, f"{command:.<2000}", model="homeassistant/assist", stream=stream))
    assert light.is_on  # neither instructions nor earlier messages reach the matcher


async def test_agent_with_a_model_accepts_long_messages(home: HomeAssistant, tester: ScriptedAgent) -> None:
    tester.behave = says({"role": "assistant", "content": "Hi"})
    assert (await message_of(backend(home), chat("x" * 20_000))).content == "Hi"


async def test_agent_request_of_a_read_only_user_cannot_control_entities(
    home: HomeAssistant, light: Lamp, hass_read_only_user: MockUser
) -> None:
    request = chat("Turn on the kitchen light", model="homeassistant/assist", user_id=hass_read_only_user.id)
    message = await message_of(backend(home, None), request)
    assert not light.is_on
    assert message.content != "Turned on the light"


async def test_agent_request_of_a_user_sets_the_context(home: HomeAssistant, light: Lamp, hass_admin_user: MockUser) -> None:
    request = chat("Turn on the kitchen light", model="homeassistant/assist", user_id=hass_admin_user.id)
    await message_of(backend(home, None), request)
    assert light.is_on
    assert light.user_id == hass_admin_user.id


@pytest.mark.parametrize("gone", [True, False])
async def test_agent_request_of_a_deleted_or_inactive_user_is_refused(
    home: HomeAssistant, tester: ScriptedAgent, hass_read_only_user: MockUser, gone: bool
) -> None:
    user_id = "11111111111111111111111111111111" if gone else hass_read_only_user.id
    hass_read_only_user.is_active = False
    with pytest.raises(InvalidRequestError) as refused:
        await message_of(backend(home), chat(user_id=user_id))
    assert refused.value.code == "user_inactive"
    assert tester.inputs == []


async def test_agent_request_contains_history_and_instructions(
    home: HomeAssistant, tester: ScriptedAgent, hass_admin_user: MockUser
) -> None:
    tester.behave = says({"role": "assistant", "content": "Blue."})
    request = chat(
        {"role": "system", "content": "Speak like a pirate."},
        "Hello",
        {"role": "assistant", "content": "Ahoy!"},
        {"role": "developer", "content": [{"type": "text", "text": "Be short."}]},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "sky", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "clear"},
        {"role": "user", "content": [{"type": "text", "text": "What colour is"}, {"type": "text", "text": "the sky?"}]},
        metadata={"language": "de"},
        user_id=hass_admin_user.id,
    )
    assert (await message_of(backend(home), request)).content == "Blue."
    asked = tester.inputs[0]
    assert asked.text == "What colour is\nthe sky?"
    assert asked.extra_system_prompt == "Speak like a pirate.\n\nBe short."
    assert asked.language == "de"
    assert asked.context.user_id == hass_admin_user.id
    assert [(item.role, getattr(item, "content", None)) for item in tester.logs[0]] == [
        ("system", ""),
        ("user", "Hello"),
        ("assistant", "Ahoy!"),
        ("user", "Result of a tool: clear"),
        ("user", "What colour is\nthe sky?"),
    ]


async def test_agent_request_with_an_invalid_language_uses_the_default(home: HomeAssistant, tester: ScriptedAgent) -> None:
    tester.behave = says({"role": "assistant", "content": "Hi"})
    await message_of(backend(home), chat(metadata={"language": "de; rm -rf"}))
    assert tester.inputs[0].language == home.config.language


async def test_agent_request_leaves_no_chat_session(home: HomeAssistant, tester: ScriptedAgent) -> None:
    tester.behave = says({"role": "assistant", "content": "Hi"})
    agent = backend(home)
    await message_of(agent, chat())
    await message_of(agent, chat("Again"))
    assert len(tester.logs[1]) == 2
    assert tester.inputs[0].conversation_id != tester.inputs[1].conversation_id
    assert home.data[chat_session.DATA_CHAT_SESSION] == {}
    assert home.data[conversation.chat_log.DATA_CHAT_LOGS] == {}


async def test_agent_text_and_reasoning_are_streamed_immediately(home: HomeAssistant, tester: ScriptedAgent) -> None:
    go_on = asyncio.Event()
    tester.behave = says({"role": "assistant"}, {"thinking_content": "Hm."}, {"content": "First"}, go_on, {"content": " second"})
    answer = await backend(home).send(chat(stream=True, stream_options={"include_usage": True}))
    deltas: list[dict[str, Any]] = []
    tail: list[dict[str, Any]] = []
    async for batch in answer.batches():
        for chunk in batch:
            (deltas if chunk.data["choices"] else tail).append(chunk.data)
            if "First" in chunk.raw.decode():
                go_on.set()
    await answer.close()
    assert [data["choices"][0]["delta"] for data in deltas] == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "Hm."},
        {"content": "First"},
        {"content": " second"},
        {},
    ]
    assert deltas[-1]["choices"][0]["finish_reason"] == "stop"
    assert {data["model"] for data in deltas + tail} == {MODEL}
    assert tail[0]["usage"]["total_tokens"] > 0


async def test_agent_reported_tokens_are_the_usage(home: HomeAssistant, tester: ScriptedAgent) -> None:
    tester.behave = says({"role": "assistant", "content": "Hi"})
    tester.stats = {"input_tokens": 700, "output_tokens": 30, "cached_input_tokens": 600}
    used = (await message_of(backend(home), chat())).usage
    assert used is not None
    assert (used.prompt_tokens, used.completion_tokens, used.cached_tokens) == (700, 30, 600)


async def test_agent_without_reported_tokens_has_an_estimated_usage(home: HomeAssistant, tester: ScriptedAgent) -> None:
    tester.behave = says({"role": "assistant", "content": "y" * 41})
    used = (await message_of(backend(home), chat("x" * 400))).usage
    assert used is not None
    assert (used.prompt_tokens, used.completion_tokens) == (100, 11)


@pytest.mark.parametrize("stream", [False, True])
async def test_agent_tool_calls_are_not_sent_to_the_client(home: HomeAssistant, tester: ScriptedAgent, stream: bool) -> None:
    tester.behave = uses_tool({"content": "It is on."})
    message = await message_of(backend(home), chat(stream=stream))
    assert message.content == "Let me look.\n\nIt is on."
    assert message.tool_calls == []
    assert message.finish_reason == "stop"


async def test_agent_failure_before_any_output_is_an_upstream_error(home: HomeAssistant, tester: ScriptedAgent) -> None:
    tester.behave = says(failure=HomeAssistantError("The cloud wants sk-1234567890abcdef"))
    with pytest.raises(UpstreamError, match="The agent could not answer") as failed:
        await message_of(backend(home), chat(stream=True))
    assert "cloud" not in f"{failed.value.to_json()}"
    assert failed.value.log_text == "The agent failed: The cloud wants ***"


async def test_agent_failure_during_the_answer_breaks_the_stream(home: HomeAssistant, tester: ScriptedAgent) -> None:
    tester.behave = says({"role": "assistant", "content": "It"}, failure=HomeAssistantError("gone"))
    with pytest.raises(StreamBrokenError, match="failed during its answer") as failed:
        await message_of(backend(home), chat(stream=True))
    assert "gone" not in f"{failed.value.to_json()}"
    assert failed.value.log_text == "The agent failed during its answer: gone"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("language", "sentence"), [("en", "Sorry, the answer broke off."), ("de", "Die Antwort ist leider abgebrochen.")]
)
async def test_agent_failure_after_a_tool_call_is_a_sentence_without_failover(
    home: HomeAssistant, tester: ScriptedAgent, stream: bool, language: str, sentence: str
) -> None:
    tester.behave = uses_tool(failure=HomeAssistantError("The cloud is gone."))
    message = await message_of(backend(home), chat(stream=stream, metadata={"language": language}))
    assert message.content == f"Let me look.\n\n{sentence}"


async def test_agent_error_result_during_the_answer_breaks_the_stream(home: HomeAssistant, tester: ScriptedAgent) -> None:
    tester.behave = says({"role": "assistant", "content": "It"})
    tester.fails = intent.IntentResponseErrorCode.UNKNOWN
    with pytest.raises(StreamBrokenError, match="failed during its answer"):
        await message_of(backend(home), chat(stream=True))


async def test_agent_exception_is_reported_without_details(
    home: HomeAssistant, tester: ScriptedAgent, caplog: pytest.LogCaptureFixture
) -> None:
    tester.behave = says(failure=ZeroDivisionError("secret"))
    with pytest.raises(UpstreamError, match="could not answer") as failed:
        await message_of(backend(home), chat())
    assert "secret" not in failed.value.message
    assert "ZeroDivisionError: secret" in caplog.text


async def test_agent_error_result_is_an_upstream_error(home: HomeAssistant, tester: ScriptedAgent) -> None:
    tester.returns = intent.IntentResponse(language="en")
    tester.returns.async_set_error(intent.IntentResponseErrorCode.UNKNOWN, "Error preparing LLM API")
    with pytest.raises(UpstreamError, match="could not answer") as failed:
        await message_of(backend(home), chat())
    assert failed.value.log_text == "The agent failed: Error preparing LLM API"


async def test_agent_answer_closed_cancels_the_agent(home: HomeAssistant, tester: ScriptedAgent) -> None:
    cancelled = asyncio.Event()

    async def works(_: conversation.ConversationInput, __: conversation.ChatLog) -> AsyncGenerator[Any]:
        yield {"role": "assistant", "content": "Wait"}
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    tester.behave = works
    answer = await backend(home).send(chat(stream=True))
    async for batch in answer.batches():
        if b"Wait" in batch[0].raw:
            break
    await answer.close()
    assert cancelled.is_set()
    await answer.close()


async def test_agent_without_output_times_out(home: HomeAssistant, tester: ScriptedAgent) -> None:
    tester.behave = says(asyncio.Event())
    with pytest.raises(UpstreamTimeoutError):
        await message_of(backend(home, timeouts=Timeouts(answer=0.01)), chat())


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (chat(tools=[{"type": "function", "function": {"name": "f"}}]), "tools"),
        (chat(n=2), "'n' must be 1"),
        (chat("Hello", {"role": "assistant", "content": "I am"}), "last message"),
        (chat({"role": "user", "content": " "}), "last message"),
        (chat({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}), "not image_url"),
    ],
)
async def test_agent_request_with_unsupported_content_is_refused(
    home: HomeAssistant, tester: ScriptedAgent, request_: Request, words: str
) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        await backend(home).send(request_)
    assert tester.inputs == []


async def test_agent_text_completion_is_answered_as_text(home: HomeAssistant, tester: ScriptedAgent) -> None:
    tester.behave = says({"role": "assistant", "content": "Blue"})
    answer = await backend(home).send(Request.parse(Kind.COMPLETION, {"model": MODEL, "prompt": "The sky is"}))
    assert json.loads(await answer.body())["choices"][0]["text"] == "Blue"
    await answer.close()


async def test_agent_request_for_embeddings_or_another_model_is_refused(home: HomeAssistant, tester: ScriptedAgent) -> None:
    with pytest.raises(NotFoundError):
        await backend(home).send(Request.parse(Kind.EMBEDDINGS, {"model": MODEL, "input": "x"}))
    with pytest.raises(NotFoundError, match=MODEL):
        await backend(home).send(chat(model="gpt"))


async def test_agent_health_follows_the_entity(home: HomeAssistant, tester: ScriptedAgent) -> None:
    agent = backend(home)
    assert (await agent.health()).status == "ok"
    (model,) = await agent.models()
    assert model.id == MODEL
    assert model.capabilities == frozenset({Capability.COMPLETION, Capability.STREAMING})
    tester._attr_available = False
    tester.async_write_ha_state()
    with pytest.raises(UpstreamConnectionError, match="unavailable"):
        await agent.health()
    tester._attr_available = True
    tester.async_write_ha_state()
    await agent.health()
    await tester.async_remove(force_remove=True)
    with pytest.raises(UpstreamConnectionError, match=r"conversation\.tester no longer exists"):
        await agent.health()
    with pytest.raises(UpstreamConnectionError):
        await agent.send(chat())


async def test_agent_renamed_entity_is_followed(home: HomeAssistant, tester: ScriptedAgent) -> None:
    subentries = [
        ConfigSubentryData(data={CONF_ENTITY_ID: entity_id}, subentry_type=SUBENTRY_HOME_AGENT, title="A", unique_id=None)
        for entity_id in (ENTITY, "conversation.other")
    ]
    entry = MockConfigEntry(domain=DOMAIN, subentries_data=subentries)
    entry.add_to_hass(home)
    stop = follow_renames(home, entry)
    er.async_get(home).async_update_entity(ENTITY, new_entity_id="conversation.renamed")
    await home.async_block_till_done()
    assert {item.data[CONF_ENTITY_ID] for item in entry.subentries.values()} == {"conversation.renamed", "conversation.other"}
    stop()
    er.async_get(home).async_update_entity("conversation.renamed", new_entity_id=ENTITY)
    await home.async_block_till_done()
    assert {item.data[CONF_ENTITY_ID] for item in entry.subentries.values()} == {"conversation.renamed", "conversation.other"}


async def test_agent_that_requests_itself_gets_a_loop_error(home: HomeAssistant, tester: ScriptedAgent) -> None:
    agent = backend(home)
    seen: list[ApiError] = []

    async def asks_itself(_: conversation.ConversationInput, __: conversation.ChatLog) -> AsyncGenerator[Any]:
        async def nested() -> None:
            try:
                await message_of(agent, chat("And you?"))
            except LoopDetectedError as err:
                seen.append(err)
                raise HomeAssistantError("my model failed") from err

        await home.async_create_task(nested())
        yield {}

    tester.behave = asks_itself
    with pytest.raises(LoopDetectedError, match="requested another agent"):
        await message_of(agent, chat())
    assert len(seen) == len(tester.inputs) == 1


async def test_agent_request_of_another_agent_is_refused(home: HomeAssistant, tester: ScriptedAgent) -> None:
    with pytest.raises(LoopDetectedError):
        await backend(home).send(chat(inside=True))


async def test_agent_that_uses_the_gateway_indirectly_is_stopped(home: HomeAssistant, tester: ScriptedAgent) -> None:
    tester.behave = says(asyncio.Event())
    agent = backend(home)
    answers = [await agent.send(chat("Hello")) for _ in range(MAX_IDENTICAL)]
    with pytest.raises(LoopDetectedError, match="use this gateway itself"):
        await agent.send(chat("Hello"))
    answers.append(await agent.send(chat("Something else")))
    for answer in answers:
        await answer.close()
    tester.behave = says({"role": "assistant", "content": "Hi"})
    assert (await message_of(agent, chat("Hello"))).content == "Hi"
