"""Agents and AI tasks of this integration as backends of the gateway."""

import json
from typing import Any

import pytest

from custom_components.zeroconf_ai.core.engine import Caller, Engine, Source
from custom_components.zeroconf_ai.core.protocol.chunks import Delta
from custom_components.zeroconf_ai.core.protocol.errors import InvalidRequestError, UpstreamConnectionError, UpstreamError
from custom_components.zeroconf_ai.core.protocol.record import Capability
from custom_components.zeroconf_ai.data import DATA
from custom_components.zeroconf_ai.home_agents.backend import model_of
from homeassistant.core import HomeAssistant
from homeassistant.helpers import chat_session, entity_registry as er
from homeassistant.setup import async_setup_component

from ..support.fakes.provider import FakeProvider, text, usage
from ..support.home_assistant.agents import backend, chat, message_of
from ..support.home_assistant.entries import AGENT, TASK, agent_data, make_entry, set_up


@pytest.fixture
async def home(hass: HomeAssistant, ready: None) -> HomeAssistant:
    """A home with Assist."""
    assert await async_setup_component(hass, "conversation", {})
    assert await async_setup_component(hass, "ai_task", {})
    return hass


async def test_agent_of_this_integration_streams_through_the_engine(home: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(home, make_entry(provider))
    provider.answers = [text("The sky", " is", " blue.")]
    engine = Engine(own_id="gateway")
    agent = backend(home, AGENT)
    await engine.checker.check(engine.add(agent))
    request = chat("Hello", {"role": "assistant", "content": "Hi"}, "The sky?", model="homeassistant/test_provider", stream=True)
    async with engine.run(request, Caller(Source.HTTP)) as reply:
        contents = [Delta.parse(chunk.data).content async for chunk in reply.chunks()]
    assert [part for part in contents if part] == ["The sky", " is", " blue."]
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (12, 3)
    assert [message["role"] for message in provider.requests[0]["messages"]] == ["system", "user", "assistant", "user"]
    await engine.close()


async def test_agent_of_this_integration_is_not_routed_to_agents(home: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(home, make_entry(provider, subentries=[agent_data(model="auto")]))
    provider.answers = [text("From the model.")]
    engine = home.data[DATA].engine
    agent = backend(home, AGENT)
    await engine.checker.check(engine.add(agent))
    async with engine.run(chat(model="homeassistant/test_provider"), Caller(Source.HTTP)) as reply:
        assert json.loads(reply.body)["choices"][0]["message"]["content"] == "From the model."
    await engine.remove("agent")


SCHEMA = {
    "type": "object",
    "properties": {"lamps": {"type": "integer", "minimum": 0}, "rooms": {"type": "array", "items": {"$ref": "#/$defs/Room"}}},
    "required": ["lamps", "rooms"],
    "additionalProperties": False,
    "$defs": {"Room": {"type": "object", "properties": {"size": {"type": "number"}}, "required": ["size"]}},
}


@pytest.mark.parametrize("stream", [False, True])
async def test_ai_task_returns_data_in_the_requested_structure(home: HomeAssistant, provider: FakeProvider, stream: bool) -> None:
    await set_up(home, make_entry(provider))
    provider.answers = [[*text('{"lamps": 3, "rooms": [{"size": 7.5}]}')[:-1], usage(40, 9)]]
    wanted = {"type": "json_schema", "json_schema": {"name": "count_lamps", "schema": SCHEMA}}
    agent = backend(home, TASK)
    (model,) = await agent.models()
    assert model.capabilities == frozenset({Capability.COMPLETION, Capability.STREAMING, Capability.JSON})
    message = await message_of(agent, chat("How many lamps?", model=model.id, stream=stream, response_format=wanted))
    assert json.loads(message.content) == {"lamps": 3, "rooms": [{"size": 7.5}]}
    sent = provider.requests[0]["response_format"]["json_schema"]
    assert sent["name"] == "count_lamps"
    assert sent["schema"]["properties"]["lamps"] == {"type": "integer", "minimum": 0}
    assert sent["schema"]["properties"]["rooms"]["items"]["properties"] == {"size": {"type": "number"}}
    if not stream:
        assert message.usage is not None
        assert (message.usage.prompt_tokens, message.usage.completion_tokens) == (40, 9)
    assert home.data[chat_session.DATA_CHAT_SESSION] == {}


async def test_ai_task_prompt_contains_the_conversation(home: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(home, make_entry(provider))
    provider.answers = [text('{"a": 1}')]
    request = chat(
        {"role": "system", "content": "Be exact."},
        "One?",
        {"role": "assistant", "content": "Yes."},
        "And now?",
        model=model_of(TASK),
        response_format={"type": "json_object"},
    )
    assert (await message_of(backend(home, TASK), request)).content == '{"a": 1}'
    assert provider.requests[0]["messages"][-1]["content"] == (
        "Be exact.\n\nUser: One?\n\nAssistant: Yes.\n\nUser: And now?\n\nAnswer with nothing but a JSON object."
    )


async def test_ai_task_failure_is_an_upstream_error(home: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(home, make_entry(provider))
    provider.answers = [[{"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]]
    with pytest.raises(UpstreamError, match="The agent could not answer"):
        await message_of(backend(home, TASK), chat(model=model_of(TASK)))


ITSELF = {"type": "array", "items": {"$ref": "#/$defs/A"}}
DOUBLING = {str(n): {"anyOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(15)} | {"15": {"type": "string"}}
"""Two to the fifteenth strings, where it is written out."""


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {"type": "nonsense"},
        {"$ref": "#/$defs/Nobody"},
        {"$ref": "#/$defs/A", "$defs": {"A": ITSELF}},
        {"$ref": "#/$defs/0", "$defs": DOUBLING},
    ],
)
async def test_ai_task_unsupported_schema_is_refused(home: HomeAssistant, provider: FakeProvider, schema: Any) -> None:
    await set_up(home, make_entry(provider))
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    with pytest.raises(InvalidRequestError, match="schema"):
        await backend(home, TASK).send(chat(model=model_of(TASK), response_format=wanted))


async def test_ai_task_missing_entity_is_reported(home: HomeAssistant) -> None:
    with pytest.raises(UpstreamConnectionError, match=r"ai_task\.nobody no longer exists"):
        await backend(home, "ai_task.nobody").health()


@pytest.mark.parametrize(
    ("platform", "outside"),
    [("ollama", False), ("openai_conversation", True), ("anthropic", True), ("demo", False), ("unknown_integration", True)],
)
async def test_agent_is_at_home_if_its_integration_needs_no_cloud(home: HomeAssistant, platform: str, *, outside: bool) -> None:
    entity = er.async_get(home).async_get_or_create("conversation", platform, "an agent")
    assert await backend(home, entity.entity_id).leaves_home() is outside


async def test_agent_of_home_assistant_itself_is_at_home_and_a_missing_one_is_not(home: HomeAssistant) -> None:
    assert not await backend(home, None).leaves_home()
    assert await backend(home, "conversation.gone").leaves_home()
