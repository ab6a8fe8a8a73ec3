"""llama.cpp's server as the gateway's backend, with a random model that follows grammars."""

from contextlib import aclosing
import json
from pathlib import Path
import shutil
from typing import Any

import anthropic
from openai import AsyncOpenAI
import pytest

from devhome.client import HomeClient, eventually
from devhome.gateway import add_backend, add_gateway
from tests.e2e.steps import state_is

from .conftest import StartGateway, StartLlama
from .servers import HELLO, KEY, LONG, SLOTS, Gateway, LlamaServer, events, held, post, provider

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "turn_on",
        "description": "Turns something on.",
        "parameters": {
            "type": "object",
            "properties": {"entity": {"type": "string", "enum": ["lamp", "fan"]}, "level": {"type": "integer"}},
            "required": ["entity", "level"],
        },
    },
}
SCHEMA: Any = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}, "lamps": {"type": "integer"}},
    "required": ["colour", "lamps"],
    "additionalProperties": False,
}


@pytest.fixture
async def llama(start_llama: StartLlama) -> LlamaServer:
    return await start_llama("gpu", "--ctx-size", "65536")


@pytest.fixture
async def gateway(llama: LlamaServer, start_gateway: StartGateway) -> Gateway:
    return await start_gateway(provider(llama))


async def check_chats(base_url: str, key: str) -> None:
    """Check chats, streams, tool calls and structured output with OpenAI's SDK."""
    async with AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, _strict_response_validation=True) as client:
        answer = await client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=50)
        assert answer.choices[0].message.content
        assert answer.usage is not None
        assert answer.usage.prompt_tokens > 5
        assert 1 <= answer.usage.completion_tokens <= 50

        stream = await client.chat.completions.create(
            model="tiny", messages=HELLO, max_tokens=50, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        said = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
        assert said
        assert [chunk.usage is not None for chunk in chunks].count(True) == 1
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens >= len(said)

        tools = await client.chat.completions.create(model="tiny", messages=HELLO, tools=[TOOL], tool_choice="required")
        assert tools.choices[0].finish_reason == "tool_calls"
        assert tools.choices[0].message.tool_calls
        for call in tools.choices[0].message.tool_calls:
            assert call.type == "function"
            check_call(call.function.name, json.loads(call.function.arguments))
        done: Any = tools.choices[0].message.model_dump(exclude_none=True)
        results: Any = [{"role": "tool", "tool_call_id": call["id"], "content": "done"} for call in done["tool_calls"]]
        after = await client.chat.completions.create(model="tiny", messages=[*HELLO, done, *results], tools=[TOOL], max_tokens=50)
        assert after.usage is not None
        assert tools.usage is not None
        assert after.usage.prompt_tokens > tools.usage.prompt_tokens, "the call and its result were read"

        shape: Any = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
        structured = await client.chat.completions.create(model="tiny", messages=HELLO, response_format=shape)
        data = json.loads(structured.choices[0].message.content or "")
        assert data.keys() == {"colour", "lamps"}
        assert data["colour"] in ("red", "blue")
        assert isinstance(data["lamps"], int)


def check_call(name: str, arguments: Any) -> None:
    assert name == "turn_on"
    assert arguments.keys() == {"entity", "level"}
    assert arguments["entity"] in ("lamp", "fan")
    assert isinstance(arguments["level"], int)


async def test_llama_chats_streams_tool_calls_and_structured_output_work(gateway: Gateway) -> None:
    await check_chats(gateway.url, KEY)


async def test_llama_tool_calls_in_a_stream_are_complete(gateway: Gateway) -> None:
    async with (
        AsyncOpenAI(base_url=gateway.url, api_key=KEY, max_retries=0) as client,
        client.chat.completions.stream(model="tiny", messages=HELLO, tools=[TOOL], tool_choice="required") as stream,
    ):
        answer = await stream.get_final_completion()
    assert answer.choices[0].finish_reason == "tool_calls"
    for call in answer.choices[0].message.tool_calls or ():
        check_call(call.function.name, json.loads(call.function.arguments))
    assert answer.choices[0].message.tool_calls


async def test_anthropic_sdk_messages_streams_and_tool_calls_work(gateway: Gateway) -> None:
    tool: Any = {"name": "turn_on", "input_schema": TOOL["function"]["parameters"]}
    async with anthropic.AsyncAnthropic(base_url=gateway.root, api_key=KEY, max_retries=0) as client:
        message = await client.messages.create(model="tiny", max_tokens=50, messages=HELLO)
        assert message.content[0].type == "text"
        assert message.content[0].text
        assert message.usage.output_tokens >= 1

        async with client.messages.stream(model="tiny", max_tokens=50, messages=HELLO) as stream:
            text = "".join([piece async for piece in stream.text_stream])
            final = await stream.get_final_message()
        assert text
        assert final.stop_reason in ("end_turn", "max_tokens")

        asked = await client.messages.create(
            model="tiny", max_tokens=4000, messages=HELLO, tools=[tool], tool_choice={"type": "any"}
        )
    assert asked.stop_reason == "tool_use"
    for block in asked.content:
        if block.type == "tool_use":
            check_call(block.name, block.input)


async def test_llama_model_context_and_slots_are_read(gateway: Gateway) -> None:
    models = await gateway.models()
    assert models.keys() == {"tiny"}
    assert models["tiny"]["context_window"] == 65536 // SLOTS
    assert {"completion", "streaming", "tools", "json"} <= set(models["tiny"]["capabilities"])
    assert (await gateway.get("/status"))["queue"]["max_concurrent"] == SLOTS


async def test_client_disconnect_releases_the_slot(gateway: Gateway, llama: LlamaServer) -> None:
    async with post(f"{gateway.url}/chat/completions", LONG) as response, aclosing(events(response)) as stream:
        await anext(stream)
        assert any(await llama.slots())
    await llama.is_idle(seconds=2)


async def test_routing_least_busy_avoids_a_backend_busy_with_other_requests(
    llama: LlamaServer, start_llama: StartLlama, start_gateway: StartGateway
) -> None:
    other = await start_llama("attic")
    gateway = await start_gateway(provider(llama), provider(other, "attic"), routing={"strategy": "least_busy"})
    short = {"model": "tiny", "messages": HELLO, "max_tokens": 2}

    async def answerers() -> set[str]:
        return {(await gateway.ask(short)).provider for _ in range(4)}

    assert await answerers() == {"gpu", "attic"}
    async with post(f"{llama.url}/v1/chat/completions", LONG) as response, aclosing(events(response)) as stream:
        await anext(stream)

        async def spared() -> bool:
            return await answerers() == {"attic"}

        await eventually(spared, timeout=4)
        assert any(await llama.slots())


async def test_llama_that_is_loading_is_unavailable_until_it_is_loaded(
    start_llama: StartLlama, start_gateway: StartGateway, tiny: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(tiny, tmp_path / "loading.gguf"))
    with held(copy):
        server = await start_llama("gpu", model=copy, status=503)
        gateway = await start_gateway(provider(server))
        assert "gpu is not ready yet" in gateway.process.output()
        answered = await gateway.ask({"model": "tiny", "messages": HELLO})
        assert answered.status == 503
        assert answered.body["error"]["message"] == "the provider has no capacity right now"

    async def loaded() -> bool:
        return (await gateway.ask({"model": "tiny", "messages": HELLO, "max_tokens": 5})).status == 200

    await eventually(loaded, timeout=10)


async def test_llama_behind_a_real_home_assistant_answers_chats(client: HomeClient, llama: LlamaServer) -> None:
    gateway = await add_gateway(client)
    await add_backend(client, gateway.entry_id, "llamacpp", {"base_url": llama.url}, name="Tiny")
    await state_is(client, "sensor.tiny_status", "healthy")
    await check_chats(gateway.base_url, gateway.key)
