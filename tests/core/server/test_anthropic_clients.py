"""Clients of Anthropic's SDKs: models in Anthropic's format, and threads, which the SDKs replace by whole conversations."""

from typing import Any

from aiohttp import web
import anthropic
from anthropic import beta_async_tool
import pytest

from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Capability

from ...support.fakes.provider import text
from ...support.fakes.upstream import StubBackend
from ...support.sdks import claude, scripted
from ...support.server import KEY, served

VERSION = {"anthropic-version": "2023-06-01"}


def backend(*models: str) -> StubBackend:
    return StubBackend("a", models=list(models))


async def test_sdk_lists_models_in_strict_mode() -> None:
    async with served(backend("qwen3", "nomic-embed")) as gateway, claude(gateway) as client:
        page = await client.models.list(timeout=10.0)
        one = await client.models.retrieve("qwen3")
        with pytest.raises(anthropic.NotFoundError) as raised:
            await client.models.retrieve("qwen9")
    ids = [model.id for model in page.data]
    assert "qwen3" in ids
    assert "nomic-embed" not in ids
    assert (page.first_id, page.last_id, page.has_more) == (ids[0], ids[-1], False)
    assert (one.type, one.id, one.display_name, one.lifecycle) == ("model", "qwen3", "qwen3", "active")
    assert one.created_at.timestamp() == 0
    assert raised.value.type == "not_found_error"


async def test_sdk_pages_through_the_models_in_both_directions() -> None:
    async with served(backend(*(f"m{number}" for number in range(25)))) as gateway, claude(gateway) as client:
        everything = [model.id for model in (await client.models.list()).data]
        forward = [model.id async for model in client.models.list(limit=7)]
        last = await client.models.list(limit=5, before_id=everything[12])
        first = await client.models.list(limit=5, before_id=everything[3])
        end = await client.models.list(limit=5, after_id=everything[-1])
    assert forward == everything
    assert [model.id for model in last.data] == everything[7:12]
    assert (last.has_more, first.has_more) == (True, False)
    assert [model.id for model in first.data] == everything[:3]
    assert (end.data, end.has_more, end.first_id, end.last_id) == ([], False, None, None)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=-1", "after_id=gone", "before_id="])
async def test_invalid_page_is_a_400_in_anthropics_format(query: str) -> None:
    async with served(backend("m")) as gateway:
        status, body, headers = await gateway.get(f"models?{query}", headers=VERSION)
    assert (status, body["type"], body["error"]["type"]) == (400, "error", "invalid_request_error")
    assert query.partition("=")[0] in body["error"]["message"]
    assert headers["request-id"]


async def test_capabilities_are_complete_where_they_are_known() -> None:
    sees = ModelInfo("seer", 8192, 1024, frozenset({Capability.COMPLETION, Capability.VISION, Capability.JSON}))
    async with (
        served(StubBackend("a", models=[sees, ModelInfo("unknown"), ModelInfo("claude-x")])) as gateway,
        claude(gateway) as client,
    ):
        seer, unknown, other = [await client.models.retrieve(name) for name in ("seer", "unknown", "claude-x")]
    assert (seer.max_input_tokens, seer.max_tokens) == (8192, 1024)
    assert seer.capabilities is not None
    assert (seer.capabilities.image_input.supported, seer.capabilities.structured_outputs.supported) == (True, True)
    assert (seer.capabilities.thinking.supported, seer.capabilities.server_tools.supported) == (False, False)
    assert (unknown.capabilities, other.capabilities) == (None, None)


async def test_wrong_key_has_the_format_of_the_client() -> None:
    async with served(key=KEY) as gateway:
        for path in ("models", "models/demo-rules", "/models"):
            status, body, _ = await gateway.get(path, headers=VERSION | {"x-api-key": "wrong"})
            assert (status, body["type"], body["error"]["type"]) == (401, "error", "authentication_error")
            status, body, _ = await gateway.get(path, headers={"x-api-key": "wrong"})
            assert (status, body["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("thread", [{"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}])
@pytest.mark.parametrize("path", ["messages", "messages/count_tokens"])
async def test_thread_is_refused_in_the_form_that_sdks_look_for(thread: Any, path: str) -> None:
    asked = {"model": "demo-rules", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], "thread": thread}
    async with served() as gateway:
        status, body, _ = await gateway.ask("POST", f"{path}?beta=true", json=asked)
        fine, _, _ = await gateway.ask("POST", path, json=asked | {"thread": None})
    assert (status, fine) == (400, 200)
    assert body["error"]["type"] == "invalid_request_error"
    assert body["error"]["details"] == {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}


async def test_thread_of_the_sdk_continues_with_the_whole_conversation() -> None:
    @beta_async_tool
    async def add(a: int, b: int) -> str:
        """Add two numbers."""
        return str(a + b)

    async def asks(_: web.Request) -> web.StreamResponse:
        call = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2, "b": 3}'}}
        return web.json_response({"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]})

    async with scripted(asks, text("Five.")) as (gateway, provider), claude(gateway) as client:
        runner = client.beta.messages.tool_runner(
            model="test-model", max_tokens=50, tools=[add], messages=[{"role": "user", "content": "What is 2 + 3?"}]
        )
        last = [message async for message in runner][-1]
    assert last.content[0].to_dict()["text"] == "Five."
    assert [message["role"] for message in provider.requests[-1]["messages"]] == ["user", "assistant", "tool"]
    assert provider.requests[-1]["messages"][-1]["content"] == "5"
    assert [tool["function"]["name"] for tool in provider.requests[-1]["tools"]] == ["add"]


@pytest.mark.parametrize("param", ["previous_message_id", "previous_response_id", "conversation", "compaction", "container"])
async def test_parameter_that_stands_for_a_stored_conversation_is_named(param: str) -> None:
    asked = {"model": "demo-rules", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], param: "msg_1"}
    async with served() as gateway:
        status, body, _ = await gateway.ask("POST", "messages", json=asked)
    assert status == 400
    assert param in body["error"]["message"]
