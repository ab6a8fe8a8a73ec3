"""Agents as backends of the gateway: commands work without models and budget, and requests do not loop."""

from collections.abc import AsyncIterator
import json

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.const import DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import intent

from ..support.fakes.provider import FakeProvider, text, tool_call
from ..support.home_assistant.assist import Kitchen, make_kitchen
from ..support.home_assistant.entries import agent_data, set_up
from ..support.home_assistant.gateway import box, gateway_with, post_chat
from ..support.home_assistant.gateway_entry import home_agent_data
from ..support.home_assistant.usage import spend
from ..test_conversation import QUESTION, say, speech

pytestmark = pytest.mark.usefixtures("ready_to_serve")

AGENT = "conversation.butler"
OFF = "Turn off the kitchen light"


@pytest.fixture
async def entry(hass: HomeAssistant, provider: FakeProvider) -> MockConfigEntry:
    """A gateway with a paid backend, an agent for any model, and as models Assist and that very agent."""
    return await set_up(
        hass,
        gateway_with(
            box(provider, cost="metered", input_price=1000.0, output_price=1000.0),
            agent_data("Butler", model="auto"),
            home_agent_data(),
            home_agent_data(AGENT, title="Butler as a model"),
        ),
    )


@pytest.fixture
async def kitchen(hass: HomeAssistant, entry: MockConfigEntry) -> AsyncIterator[Kitchen]:
    """A light that is on."""
    yield make_kitchen(hass, "Kitchen light")
    await hass.async_block_till_done()


@pytest.mark.parametrize("action", ["refuse", "free_only"])
async def test_agent_with_an_exhausted_budget_falls_back_to_the_default_agent(
    hass: HomeAssistant, provider: FakeProvider, entry: MockConfigEntry, kitchen: Kitchen, action: str
) -> None:
    budget = {"scope": "household", "amount": 1, "period": "month", "action": action}
    await hass.services.async_call(DOMAIN, "set_budget", budget, blocking=True)
    await spend(hass, entry, 2.0)
    result = await say(hass, OFF, agent=AGENT)
    assert result.response.response_type is intent.IntentResponseType.ACTION_DONE
    assert kitchen.state == "off"
    lost = await say(hass, QUESTION, agent=AGENT)
    assert speech(lost) == "Sorry, the AI budget is used up."
    assert not provider.requests


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["homeassistant/butler", "homeassistant/assist", "auto"])
async def test_client_of_an_agent_gets_the_default_agents_answer_once(
    hass: HomeAssistant,
    provider: FakeProvider,
    entry: MockConfigEntry,
    kitchen: Kitchen,
    hass_client_no_auth: ClientSessionGenerator,
    model: str,
    stream: bool,
) -> None:
    await provider.stop()
    client = await hass_client_no_auth()
    status, answer = await post_chat(client, OFF, model=model, stream=stream)
    assert status == 200
    assert "Turned off the light" in answer
    assert len(kitchen.calls) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_client_of_an_agent_without_answer_gets_an_error_without_addresses(
    hass: HomeAssistant,
    provider: FakeProvider,
    entry: MockConfigEntry,
    kitchen: Kitchen,
    hass_client_no_auth: ClientSessionGenerator,
    stream: bool,
) -> None:
    await provider.stop()
    client = await hass_client_no_auth()
    status, answer = await post_chat(client, QUESTION, model="homeassistant/butler", stream=stream)
    assert status == 502
    assert "Butler as a model could not answer" in json.loads(answer)["error"]["message"]
    assert "127.0.0.1" not in answer
    assert "Sorry" not in answer


@pytest.mark.parametrize("stream", [False, True])
async def test_client_of_an_agent_with_an_empty_answer_after_a_tool_gets_done(
    hass: HomeAssistant,
    provider: FakeProvider,
    entry: MockConfigEntry,
    kitchen: Kitchen,
    hass_client_no_auth: ClientSessionGenerator,
    stream: bool,
) -> None:
    provider.answers = [tool_call("intent__HassTurnOff", '{"name": "Kitchen light"}'), text("")]
    client = await hass_client_no_auth()
    status, answer = await post_chat(client, OFF, model="homeassistant/butler", stream=stream)
    assert status == 200
    assert "Done." in answer
    assert (kitchen.state, len(provider.requests)) == ("off", 2)


@pytest.mark.parametrize("stream", [False, True])
async def test_client_of_assist_without_speech_gets_an_empty_answer(
    hass: HomeAssistant,
    provider: FakeProvider,
    entry: MockConfigEntry,
    hass_client_no_auth: ClientSessionGenerator,
    stream: bool,
) -> None:
    client = await hass_client_no_auth()
    status, answer = await post_chat(client, "Nevermind", model="homeassistant/assist", stream=stream)
    assert status == 200
    assert '"finish_reason":"stop"' in answer
    assert not provider.requests
