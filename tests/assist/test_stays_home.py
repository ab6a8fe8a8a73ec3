"""Agents and AI tasks whose requests stay at home."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import CONF_HOME_ONLY, CONF_LOCAL_FALLBACK
from homeassistant.components import conversation
from homeassistant.const import CONF_API_KEY, CONF_TYPE
from homeassistant.core import Context, HomeAssistant

from ..support.fakes.provider import FakeProvider, running, text
from ..support.home_assistant.entries import agent_data, set_up, task_data
from ..support.home_assistant.gateway import box, gateway_with

pytestmark = pytest.mark.usefixtures("ready_to_serve")

AGENT = "conversation.butler"
TASK = "ai_task.worker"
QUESTION = "Why is the sky blue?"
REFUSAL = "That stays at home, and no model at home can answer it."


@dataclass
class House:
    """A cloud service that the gateway prefers, and a server at home."""

    cloud: FakeProvider
    home: FakeProvider
    entry: MockConfigEntry


@pytest.fixture
async def at_home(provider: FakeProvider) -> AsyncIterator[FakeProvider]:
    """Another provider."""
    async with running(FakeProvider()) as fake:
        yield fake


async def house(
    hass: HomeAssistant, cloud: FakeProvider, home: FakeProvider, options: dict[str, Any] | None = None, **agent: Any
) -> House:
    """The house, with an agent and an AI task that may use both."""
    outside = box(cloud, "Cloud", **{CONF_TYPE: "openai", CONF_API_KEY: "sk-test", "priority": 1})
    inside = box(home, "Attic", priority=90)
    fields = {"model": "auto", CONF_LOCAL_FALLBACK: False, **agent}
    subentries = (outside, inside, agent_data("Butler", **fields), task_data("Worker", model="auto", **agent))
    entry = await set_up(hass, gateway_with(*subentries, options={"cloud_fallback": True, **(options or {})}))
    for fake in (cloud, home):
        fake.requests.clear()
    return House(cloud, home, entry)


async def say(
    hass: HomeAssistant, words: str = QUESTION, conversation_id: str | None = None, language: str | None = None
) -> conversation.ConversationResult:
    """Send a text to the agent."""
    return await conversation.async_converse(hass, words, conversation_id, Context(), language, AGENT)


def speech(result: conversation.ConversationResult) -> str:
    """The spoken text."""
    spoken: str = result.response.speech["plain"]["speech"]
    return spoken


async def test_agent_that_stays_at_home_is_answered_there(
    hass: HomeAssistant, provider: FakeProvider, at_home: FakeProvider
) -> None:
    found = await house(hass, provider, at_home, home_only=True)
    found.home.answers = [text("It scatters.")]
    assert speech(await say(hass)) == "It scatters."
    assert (len(found.cloud.requests), len(found.home.requests)) == (0, 1)


async def test_agent_that_stays_at_home_refuses_in_one_sentence_with_providers_outside_alone(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    outside = box(provider, "Cloud", **{CONF_TYPE: "openai", CONF_API_KEY: "sk-test"})
    stays = agent_data("Butler", **{"model": "auto", CONF_HOME_ONLY: True, CONF_LOCAL_FALLBACK: False})
    await set_up(hass, gateway_with(outside, stays))
    provider.requests.clear()
    assert speech(await say(hass)) == REFUSAL
    assert speech(await say(hass, language="de")) == "Das bleibt im Haus, und im Haus kann es leider kein Modell beantworten."
    assert provider.requests == []
