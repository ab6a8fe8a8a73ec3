"""Who may not use the tools of the house, what a running answer may still do, and what of it stays at home later."""

import asyncio
import time
from typing import Any

import aiohttp
from openai import APIError, APIStatusError, RateLimitError
import pytest

from custom_components.zeroconf_ai.const import CONF_ADVERTISE, CONF_AUTH, CONF_HOUSEHOLD, DOMAIN
from custom_components.zeroconf_ai.core.protocol.household import HouseholdCode, HouseholdKey
from custom_components.zeroconf_ai.core.server import tool_memory
from custom_components.zeroconf_ai.core.server.tool_runner import ToolResult
from custom_components.zeroconf_ai.gateway.house_tools import OpenApis
from homeassistant.core import HomeAssistant

from ..support.fakes.provider import FakeProvider, text, tool_call
from ..support.home_assistant.gateway import CHAT_PATH, KEY, bearer, runtime_of
from ..support.home_assistant.house import ASK, MCP, READ_ALL, TOOLS, TURN_ON, House, make_house
from ..support.home_assistant.usage import spend

pytestmark = pytest.mark.usefixtures("ready_to_serve")
CLIENT_TOOL: Any = {"type": "function", "function": {"name": "remind", "parameters": {"type": "object"}}}


@pytest.fixture
async def house(hass: HomeAssistant, provider: FakeProvider) -> House:
    """A house with a light that Assist may use."""
    return await make_house(hass, provider)


async def household_token(hass: HomeAssistant, house: House, code: HouseholdCode) -> str:
    """The token of a member of the household."""
    runtime = runtime_of(house.entry)
    assert runtime.household.tokens is not None
    key = await hass.async_add_executor_job(HouseholdKey, code)
    return key.open(runtime.household.tokens.sealed, runtime.server.id, time.time()).token


@pytest.mark.parametrize("how", ["nothing", "shared key", "household", "access token"])
async def test_house_tools_are_for_keys_of_users_only(
    hass: HomeAssistant, provider: FakeProvider, hass_access_token: str, how: str
) -> None:
    code = HouseholdCode.generate()
    by_how: dict[str, dict[str, Any]] = {
        "nothing": {CONF_AUTH: "none"},
        "household": {CONF_HOUSEHOLD: code.text, CONF_ADVERTISE: False},
    }
    house = await make_house(hass, provider, **by_how.get(how, {}))
    shown: dict[str, str | None] = {"nothing": None, "shared key": KEY, "access token": hass_access_token}
    secret = await household_token(hass, house, code) if how == "household" else shown[how]
    headers = {} if secret is None else bearer(secret)
    responses = {"model": "test-model", "input": "Turn on the light.", "tools": [MCP]}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{house.port}", headers=headers) as session:
        for path, body, more in ((CHAT_PATH, ASK, TOOLS), ("/v1/responses", responses, {})):
            async with session.post(path, json=body, headers=more) as answer:
                found = await answer.json()
                expected = "endpoint_not_allowed" if (how, path) == ("household", "/v1/responses") else "house_tools_not_allowed"
                assert (answer.status, found["error"]["code"]) == (403, expected), found
        house.provider.answers = [text("Hello")]
        async with session.post(CHAT_PATH, json=ASK) as answer:  # they may chat
            assert answer.status == 200
    assert (house.light, len(provider.requests)) == ("off", 1)


@pytest.mark.parametrize("stream", [True, False])
async def test_house_tools_limit_that_is_reached_between_rounds_ends_the_answer_and_runs_no_call_again(
    house: House, *, stream: bool
) -> None:
    house.provider.answers = [TURN_ON, text("It is on.")]
    key, secret = await house.store.keys.create("Laptop", user_id=house.user.id, llm_apis=("assist",), requests_per_minute=1)
    named = TOOLS | {"X-Request-ID": "again-1"}
    async with house.client_with(secret) as client:
        chat: Any = client.chat.completions
        if stream:
            shown = await chat.create(**ASK, stream=True, extra_headers=named)
            with pytest.raises(APIError, match="per minute"):
                [chunk async for chunk in shown]
        else:
            with pytest.raises(RateLimitError, match="per minute"):
                await chat.create(**ASK, extra_headers=named)
        assert (house.light, len(await house.tool_events())) == ("on", 1)
        await house.store.keys.update(key.id, requests_per_minute=None)
        again = await chat.create(**ASK, extra_headers=named)
    assert again.choices[0].message.content == "It is on."
    assert len(await house.tool_events()) == 1
    assert [message["role"] for message in house.provider.requests[-1]["messages"]][-2:] == ["assistant", "tool"]


async def test_house_tools_budget_that_is_spent_between_rounds_ends_the_answer(
    hass: HomeAssistant, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = {"scope": "household", "amount": 1, "period": "month", "action": "refuse"}
    await hass.services.async_call(DOMAIN, "set_budget", budget, blocking=True)
    house.provider.answers = [TURN_ON, text("It is on.")]
    call = OpenApis.call

    async def spend_first(apis: OpenApis, *given: Any) -> ToolResult:
        await spend(hass, house.entry, 2.0)
        return await call(apis, *given)

    monkeypatch.setattr(OpenApis, "call", spend_first)
    async with house.client("assist") as client:
        with pytest.raises(APIStatusError) as refused:
            await client.chat.completions.create(**ASK, extra_headers=TOOLS)
    assert (refused.value.code, house.light, len(house.provider.requests)) == ("budget_exceeded", "on", 1)
    assert len(await house.tool_events()) == 1


async def test_house_tools_answers_at_the_same_time_run_their_own_calls(house: House) -> None:
    house.provider.answers = [TURN_ON, TURN_ON, text("It is on."), text("It is on.")]
    async with house.client("assist") as client:
        answers = await asyncio.gather(
            *(client.chat.completions.create(**ASK, extra_headers=TOOLS | {"X-Request-ID": f"a{number}"}) for number in range(2))
        )
    assert [answer.choices[0].message.content for answer in answers] == ["It is on."] * 2
    assert len(await house.tool_events()) == 2


async def test_house_tools_same_request_sent_twice_at_once_runs_its_call_once(house: House) -> None:
    house.provider.answers = [TURN_ON, text("It is on."), text("It is on.")]
    named = TOOLS | {"X-Request-ID": "again-1"}
    async with house.client("assist") as client:
        answers = await asyncio.gather(*(client.chat.completions.create(**ASK, extra_headers=named) for _ in range(2)))
    assert [answer.choices[0].message.content for answer in answers] == ["It is on."] * 2
    assert len(await house.tool_events()) == 1


async def refuse_outside(house: House, ask: Any) -> None:
    """The provider is outside from now on, and the request is refused because its conversation stays at home."""
    sent = len(house.provider.requests)
    house.move_provider(outside=True)
    with pytest.raises(APIStatusError) as refused:
        await ask
    assert refused.value.code == "home_only"
    assert len(house.provider.requests) == sent


@pytest.mark.parametrize("later", [TOOLS, {}])
@pytest.mark.parametrize("stream", [True, False])
async def test_house_tools_later_turn_of_a_chat_that_read_a_labelled_entity_stays_at_home(
    house: House, *, stream: bool, later: dict[str, str]
) -> None:
    await house.add_labelled_lock()
    house.provider.answers = [READ_ALL, text("It is", " unlocked.")]
    asked = [{"role": "user", "content": "Is the front door locked?"}]
    async with house.client("assist") as client:
        chat: Any = client.chat.completions
        answer = await chat.create(model="test-model", messages=asked, stream=stream, extra_headers=TOOLS)
        if stream:
            said = "".join([chunk.choices[0].delta.content or "" async for chunk in answer if chunk.choices])
        else:
            said = answer.choices[0].message.content
        assert said == "It is unlocked."
        history = [*asked, {"role": "assistant", "content": said}, {"role": "user", "content": "Say it again."}]
        await refuse_outside(house, chat.create(model="test-model", messages=history, extra_headers=later))
        house.provider.answers = [text("Hello")]
        other = [{"role": "user", "content": "Is it?"}, *history[1:]]  # the same words in another conversation
        await chat.create(model="test-model", messages=other, extra_headers=later)


async def test_house_tools_rejoined_turn_that_read_a_labelled_entity_stays_at_home(house: House) -> None:
    await house.add_labelled_lock()
    house.provider.answers = [[*READ_ALL[:-2], *tool_call("remind", '{"at": 7}', call_id="call_2", index=1)]]
    async with house.client("assist") as client:
        chat: Any = client.chat.completions
        answer = await chat.create(**ASK, tools=[CLIENT_TOOL], extra_headers=TOOLS)
        done = {"role": "tool", "tool_call_id": "call_2", "content": "ok"}
        history = [*ASK["messages"], answer.choices[0].message.to_dict(), done]
        sent = chat.create(model="test-model", messages=history, tools=[CLIENT_TOOL], extra_headers=TOOLS)
        await refuse_outside(house, sent)


@pytest.mark.parametrize("with_tools", [True, False])
@pytest.mark.parametrize("by_reference", [True, False])
async def test_house_tools_call_that_is_sent_again_and_read_a_labelled_entity_stays_at_home(
    house: House, monkeypatch: pytest.MonkeyPatch, *, with_tools: bool, by_reference: bool
) -> None:
    monkeypatch.setattr(tool_memory, "MAX_ANSWERS", 0)  # as after a restart
    await house.add_labelled_lock()
    house.provider.answers = [READ_ALL, text("It is unlocked.")]
    async with house.client("assist") as client:
        responses: Any = client.responses
        answer = await responses.create(model="test-model", input="Is the front door locked?", tools=[MCP])
        asked = [{"role": "user", "content": "Say it again."}]
        earlier = [item.to_dict() for item in answer.output if item.type in ("mcp_call", "message")]
        sent = {"previous_response_id": answer.id, "input": asked} if by_reference else {"input": [*earlier, *asked]}
        again = responses.create(model="test-model", **sent, **({"tools": [MCP]} if with_tools else {}))
        await refuse_outside(house, again)
