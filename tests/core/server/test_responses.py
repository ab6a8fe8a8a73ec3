"""`/v1/responses`: OpenAI's own SDK, in its strict mode, as the client of the built-in model and of scripted providers."""

import asyncio
import json
from typing import Any

from aiohttp import web
import jsonschema
import openai
from openai.types.responses import Response
from pydantic import BaseModel, ConfigDict
import pytest

from ...support.fakes.chunks import delta
from ...support.fakes.provider import send_stream, usage
from ...support.sdks import gpt, response_events, scripted
from ...support.server import KEY, Endless, Served, served
from ...support.waiting import AT_ONCE, pause_fake, until

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
LIGHT: Any = {
    "type": "function",
    "name": "intent__HassTurnOn",
    "description": "Turns on/opens/presses a device or entity.",
    "parameters": {"type": "object", "properties": {"name": {"type": "string"}}},
    "strict": False,
}


class Room(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    level: int


def response_body(content: Any = "count to 3", **fields: Any) -> Any:
    return {"model": "demo-rules", "input": content, **fields}


async def test_sdk_gets_a_response(demo: Served) -> None:
    async with gpt(demo) as client:
        answer = await client.responses.with_raw_response.create(**response_body(instructions="Be brief.", store=True))
    response = answer.parse()
    assert (response.output_text, response.status, response.error) == ("1 2 3", "completed", None)
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (5, 3, 8)
    assert response.instructions == "Be brief."
    assert answer.headers["X-ZeroconfAI-Provider"] == "demo-rules"
    assert answer.headers["X-Request-ID"]


async def test_sdk_gets_a_stream(demo: Served) -> None:
    async with gpt(demo) as client, client.responses.stream(**response_body()) as stream:
        said = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        response = await stream.get_final_response()
    assert said == ["1", " 2", " 3"]
    assert response.output_text == "1 2 3"
    assert response.usage is not None
    assert response.usage.output_tokens == 3


async def test_stream_events_are_in_openais_order(demo: Served) -> None:
    found = await response_events(demo, response_body("count to 2"))
    assert [event["type"].removeprefix("response.") for event in found] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert found[-1]["response"]["output"] == [found[-2]["item"]]


async def test_input_items_of_a_conversation_are_parsed(demo: Served) -> None:
    items: Any = [
        {"role": "developer", "content": "Be brief."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "count to 2"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "1 2", "annotations": []}],
        },
        {"role": "user", "content": "count to 4"},
    ]
    async with gpt(demo) as client:
        assert (await client.responses.create(**response_body(items))).output_text == "1 2 3 4"


async def test_response_at_its_token_limit_is_incomplete(demo: Served) -> None:
    async with gpt(demo) as client:
        response = await client.responses.create(**response_body(max_output_tokens=2))
    found = await response_events(demo, response_body(max_output_tokens=2))
    assert (response.status, response.output_text) == ("incomplete", "1 2")
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert found[-1]["type"] == "response.incomplete"
    assert found[-1]["response"]["output"][0]["status"] == "incomplete"


@pytest.mark.parametrize("stream", [False, True])
async def test_tool_calls_in_parallel_complete_a_conversation(demo: Served, stream: bool) -> None:
    items: list[Any] = [{"role": "user", "content": "Turn on the kitchen light and the desk lamp"}]
    asked = response_body(items, tools=[LIGHT], tool_choice="auto", parallel_tool_calls=True)
    async with gpt(demo) as client:
        first = await _response(client, asked, stream=stream)
        calls = [item for item in first.output if item.type == "function_call"]
        assert [json.loads(call.arguments) for call in calls] == [{"name": "kitchen light"}, {"name": "desk lamp"}]
        assert len({call.call_id for call in calls}) == 2
        items += [{key: value for key, value in call.to_dict().items() if key != "parsed_arguments"} for call in calls]
        for call in calls:
            success = [{"name": json.loads(call.arguments)["name"].capitalize(), "type": "entity"}]
            output = json.dumps({"response_type": "action_done", "data": {"success": success, "failed": []}})
            items.append({"type": "function_call_output", "call_id": call.call_id, "output": output})
        second = await _response(client, asked, stream=stream)
    assert "Kitchen light" in second.output_text
    assert "Desk lamp" in second.output_text


async def _response(client: openai.AsyncOpenAI, asked: Any, *, stream: bool) -> Response:
    if not stream:
        return await client.responses.create(**asked)
    async with client.responses.stream(**asked) as events:
        return await events.get_final_response()


async def test_tool_call_events_are_valid(demo: Served) -> None:
    found = await response_events(demo, response_body("Turn on the kitchen light and the desk lamp", tools=[LIGHT]))
    kinds = [event["type"] for event in found]
    assert kinds.count("response.function_call_arguments.done") == kinds.count("response.output_item.done") == 2
    said: dict[str, str] = {}
    for event in found:
        if event["type"] == "response.function_call_arguments.delta":
            said[event["item_id"]] = said.get(event["item_id"], "") + event["delta"]
    assert {item["id"]: item["arguments"] for item in found[-1]["response"]["output"]} == said


async def test_structured_answer_is_parsed_by_the_sdk(demo: Served) -> None:
    async with gpt(demo) as client:
        parsed = await client.responses.parse(model="demo-rules", input="A room", text_format=Room)
        raw = await client.responses.create(**response_body("A room", text={"format": {"type": "json_object"}}))
    jsonschema.validate(json.loads(parsed.output_text), Room.model_json_schema())
    assert isinstance(parsed.output_parsed, Room)
    assert isinstance(json.loads(raw.output_text), dict)


async def test_reasoning_is_a_separate_item() -> None:
    thinking = [delta(reasoning_content="Hm, "), delta(reasoning_content="two."), delta("2"), delta(finish="stop"), usage()]
    asked = response_body(model="test-model", reasoning={"effort": "low"})
    async with scripted(thinking) as (gateway, provider), gpt(gateway) as client:
        async with client.responses.stream(**asked) as stream:
            response = await stream.get_final_response()
        found = await response_events(gateway, asked)
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.output[0].to_dict()["content"] == [{"type": "reasoning_text", "text": "Hm, two."}]
    assert response.output_text == "2"
    assert provider.requests[0]["reasoning_effort"] == "low"
    assert [event["delta"] for event in found if event["type"] == "response.reasoning_text.delta"] == ["Hm, ", "two."]


async def test_refusal_is_a_separate_part() -> None:
    refuses = [delta(role="assistant"), delta(refusal="I may "), delta(refusal="not."), delta(finish="stop"), usage()]
    async with scripted(refuses) as (gateway, _):
        found = await response_events(gateway, response_body(model="test-model"))
    assert found[-1]["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": "I may not."}]


async def test_image_without_a_vision_model_is_a_clear_error(demo: Served) -> None:
    content = [{"type": "input_image", "image_url": PIXEL, "detail": "auto"}]
    async with gpt(demo) as client:
        with pytest.raises(openai.APIStatusError, match="cannot do vision") as raised:
            await client.responses.create(**response_body([{"role": "user", "content": content}]))
    assert (raised.value.status_code, raised.value.code) == (400, "unsupported_capability")


async def test_key_wrong_is_refused() -> None:
    async with served(key=KEY) as gateway:
        async with gpt(gateway, KEY) as client:
            assert (await client.responses.create(**response_body())).output_text == "1 2 3"
        async with gpt(gateway, "zai_another-example") as client:
            with pytest.raises(openai.AuthenticationError):
                await client.responses.create(**response_body())


async def test_unknown_model_is_named_with_the_known_ones(demo: Served) -> None:
    async with gpt(demo) as client:
        with pytest.raises(openai.NotFoundError, match="demo-rules") as raised:
            await client.responses.create(**response_body(model="demo-rulez"))
    assert raised.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id", "unsupported_value"),
        ({"conversation": "conv_1"}, "conversation", "unsupported_value"),
        ({"background": True}, "background", "unsupported_value"),
        ({"prompt": {"id": "p"}}, "prompt", "unsupported_value"),
        ({"temperature": 3}, "temperature", "invalid_value"),
        ({"max_output_tokens": -2}, "max_output_tokens", "invalid_value"),
        ({"input": []}, "input", "invalid_value"),
        ({"input": None}, "input", "invalid_value"),
        ({"input": [{"type": "item_reference", "id": "msg_x"}]}, "input[0].id", "unsupported_value"),
        ({"input": [{"id": "msg_x"}]}, "input[0].id", "unsupported_value"),
        ({"input": [{"type": "item_reference", "id": ["x"]}]}, "input[0].id", "unsupported_value"),
        ({"input": [{"type": "compaction", "encrypted_content": "x"}]}, "input[0].type", "unsupported_value"),
        ({"previous_response_id": ["x"]}, "previous_response_id", "unsupported_value"),
        ({"moderation": {"model": "m", "policy": {"input": {"mode": "block"}}}}, "moderation.policy", "unsupported_value"),
        ({"input": [{"role": "robot", "content": "Hi"}]}, "input[0].role", "invalid_value"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text", "invalid_value"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input[0].content[0]",
            "unsupported_value",
        ),
        ({"tools": [{"type": 5}]}, "tools[0].type", "invalid_value"),
        ({"tools": [{"type": "web_search"}], "tool_choice": "required"}, "tool_choice", "unsupported_value"),
        (
            {"tools": [{"type": "mcp", "server_label": "x"}], "tool_choice": {"type": "mcp"}},
            "tool_choice.type",
            "unsupported_value",
        ),
        ({"tools": [LIGHT], "tool_choice": {"type": "web_search"}}, "tool_choice.type", "unsupported_value"),
        ({"tools": [LIGHT], "tool_choice": "some"}, "tool_choice", "invalid_value"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "invalid_value"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema", "invalid_value"),
    ],
)
async def test_unsupported_parameter_is_named(demo: Served, fields: Any, param: str, code: str) -> None:
    status, body, _ = await demo.ask("POST", "responses", json=response_body(**fields))
    assert status == 400
    assert (body["error"]["param"], body["error"]["code"]) == (param, code)
    assert param in body["error"]["message"]


async def test_stream_failure_is_a_failed_response() -> None:
    async def breaks(request: web.Request) -> web.StreamResponse:
        response = await send_stream(request, [delta("Once"), delta(" upon")], done=False)
        await pause_fake(0.1)
        await response.write(b'data: {"error": {"message": "the GPU fell off; key sk-secret12345"}}\n\n')
        return response

    async with scripted(breaks) as (gateway, _), gpt(gateway) as client:
        events = [event async for event in await client.responses.create(**response_body(model="test-model"), stream=True)]
        found = await response_events(gateway, response_body(model="test-model"))
    last = events[-1]
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert last.response.error.code == "server_error"
    assert "reported an error instead of an answer" in last.response.error.message
    assert "sk-secret" not in json.dumps(found)
    [item] = found[-1]["response"]["output"]
    assert (item["status"], item["content"][0]["text"]) == ("incomplete", "Once upon")


async def test_error_before_the_first_token_is_an_error_response() -> None:
    async def fails(request: web.Request) -> web.StreamResponse:
        return await send_stream(request, [delta(role="assistant"), {"error": {"message": "out of memory"}}], done=False)

    async with scripted(fails) as (gateway, _):
        status, body, _ = await gateway.ask("POST", "responses", json=response_body(model="test-model", stream=True))
    assert (status, body["error"]["type"]) == (502, "upstream_error")


async def test_client_disconnect_releases_its_permit_at_once() -> None:
    endless = Endless()
    heard = asyncio.Event()
    async with scripted(endless) as (gateway, _), gpt(gateway) as client:

        async def listen() -> None:
            async for event in await client.responses.create(**response_body(model="test-model"), stream=True):
                if event.type == "response.output_text.delta":
                    heard.set()

        listening = asyncio.create_task(listen())
        await heard.wait()
        member = next(iter(gateway.engine.pool))
        assert member.active == 1
        listening.cancel()
        await until(lambda: endless.gone.is_set() and not member.active, seconds=AT_ONCE)


async def test_loop_is_refused(demo: Served) -> None:
    status, body, _ = await demo.ask("POST", "responses", json=response_body(), headers={"Via": "1.1 gateway-id"})
    assert (status, body["error"]["code"]) == (508, "loop_detected")
