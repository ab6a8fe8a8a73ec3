"""What every dialect takes, drops and refuses alike: legacy completions, images, and parameters without a counterpart."""

from typing import Any

import orjson
import pytest

from tests.support.clouds.asking import DIALECTS, TOOLS, before, chat, error_of, read, say
from tests.support.clouds.server import PNG, Reply
from zeroconf_ai.protocol.errors import InvalidRequestError
from zeroconf_ai.protocol.request import Kind, Request

CALL = {"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{"}}

every_dialect = pytest.mark.parametrize("name", DIALECTS)
streamed_or_not = pytest.mark.parametrize("stream", [True, False])


@every_dialect
@streamed_or_not
async def test_text_completion_of_a_chat_is_converted_to_text(name: str, stream: bool) -> None:
    dialect = DIALECTS[name]
    model = "gpt-3.5-turbo-instruct" if name == "openai" else dialect.model
    body: dict[str, Any] = {"model": model, "prompt": "Say hello", "stream": stream, "max_tokens": 50}
    request = Request.parse(Kind.COMPLETION, body | ({"stream_options": {"include_usage": True}} if stream else {}))
    async with before(name, dialect.fake(Reply("Hello."))) as backend:
        answer = await backend.send(request)
        if stream:
            _, chunks = await read(answer)
            assert {chunk["object"] for chunk in chunks} == {"text_completion"}
            assert chunks[0]["choices"][0]["text"] == "Hello"[: len(chunks[0]["choices"][0]["text"])] != ""
            text = "".join(choice["text"] for chunk in chunks for choice in chunk["choices"])
            finish = next(chunk["choices"][0]["finish_reason"] for chunk in reversed(chunks) if chunk["choices"])
            usage = chunks[-1]["usage"]
        else:
            parsed = orjson.loads(await answer.body())
            await answer.close()
            (choice,) = parsed["choices"]
            text, finish, usage = choice["text"], choice["finish_reason"], parsed["usage"]
    assert (text, finish, usage["total_tokens"]) == ("Hello.", "stop", 29)


REFUSED = [("prompt", ["a", "b"]), ("prompt", [1, 2]), ("logprobs", 3), ("best_of", 2), ("echo", True), ("n", 2)]


@pytest.mark.parametrize(
    ("name", "param", "value"),
    [
        *((name, *refused) for name in ("anthropic", "gemini", "ollama") for refused in REFUSED),
        ("anthropic", "suffix", "!"),
        ("gemini", "suffix", "!"),
    ],
)
async def test_text_completion_parameters_without_counterpart_are_refused_by_name(name: str, param: str, value: Any) -> None:
    dialect = DIALECTS[name]
    fake = dialect.fake()
    async with before(name, fake) as backend:
        request = Request.parse(Kind.COMPLETION, {"model": dialect.model, "prompt": "Hi", param: value})
        err = await error_of(backend.send(request))
    assert isinstance(err, InvalidRequestError)
    assert err.param == param
    assert not fake.received


@pytest.mark.parametrize("name", ["anthropic", "gemini", "ollama"])
@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("n", 2),
        ("logit_bias", {"50256": -100}),
        ("logprobs", True),
        ("top_logprobs", 2),
        ("functions", [{"name": "x"}]),
        ("modalities", ["text", "audio"]),
        ("response_format", {"type": "grammar"}),
        ("response_format", {"type": "json_schema"}),
        ("tool_choice", {"type": "function"}),
    ],
)
async def test_parameters_that_change_the_meaning_are_refused_by_name(name: str, param: str, value: Any) -> None:
    dialect = DIALECTS[name]
    fake = dialect.fake()
    async with before(name, fake) as backend:
        err = await error_of(backend.send(chat(dialect.model, tools=TOOLS, **{param: value})))
    assert isinstance(err, InvalidRequestError)
    assert err.param == param
    assert not fake.received


@pytest.mark.parametrize("name", ["anthropic", "gemini", "ollama"])
async def test_parameters_without_effect_are_dropped(name: str) -> None:
    dialect = DIALECTS[name]
    harmless: dict[str, Any] = {
        "user": "anna",
        "seed": 7,
        "store": True,
        "metadata": {"a": "b"},
        "service_tier": "auto",
        "n": 1,
        "logprobs": False,
    }
    fake = dialect.fake()
    async with before(name, fake) as backend:
        assert (await say(backend, chat(dialect.model, presence_penalty=0.5, **harmless))).content == "Hello there."
    assert "anna" not in str(fake.last.body)


@every_dialect
async def test_image_as_data_url_is_passed_as_data(name: str) -> None:
    dialect = DIALECTS[name]
    model = "gemma3:4b" if name == "ollama" else dialect.model
    content = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
    ]
    fake = dialect.fake(Reply("A dot."))
    async with before(name, fake) as backend:
        assert (await say(backend, chat(model, content))).content == "A dot."
    assert PNG in str(fake.last.body)


@pytest.mark.parametrize("name", ["anthropic", "gemini", "ollama"])
@pytest.mark.parametrize(
    "url", ["data:image/png;base64,????", "data:image/png;base64,aGVsbG8=", "data:text/plain,hello", "ftp://x/y.png", ""]
)
async def test_image_that_is_invalid_is_refused_with_its_path(name: str, url: str) -> None:
    dialect = DIALECTS[name]
    fake = dialect.fake()
    async with before(name, fake) as backend:
        err = await error_of(backend.send(chat(dialect.model, [{"type": "image_url", "image_url": {"url": url}}])))
    assert isinstance(err, InvalidRequestError)
    assert err.param == "messages[0].content[0]"
    assert not fake.received


@pytest.mark.parametrize("name", ["anthropic", "gemini", "ollama"])
@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "function", "name": "x", "content": "1"}, "messages[1].role"),
        ({"role": "assistant", "tool_calls": [CALL]}, "messages[1].tool_calls[0].function.arguments"),
        ({"role": "assistant", "tool_calls": [{"id": "c1", "function": {}}]}, "messages[1].tool_calls[0].function.name"),
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}, "messages[1].content[0]"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "messages[1].content[0]"),
    ],
)
async def test_message_that_is_unsupported_is_refused_with_its_path(name: str, message: Any, param: str) -> None:
    fake = DIALECTS[name].fake()
    async with before(name, fake) as backend:
        err = await error_of(backend.send(chat(DIALECTS[name].model, messages=[{"role": "user", "content": "Hi"}, message])))
    assert isinstance(err, InvalidRequestError)
    assert err.param == param
    assert not fake.received


@pytest.mark.parametrize("name", ["anthropic", "gemini", "ollama"])
@pytest.mark.parametrize("tool", [{}, {"type": "function", "function": {}}, {"type": "web_search", "function": {"name": "x"}}])
async def test_tool_that_is_not_a_function_is_refused_with_its_path(name: str, tool: Any) -> None:
    fake = DIALECTS[name].fake()
    async with before(name, fake) as backend:
        err = await error_of(backend.send(chat(DIALECTS[name].model, tools=[*TOOLS, tool])))
    assert isinstance(err, InvalidRequestError)
    assert err.param == "tools[2]"
    assert not fake.received
