"""Tools that providers run themselves: passed on for keys that are granted them, left out for others, priced and limited."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.backends.anthropic.backend import AnthropicBackend
from zeroconf_ai.backends.base import Backend, BackendInfo, Endpoint
from zeroconf_ai.backends.gemini.backend import GeminiBackend
from zeroconf_ai.backends.openai.backend import OpenAIBackend
from zeroconf_ai.backends.openai.flavors import OPENAI
from zeroconf_ai.protocol.record import Cost, Placement
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.server.access.guard import Guard

from ...support.fakes.upstream import COMPLETION, Upstream, answers, streams
from ...support.sdks import MESSAGE_EVENT, RESPONSE_EVENT
from ...support.server import Served, served

MODEL = "gpt-5"
SEARCH: Any = {"type": "web_search", "filters": {"allowed_domains": ["example.org"]}}
LOOK: Any = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
MODELS = {"object": "list", "data": [{"id": MODEL, "object": "model"}]}
SEARCHED: Any = {
    "type": "web_search_call",
    "id": "ws_1",
    "status": "completed",
    "action": {"type": "search", "query": "weather"},
}
OPENED: Any = {
    "type": "web_search_call",
    "id": "ws_2",
    "status": "completed",
    "action": {"type": "open_page", "url": "https://example.org"},
}
CITATION: Any = {"type": "url_citation", "start_index": 0, "end_index": 5, "url": "https://example.org", "title": "Weather"}
SAID: Any = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Sunny", "annotations": [CITATION], "logprobs": []}],
}
USAGE: Any = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 10,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 1010,
}


def response(*output: Any, status: str = "completed") -> dict[str, Any]:
    """A response of OpenAI."""
    return {
        "id": "resp_upstream",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": MODEL,
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "metadata": {},
        "usage": USAGE if status == "completed" else None,
    }


def stream_of(*output: Any, text: str = "Sunny") -> list[bytes]:
    """The events of a response."""
    where = {"item_id": "msg_1", "output_index": len(output) - 1, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response(status="in_progress")},
        *(
            {"type": kind, "output_index": index, "item": item}
            for index, item in enumerate(output)
            for kind in ("response.output_item.added", "response.output_item.done")
        ),
        {"type": "response.output_text.delta", "delta": text, "logprobs": [], **where},
        {"type": "response.output_text.annotation.added", "annotation": CITATION, "annotation_index": 0, **where},
        {"type": "response.completed", "response": response(*output)},
    ]
    return [
        f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n".encode()
        for number, event in enumerate(events)
    ]


@asynccontextmanager
async def gateway_of(
    file: Path, *make: Any, grants: tuple[str, ...] = ("web_search",)
) -> AsyncIterator[tuple[Served, AccountingStore, dict[str, Any], str]]:
    """A gateway with these backends (functions of a session), and the headers and the id of a key with these hosted tools."""
    store = await AccountingStore.open(file / "gateway.db")
    try:
        async with aiohttp.ClientSession() as session:
            backends: list[Backend] = [each(session) for each in make]
            async with served(*backends, access=Guard(store.keys)) as gateway:
                await gateway.engine.attach(Accounting.of(store))
                key, secret = await store.keys.create("Laptop", hosted_tools=grants)
                yield gateway, store, {"headers": {"Authorization": f"Bearer {secret}"}}, key.id
    finally:
        await store.close()


def openai(upstream: Upstream) -> Any:
    """OpenAI's API at a fake."""
    info = BackendInfo("openai", "OpenAI", cost=Cost.METERED, placement=Placement.CLOUD)
    return lambda session: OpenAIBackend(session, info, Endpoint(upstream.base_url, "sk-1"), OPENAI)


def upstream(*behaviours: Any) -> Upstream:
    """A fake OpenAI."""
    chats = {"/models": [answers(MODELS)], "/chat/completions": [answers(COMPLETION)]}
    fake = Upstream()
    fake.behave |= chats | ({"/responses": list(behaviours)} if behaviours else {})
    return fake


def asked(**fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "input": "Weather?", "tools": [SEARCH, LOOK], **fields}


async def test_hosted_tool_of_a_key_without_a_grant_is_left_out_and_named(tmp_path: Path) -> None:
    async with upstream(answers(response(SAID))) as fake, gateway_of(tmp_path, openai(fake), grants=()) as (gateway, _, key, _):
        status, _, headers = await gateway.ask("POST", "responses", json=asked(), **key)
    assert (status, headers["X-ZeroconfAI-Dropped-Tools"]) == (200, "web_search")
    assert not fake.bodies("/responses")
    [chat] = fake.bodies()
    assert [tool["type"] for tool in chat["tools"]] == ["function"]


async def test_granted_hosted_tool_is_passed_on_with_the_whole_request(tmp_path: Path) -> None:
    earlier: list[Any] = [
        {"role": "user", "content": "Hello"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        SEARCHED,
        SAID,
        {"role": "user", "content": "And tomorrow?"},
    ]
    shell = {"type": "shell"}
    async with upstream(answers(response(SEARCHED, SAID))) as fake, gateway_of(tmp_path, openai(fake)) as (gateway, _, key, _):
        body = asked(input=earlier, tools=[SEARCH, LOOK, shell], max_output_tokens=500, service_tier="priority", store=True)
        status, found, headers = await gateway.ask("POST", "responses", json=body, **key)
    assert status == 200
    [sent] = fake.bodies("/responses")
    assert sent["tools"] == [SEARCH, LOOK]
    assert sent["input"] == [item for item in earlier if item.get("type") != "reasoning"]
    assert (sent["max_output_tokens"], sent["store"], sent["stream"]) == (500, False, False)
    assert "service_tier" not in sent
    assert found["output"] == [SEARCHED, SAID]
    assert found["id"] != "resp_upstream"
    assert headers["X-ZeroconfAI-Dropped-Tools"] == "shell"


async def test_stream_with_hosted_tools_keeps_its_events(tmp_path: Path) -> None:
    fake = upstream(streams(*stream_of(SEARCHED, SAID), done=False))
    async with fake, gateway_of(tmp_path, openai(fake)) as (gateway, _, key, _):
        status, raw, headers = await gateway.ask("POST", "responses", json=asked(stream=True), **key)
        events = [json.loads(line.removeprefix("data: ")) for line in raw.decode().splitlines() if line.startswith("data: ")]
        follow_up = asked(input="And tomorrow?", previous_response_id=events[-1]["response"]["id"], stream=True)
        again, _, _ = await gateway.ask("POST", "responses", json=follow_up, **key)
    assert (status, again) == (200, 200)
    assert "X-ZeroconfAI-Dropped-Tools" not in headers
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    kinds = [event["type"] for event in events]
    assert kinds.count("response.output_item.done") == 2
    assert "response.output_text.annotation.added" in kinds
    assert kinds[-1] == "response.completed"
    assert {event["response"]["id"] for event in events if "response" in event} == {events[0]["response"]["id"]}
    for event in events:
        RESPONSE_EVENT.validate_python(event)
    assert [item.get("type", item.get("role")) for item in fake.bodies("/responses")[1]["input"]] == [
        "user",
        "web_search_call",
        "message",
        "user",
    ]


async def test_searches_are_charged_on_top_of_tokens(tmp_path: Path) -> None:
    fake = upstream(answers(response(SEARCHED, OPENED, SEARCHED | {"id": "ws_3"}, SAID)))
    async with fake, gateway_of(tmp_path, openai(fake)) as (gateway, store, key, key_id):
        await store.budgets.set(Scope.KEY, key_id, NANO, Period.MONTH)
        status, _, _ = await gateway.ask("POST", "responses", json=asked(), **key)
        [state] = [store.budgets.state(budget.id) for budget in store.budgets.of(Scope.KEY, key_id)]
    assert status == 200
    assert state.spent == 2 * NANO // 100
    assert fake.bodies("/responses")[0]["max_tool_calls"] == 8


async def test_budget_that_does_not_cover_the_calls_refuses_the_request(tmp_path: Path) -> None:
    async with upstream(answers(response(SAID))) as fake, gateway_of(tmp_path, openai(fake)) as (gateway, store, key, key_id):
        await store.budgets.set(Scope.KEY, key_id, NANO // 100, Period.MONTH)
        status, _, _ = await gateway.ask("POST", "responses", json=asked(), **key)
        fewer, _, _ = await gateway.ask("POST", "responses", json=asked(max_tool_calls=1), **key)
    assert (status, fewer) == (429, 200)
    assert [body["max_tool_calls"] for body in fake.bodies("/responses")] == [1]


AUTO: Any = {"type": "auto", "file_ids": ["file_1"]}
REFERENCES: list[Any] = [
    ("vector_store_ids", {"type": "file_search", "vector_store_ids": ["vs_1"]}, "file_search", "vector_stores"),
    ("container", {"type": "code_interpreter", "container": "cntr_1"}, "code_execution", "containers"),
    ("container.file_ids", {"type": "code_interpreter", "container": AUTO}, "code_execution", "files"),
    ("input_image_mask.file_id", {"type": "image_generation", "input_image_mask": {"file_id": "f"}}, "image_generation", "files"),
    ("server_url", {"type": "mcp", "server_label": "wiki", "server_url": "https://wiki.example"}, "mcp", "server_url"),
    ("connector_id", {"type": "mcp", "server_label": "mail", "connector_id": "connector_gmail"}, "mcp", "server_url"),
    ("authorization", {"type": "mcp", "server_label": "wiki", "authorization": "secret"}, "mcp", "authorization"),
    ("headers", {"type": "mcp", "server_label": "wiki", "headers": {"X-Key": "secret"}}, "mcp", "authorization"),
]


@pytest.mark.parametrize(("option", "tool", "kind", "reference"), REFERENCES)
async def test_reference_in_the_options_of_a_tool_needs_a_grant_of_its_own(
    tmp_path: Path, option: str, tool: Any, kind: str, reference: str
) -> None:
    async with (
        upstream(answers(response(SAID))) as fake,
        gateway_of(tmp_path, openai(fake), grants=(kind,)) as (gateway, store, key, key_id),
    ):
        status, refused, _ = await gateway.ask("POST", "responses", json=asked(tools=[tool]), **key)
        assert (status, refused["error"]["param"], refused["error"]["code"]) == (
            403,
            f"tools[0].{option}",
            "hosted_tool_not_allowed",
        )
        assert reference in refused["error"]["message"]
        assert not fake.bodies("/responses")
        await store.keys.update(key_id, hosted_tools=(kind, reference))
        allowed, _, _ = await gateway.ask("POST", "responses", json=asked(tools=[tool]), **key)
    assert allowed == 200
    assert fake.bodies("/responses")[0]["tools"] == [tool]


async def test_server_without_responses_gets_a_chat_and_the_tool_is_named(tmp_path: Path) -> None:
    async with upstream() as fake, gateway_of(tmp_path, openai(fake)) as (gateway, _, key, _):
        status, _, headers = await gateway.ask("POST", "responses", json=asked(), **key)
        again, _, _ = await gateway.ask("POST", "responses", json=asked(), **key)
        required, _, _ = await gateway.ask("POST", "responses", json=asked(tool_choice={"type": "web_search"}), **key)
    assert (status, again, headers["X-ZeroconfAI-Dropped-Tools"]) == (200, 200, "web_search")
    assert required != 200
    assert len(fake.bodies("/responses")) == 1
    assert len(fake.bodies()) == 2


CLAUDE = "claude-sonnet-4-5"
FOUND: Any = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
USED: Any = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "weather"}}
CLAUDE_SEARCH: Any = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
CLAUDE_USAGE: Any = {
    "input_tokens": 100,
    "output_tokens": 10,
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
}
MESSAGE: Any = {
    "id": "msg_upstream",
    "type": "message",
    "role": "assistant",
    "model": CLAUDE,
    "content": [USED, FOUND, {"type": "text", "text": "Sunny", "citations": []}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": CLAUDE_USAGE,
}


def claude_events() -> list[bytes]:
    """The events of `MESSAGE`."""
    events: list[dict[str, Any]] = [{"type": "message_start", "message": MESSAGE | {"content": [], "stop_reason": None}}]
    for index, block in enumerate((USED | {"input": {}}, FOUND, {"type": "text", "text": ""})):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        if block["type"] == "text":
            events.append({"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": "Sunny"}})
        events.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    events += [{"type": "message_delta", "delta": end, "usage": CLAUDE_USAGE}, {"type": "message_stop"}]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]


def anthropic(upstream: Upstream) -> Any:
    """Anthropic's API at a fake."""
    info = BackendInfo("anthropic", "Anthropic", cost=Cost.METERED, placement=Placement.CLOUD)
    return lambda session: AnthropicBackend(session, info, Endpoint(upstream.base_url, "sk-1"))


def claude(*behaviours: Any) -> Upstream:
    """A fake Anthropic."""
    models = {"data": [{"type": "model", "id": CLAUDE}], "has_more": False}
    return Upstream().on("/models", answers(models)).on("/messages", *behaviours)


def told(**fields: Any) -> dict[str, Any]:
    question = {"role": "user", "content": "Weather?"}
    return {"model": CLAUDE, "max_tokens": 500, "messages": [question], "tools": [CLAUDE_SEARCH], **fields}


@pytest.mark.parametrize("stream", [True, False])
async def test_hosted_tool_of_anthropic_is_passed_on_and_charged(tmp_path: Path, stream: bool) -> None:
    fake = claude(streams(*claude_events(), done=False) if stream else answers(MESSAGE))
    earlier = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "signature": ""}, USED, FOUND]},
        {"role": "user", "content": "Weather?"},
    ]
    async with fake, gateway_of(tmp_path, anthropic(fake)) as (gateway, store, key, key_id):
        await store.budgets.set(Scope.KEY, key_id, NANO, Period.MONTH)
        body = told(messages=earlier, stream=stream, tools=[CLAUDE_SEARCH, {"type": "web_fetch_20250910", "name": "web_fetch"}])
        status, found, headers = await gateway.ask("POST", "messages", json=body, **key)
        [state] = [store.budgets.state(budget.id) for budget in store.budgets.of(Scope.KEY, key_id)]
    assert (status, headers["X-ZeroconfAI-Dropped-Tools"]) == (200, "web_fetch_20250910")
    [sent] = fake.bodies("/messages")
    assert (sent["tools"], sent["max_tokens"], sent["stream"]) == ([CLAUDE_SEARCH], 500, stream)
    assert sent["messages"][1]["content"] == [USED, FOUND]
    assert state.spent == 2 * NANO // 100
    if not stream:
        assert found["content"] == MESSAGE["content"]
        return
    events = [json.loads(line.removeprefix("data: ")) for line in found.decode().splitlines() if line.startswith("data: ")]
    assert [event["content_block"]["type"] for event in events if event["type"] == "content_block_start"] == [
        "server_tool_use",
        "web_search_tool_result",
        "text",
    ]
    assert events[-1] == {"type": "message_stop"}
    for event in events:
        MESSAGE_EVENT.validate_python(event)


async def test_hosted_tool_of_anthropic_is_limited_by_the_budget(tmp_path: Path) -> None:
    fake = claude(answers(MESSAGE))
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    async with fake, gateway_of(tmp_path, anthropic(fake)) as (gateway, store, key, key_id):
        await store.budgets.set(Scope.KEY, key_id, NANO // 10, Period.MONTH)
        status, _, _ = await gateway.ask("POST", "messages", json=told(tools=tools), **key)
        await store.budgets.set(Scope.KEY, key_id, NANO // 50, Period.MONTH)
        short, _, _ = await gateway.ask("POST", "messages", json=told(tools=tools), **key)
    assert (status, short) == (200, 429)
    assert [tool["max_uses"] for tool in fake.bodies("/messages")[0]["tools"]] == [8]


@pytest.mark.parametrize(
    ("own", "spent", "status"),
    [({}, NANO // 50, 200), ({"web_search": NANO // 1000}, NANO // 500, 200), ({"web_search": NANO}, 0, 429)],
)
async def test_hosted_tool_costs_what_the_owner_says(tmp_path: Path, own: dict[str, int], spent: int, status: int) -> None:
    fake = claude(answers(MESSAGE))
    async with fake, gateway_of(tmp_path, anthropic(fake)) as (gateway, store, key, key_id):
        for member in gateway.engine.pool:
            member.terms = replace(member.terms, hosted_tool_prices=own)
        await store.budgets.set(Scope.KEY, key_id, NANO, Period.MONTH)
        answered, _, _ = await gateway.ask("POST", "messages", json=told(), **key)
        [state] = [store.budgets.state(budget.id) for budget in store.budgets.of(Scope.KEY, key_id)]
    assert (answered, state.spent) == (status, spent)


MCP_SERVER: Any = {"type": "url", "name": "wiki", "url": "https://wiki.example/mcp", "authorization_token": "secret"}
MCP_TOOLSET: Any = {"type": "mcp_toolset", "mcp_server_name": "wiki"}


async def test_mcp_server_of_anthropic_needs_grants_for_its_address_and_its_token(tmp_path: Path) -> None:
    fake = claude(answers(MESSAGE))
    body = told(tools=[MCP_TOOLSET], mcp_servers=[MCP_SERVER])
    async with fake, gateway_of(tmp_path, anthropic(fake), grants=()) as (gateway, store, key, key_id):
        results = []
        for grants in ((), ("mcp",), ("mcp", "server_url"), ("mcp", "server_url", "authorization")):
            await store.keys.update(key_id, hosted_tools=grants)
            asking = key["headers"] | {"anthropic-beta": "mcp-client-2025-11-20, context-management-2025-06-27"}
            status, found, _ = await gateway.ask("POST", "messages", json=body, headers=asking)
            results.append((status, found.get("error", {}).get("message", "")))
    assert [status for status, _ in results] == [200, 403, 403, 200]
    assert "mcp_servers[0].url" in results[1][1]
    assert "mcp_servers[0].authorization_token" in results[2][1]
    dropped, passed = fake.bodies("/messages")
    assert "mcp_servers" not in dropped
    assert (passed["mcp_servers"], passed["tools"]) == ([MCP_SERVER], [MCP_TOOLSET])
    received = [request for request in fake.received if request.path.endswith("/messages")]
    assert received[-1].headers["anthropic-beta"] == "mcp-client-2025-11-20"


async def test_search_options_of_a_chat_need_a_grant_and_are_charged(tmp_path: Path) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Weather?"}], "web_search_options": {}}
    async with upstream() as fake, gateway_of(tmp_path, openai(fake), grants=()) as (gateway, store, key, key_id):
        await store.budgets.set(Scope.KEY, key_id, NANO, Period.MONTH)
        _, without, headers = await gateway.ask("POST", "chat/completions", json=body, **key)
        await store.keys.update(key_id, hosted_tools=("web_search",))
        status, found, _ = await gateway.ask("POST", "chat/completions", json=body, **key)
        [state] = [store.budgets.state(budget.id) for budget in store.budgets.of(Scope.KEY, key_id)]
    assert (headers["X-ZeroconfAI-Dropped-Tools"], without["dropped_tools"]) == ("web_search_options", ["web_search_options"])
    assert (status, "dropped_tools" in found) == (200, False)
    assert [body.get("web_search_options") for body in fake.bodies()] == [None, {}]
    assert state.spent == NANO // 40


async def test_google_search_needs_a_grant_and_its_queries_are_charged(tmp_path: Path) -> None:
    grounding = {"webSearchQueries": ["weather", "weather tomorrow", "weather"]}
    candidate = {
        "content": {"role": "model", "parts": [{"text": "Sunny"}]},
        "finishReason": "STOP",
        "groundingMetadata": grounding,
    }
    counts = {"promptTokenCount": 10, "candidatesTokenCount": 2}
    model = {"name": "models/gemini-3-pro", "supportedGenerationMethods": ["generateContent"]}
    fake = Upstream().on("/models", answers({"models": [model]}))
    fake.on("/models/gemini-3-pro:generateContent", answers({"candidates": [candidate], "usageMetadata": counts}))
    info = BackendInfo("gemini", "Gemini", cost=Cost.METERED, placement=Placement.CLOUD)
    body = {
        "contents": [{"role": "user", "parts": [{"text": "Weather?"}]}],
        "tools": [{"googleSearch": {}}, {"codeExecution": {}}],
    }

    def gemini(session: aiohttp.ClientSession) -> Backend:
        return GeminiBackend(session, info, Endpoint(fake.base_url, "key"))

    async with fake, gateway_of(tmp_path, gemini) as (gateway, store, key, key_id):
        await store.budgets.set(Scope.KEY, key_id, NANO, Period.MONTH)
        status, _, headers = await gateway.ask("POST", "/v1beta/models/gemini-3-pro:generateContent", json=body, **key)
        [state] = [store.budgets.state(budget.id) for budget in store.budgets.of(Scope.KEY, key_id)]
    assert (status, headers["X-ZeroconfAI-Dropped-Tools"]) == (200, "codeExecution")
    [sent] = fake.bodies("/models/gemini-3-pro:generateContent")
    assert sent["tools"] == [{"googleSearch": {}}]
    assert state.spent == 2 * NANO * 14 // 1000
