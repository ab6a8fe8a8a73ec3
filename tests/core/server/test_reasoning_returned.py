"""Reasoning of an answer that called a tool reaches the provider again with the tool's result, in each client's dialect."""

from collections.abc import Callable
import json
from typing import Any

from aiohttp import web
import pytest

from zeroconf_ai.backends.catalogue import BackendOverrides, Catalogue
from zeroconf_ai.dialects.reasoning import GEMINI_FORMAT, SIGNED_FORMAT

from ...support.clouds.asking import before
from ...support.clouds.gemini import SIGNED as SIGNED_MODEL, FakeGemini, seal
from ...support.clouds.server import Call, Reply
from ...support.fakes.chunks import delta
from ...support.fakes.provider import usage
from ...support.sdks import message_events, scripted
from ...support.server import Served, served

CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
SIGNED = {"index": 0, "format": SIGNED_FORMAT, "type": "reasoning.text", "text": "Hm.", "signature": "seal"}
STREAM = [
    delta(reasoning_content="Hm."),
    delta(reasoning_details=[SIGNED]),
    delta(tool_calls=[CALL]),
    delta(finish="tool_calls"),
    usage(),
]
SECOND = [delta("Dark."), delta(finish="stop"), usage()]
SCHEMA = {"type": "object", "properties": {}}


def calls_after(**reasoning: Any) -> Any:
    """A complete answer that calls the tool after this reasoning."""

    async def answer(_: web.Request) -> web.Response:
        message = {"role": "assistant", "content": None, "tool_calls": [CALL], **reasoning}
        return web.json_response({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})

    return answer


async def _post(gateway: Served, path: str, body: Any) -> Any:
    status, answer, _ = await gateway.ask("POST", path, json=body)
    assert status == 200, answer
    return answer


async def messages(gateway: Served) -> None:
    tools = [{"name": "look", "input_schema": SCHEMA}]
    said: list[dict[str, Any]] = [{"role": "user", "content": "Look"}]
    body = {"model": "test-model", "max_tokens": 4000, "tools": tools, "thinking": {"type": "enabled", "budget_tokens": 2000}}
    answer = await _post(gateway, "messages", body | {"messages": said})
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": "dark"}
    said += [{"role": "assistant", "content": answer["content"]}, {"role": "user", "content": [result]}]
    await _post(gateway, "messages", body | {"messages": said})


async def strict_messages(gateway: Served) -> None:
    """As the AI SDK does in streams: thinking without a signature is not sent back."""
    tools = [{"name": "look", "input_schema": SCHEMA}]
    said: list[dict[str, Any]] = [{"role": "user", "content": "Look"}]
    body = {"model": "test-model", "max_tokens": 4000, "tools": tools, "thinking": {"type": "enabled", "budget_tokens": 2000}}
    blocks: dict[int, Any] = {}
    for name, event in await message_events(gateway, body | {"messages": said}):
        if name == "content_block_start":
            blocks[event["index"]] = dict(event["content_block"])
        elif name == "content_block_delta" and event["delta"]["type"] in ("thinking_delta", "signature_delta"):
            field = event["delta"]["type"].removesuffix("_delta")
            blocks[event["index"]][field] += event["delta"][field]
    content = [block for block in blocks.values() if block["type"] != "thinking" or block["signature"]]
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": "dark"}
    said += [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    await message_events(gateway, body | {"messages": said})


async def responses(gateway: Served, *, content: bool = True, **fields: Any) -> None:
    body = {"model": "test-model", "tools": [{"type": "function", "name": "look", "parameters": SCHEMA}], **fields}
    said: list[Any] = [{"role": "user", "content": "Look"}]
    answer = await _post(gateway, "responses", body | {"input": said})
    said += [item if content else item | {"content": None} for item in answer["output"] if item["type"] == "reasoning"]
    said += [item for item in answer["output"] if item["type"] == "function_call"]
    said.append({"type": "function_call_output", "call_id": "call_1", "output": "dark"})
    await _post(gateway, "responses", body | {"input": said})


async def packed(gateway: Served) -> None:
    """As Codex does: only `encrypted_content` is sent back."""
    await responses(gateway, content=False, include=["reasoning.encrypted_content"], store=False)


async def ollama(gateway: Served) -> None:
    tools = [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}]
    body = {"model": "test-model", "stream": False, "think": True, "tools": tools}
    said = [{"role": "user", "content": "Look"}]
    answer = await _post(gateway, "/api/chat", body | {"messages": said})
    said += [answer["message"], {"role": "tool", "content": "dark", "tool_name": "look"}]
    await _post(gateway, "/api/chat", body | {"messages": said})


@pytest.mark.parametrize("client", [messages, responses, packed, ollama])
async def test_reasoning_as_text_is_sent_back_after_a_tool_call(client: Callable[[Served], Any]) -> None:
    async with scripted(calls_after(reasoning_content="Hm."), SECOND) as (gateway, provider):
        await client(gateway)
    [turn] = [message for message in provider.requests[1]["messages"] if message["role"] == "assistant"]
    assert turn["reasoning_content"] == "Hm."
    assert turn["tool_calls"][0]["function"]["name"] == "look"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_reasoning_without_a_signature_is_sent_back_by_clients_that_require_one(field: str) -> None:
    stream = [delta(**{field: "Hm."}), delta(tool_calls=[CALL]), delta(finish="tool_calls"), usage()]
    async with scripted(stream, SECOND) as (gateway, provider):
        await strict_messages(gateway)
    [turn] = [message for message in provider.requests[1]["messages"] if message["role"] == "assistant"]
    assert (turn["reasoning_content"], turn.get("reasoning_details")) == ("Hm.", None)


async def test_reasoning_with_a_signature_in_a_stream_has_only_that_signature() -> None:
    async with scripted(STREAM, SECOND) as (gateway, provider):
        await strict_messages(gateway)
    [turn] = [message for message in provider.requests[1]["messages"] if message["role"] == "assistant"]
    assert [(detail["text"], detail["signature"]) for detail in turn["reasoning_details"]] == [("Hm.", "seal")]


@pytest.mark.parametrize("client", [messages, packed])
async def test_reasoning_with_a_signature_is_sent_back_unchanged(client: Callable[[Served], Any]) -> None:
    async with scripted(calls_after(reasoning_content="Hm.", reasoning_details=[SIGNED]), SECOND) as (gateway, provider):
        await client(gateway)
    [turn] = [message for message in provider.requests[1]["messages"] if message["role"] == "assistant"]
    assert [(detail["text"], detail["signature"]) for detail in turn["reasoning_details"]] == [("Hm.", "seal")]


async def test_encrypted_content_of_a_stream_is_in_the_completed_item() -> None:
    body = {"model": "test-model", "input": "Look", "stream": True, "include": ["reasoning.encrypted_content"]}
    async with scripted(STREAM) as (gateway, _), gateway.session.post(f"{gateway.url}/responses", json=body) as response:
        lines = (await response.text()).splitlines()
    found = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    done = [event["item"] for event in found if event["type"] == "response.output_item.done"]
    assert [item["type"] for item in done] == ["reasoning", "function_call"]
    assert done[0]["encrypted_content"]


@pytest.mark.parametrize("client", [messages, packed])
async def test_reasoning_of_gemini_is_sent_back_unchanged(client: Callable[[Served], Any]) -> None:
    sealed = {"index": 0, "format": GEMINI_FORMAT, "type": "reasoning.encrypted", "data": "c2VhbGVk", "id": "call_1"}
    answer = calls_after(reasoning_content="Hm.", reasoning_details=[sealed])
    async with scripted(answer, SECOND) as (gateway, provider):
        await client(gateway)
    [turn] = [message for message in provider.requests[1]["messages"] if message["role"] == "assistant"]
    assert turn["reasoning_details"] == [sealed]
    assert turn["reasoning_content"] == "Hm."


@pytest.mark.parametrize("client", [messages, responses, packed, ollama])
async def test_thought_signature_returns_to_google_from_every_client(client: Callable[[Served], Any]) -> None:
    fake = FakeGemini(Reply("", "Hm.", "sealed", (Call("look", {}, "call_1"),)), Reply("Dark."))
    async with (
        before("gemini", fake) as backend,
        served(Catalogue(backend, BackendOverrides(1, aliases={"test-model": SIGNED_MODEL}))) as gateway,
    ):
        await client(gateway)
    [_, turn, _] = fake.last.body["contents"]
    assert [part["thoughtSignature"] for part in turn["parts"] if "functionCall" in part] == [seal("sealed")]
