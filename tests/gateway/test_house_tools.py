"""The tools of the house for programs: what a key of a user may call, and how the calls run."""

from typing import Any

import aiohttp
from openai import APIStatusError, BadRequestError, PermissionDeniedError
import pytest

from custom_components.zeroconf_ai.core.server.tool_runner import ToolResult
from custom_components.zeroconf_ai.gateway.house_tools import OpenApis
from homeassistant.auth.const import GROUP_ID_READ_ONLY
from homeassistant.components import conversation
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import HomeAssistant

from ..support.fakes.provider import FakeProvider, text, tool_call
from ..support.home_assistant.gateway import bearer
from ..support.home_assistant.house import ASK, LIGHT, MCP, READ_ALL, TOOLS, TURN_ON, House, make_house

pytestmark = pytest.mark.usefixtures("ready_to_serve")


@pytest.fixture
async def house(hass: HomeAssistant, provider: FakeProvider) -> House:
    """A house with a light that Assist may use."""
    return await make_house(hass, provider)


@pytest.mark.parametrize("stream", [True, False])
async def test_house_tools_openai_sdk_turns_on_a_light_through_a_model_that_the_client_told_nothing_of_it(
    house: House, *, stream: bool
) -> None:
    house.provider.answers = [TURN_ON, text("It", " is on.")]
    async with house.client("assist") as client:
        if stream:
            chunks = [
                chunk
                async for chunk in await client.chat.completions.create(
                    **ASK, stream=True, stream_options={"include_usage": True}, extra_headers=TOOLS
                )
            ]
            said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            assert all(not chunk.choices[0].delta.tool_calls for chunk in chunks if chunk.choices)
            assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
            assert len({chunk.id for chunk in chunks}) == 1
            used = chunks[-1].usage
        else:
            answer = await client.chat.completions.create(**ASK, extra_headers=TOOLS)
            (choice,) = answer.choices
            said, used = choice.message.content or "", answer.usage
            assert (choice.finish_reason, choice.message.tool_calls) == ("stop", None)
    assert (said, house.light) == ("It is on.", "on")
    assert used is not None
    assert (used.prompt_tokens, used.completion_tokens) == (24, 6)  # of both rounds
    first, second = house.provider.requests
    assert "intent__HassTurnOn" in {tool["function"]["name"] for tool in first["tools"]}
    assert "Kitchen light" in first["messages"][0]["content"]
    call, result = second["messages"][-2:]
    assert (call["role"], result["role"]) == ("assistant", "tool")
    assert result["tool_call_id"] == call["tool_calls"][0]["id"]
    (event,) = await house.tool_events()
    assert event[0] == house.user.id
    assert event[1].endswith(" intent__HassTurnOn")


async def test_house_tools_key_without_the_right_gets_a_403_that_says_why(house: House) -> None:
    house.provider.answers = [TURN_ON, text("It is on.")]
    async with house.client() as client:
        with pytest.raises(PermissionDeniedError, match="may not use the tools of the house") as caught:
            await client.chat.completions.create(**ASK, extra_headers=TOOLS)
    assert (caught.value.code, house.light, house.provider.requests) == ("house_tools_not_allowed", "off", [])


async def test_house_tools_without_the_header_are_not_offered(house: House) -> None:
    house.provider.answers = [text("Hello")]
    async with house.client("assist") as client:
        await client.chat.completions.create(**ASK)
    (sent,) = house.provider.requests
    assert "tools" not in sent


async def test_house_tools_user_may_not_do_more_than_in_home_assistant(house: House) -> None:
    reader = await house.hass.auth.async_create_user("Cy", group_ids=[GROUP_ID_READ_ONLY])
    house.provider.answers = [TURN_ON, text("I may not.")]
    async with house.client("assist", user=reader) as client:
        await client.chat.completions.create(**ASK, extra_headers=TOOLS)
    assert house.light == "off"
    assert "Failed to call turn_on" in house.provider.requests[1]["messages"][-1]["content"]


async def test_house_tools_entity_that_is_not_exposed_is_out_of_reach(house: House) -> None:
    async_expose_entity(house.hass, conversation.DOMAIN, LIGHT, False)
    house.provider.answers = [TURN_ON, text("There is no such light.")]
    async with house.client("assist") as client:
        await client.chat.completions.create(**ASK, extra_headers=TOOLS)
    assert house.light == "off"


async def test_house_tools_clients_tool_of_the_same_name_is_a_400(house: House) -> None:
    mine: Any = {"type": "function", "function": {"name": "intent__HassTurnOn", "parameters": {"type": "object"}}}
    async with house.client("assist") as client:
        with pytest.raises(BadRequestError, match="Rename yours"):
            await client.chat.completions.create(**ASK, tools=[mine], extra_headers=TOOLS)
    assert house.provider.requests == []


async def test_house_tools_turn_with_a_call_of_the_client_returns_to_it_and_keeps_the_results_of_the_house(house: House) -> None:
    mine: Any = {"type": "function", "function": {"name": "remind", "parameters": {"type": "object"}}}
    both = [*TURN_ON[:-2], *tool_call("remind", '{"at": 7}', call_id="call_2", index=1)]
    house.provider.answers = [both, text("Done.")]
    async with house.client("assist") as client:
        answer = await client.chat.completions.create(**ASK, tools=[mine], extra_headers=TOOLS)
        message = answer.choices[0].message
        assert answer.choices[0].finish_reason == "tool_calls"
        assert [call.id for call in message.tool_calls or ()] == ["call_2"]
        assert house.light == "on"
        history = [*ASK["messages"], message.to_dict(), {"role": "tool", "tool_call_id": "call_2", "content": "ok"}]
        await client.chat.completions.create(model="test-model", messages=history, tools=[mine], extra_headers=TOOLS)
    roles = [(sent["role"], sent.get("tool_call_id")) for sent in house.provider.requests[1]["messages"]]
    assert roles[-3:] == [("assistant", None), ("tool", "call_1"), ("tool", "call_2")]


async def test_house_tools_repeated_request_runs_no_tool_twice(house: House) -> None:
    house.provider.answers = [TURN_ON, text("It is on."), text("It is on.")]
    named = TOOLS | {"X-Request-ID": "again-1"}
    async with house.client("assist") as client:
        for _ in range(2):
            answer = await client.chat.completions.create(**ASK, extra_headers=named)
            assert answer.choices[0].message.content == "It is on."
    assert len(await house.tool_events()) == 1
    assert house.provider.requests[2]["messages"] == house.provider.requests[1]["messages"]


async def test_house_tools_user_who_is_deactivated_meanwhile_stops_the_request(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.provider.answers = [TURN_ON, text("It is on.")]
    call = OpenApis.call

    async def deactivate_first(apis: OpenApis, *given: Any) -> ToolResult:
        await house.hass.auth.async_deactivate_user(house.user)
        return await call(apis, *given)

    monkeypatch.setattr(OpenApis, "call", deactivate_first)
    async with house.client("assist") as client:
        with pytest.raises(PermissionDeniedError, match="deactivated or deleted"):
            await client.chat.completions.create(**ASK, extra_headers=TOOLS)
    assert (house.light, len(house.provider.requests)) == ("off", 1)
    assert await house.tool_events() == []


async def test_house_tools_rounds_are_bounded(house: House) -> None:
    house.provider.answers = [
        *(tool_call("intent__HassTurnOn", '{"name": "Kitchen light"}', call_id=f"c{number}") for number in range(9)),
        text("Enough."),
    ]
    async with house.client("assist") as client:
        answer = await client.chat.completions.create(**ASK, extra_headers=TOOLS)
    assert answer.choices[0].message.content == "Enough."
    assert len(house.provider.requests) == 10
    assert house.provider.requests[-1]["tool_choice"] == "none"
    assert "tool_choice" not in house.provider.requests[-2]


DIALECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "anthropic": ("/v1/messages", {**ASK, "max_tokens": 100}),
    "gemini": ("/v1beta/models/test-model:generateContent", {"contents": [{"parts": [{"text": "Turn on the light."}]}]}),
    "ollama": ("/api/chat", {**ASK, "stream": False}),
    "ollama stream": ("/api/chat", ASK),
    "anthropic stream": ("/v1/messages", {**ASK, "max_tokens": 100, "stream": True}),
    "responses": ("/v1/responses", {"model": "test-model", "input": "Turn on the light."}),
    "responses stream": ("/v1/responses", {"model": "test-model", "input": "Turn on the light.", "stream": True}),
}


async def test_house_tools_work_in_every_dialect_and_are_not_shown(house: House) -> None:
    _, secret = await house.store.keys.create("Laptop", user_id=house.user.id, llm_apis=("assist",))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{house.port}") as session:
        for dialect, (path, body) in DIALECTS.items():
            house.provider.answers = [TURN_ON, text("It is lit.")]
            async with session.post(path, json=body, headers={**bearer(secret), **TOOLS}) as answer:
                found = await answer.text()
                assert answer.status == 200, (dialect, found)
            assert "lit." in found, dialect
            assert "HassTurnOn" not in found, dialect
    assert len(await house.tool_events()) == len(DIALECTS)


async def test_house_tools_result_of_a_labelled_entity_stays_at_home(house: House) -> None:
    await house.add_labelled_lock()
    house.move_provider(outside=True)
    async with house.client("assist") as client:
        house.provider.answers = [TURN_ON, text("Done.")]
        answer = await client.chat.completions.create(**ASK, extra_headers=TOOLS)
        assert answer.choices[0].message.content == "Done."
        house.provider.answers = [READ_ALL, text("Never.")]
        with pytest.raises(APIStatusError) as refused:
            await client.chat.completions.create(**ASK, extra_headers=TOOLS)
        assert refused.value.code == "home_only"
    assert "unlocked" not in str(house.provider.requests)


@pytest.mark.parametrize("stream", [True, False])
async def test_house_tools_as_an_mcp_server_of_responses_are_listed_and_called(house: House, *, stream: bool) -> None:
    house.provider.answers = [TURN_ON, text("It is on.")]
    answer: Any
    async with house.client("assist") as client:
        asked: dict[str, Any] = {"model": "test-model", "input": "Turn on the light.", "tools": [MCP]}
        if stream:
            events = [event async for event in await client.responses.create(**asked, stream=True)]
            assert [event.sequence_number for event in events] == list(range(len(events)))
            kinds = [event.type for event in events]
            last: Any = events[-1]
            assert "response.mcp_list_tools.completed" in kinds
            assert "response.mcp_call.completed" in kinds
            answer = last.response
        else:
            answer = await client.responses.create(**asked)
    assert [item.type for item in answer.output] == ["mcp_list_tools", "mcp_call", "message"]
    listed, call, _ = answer.output
    hints = {tool.name: tool.annotations for tool in listed.tools}
    assert hints["homeassistant__GetLiveContext"]["readOnlyHint"] is True
    assert hints["intent__HassTurnOn"]["readOnlyHint"] is False
    assert (call.name, call.server_label, call.status, call.error) == ("intent__HassTurnOn", "home", "completed", None)
    assert (answer.output_text, house.light) == ("It is on.", "on")


@pytest.mark.parametrize("approve", [True, False])
async def test_house_tools_call_that_needs_approval_runs_only_when_approved(house: House, *, approve: bool) -> None:
    house.provider.answers = [TURN_ON, text("Done.")]
    server = {"type": "mcp", "server_label": "home"}
    async with house.client("assist") as client:
        tools: Any = [server]
        answer = await client.responses.create(model="test-model", input="Turn on the light.", tools=tools)
        asked: Any = answer.output[-1]
        assert (asked.type, asked.name) == ("mcp_approval_request", "intent__HassTurnOn")
        assert house.light == "off"
        decided: Any = [{"type": "mcp_approval_response", "approval_request_id": asked.id, "approve": approve}]
        answer = await client.responses.create(model="test-model", previous_response_id=answer.id, input=decided, tools=tools)
    assert (answer.output_text, house.light) == ("Done.", "on" if approve else "off")
    result = house.provider.requests[1]["messages"][-1]
    assert (result["role"], "denied" in result["content"]) == ("tool", not approve)
    assert len(await house.tool_events()) == approve
