"""`/v1/messages`: Anthropic's own SDK, in its strict mode, as the client of the built-in model and of scripted providers."""

import asyncio
import json
from typing import Any

from aiohttp import web
import anthropic
from anthropic.types import Message
import jsonschema
import pytest

from zeroconf_ai.server import response_writer

from ...support.fakes.chunks import delta
from ...support.fakes.provider import send_stream, text, usage
from ...support.sdks import claude, message_events, scripted
from ...support.server import KEY, Endless, Served, served
from ...support.waiting import AT_ONCE, pause_fake, until

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
LIGHT: Any = {
    "name": "intent__HassTurnOn",
    "description": "Turns on/opens/presses a device or entity.",
    "input_schema": {"type": "object", "properties": {"name": {"type": "string"}}},
}
ROOM_SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "heating": {"enum": ["eco", "comfort"]}},
    "required": ["name", "heating"],
    "additionalProperties": False,
}


def message_body(content: str = "count to 3", **fields: Any) -> Any:
    return {"model": "demo-rules", "max_tokens": 100, "messages": [{"role": "user", "content": content}], **fields}


async def test_sdk_gets_a_message(demo: Served) -> None:
    async with claude(demo) as client:
        answer = await client.messages.with_raw_response.create(**message_body(system="Be brief.", metadata={"user_id": "x"}))
    message = await answer.parse()
    assert [block.to_dict() for block in message.content] == [{"type": "text", "text": "1 2 3"}]
    assert (message.role, message.model, message.stop_reason) == ("assistant", "demo-rules", "end_turn")
    assert (message.usage.input_tokens, message.usage.output_tokens) == (5, 3)
    assert answer.headers["X-ZeroconfAI-Provider"] == "demo-rules"
    assert answer.headers["request-id"] == answer.headers["X-Request-ID"]


async def test_sdk_gets_a_stream(demo: Served) -> None:
    async with claude(demo) as client, client.messages.stream(**message_body()) as stream:
        said = [piece async for piece in stream.text_stream]
        message = await stream.get_final_message()
    assert said == ["1", " 2", " 3"]
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (3, 3)


async def test_stream_events_are_in_anthropics_order(demo: Served) -> None:
    found = await message_events(demo, message_body("count to 2"))
    assert [name for name, _ in found] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert found[0][1]["message"]["content"] == []


async def test_answer_at_its_token_limit_has_the_stop_reason(demo: Served) -> None:
    async with claude(demo) as client:
        message = await client.messages.create(**message_body(max_tokens=2))
        stopped = await client.messages.create(**message_body(stop_sequences=[" 3"]))
    assert message.stop_reason == "max_tokens"
    assert stopped.content[0].to_dict() == {"type": "text", "text": "1 2"}


@pytest.mark.parametrize("stream", [False, True])
async def test_tool_calls_in_parallel_complete_a_conversation(demo: Served, stream: bool) -> None:
    asked = message_body("Turn on the kitchen light and the desk lamp", tools=[LIGHT], tool_choice={"type": "auto"})
    async with claude(demo) as client:
        first = await _message(client, asked, stream=stream)
        assert first.stop_reason == "tool_use"
        calls = [block for block in first.content if block.type == "tool_use"]
        assert [call.input for call in calls] == [{"name": "kitchen light"}, {"name": "desk lamp"}]
        assert len({call.id for call in calls}) == 2
        results = [
            {
                "type": "tool_result",
                "tool_use_id": call.id,
                "content": [{"type": "text", "text": _done(str(call.input["name"]).capitalize())}],
            }
            for call in calls
        ]
        asked["messages"] += [first.to_param(), {"role": "user", "content": results}]
        second = await _message(client, asked, stream=stream)
    [block] = second.content
    assert block.type == "text"
    assert "Kitchen light" in block.text
    assert "Desk lamp" in block.text


async def _message(client: anthropic.AsyncAnthropic, asked: Any, *, stream: bool) -> Message:
    if not stream:
        return await client.messages.create(**asked)
    async with client.messages.stream(**asked) as events:
        return await events.get_final_message()


def _done(name: str) -> str:
    success = [{"name": name, "type": "entity"}]
    return json.dumps({"response_type": "action_done", "data": {"success": success, "failed": []}})


async def test_structured_answer_is_valid(demo: Served) -> None:
    async with claude(demo) as client:
        wanted: Any = {"format": {"type": "json_schema", "schema": ROOM_SCHEMA}}
        message = await client.messages.create(**message_body("A room on comfort", output_config=wanted))
    [block] = message.content
    assert block.type == "text"
    jsonschema.validate(json.loads(block.text), ROOM_SCHEMA)


async def test_thinking_requested_is_a_separate_block() -> None:
    thinking = [delta(reasoning_content="Hm, "), delta(reasoning_content="two."), delta("2"), delta(finish="stop"), usage()]
    asked = message_body(model="test-model", max_tokens=2000)
    async with scripted(thinking) as (gateway, provider), claude(gateway) as client:
        wants = asked | {"thinking": {"type": "enabled", "budget_tokens": 1024}}
        async with client.messages.stream(**wants) as stream:
            message = await stream.get_final_message()
        plain = [event async for event in await client.messages.create(**asked, stream=True)]
        await message_events(gateway, wants)
    assert [block.to_dict() for block in message.content] == [
        {"type": "thinking", "thinking": "Hm, two.", "signature": "zeroconfai-unsigned"},
        {"type": "text", "text": "2"},
    ]
    assert provider.requests[0]["reasoning_effort"] == "low"
    assert not any("Hm" in event.to_json() for event in plain)


async def test_image_without_a_vision_model_is_a_clear_error(demo: Served) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    async with claude(demo) as client:
        with pytest.raises(anthropic.APIStatusError, match="cannot do vision") as raised:
            await client.messages.create(**message_body(messages=[{"role": "user", "content": [image]}]))
    assert (raised.value.status_code, raised.value.type) == (400, "invalid_request_error")


async def test_key_in_each_header_is_accepted() -> None:
    async with served(key=KEY) as gateway:
        async with claude(gateway, KEY) as client:  # by `Authorization: Bearer` since SDK 2
            assert (await client.messages.create(**message_body())).stop_reason == "end_turn"
        async with claude(gateway, "zai_another-example") as client:
            with pytest.raises(anthropic.AuthenticationError) as raised:
                await client.messages.create(**message_body())
        older, _, _ = await gateway.ask("POST", "messages", json=message_body(), headers={"x-api-key": KEY})
        none, body, sent = await gateway.ask("POST", "messages", json=message_body())
    assert raised.value.type == "authentication_error"
    assert (older, none) == (200, 401)
    assert body["request_id"] == sent["request-id"]


async def test_unknown_model_is_named_with_the_known_ones(demo: Served) -> None:
    async with claude(demo) as client:
        with pytest.raises(anthropic.NotFoundError, match="demo-rules") as raised:
            await client.messages.create(**message_body(model="demo-rulez"))
    assert raised.value.type == "not_found_error"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"top_k": "many"}, "top_k"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [{"role": "tool", "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "container_upload"}]}]}, "container_upload"),
        ({"messages": [{"role": "user", "content": [{"type": "search_result", "content": []}]}]}, "messages[0].content[0].title"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file"}}]}]}, "content[0].source"),
        ({"tools": [{"type": 7, "name": "x"}]}, "tools[0].type"),
        ({"tools": [{"type": "web_search_20250305", "name": ["x"]}], "tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [LIGHT], "tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"stop_sequences": "x"}, "stop_sequences"),
        ({"thinking": {"type": "much"}}, "thinking.type"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format"),
        ({"mcp_servers": "https://example.com"}, "mcp_servers"),
    ],
)
async def test_invalid_parameter_is_named(demo: Served, fields: Any, named: str) -> None:
    status, body, _ = await demo.ask("POST", "messages", json=message_body(**fields))
    assert (status, body["type"], body["error"]["type"]) == (400, "error", "invalid_request_error")
    assert named in body["error"]["message"]


async def test_unsupported_methods_and_invalid_bodies_have_anthropics_error_format(demo: Served) -> None:
    for method, options, status in (("GET", {}, 405), ("POST", {"data": b"{"}, 400)):
        found, body, _ = await demo.ask(method, "messages", **options)
        assert (found, body["type"], body["error"]["type"]) == (status, "error", "invalid_request_error")


async def test_stream_failure_reaches_the_sdk_as_an_error() -> None:
    async def breaks(request: web.Request) -> web.StreamResponse:
        response = await send_stream(request, [delta("Once"), delta(" upon")], done=False)
        await pause_fake(0.1)
        await response.write(b'data: {"error": {"message": "the GPU fell off; key sk-secret12345"}}\n\n')
        return response

    async with scripted(breaks) as (gateway, _), claude(gateway) as client:
        said: list[str] = []

        async def listen() -> None:
            async with client.messages.stream(**message_body(model="test-model")) as stream:
                said.extend([piece async for piece in stream.text_stream])

        with pytest.raises(anthropic.APIStatusError, match="reported an error instead of an answer") as raised:
            await listen()
        found = await message_events(gateway, message_body(model="test-model"))
    assert raised.value.type == "api_error"
    assert "GPU" not in str(raised.value)
    assert [name for name, _ in found][-2:] == ["content_block_delta", "error"]


async def test_error_before_the_first_token_is_an_error_response() -> None:
    async def fails(request: web.Request) -> web.StreamResponse:
        return await send_stream(request, [delta(role="assistant"), {"error": {"message": "out of memory"}}], done=False)

    async with scripted(fails) as (gateway, _):
        status, body, _ = await gateway.ask("POST", "messages", json=message_body(model="test-model", stream=True))
    assert (status, body["error"]["type"]) == (502, "api_error")


async def test_client_disconnect_releases_its_permit_at_once() -> None:
    endless = Endless()
    heard = asyncio.Event()
    async with scripted(endless) as (gateway, _), claude(gateway) as client:

        async def listen() -> None:
            async for event in await client.messages.create(**message_body(model="test-model"), stream=True):
                if event.type == "content_block_delta":
                    heard.set()

        listening = asyncio.create_task(listen())
        await heard.wait()
        member = next(iter(gateway.engine.pool))
        assert member.active == 1
        listening.cancel()
        await until(lambda: endless.gone.is_set() and not member.active, seconds=AT_ONCE)


async def test_stream_without_output_is_kept_alive_with_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_writer, "PING_SECONDS", 0.01)

    async def pauses(request: web.Request) -> web.StreamResponse:
        response = await send_stream(request, [delta("Hm")], done=False)
        await pause_fake(0.5)
        await response.write(b"data: " + json.dumps(delta("!", finish="stop")).encode() + b"\n\ndata: [DONE]\n\n")
        return response

    async with scripted(pauses) as (gateway, _):
        found = await message_events(gateway, message_body(model="test-model"))
    assert [name for name, _ in found].count("ping") >= 3
    assert found[-1][0] == "message_stop"


async def test_loop_is_refused(demo: Served) -> None:
    status, body, _ = await demo.ask("POST", "messages", json=message_body(), headers={"Via": "1.1 gateway-id"})
    assert status == 508
    assert "came through this gateway before" in body["error"]["message"]


async def test_tool_call_with_invalid_arguments_is_not_forwarded() -> None:
    async def wrecked(_: web.Request) -> web.StreamResponse:
        call = {"id": "call_1", "type": "function", "function": {"name": "unlock", "arguments": '{"door": '}}
        return web.json_response({"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]})

    async with scripted(wrecked) as (gateway, _):
        status, body, _ = await gateway.ask("POST", "messages", json=message_body(model="test-model", tools=[LIGHT]))
    assert status == 502
    assert "unlock" in body["error"]["message"]


async def test_count_tokens_estimates_without_a_model() -> None:
    async with scripted(text("never")) as (gateway, provider), claude(gateway) as client:
        count = await client.messages.count_tokens(model="test-model", messages=[{"role": "user", "content": "a" * 400}])
    assert count.input_tokens == 100
    assert provider.requests == []
