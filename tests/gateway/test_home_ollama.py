"""Home Assistant's own Ollama integration as a client of the gateway's separate port."""

from collections.abc import AsyncIterator
from types import MappingProxyType
from typing import Any

import ollama
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import CONF_OWN_PORT
from homeassistant.components import conversation
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState, ConfigSubentryData
from homeassistant.core import Context, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component

from ..support.fakes.provider import FakeProvider, text, tool_call
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import KEY, box, gateway_with
from ..support.ports import free_port

pytestmark = pytest.mark.usefixtures("ready_to_serve")


TOOL = "llm__GetDateTime"
SETTINGS: dict[str, Any] = {"keep_alive": -1, "max_history": 20, "num_ctx": 8192, "think": False}


def ollama_entry(port: int, **data: Any) -> MockConfigEntry:
    """Its entry with one agent, for a gateway on this port."""
    settings = {"model": "test-model", "llm_hass_api": ["assist"], **SETTINGS, **data}
    agent = ConfigSubentryData(
        data=MappingProxyType(settings), subentry_type="conversation", title="Ollama agent", unique_id=None
    )
    connection = {"url": f"http://127.0.0.1:{port}", "api_key": KEY}
    return MockConfigEntry(domain="ollama", version=3, minor_version=3, data=connection, subentries_data=[agent])


@pytest.fixture(autouse=True)
async def closed_clients(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Close the connections of the integration's clients, which it leaves open."""
    made: list[ollama.AsyncClient] = []
    original = ollama.AsyncClient.__init__

    def record(client: ollama.AsyncClient, *args: Any, **options: Any) -> None:
        original(client, *args, **options)
        made.append(client)

    monkeypatch.setattr(ollama.AsyncClient, "__init__", record)
    yield
    for client in made:
        await client._client.aclose()


@pytest.fixture
async def port(hass: HomeAssistant, provider: FakeProvider) -> int:
    """The separate port of a gateway in front of the provider."""
    found = free_port()
    hass.http.server_host = ["127.0.0.1"]
    await set_up(hass, gateway_with(box(provider), options={CONF_OWN_PORT: found}))
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "conversation", {})
    return found


async def test_home_assistants_ollama_agent_calls_tools_and_remembers(
    hass: HomeAssistant, provider: FakeProvider, port: int
) -> None:
    called = [*tool_call(TOOL, "{}", call_id="a"), *tool_call(TOOL, "{}", call_id="b", index=1)]
    provider.answers = [called, text("It is late."), text("You asked for the time.")]
    entry = await set_up(hass, ollama_entry(port))
    assert entry.state is ConfigEntryState.LOADED
    spoken = []
    conversation_id = None
    for sentence in ("How late is it?", "What did I ask?"):
        answer = await conversation.async_converse(
            hass, sentence, conversation_id, Context(), agent_id="conversation.ollama_agent"
        )
        conversation_id = answer.conversation_id
        spoken.append(answer.response.speech["plain"]["speech"])
    assert spoken == ["It is late.", "You asked for the time."]
    second = provider.requests[1]["messages"]
    results = [message for message in second if message["role"] == "tool"]
    ids = [call["id"] for message in second for call in message.get("tool_calls", ())]
    assert len(set(ids)) == 2
    assert [result["tool_call_id"] for result in results] == ids
    assert all('"error":false' in result["content"] for result in results)
    assert TOOL in [tool["function"]["name"] for tool in provider.requests[0]["tools"]]
    assert [message["content"] for message in provider.requests[2]["messages"] if message["role"] == "user"] == [
        "How late is it?",
        "What did I ask?",
    ]


async def test_home_assistants_ollama_agent_with_a_cut_history_gets_an_answer(
    hass: HomeAssistant, provider: FakeProvider, port: int
) -> None:
    provider.answers = [tool_call(TOOL, "{}"), text("It is late."), text("Later.")]
    await set_up(hass, ollama_entry(port, max_history=1))
    conversation_id = None
    for sentence in ("How late is it?", "And now?", "And now?"):
        answer = await conversation.async_converse(
            hass, sentence, conversation_id, Context(), agent_id="conversation.ollama_agent"
        )
        conversation_id = answer.conversation_id
        assert answer.response.response_type.value == "action_done", answer.response.as_dict()


async def test_home_assistants_ollama_flow_accepts_the_gateway_and_its_models(
    hass: HomeAssistant, provider: FakeProvider, port: int
) -> None:
    provider.answers = [text("Hello")]
    flow = await hass.config_entries.flow.async_init("ollama", context={"source": SOURCE_USER})
    wrong = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"url": f"http://127.0.0.1:{port}", "api_key": "zai_wrong-key-of-the-tests-00000000"}
    )
    assert wrong["errors"] == {"base": "invalid_auth"}
    made = await hass.config_entries.flow.async_configure(flow["flow_id"], {"url": f"http://127.0.0.1:{port}", "api_key": KEY})
    assert made["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    entry = made["result"]
    begun = await hass.config_entries.subentries.async_init((entry.entry_id, "conversation"), context={"source": SOURCE_USER})
    agent = {"name": "Agent", "model": "test-model"} | SETTINGS
    shown = await hass.config_entries.subentries.async_configure(begun["flow_id"], agent)
    assert shown["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    # The flow offers models with the tag `latest`, and downloads those that are not listed with it.
    assert (await entry.runtime_data.pull("test-model:latest")).status == "success"
