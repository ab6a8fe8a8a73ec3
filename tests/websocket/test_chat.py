"""A user's own conversations over a real WebSocket of Home Assistant: followed, with tools, and with his own permissions."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
from pytest_homeassistant_custom_component.typing import MockHAClientWebSocket, WebSocketGenerator

from custom_components.zeroconf_ai.const import CONF_HOME_LABELS
from custom_components.zeroconf_ai.core.accounting.admission import RateLimits
from custom_components.zeroconf_ai.data import DATA
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, label_registry as lr
from homeassistant.setup import async_setup_component

from ..support.fakes.provider import FakeProvider, text, tool_call
from ..support.home_assistant.assist import LIGHT, make_kitchen
from ..support.home_assistant.entries import make_entry, set_up
from ..support.home_assistant.gateway import box, gateway_with, runtime_of
from .test_commands import ask, error_of

pytestmark = pytest.mark.usefixtures("ready_to_serve")


@pytest.fixture
async def entry(hass: HomeAssistant, provider: FakeProvider) -> MockConfigEntry:
    """A gateway with one backend, in a home with Assist."""
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "conversation", {})
    return await set_up(hass, gateway_with(box(provider)))


async def follow(client: MockHAClientWebSocket, conversation: str) -> None:
    """Subscribe to a conversation."""
    await client.send_json_auto_id({"type": "zeroconf_ai/chat/follow", "conversation_id": conversation})
    while not (await client.receive_json()).get("success"):
        pass


async def events_until(client: MockHAClientWebSocket, condition: Callable[[dict[str, Any]], object]) -> list[dict[str, Any]]:
    """The events up to the first that meets a condition."""
    found: list[dict[str, Any]] = []
    while not (found and condition(found[-1])):
        message = await client.receive_json()
        if message["type"] == "event":
            found.append(message["event"])
    return found


def is_end(event: dict[str, Any]) -> bool:
    """Whether an answer has ended."""
    return event["type"] == "message" and "outcome" in event["message"]["details"]


async def test_chat_answer_controls_the_home_as_the_user_and_shows_what_it_touched(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    provider: FakeProvider,
    hass_ws_client: WebSocketGenerator,
    hass_admin_user: MockUser,
) -> None:
    kitchen = make_kitchen(hass, "Kitchen light")
    provider.answers = [tool_call("HassTurnOff", '{"name": "Kitchen light"}'), text("It ", "is off.")]
    client = await hass_ws_client(hass)
    conversation = (await ask(client, "chat/create"))["conversation_id"]
    await follow(client, conversation)
    await client.send_json_auto_id(
        {"type": "zeroconf_ai/chat/send", "conversation_id": conversation, "text": "Turn off the kitchen light", "language": "en"}
    )
    end = (await events_until(client, is_end))[-1]["message"]
    assert end["content"] == "It is off."
    (tool,) = end["details"]["tools"]
    assert (tool["name"], tool["error"], tool["entities"]) == ("intent__HassTurnOff", False, [LIGHT])
    assert "Kitchen light" in tool["arguments"]
    assert tool["result"]
    assert [call.context.user_id for call in kitchen.calls] == [hass_admin_user.id]
    assert kitchen.state == "off"
    assert (end["details"]["backend"], end["details"]["tokens_completion"]) == ("Box", 6)
    assert len(end["details"]["generation_ids"]) == 2
    await runtime_of(entry).store.flush()
    records = (await ask(client, "requests", user_id=hass_admin_user.id))["requests"]
    assert {record["id"] for record in records} == set(end["details"]["generation_ids"])
    assert {(record["source"], record["user_id"]) for record in records} == {("page", hass_admin_user.id)}


async def test_chat_in_which_a_tool_read_a_labelled_entity_stays_at_home(
    hass: HomeAssistant, entry: MockConfigEntry, provider: FakeProvider, hass_ws_client: WebSocketGenerator
) -> None:
    label = lr.async_get(hass).async_create("Private")
    lamp = er.async_get(hass).async_get_or_create("light", "demo", "1", suggested_object_id=LIGHT.partition(".")[2])
    er.async_get(hass).async_update_entity(lamp.entity_id, labels={label.label_id})
    make_kitchen(hass, "Kitchen light")
    hass.config_entries.async_update_entry(entry, options={**entry.options, CONF_HOME_LABELS: [label.label_id]})
    await hass.async_block_till_done()
    client = await hass_ws_client(hass)
    conversation = (await ask(client, "chat/create"))["conversation_id"]
    await follow(client, conversation)
    said = {"type": "zeroconf_ai/chat/send", "conversation_id": conversation, "text": "Is it on?", "language": "en"}
    provider.answers = [tool_call("homeassistant__GetLiveContext", "{}"), text("It is on.")]
    await client.send_json_auto_id(said)
    assert (await events_until(client, is_end))[-1]["message"]["details"]["home_rule"] == "entity"
    for member in hass.data[DATA].engine.pool:
        member.leaves_home = True
    asked = len(provider.requests)
    await client.send_json_auto_id(said | {"choice": {"backend_id": None, "model": "auto", "tools": False}})
    assert "stays at home" in (await events_until(client, is_end))[-1]["message"]["details"]["error"]
    assert len(provider.requests) == asked


async def test_chat_without_control_of_the_home_offers_no_tools(
    hass: HomeAssistant, entry: MockConfigEntry, provider: FakeProvider, hass_ws_client: WebSocketGenerator
) -> None:
    make_kitchen(hass, "Kitchen light")
    client = await hass_ws_client(hass)
    conversation = (await ask(client, "chat/create"))["conversation_id"]
    await follow(client, conversation)
    choice = {"backend_id": None, "model": "auto", "tools": False}
    for fields in ({"text": "Hello", "choice": choice}, {"text": "Turn it off"}):
        message = {"type": "zeroconf_ai/chat/send", "conversation_id": conversation, **fields}
        await client.send_json_auto_id(message)
        await events_until(client, is_end)
    assert [bool(body.get("tools")) for body in provider.requests] == [False, True]
    assert provider.requests[0]["messages"] == [{"role": "user", "content": "Hello"}]
    roles = [message["role"] for message in provider.requests[1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]


async def test_chat_user_without_permission_cannot_control_the_home_by_a_model(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    provider: FakeProvider,
    hass_ws_client: WebSocketGenerator,
    hass_read_only_access_token: str,
    hass_read_only_user: MockUser,
) -> None:
    assert await async_setup_component(
        hass, "input_boolean", {"input_boolean": {"heating": {"name": "Heating", "initial": True}}}
    )
    async_expose_entity(hass, "conversation", "input_boolean.heating", True)
    provider.answers = [tool_call("HassTurnOff", '{"name": "Heating"}'), text("Sorry.")]
    client = await hass_ws_client(hass, hass_read_only_access_token)
    conversation = (await ask(client, "chat/create"))["conversation_id"]
    await follow(client, conversation)
    await client.send_json_auto_id({"type": "zeroconf_ai/chat/send", "conversation_id": conversation, "text": "Heating off"})
    end = (await events_until(client, is_end))[-1]["message"]
    assert end["details"]["tools"][0]["error"]
    state = hass.states.get("input_boolean.heating")
    assert state is not None
    assert state.state == "on"


async def test_chat_of_another_user_cannot_be_reached_by_any_command(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    hass_ws_client: WebSocketGenerator,
    hass_read_only_access_token: str,
) -> None:
    owner = await hass_ws_client(hass)
    conversation = (await ask(owner, "chat/create"))["conversation_id"]
    await follow(owner, conversation)
    await owner.send_json_auto_id({"type": "zeroconf_ai/chat/send", "conversation_id": conversation, "text": "My secret"})
    await events_until(owner, is_end)
    guest = await hass_ws_client(hass, hass_read_only_access_token)
    for command, fields in {
        "send": {"text": "Hello"},
        "retry": {},
        "rename": {"title": "Mine"},
        "delete": {},
    }.items():
        message = {"type": f"zeroconf_ai/chat/{command}", "conversation_id": conversation, **fields}
        assert await error_of(guest, message) == "not_found"
    await guest.send_json_auto_id({"type": "zeroconf_ai/chat/follow", "conversation_id": conversation})
    events = await events_until(guest, lambda event: event["type"] == "home")
    assert [event["type"] for event in events] == ["deleted", "home"]
    assert (await ask(guest, "chat/conversations", search="secret"))["conversations"] == []
    titles = [one["title"] for one in (await ask(await hass_ws_client(hass), "chat/conversations"))["conversations"]]
    assert titles == ["My secret"]


async def test_chat_runs_on_after_its_page_has_left_and_is_there_for_another_one(
    hass: HomeAssistant, entry: MockConfigEntry, provider: FakeProvider, hass_ws_client: WebSocketGenerator
) -> None:
    client = await hass_ws_client(hass)
    conversation = (await ask(client, "chat/create"))["conversation_id"]
    await ask(client, "chat/send", conversation_id=conversation, text="Hello", choice={"tools": False})
    await client.close()
    other = await hass_ws_client(hass)
    await other.send_json_auto_id({"type": "zeroconf_ai/chat/follow", "conversation_id": conversation})
    begun = (await events_until(other, lambda event: event["type"] == "conversation"))[-1]
    answer = begun["messages"][-1] if not begun["running"] else (await events_until(other, is_end))[-1]["message"]
    assert answer["content"] == "Hello there."


async def test_chat_follow_of_the_home_shows_providers_to_every_user(
    hass: HomeAssistant, entry: MockConfigEntry, hass_ws_client: WebSocketGenerator, hass_read_only_access_token: str
) -> None:
    client = await hass_ws_client(hass, hass_read_only_access_token)
    await client.send_json_auto_id({"type": "zeroconf_ai/chat/follow"})
    home = (await events_until(client, lambda event: event["type"] == "home"))[-1]
    assert [(one["name"], one["kind"], one["available"]) for one in home["providers"]] == [
        ("Box", "backend", True),
        ("Assist", "agent", True),
    ]
    assert home["tools"] is True
    assert "reason" not in home["providers"][0]


async def test_chat_limits_of_the_user_apply_and_are_said_in_one_sentence(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    provider: FakeProvider,
    hass_ws_client: WebSocketGenerator,
    hass_read_only_access_token: str,
) -> None:
    runtime_of(entry).store.limits.per_user = RateLimits(1)
    client = await hass_ws_client(hass, hass_read_only_access_token)
    conversation = (await ask(client, "chat/create"))["conversation_id"]
    await follow(client, conversation)
    ends = []
    for _ in range(2):
        message = {"type": "zeroconf_ai/chat/send", "conversation_id": conversation, "text": "Hello", "choice": {"tools": False}}
        await client.send_json_auto_id(message)
        ends.append((await events_until(client, is_end))[-1]["message"]["details"])
    assert [details["outcome"] for details in ends] == ["ok", "error"]
    assert "per minute" in ends[1]["error"]
    assert len(provider.requests) == 1


async def test_chat_with_a_provider_alone_needs_no_gateway(
    hass: HomeAssistant, provider: FakeProvider, hass_ws_client: WebSocketGenerator
) -> None:
    assert await async_setup_component(hass, "conversation", {})
    await set_up(hass, make_entry(provider))
    client = await hass_ws_client(hass)
    conversation = (await ask(client, "chat/create"))["conversation_id"]
    await follow(client, conversation)
    await client.send_json_auto_id({"type": "zeroconf_ai/chat/send", "conversation_id": conversation, "text": "Hello"})
    end = (await events_until(client, is_end))[-1]["message"]
    assert (end["content"], end["details"]["outcome"]) == ("Hello there.", "ok")
