"""Clients of Anthropic's SDKs: models in Anthropic's format, and threads, which the SDKs replace by whole conversations."""

from typing import Any

from aiohttp import web
import anthropic
from anthropic import beta_async_tool
import pytest

from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Capability

from ...support.fakes.provider import text, tool_call
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


SEARCH: Any = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
HOSTED: list[tuple[Any, str]] = [
    (SEARCH, "web_search_20250305"),
    ({"type": "web_fetch_20260318", "name": "web_fetch"}, "web_fetch_20260318"),
    ({"type": "code_execution_20250825", "name": "code_execution"}, "code_execution_20250825"),
    ({"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}, "tool_search_tool_regex_20251119"),
    ({"type": "browser_toolset_20260801", "name": "browser"}, "browser_toolset_20260801"),
    ({"type": "mcp_toolset", "mcp_server_name": "notes"}, "mcp:notes"),
    ({"type": "advisor_20260301", "name": "advisor", "model": "x"}, "advisor_20260301"),
    ({"type": "something_new_20300101", "name": "new"}, "something_new_20300101"),
]
TOOL: Any = {"name": "look", "input_schema": {"type": "object", "properties": {}}, "defer_loading": True}


def asking(**fields: Any) -> Any:
    return {"model": "test-model", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}], **fields}


@pytest.mark.parametrize(("tool", "name"), HOSTED, ids=[name for _, name in HOSTED])
@pytest.mark.parametrize("stream", [False, True])
async def test_tool_that_anthropics_servers_run_is_left_out_and_named(tool: Any, name: str, stream: bool) -> None:
    async with scripted(text("Hello.")) as (gateway, provider):
        status, body, headers = await gateway.ask("POST", "messages", json=asking(tools=[tool, TOOL, tool], stream=stream))
        alone, _, _ = await gateway.ask("POST", "messages", json=asking(tools=[tool], tool_choice={"type": "auto"}))
        counted, _, _ = await gateway.ask("POST", "messages/count_tokens", json=asking(tools=[tool]))
    assert (status, alone, counted) == (200, 200, 200)
    assert headers["X-ZeroconfAI-Dropped-Tools"] == name
    if stream:
        assert f'"dropped_tools":["{name}"]'.encode() in body
    else:
        assert body["dropped_tools"] == [name]
    assert [tool["function"]["name"] for tool in provider.requests[0]["tools"]] == ["look"]
    assert "tools" not in provider.requests[1]


async def test_message_with_dropped_tools_is_valid_for_the_sdk() -> None:
    async with scripted(text("Hello.")) as (gateway, _), claude(gateway) as client:
        message = await client.messages.create(**asking(tools=[SEARCH]))
        async with client.messages.stream(**asking(tools=[SEARCH])) as stream:
            streamed = await stream.get_final_message()
        servers: Any = [{"type": "url", "name": "notes", "url": "https://example.com"}]
        listed = await client.beta.messages.create(**asking(mcp_servers=servers))
    assert message.to_dict()["dropped_tools"] == streamed.to_dict()["dropped_tools"] == ["web_search_20250305"]
    assert listed.to_dict()["dropped_tools"] == ["mcp:notes"]


@pytest.mark.parametrize(
    ("tools", "choice"),
    [([SEARCH, TOOL], {"type": "tool", "name": "web_search"}), ([SEARCH], {"type": "any"})],
)
async def test_choice_of_a_tool_that_cannot_run_is_a_400(tools: Any, choice: Any) -> None:
    async with served() as gateway:
        status, body, _ = await gateway.ask("POST", "messages", json=asking(model="demo-rules", tools=tools, tool_choice=choice))
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")
    assert "tool_choice" in body["error"]["message"]
    assert "web_search" in body["error"]["message"]


@pytest.mark.parametrize(
    ("kind", "name", "parameter"),
    [
        ("bash_20250124", "bash", "restart"),
        ("text_editor_20250728", "str_replace_based_edit_tool", "view_range"),
        ("text_editor_20241022", "str_replace_editor", "insert_line"),
        ("memory_20250818", "memory", "old_path"),
        ("computer_20251124", "computer", "coordinate"),
    ],
)
async def test_tool_that_the_client_runs_is_a_function_for_other_models(kind: str, name: str, parameter: str) -> None:
    tool: Any = {"type": kind, "name": name, "display_width_px": 800, "display_height_px": 600}
    if not kind.startswith("computer"):
        del tool["display_width_px"], tool["display_height_px"]
    asked = asking(tools=[tool], tool_choice={"type": "tool", "name": name})
    async with scripted(tool_call(name, '{"a": 1}')) as (gateway, provider), claude(gateway) as client:
        stream = client.beta.messages.stream(**asked)
        async with stream as events:
            message = await events.get_final_message()
    [sent] = provider.requests[0]["tools"]
    assert sent["function"]["name"] == name
    assert parameter in sent["function"]["parameters"]["properties"]
    assert ("800 x 600" in sent["function"]["description"]) == kind.startswith("computer")
    assert message.content[-1].to_dict()["name"] == name
    assert "dropped_tools" not in message.to_dict()


async def test_history_of_hosted_tools_is_accepted() -> None:
    found = {"type": "web_search_result", "title": "T", "url": "https://example.com", "encrypted_content": "x", "page_age": None}
    history = [
        {"type": "text", "text": "I search."},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [found]},
        {"type": "code_execution_tool_result", "tool_use_id": "srvtoolu_2", "content": {}},
        {"type": "tool_search_tool_result", "tool_use_id": "srvtoolu_3", "content": {}},
        {"type": "mcp_tool_use", "id": "m", "name": "x", "server_name": "notes", "input": {}},
        {"type": "mcp_tool_result", "tool_use_id": "m", "content": []},
        {"type": "compaction", "content": "…"},
        {"type": "something_new"},
        {"type": "text", "text": " It is 7.", "citations": [{"type": "web_search_result_location"}]},
    ]
    talk = [
        {"role": "user", "content": "How much?"},
        {"role": "assistant", "content": history},
        {"role": "user", "content": "Thanks."},
    ]
    async with scripted(text("Hello.")) as (gateway, provider):
        status, body, _ = await gateway.ask("POST", "messages", json=asking(messages=talk, tools=[SEARCH]))
    assert status == 200, body
    assert [message["content"] for message in provider.requests[0]["messages"]] == ["How much?", "I search. It is 7.", "Thanks."]


async def test_other_gateway_gets_nothing_that_only_anthropic_knows() -> None:
    call = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "x", "is_error": True}
    talk = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    async with scripted(text("Hello.")) as (gateway, provider):
        asked = asking(metadata={"user_id": "x"}, tools=[TOOL], messages=talk)
        status, _, _ = await gateway.ask("POST", "messages", json=asked, headers={"anthropic-beta": "context-1m-2025-08-07"})
    assert status == 200
    assert "anthropic" not in str(provider.requests[0])
