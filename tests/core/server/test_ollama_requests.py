"""What Ollama's clients send: results without ids, `keep_alive`, `options`, `format`, `think` and images in every form."""

import json
from typing import Any

import pytest

from zeroconf_ai.dialects.ollama.keep_alive import parse_keep_alive
from zeroconf_ai.protocol.errors import InvalidRequestError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Capability

from ...support.fakes.upstream import StubBackend
from ...support.server import Served, served

USER = {"role": "user", "content": "Which lights are on?"}
NONE = "The tool has returned no result."
VISION = frozenset({Capability.COMPLETION, Capability.VISION, Capability.TOOLS})


def calls(*called: dict[str, Any] | str) -> dict[str, Any]:
    """An assistant message with calls of these tools."""
    listed = [{"function": {"name": call, "arguments": {}}} if isinstance(call, str) else call for call in called]
    return {"role": "assistant", "content": "", "tool_calls": listed}


def result(content: str, **fields: Any) -> dict[str, Any]:
    return {"role": "tool", "content": content, **fields}


async def sent(messages: list[dict[str, Any]], **body: Any) -> Any:
    """The body that the backend gets for a chat."""
    backend = StubBackend("one", models=[ModelInfo("m", capabilities=VISION)])
    async with served(backend) as gateway:
        status, answer, _ = await gateway.ask(
            "POST", "/api/chat", json={"model": "m", "messages": messages, "stream": False, **body}
        )
        assert status == 200, answer
    return backend.sent[0].body


def answered(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(tool, result) of each result, by the id of its call; asserts that every result follows its call directly."""
    names: dict[str, str] = {}
    waiting: list[str] = []
    found = []
    for message in messages:
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
            found.append((names[message["tool_call_id"]], message["content"]))
            continue
        assert not waiting, "a call without a result"
        for call in message.get("tool_calls", ()):
            assert call["id"] not in names, "an id twice"
            names[call["id"]] = call["function"]["name"]
            waiting.append(call["id"])
    assert not waiting
    return found


RESULTS: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str]]]] = {
    "no id, no name": ([calls("a", "b"), result("1"), result("2")], [("a", "1"), ("b", "2")]),
    "a tool that was not called": ([calls("a"), result("1", tool_name="other")], [("a", "1")]),
    "an unknown id": ([calls("a"), result("1", tool_call_id="call_9999")], [("a", "1")]),
    "an unknown id and an uncalled tool": ([calls("a"), result("1", tool_call_id="x", name="y")], [("a", "1")]),
    "by name, in another order": (
        [calls("a", "b"), result("2", tool_name="b"), result("1", tool_name="a")],
        [("b", "2"), ("a", "1")],
    ),
    "by OpenAI's field": ([calls("a", "b"), result("2", name="b"), result("1")], [("b", "2"), ("a", "1")]),
    "odd types": ([calls("a"), result("1", tool_call_id=["x"], tool_name={"x": 1})], [("a", "1")]),
    "one id for two calls": (
        [
            calls(*({"id": "0", "function": {"name": name, "arguments": {}}} for name in "ab")),
            result("1", tool_call_id="0"),
            result("2", tool_call_id="0"),
        ],
        [("a", "1"), ("b", "2")],
    ),
    "an id like one that we give": (
        [calls("a", {"id": "call_0", "function": {"name": "b"}}), result("2", tool_call_id="call_0"), result("1")],
        [("b", "2"), ("a", "1")],
    ),
    "calls in several messages": ([calls("a"), calls("b"), result("1"), result("2")], [("a", "1"), ("b", "2")]),
    "one call per turn": ([calls("a"), result("1"), calls("a"), result("2")], [("a", "1"), ("a", "2")]),
    "a call without a result": (
        [calls("a"), USER, calls("b"), result("2")],
        [("a", "The tool has returned no result."), ("b", "2")],
    ),
    "one result of two": ([calls("a", "b"), result("1")], [("a", "1"), ("b", "The tool has returned no result.")]),
}


@pytest.mark.parametrize("case", RESULTS)
async def test_tool_result_belongs_to_its_call_else_to_the_first_open_one(case: str) -> None:
    messages, expected = RESULTS[case]
    body = await sent([USER, *messages])
    assert answered(body["messages"]) == expected


@pytest.mark.parametrize("history", [[result("on", tool_name="look")], [USER, result("on", tool_name="look")]])
async def test_tool_result_without_any_call_is_a_message_of_the_user(history: list[dict[str, Any]]) -> None:
    body = await sent(history)
    assert body["messages"][-1] == {"role": "user", "content": "Result of the tool look:\n\non"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"a": 1}, {"a": 1}),
        ('{"a": 1}', {"a": 1}),
        ("", {}),
        ("null", {}),
        (None, {}),
        ({}, {}),
    ],
)
async def test_tool_call_arguments_may_be_an_object_or_its_text(arguments: Any, expected: Any) -> None:
    call = {"function": {"name": "a", "arguments": arguments}}
    body = await sent([USER, calls(call), result("1")])
    assert json.loads(body["messages"][1]["tool_calls"][0]["function"]["arguments"]) == expected


KEEP_ALIVES: list[tuple[Any, Any]] = [
    ("-1", -1), (-1, -1), ("-1s", -1), (-1.5, -1), ("-1m", -1), ("0", 0), (0, 0), (0.0, 0), ("0s", "0s"), ("30", 30),
    (30, 30), ("1.5", 1.5), (" 30 ", 30), ("5m", "5m"), ("5M", "5m"), ("1h30m", "1h30m"), ("1.5h", "1.5h"), ("+5m", "5m"),
    ("100ms", "100ms"), (None, None), ("", None),
]  # fmt: skip
"""(what a client sends, what an Ollama server accepts)."""


@pytest.mark.parametrize(("given", "expected"), KEEP_ALIVES)
async def test_keep_alive_is_sent_in_a_form_that_every_ollama_server_accepts(given: Any, expected: Any) -> None:
    body = await sent([USER], keep_alive=given)
    assert body.get("keep_alive") == expected
    assert type(body.get("keep_alive")) is type(expected)


ALIVE: list[tuple[str, dict[str, Any]]] = [
    ("/api/chat", {"messages": [USER]}),
    ("/api/chat", {}),
    ("/api/generate", {}),
    ("/api/embed", {}),
]
NONSENSE: list[Any] = ["soon", "5 minutes", "1d", "m", "-", True, [], {}, "nan", "inf", 1e300, "9" * 40, "1m" * 40]


@pytest.mark.parametrize("given", NONSENSE)
async def test_keep_alive_nonsense_is_refused_by_name(given: Any) -> None:
    with pytest.raises(InvalidRequestError, match="keep_alive"):
        parse_keep_alive(given)
    async with served(StubBackend("one")) as gateway:
        for path, body in ALIVE:
            status, answer, _ = await gateway.ask("POST", path, json={"model": "m", "keep_alive": given, **body})
            assert (status, "keep_alive" in answer["error"]) == (400, True)


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate"])
@pytest.mark.parametrize(
    ("keep_alive", "reason"), [(0, "unload"), ("0", "unload"), ("0s", "unload"), ("-1", "load"), (None, "load")]
)
async def test_request_without_prompt_loads_or_unloads(path: str, keep_alive: Any, reason: str) -> None:
    backend = StubBackend("one", models=["llama3.2:latest"])
    empty: dict[str, Any] = {"messages": [], "prompt": ""}
    async with served(backend) as gateway:
        status, body, _ = await gateway.ask("POST", path, json={"model": "llama3.2", "keep_alive": keep_alive, **empty})
        assert (status, body["model"], body["done"], body["done_reason"]) == (200, "llama3.2", True, reason)
        status, body, _ = await gateway.ask("POST", path, json={"model": "unknown", **empty})
        assert (status, "not known here" in body["error"]) == (404, True)
    assert not backend.sent


OPTIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"temperature": "0.5"}, {"temperature": 0.5}),
    ({"temperature": 1}, {"temperature": 1}),
    ({"top_k": "40", "seed": 7.0}, {"top_k": 40, "seed": 7}),
    ({"num_predict": "50"}, {"max_tokens": 50}),
    ({"num_predict": 50.0}, {"max_tokens": 50}),
    ({"num_predict": -2}, {}),
    ({"num_predict": "-1"}, {}),
    ({"stop": "END"}, {"stop": ["END"]}),
    ({"stop": ["END", ""]}, {"stop": ["END"]}),
    ({"stop": None, "temperature": None, "top_p": ""}, {}),
    ({"num_ctx": 8192, "num_gpu": "all", "mirostat": [], "unheard_of": {"x": 1}}, {}),
]


@pytest.mark.parametrize(("options", "expected"), OPTIONS)
async def test_options_are_read_tolerantly(options: dict[str, Any], expected: dict[str, Any]) -> None:
    body = dict(await sent([USER], options=options))
    assert {name: value for name, value in body.items() if name not in ("model", "messages", "stream")} == expected


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"temperature": "warm"}, "options.temperature"),
        ({"temperature": True}, "options.temperature"),
        ({"temperature": "nan"}, "options.temperature"),
        ({"top_k": [1]}, "options.top_k"),
        ({"seed": {}}, "options.seed"),
        ({"num_predict": "many"}, "options.num_predict"),
        ({"stop": 1}, "options.stop"),
        ({"stop": [1]}, "options.stop"),
        (["x"], "options"),
        ("x", "options"),
    ],
)
async def test_option_of_a_wrong_type_is_named(options: Any, named: str) -> None:
    async with served(StubBackend("one")) as gateway:
        status, body, _ = await gateway.ask("POST", "/api/chat", json={"model": "m", "messages": [USER], "options": options})
    assert (status, named in body["error"]) == (400, True)


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [("json", "json_object"), ("JSON", "json_object"), ("", None), (None, None), ({}, None), (SCHEMA, "json_schema")],
)
async def test_format_in_every_form(given: Any, expected: str | None) -> None:
    body = await sent([USER], format=given)
    assert body.get("response_format", {}).get("type") == expected


@pytest.mark.parametrize(
    ("given", "think", "effort"),
    [
        (True, True, "medium"), ("true", True, "medium"), (False, False, None), ("false", False, None), ("none", False, None),
        ("high", "high", "high"), ("HIGH", "high", "high"), ("low", "low", "low"), ("minimal", "low", "low"), ("", None, None),
        (None, None, None),
    ],
)  # fmt: skip
async def test_think_in_every_form(given: Any, think: Any, effort: str | None) -> None:
    body = await sent([USER], think=given)
    assert (body.get("think"), body.get("reasoning_effort")) == (think, effort)


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.mark.parametrize(
    ("given", "url"),
    [
        (PIXEL, f"data:image/png;base64,{PIXEL}"),
        (f"data:image/png;base64,{PIXEL}", f"data:image/png;base64,{PIXEL}"),
        ("https://example.org/a.png", "https://example.org/a.png"),
    ],
)
async def test_image_in_every_form(given: str, url: str) -> None:
    body = await sent([USER | {"images": [given]}])
    assert body["messages"][0]["content"][1] == {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize("images", [None, []])
async def test_message_without_images_is_a_text(images: Any) -> None:
    assert (await sent([USER | {"images": images}]))["messages"] == [USER]


async def generated(gateway: Served, **body: Any) -> Any:
    status, answer, _ = await gateway.ask("POST", "/api/generate", json={"model": "m", "stream": False, **body})
    assert status == 200, answer
    return answer


async def test_context_continues_a_conversation_of_generate() -> None:
    backend = StubBackend("one", models=[ModelInfo("m", capabilities=VISION)])
    async with served(backend) as gateway:
        first = await generated(gateway, prompt="My name is Ö. 😀", system="Be brief.", images=[PIXEL])
        second = await generated(gateway, prompt="What is my name?", context=first["context"])
        await generated(gateway, prompt="And now?", system="Be long.", context=second["context"])
    assert all(type(number) is int and 0 <= number < 2**24 for number in first["context"])
    assert backend.sent[1].body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "My name is Ö. 😀"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "What is my name?"},
    ]
    third = backend.sent[2].body["messages"]
    assert [message["content"] for message in third if message["role"] == "system"] == ["Be long."]
    assert [message["content"] for message in third][-2:] == ["Hello", "And now?"]
    assert len(third) == 6


async def test_context_of_a_stream_is_in_its_last_line() -> None:
    async with served(StubBackend("one")) as gateway:
        async with gateway.session.post(
            f"http://127.0.0.1:{gateway.port}/api/generate", json={"model": "m", "prompt": "Hi"}
        ) as response:
            lines = [json.loads(line) for line in (await response.read()).splitlines()]
        assert [bool(line.get("context")) for line in lines] == [False] * (len(lines) - 1) + [True]
        whole = await generated(gateway, prompt="Hi")
    assert lines[-1]["context"] == whole["context"]


@pytest.mark.parametrize("context", [[], [1, 2, 3], None])
async def test_context_of_another_server_is_ignored(context: Any) -> None:
    backend = StubBackend("one")
    async with served(backend) as gateway:
        await generated(gateway, prompt="Hi", context=context)
    assert backend.sent[0].body["messages"] == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    "context", ["x", [1.5], [None], [0x7A6169, 10**12, 1], [0x7A6169, 3, -1], [0x7A6169, 3, 2**40], [0x7A6169, 2, 0x4141], [True]]
)
async def test_context_that_was_changed_is_refused(context: Any) -> None:
    async with served(StubBackend("one")) as gateway:
        status, body, _ = await gateway.ask("POST", "/api/generate", json={"model": "m", "prompt": "Hi", "context": context})
    assert (status, "context" in body["error"]) == (400, True)


async def test_context_with_other_turns_keeps_the_texts_of_user_and_model() -> None:
    backend = StubBackend("one")
    raw = json.dumps([["tool", "x"], ["user", 1], "x", ["user"], ["user", "Earlier"]]).encode()
    numbers = [int.from_bytes(raw[at : at + 3]) for at in range(0, len(raw), 3)]
    async with served(backend) as gateway:
        await generated(gateway, prompt="Hi", context=[0x7A6169, len(raw), *numbers])
    assert [message["content"] for message in backend.sent[0].body["messages"]] == ["Earlier", "Hi"]
