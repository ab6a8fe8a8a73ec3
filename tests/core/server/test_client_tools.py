"""Tools of OpenAI's clients that are no functions: custom tools, namespaces, and tools that OpenAI's servers run."""

import json
from typing import Any

from aiohttp import web
import pytest

from ...support.fakes.chunks import delta
from ...support.fakes.provider import FakeProvider, text, tool_call, usage
from ...support.sdks import response_events, scripted
from ...support.server import Served

SCHEMA = {"type": "object", "properties": {}}
HOSTED: list[Any] = [
    {"type": "web_search"},
    {"type": "web_search_preview", "search_context_size": "low"},
    {"type": "file_search", "vector_store_ids": ["vs_1"]},
    {"type": "code_interpreter", "container": {"type": "auto"}},
    {"type": "computer_use_preview", "display_width": 100, "display_height": 100, "environment": "linux"},
    {"type": "image_generation"},
    {"type": "mcp", "server_label": "wiki", "server_url": "https://wiki.example/mcp"},
    {"type": "local_shell"},
    {"type": "shell"},
    {"type": "apply_patch"},
    {"type": "tool_search"},
    {"type": "tool_of_tomorrow"},
]
NAMES = ["mcp:wiki" if tool["type"] == "mcp" else tool["type"] for tool in HOSTED]
LOOK: Any = {"type": "function", "name": "look", "description": "Looks.", "parameters": SCHEMA}
NESTED_LOOK: Any = {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": SCHEMA}}
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
PATCH: Any = {"type": "custom", "name": "apply_patch", "description": "Edits files.", "format": GRAMMAR}
NESTED_PATCH: Any = {"type": "custom", "custom": {"name": "apply_patch", "description": "Edits files."}}
CRM: Any = {
    "type": "namespace",
    "name": "crm",
    "description": "Customers.",
    "tools": [
        {"type": "function", "name": "find", "description": "Finds.", "parameters": SCHEMA},
        {"type": "custom", "name": "note"},
    ],
}
DIFF = '*** Begin Patch\n+"a\\tb" \u00e9\n*** End Patch'


def response_body(**fields: Any) -> dict[str, Any]:
    return {"model": "test-model", "input": "Go", **fields}


def chat_body(**fields: Any) -> dict[str, Any]:
    return {"model": "test-model", "messages": [{"role": "user", "content": "Go"}], **fields}


def allowed(mode: str, *tools: Any) -> dict[str, Any]:
    """A `tool_choice` of Responses."""
    return {"type": "allowed_tools", "mode": mode, "tools": list(tools)}


def functions(provider: FakeProvider, number: int = 0) -> dict[str, Any]:
    """The functions that the provider got, by name."""
    return {tool["function"]["name"]: tool["function"] for tool in provider.requests[number].get("tools", ())}


def whole_call(name: str, arguments: str) -> Any:
    """A complete answer with one call."""

    async def answer(_: web.Request) -> web.Response:
        call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        return web.json_response({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})

    return answer


def chunks_of(raw: bytes) -> list[Any]:
    """The chunks of a stream."""
    return [json.loads(line.removeprefix("data: ")) for line in raw.decode().split("\n\n") if line.startswith("data: {")]


async def ask(gateway: Served, path: str, body: Any) -> tuple[Any, Any]:
    """(answer, headers)."""
    status, answer, headers = await gateway.ask("POST", path, json=body)
    assert status == 200, answer
    return answer, headers


@pytest.mark.parametrize("stream", [False, True])
async def test_hosted_tools_are_left_out_and_named_in_a_response(stream: bool) -> None:
    async with scripted(text("Hi") if stream else whole_call("look", "{}")) as (gateway, provider):
        body = response_body(tools=[*HOSTED, LOOK], tool_choice="auto", metadata={"a": "b"})
        if stream:
            found = [event["response"] for event in await response_events(gateway, body) if "response" in event]
        else:
            answer, headers = await ask(gateway, "responses", body)
            assert headers["X-ZeroconfAI-Dropped-Tools"] == ", ".join(NAMES)
            found = [answer]
    assert list(functions(provider)) == ["look"]
    assert [[tool["type"] for tool in response["tools"]] for response in found] == [["function"]] * len(found)
    assert [response["dropped_tools"] for response in found] == [NAMES] * len(found)
    assert found[-1]["metadata"] == {"a": "b", "dropped_tools": ", ".join(NAMES)}


async def test_hosted_tools_are_left_out_and_named_in_a_chat() -> None:
    async with scripted(whole_call("look", "{}")) as (gateway, provider):
        answer, headers = await ask(gateway, "chat/completions", chat_body(tools=[*HOSTED, NESTED_LOOK]))
    assert (answer["dropped_tools"], headers["X-ZeroconfAI-Dropped-Tools"]) == (NAMES, ", ".join(NAMES))
    assert provider.requests[0]["tools"] == [NESTED_LOOK]


async def test_hosted_tools_are_named_in_the_first_chunk_of_a_chat() -> None:
    async with scripted(text("Hi", "!")) as (gateway, provider):
        raw, headers = await ask(gateway, "chat/completions", chat_body(tools=HOSTED, stream=True))
    assert headers["X-ZeroconfAI-Dropped-Tools"] == ", ".join(NAMES)
    assert [chunk.get("dropped_tools") for chunk in chunks_of(raw)] == [NAMES, None, None, None]
    assert "tools" not in provider.requests[0]


@pytest.mark.parametrize(("path", "make"), [("responses", response_body), ("chat/completions", chat_body)])
@pytest.mark.parametrize(
    "choice",
    [
        {"type": "web_search"},
        {"type": "mcp", "server_label": "wiki"},
        {"type": "apply_patch"},
        "required",
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "web_search"}]},
    ],
)
async def test_tool_choice_of_a_tool_that_cannot_run_is_refused(path: str, make: Any, choice: Any) -> None:
    async with scripted(text("Hi")) as (gateway, provider):
        status, body, _ = await gateway.ask("POST", path, json=make(tools=HOSTED, tool_choice=choice))
    assert status == 400
    assert body["error"]["param"].startswith("tool_choice")
    assert provider.requests == []


@pytest.mark.parametrize(
    ("choice", "names", "sent"),
    [
        (allowed("auto", {"type": "function", "name": "look"}), ["look"], None),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "custom", "name": "apply_patch"}]},
            ["apply_patch"],
            "required",
        ),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "namespace", "name": "crm"}]},
            ["crm__find", "crm__note"],
            None,
        ),
        (allowed("auto", {"type": "web_search"}), [], None),
        (
            {"type": "custom", "name": "apply_patch"},
            ["look", "apply_patch", "crm__find", "crm__note"],
            {"type": "function", "function": {"name": "apply_patch"}},
        ),
        (
            {"type": "function", "name": "find", "namespace": "crm"},
            ["look", "apply_patch", "crm__find", "crm__note"],
            {"type": "function", "function": {"name": "crm__find"}},
        ),
    ],
)
async def test_tool_choice_of_a_response_is_translated(choice: Any, names: list[str], sent: Any) -> None:
    async with scripted(text("Hi")) as (gateway, provider):
        await ask(gateway, "responses", response_body(tools=[LOOK, PATCH, CRM, *HOSTED], tool_choice=choice, stream=True))
    assert list(functions(provider)) == names
    assert provider.requests[0].get("tool_choice") == sent


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "look"}}]},
            },
            (["look"], "required"),
        ),
        (
            {"type": "custom", "custom": {"name": "apply_patch"}},
            (["look", "apply_patch"], {"type": "function", "function": {"name": "apply_patch"}}),
        ),
        ({"type": "function", "name": "look"}, (["look", "apply_patch"], {"type": "function", "function": {"name": "look"}})),
        ({"type": "tool", "name": "look"}, (["look", "apply_patch"], {"type": "function", "function": {"name": "look"}})),
        ({"type": "auto"}, (["look", "apply_patch"], "auto")),
        ("any", (["look", "apply_patch"], "required")),
    ],
)
async def test_tool_choice_of_a_chat_is_translated(choice: Any, sent: Any) -> None:
    async with scripted(text("Hi")) as (gateway, provider):
        await ask(gateway, "chat/completions", chat_body(tools=[NESTED_LOOK, NESTED_PATCH], tool_choice=choice, stream=True))
    assert (list(functions(provider)), provider.requests[0].get("tool_choice")) == sent


@pytest.mark.parametrize("tool", [LOOK, {"name": "look", "description": "Looks.", "input_schema": SCHEMA}])
async def test_tool_of_a_chat_in_another_apis_form_becomes_a_function(tool: Any) -> None:
    async with scripted(text("Hi")) as (gateway, provider):
        await ask(gateway, "chat/completions", chat_body(tools=[tool], stream=True))
    assert provider.requests[0]["tools"] == [NESTED_LOOK]


async def test_parts_of_responses_in_a_chat_become_parts_of_chats() -> None:
    url = "data:image/png;base64,iVBORw0KGgo="
    content = [{"type": "input_text", "text": "Look"}, {"type": "input_image", "image_url": url, "detail": "low"}]
    said = [{"role": "assistant", "content": [{"type": "output_text", "text": "Hm"}]}, {"role": "user", "content": content}]
    async with scripted(text("Hi")) as (gateway, provider):
        await ask(gateway, "chat/completions", chat_body(messages=said, stream=True))
    assert [message["content"] for message in provider.requests[0]["messages"]] == [
        [{"type": "text", "text": "Hm"}],
        [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": url, "detail": "low"}}],
    ]


async def test_body_of_responses_at_the_path_of_chats_is_answered_as_a_chat() -> None:
    """Cursor does that for some models."""
    body = response_body(instructions="Be brief.", tools=[LOOK, PATCH], stream=True, stream_options={"include_usage": True})
    async with scripted(tool_call("look", "{}")) as (gateway, provider):
        raw, _ = await ask(gateway, "chat/completions", body)
    assert [message["content"] for message in provider.requests[0]["messages"]] == ["Be brief.", "Go"]
    assert list(functions(provider)) == ["look", "apply_patch"]
    chunks = chunks_of(raw)
    assert chunks[0]["choices"][0]["delta"]["tool_calls"][0]["function"]["name"] == "look"
    assert chunks[-1]["usage"]["total_tokens"] == 15


async def test_custom_tool_becomes_a_function_with_one_text() -> None:
    async with scripted(text("Hi")) as (gateway, provider):
        await ask(gateway, "responses", response_body(tools=[PATCH], stream=True))
    function = functions(provider)["apply_patch"]
    assert function["description"] == "Edits files.\n\n'input' must match this lark grammar:\nstart: /.+/"
    assert (function["parameters"]["required"], function["parameters"]["properties"]["input"]["type"]) == (["input"], "string")


@pytest.mark.parametrize("arguments", [json.dumps({"input": DIFF}), json.dumps({"patch": DIFF}), DIFF])
@pytest.mark.parametrize("stream", [False, True])
async def test_custom_tool_call_of_a_response_goes_both_ways(stream: bool, arguments: str) -> None:
    answer = tool_call("apply_patch", arguments) if stream else whole_call("apply_patch", arguments)
    async with scripted(answer, text("Done")) as (gateway, provider):
        body = response_body(tools=[PATCH])
        if stream:
            events = await response_events(gateway, body)
            output = events[-1]["response"]["output"]
            said = [event for event in events if event["type"].startswith("response.custom_tool_call_input")]
            assert [event.get("delta", event.get("input")) for event in said] == [DIFF, DIFF]
            assert not [event for event in events if "function_call" in event["type"]]
        else:
            output = (await ask(gateway, "responses", body))[0]["output"]
        [call] = output
        assert (call["type"], call["name"], call["call_id"], call["input"]) == ("custom_tool_call", "apply_patch", "call_1", DIFF)
        items = [{"role": "user", "content": "Go"}, call]
        items.append({"type": "custom_tool_call_output", "call_id": "call_1", "output": "ok"})
        await ask(gateway, "responses", response_body(input=items, tools=[PATCH], stream=True))
    _, assistant, result = provider.requests[1]["messages"]
    assert assistant["tool_calls"][0]["function"]["name"] == "apply_patch"
    assert json.loads(assistant["tool_calls"][0]["function"]["arguments"]) == {"input": DIFF}
    assert (result["tool_call_id"], result["content"]) == ("call_1", "ok")


async def test_custom_tool_call_of_a_chat_goes_both_ways() -> None:
    custom = {"id": "call_1", "type": "custom", "custom": {"name": "apply_patch", "input": DIFF}}
    async with scripted(whole_call("apply_patch", json.dumps({"input": DIFF})), text("Done")) as (gateway, provider):
        first, _ = await ask(gateway, "chat/completions", chat_body(tools=[NESTED_PATCH, NESTED_LOOK]))
        message = first["choices"][0]["message"]
        assert message["tool_calls"] == [custom]
        result = {"role": "tool", "tool_call_id": "call_1", "content": "ok"}
        said = [{"role": "user", "content": "Go"}, message, result]
        await ask(gateway, "chat/completions", chat_body(tools=[NESTED_PATCH], messages=said, stream=True))
    [call] = provider.requests[1]["messages"][1]["tool_calls"]
    assert (call["type"], json.loads(call["function"]["arguments"])) == ("function", {"input": DIFF})


async def test_custom_tool_call_of_a_streamed_chat_is_sent_when_it_is_complete() -> None:
    calls = [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "apply_patch", "arguments": '{"inp'}},
        {"index": 1, "id": "b", "type": "function", "function": {"name": "look", "arguments": "{}"}},
    ]
    rest = {"index": 0, "function": {"arguments": 'ut": "x\\ny"}'}}
    stream = [delta("Well"), delta(tool_calls=calls), delta(tool_calls=[rest]), delta(finish="tool_calls"), usage()]
    async with scripted(stream) as (gateway, _):
        body = chat_body(tools=[NESTED_PATCH, NESTED_LOOK], stream=True, stream_options={"include_usage": True})
        raw, _ = await ask(gateway, "chat/completions", body)
    chunks = chunks_of(raw)
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert [piece for piece in deltas if piece] == [
        {"content": "Well"},
        {"tool_calls": [{"index": 0, "id": "a", "type": "custom", "custom": {"name": "apply_patch", "input": ""}}]},
        {"tool_calls": [calls[1]]},
        {"tool_calls": [{"index": 0, "custom": {"input": "x\ny"}}]},
    ]
    assert chunks[-1]["usage"]["total_tokens"] == 15


@pytest.mark.parametrize("stream", [False, True])
async def test_function_of_a_namespace_is_called_by_its_own_name(stream: bool) -> None:
    answer = tool_call("crm__find", "{}") if stream else whole_call("crm__find", "{}")
    async with scripted(answer, text("Done")) as (gateway, provider):
        body = response_body(tools=[CRM])
        if stream:
            output = (await response_events(gateway, body))[-1]["response"]["output"]
        else:
            output = (await ask(gateway, "responses", body))[0]["output"]
        [call] = output
        assert (call["type"], call["namespace"], call["name"]) == ("function_call", "crm", "find")
        items = [{"role": "user", "content": "Go"}, call]
        items.append({"type": "function_call_output", "call_id": call["call_id"], "output": "ok"})
        await ask(gateway, "responses", response_body(input=items, tools=[CRM], stream=True))
    assert functions(provider)["crm__find"]["description"] == "Finds.\n\nCustomers."
    assert provider.requests[1]["messages"][1]["tool_calls"][0]["function"]["name"] == "crm__find"


async def test_namespace_with_a_long_name_gives_names_that_servers_accept() -> None:
    tools = [{"type": "function", "name": f"{'n' * 60}{end}", "parameters": SCHEMA} for end in "ab"]
    async with scripted(text("Hi")) as (gateway, provider):
        await ask(gateway, "responses", response_body(tools=[CRM | {"name": "mcp__x__", "tools": tools}], stream=True))
    names = list(functions(provider))
    assert len(set(names)) == 2
    assert all(len(name) == 64 and name.startswith("mcp__x__nnn") for name in names)


HISTORY: list[Any] = [
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}},
    {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["x"]},
    {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "code": "1", "container_id": "c", "outputs": None},
    {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AAAA"},
    {"type": "computer_call", "id": "cu_1", "call_id": "c", "status": "completed", "pending_safety_checks": []},
    {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot"}},
    {"type": "mcp_list_tools", "id": "ml_1", "server_label": "wiki", "tools": []},
    {"type": "mcp_approval_request", "id": "ma_1", "arguments": "{}", "name": "x", "server_label": "wiki"},
    {"type": "mcp_approval_response", "approval_request_id": "ma_1", "approve": True},
    {"type": "mcp_call", "id": "mc_1", "arguments": "{}", "name": "x", "server_label": "wiki", "output": "y"},
    {"type": "tool_search_call", "arguments": {}},
    {"type": "tool_search_output", "tools": [LOOK]},
    {"type": "additional_tools", "role": "developer", "tools": [CRM]},
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "another server's"},
    {
        "type": "local_shell_call",
        "id": "ls_1",
        "call_id": "s1",
        "status": "completed",
        "action": {"type": "exec", "command": ["ls"]},
    },
    {"type": "local_shell_call_output", "id": "s1", "output": "a.txt"},
    {"type": "shell_call", "call_id": "s2", "action": {"commands": ["ls"]}},
    {"type": "shell_call_output", "call_id": "s2", "output": [{"stdout": "b.txt", "stderr": ""}]},
    {"type": "apply_patch_call", "call_id": "s3", "status": "completed", "operation": {"type": "delete_file", "path": "a"}},
    {"type": "apply_patch_call_output", "call_id": "s3", "status": "completed"},
]


async def test_tools_that_are_no_list_beside_a_dropped_tool_are_echoed_as_none() -> None:
    given = [{"type": "additional_tools", "tools": [{"type": "web_search"}]}, {"role": "user", "content": "Hi"}]
    async with scripted(text("Hi")) as (gateway, _):
        answer, _ = await ask(gateway, "responses", response_body(input=given, tools=False))
    assert (answer["dropped_tools"], answer["tools"]) == (["web_search"], [])


async def test_items_of_earlier_tools_are_accepted() -> None:
    items = [
        {"role": "user", "content": "Go"},
        *HISTORY,
        {"role": "assistant", "content": "Gone"},
        {"role": "user", "content": "On"},
    ]
    async with scripted(text("Hi")) as (gateway, provider):
        await ask(gateway, "responses", response_body(input=items, stream=True))
    messages = provider.requests[0]["messages"]
    assert [message["role"] for message in messages] == ["user", *["assistant", "tool"] * 3, "assistant", "user"]
    called = [call["function"] for message in messages for call in message.get("tool_calls", ())]
    assert [call["name"] for call in called] == ["local_shell", "shell", "apply_patch"]
    assert json.loads(called[0]["arguments"])["command"] == ["ls"]
    results = [message["content"] for message in messages if message["role"] == "tool"]
    assert (results[0], json.loads(results[1])[0]["stdout"], results[2]) == ("a.txt", "b.txt", "completed")
    assert list(functions(provider)) == ["look", "crm__find", "crm__note"]
