"""Claude models: models and versions, thinking and its seal, structured answers, refused parameters, the events of a stream."""

from typing import Any

from aiohttp import web
import orjson
import pytest

from tests.support.clouds.anthropic import ADAPTIVE, BOTH, MANUAL, NEW, OLDEST, FakeAnthropic
from tests.support.clouds.asking import QUICK, TOOLS, before, chat, error_of, read, say, whole
from tests.support.clouds.server import Call, Refusal, Reply
from tests.support.waiting import pause_fake
from zeroconf_ai.dialects.anthropic.upstream_request import JSON_TOOL
from zeroconf_ai.protocol.errors import InvalidRequestError, NotFoundError, QuotaError, UpstreamTimeoutError
from zeroconf_ai.protocol.record import Capability, Cost, Placement
from zeroconf_ai.protocol.request import Kind, Request

SCHEMA = {"type": "object", "properties": {"warm": {"type": "boolean"}}, "required": ["warm"], "additionalProperties": False}
OPEN_SCHEMA = {key: value for key, value in SCHEMA.items() if key != "additionalProperties"}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
ALL = (ADAPTIVE, BOTH, MANUAL, OLDEST)
SIGNED_FORMAT = Reply("It is warm.", "Let me look.", "sealed", (Call("read", {"room": "attic"}),))


@pytest.mark.parametrize("page", [1, 3, 1000])
async def test_anthropic_list_is_read_completely(page: int) -> None:
    async with before("anthropic", FakeAnthropic(page=page)) as backend:
        models = {model.id: model for model in await backend.models()}
    assert tuple(models) == ALL
    assert (models[ADAPTIVE].context_window, models[ADAPTIVE].max_output_tokens) == (200_000, 128_000)
    assert models[ADAPTIVE].supports([Capability.VISION, Capability.TOOLS, Capability.JSON])
    assert not models[OLDEST].supports([Capability.VISION])
    assert not any(model.supports([Capability.EMBEDDINGS]) for model in models.values())


async def test_anthropic_backend_is_metered_cloud_and_health_requests_one_model() -> None:
    fake = FakeAnthropic()
    async with before("anthropic", fake) as backend:
        await backend.health()
        assert (backend.info.cost, backend.info.placement) == (Cost.METERED, Placement.CLOUD)
    assert (fake.last.path, fake.last.query) == ("/v1/models", "limit=1")
    assert fake.last.headers["anthropic-version"] == "2023-06-01"
    assert "Authorization" not in fake.last.headers


async def test_prefill_refused_is_replaced_by_a_request_to_continue() -> None:
    """Claude models from 4.6 on do not continue an answer."""
    refusal = Refusal(
        400, "This model does not support assistant message prefill. The conversation must end with a user message."
    )
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "It is"}]
    fake = FakeAnthropic(refusal, Reply("warm."), Reply("cold."))
    async with before("anthropic", fake) as backend:
        assert (await say(backend, chat(BOTH, messages=said))).content == "warm."
        assert (await say(backend, chat(BOTH, messages=said))).content == "cold."
    roles = [[message["role"] for message in body["messages"]] for body in fake.bodies("/v1/messages")]
    assert roles == [["user", "assistant"], ["user", "assistant", "user"], ["user", "assistant", "user"]]


async def test_thinking_without_a_signature_is_sent_to_models_that_do_not_sign() -> None:
    """DeepSeek, Kimi and others answer Anthropic's API, and want their thinking back; a renamed Claude refuses it."""
    refusal = Refusal(400, "messages.1.content.0: Invalid `signature` in `thinking` block")
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hm", "reasoning_content": "Warm?"}]
    said.append({"role": "user", "content": "And?"})
    fake = FakeAnthropic(Reply("warm."), refusal, Reply("cold."), Reply("mild."), others=("deepseek-chat", "alias"))
    async with before("anthropic", fake) as backend:
        await say(backend, chat("deepseek-chat", messages=said))
        await say(backend, chat("alias", messages=said))
        await say(backend, chat(BOTH, messages=said))
    sent = [body["messages"][1]["content"][0] for body in fake.bodies("/v1/messages")]
    thinking = {"type": "thinking", "thinking": "Warm?", "signature": ""}
    assert sent == [thinking, thinking, {"type": "text", "text": "Hm"}, {"type": "text", "text": "Hm"}]


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("version", ["2023-06-01", NEW])
@pytest.mark.parametrize("listed", ["listed", "by name", "without capabilities"])
@pytest.mark.parametrize("effort", [None, "none", "minimal", "high", "xhigh"])
async def test_parameters_refused_by_a_model_are_not_sent(model: str, version: str, listed: str, effort: str | None) -> None:
    fake = FakeAnthropic(lists_capabilities=listed == "listed")
    body: dict[str, Any] = {"temperature": 1.6, "top_p": 0.9, "top_k": 20, "response_format": FORMAT, "tools": TOOLS}
    if effort is not None:
        body["reasoning_effort"] = effort
    async with before("anthropic", fake, version=version) as backend:
        if listed != "by name":
            await backend.models()
        assert (await say(backend, chat(model, **body))).content
    assert len(fake.bodies("/v1/messages")) == 1
    sampling = {key: value for key, value in fake.last.body.items() if key in ("temperature", "top_p", "top_k")}
    thinks = fake.last.body.get("thinking", {}).get("type") in ("enabled", "adaptive")
    takes = version != NEW and model != ADAPTIVE and not thinks
    assert sampling == ({"temperature": 1, "top_k": 20} if takes else {})


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "config"),
    [
        (ADAPTIVE, "minimal", {"type": "adaptive", "display": "summarized"}, {"effort": "low"}),
        (ADAPTIVE, "xhigh", {"type": "adaptive", "display": "summarized"}, {"effort": "xhigh"}),
        (BOTH, "xhigh", {"type": "adaptive", "display": "summarized"}, {"effort": "high"}),
        (MANUAL, "low", {"type": "enabled", "budget_tokens": 2048}, None),
        (MANUAL, "none", {"type": "disabled"}, None),
        (OLDEST, "high", None, None),
        (ADAPTIVE, None, None, None),
    ],
)
async def test_reasoning_effort_becomes_the_models_thinking_parameter(
    model: str, effort: str | None, thinking: Any, config: Any
) -> None:
    fake = FakeAnthropic()
    async with before("anthropic", fake) as backend:
        await backend.models()
        await say(backend, chat(model, reasoning_effort=effort))
    assert fake.last.body.get("thinking") == thinking
    assert fake.last.body.get("output_config") == config


async def test_thinking_budget_stays_below_a_stated_limit() -> None:
    fake = FakeAnthropic()
    async with before("anthropic", fake) as backend:
        await backend.models()
        await say(backend, chat(MANUAL, reasoning_effort="high", max_tokens=4000))
        assert fake.last.body["thinking"]["budget_tokens"] == 2000
        await say(backend, chat(MANUAL, reasoning_effort="high", max_tokens=100))
        assert "thinking" not in fake.last.body


@pytest.mark.parametrize(
    ("listed", "stream", "body", "expected"),
    [
        (False, False, {}, 4096),
        (True, True, {}, 64_000),
        (True, False, {}, 21_333),
        (True, False, {"max_tokens": 50}, 50),
        (True, False, {"max_tokens": 50, "max_completion_tokens": 60}, 60),
        (True, False, {"max_tokens": 1_000_000}, 64_000),
    ],
)
async def test_max_tokens_is_always_sent_and_at_most_the_models(listed: bool, stream: bool, body: Any, expected: int) -> None:
    fake = FakeAnthropic()
    async with before("anthropic", fake) as backend:
        if listed:
            await backend.models()
        await say(backend, chat(BOTH, stream=stream, **body))
    assert fake.last.body["max_tokens"] == expected


@pytest.mark.parametrize("stream", [True, False])
async def test_reasoning_signed_is_sent_back_with_tool_results(stream: bool) -> None:
    fake = FakeAnthropic(SIGNED_FORMAT, Reply("Warm."))
    async with before("anthropic", fake) as backend:
        await backend.models()
        answer = await backend.send(chat(MANUAL, stream=stream, tools=TOOLS, reasoning_effort="low"))
        if stream:
            _, chunks = await read(answer)
            deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
            details = [item for delta in deltas for item in delta.get("reasoning_details", ())]
        else:
            details = (await whole(answer))["choices"][0]["message"]["reasoning_details"]
        assert [(item["type"], item["text"], item["signature"]) for item in details] == [
            ("reasoning.text", "Let me look.", "sealed")
        ]
        call = {"id": "toolu_01A", "type": "function", "function": {"name": "read", "arguments": '{"room":"attic"}'}}
        messages = [
            {"role": "user", "content": "How warm is it?"},
            {"role": "assistant", "content": "It is warm.", "tool_calls": [call], "reasoning_details": details},
            {"role": "tool", "tool_call_id": "toolu_01A", "content": "21"},
        ]
        await say(backend, chat(MANUAL, messages=messages, tools=TOOLS, reasoning_effort="low"))
    assert fake.last.body["thinking"]["type"] == "enabled"
    assert fake.last.body["messages"][1]["content"][0] == {
        "type": "thinking",
        "thinking": "Let me look.",
        "signature": "sealed",
    }


async def test_thinking_is_disabled_if_signed_reasoning_is_missing() -> None:
    call = {"id": "toolu_01A", "type": "function", "function": {"name": "read", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "How warm is it?"},
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "unsealed"},
        {"role": "tool", "tool_call_id": "toolu_01A", "content": "21"},
    ]
    fake = FakeAnthropic(Reply("Warm."))
    async with before("anthropic", fake) as backend:
        await backend.models()
        assert (await say(backend, chat(MANUAL, messages=messages, tools=TOOLS, reasoning_effort="low"))).content == "Warm."
    assert "thinking" not in fake.last.body


async def test_forced_tool_removes_a_thinking_budget() -> None:
    fake = FakeAnthropic(SIGNED_FORMAT)
    async with before("anthropic", fake) as backend:
        await backend.models()
        await say(backend, chat(MANUAL, tools=TOOLS, tool_choice="required", reasoning_effort="low"))
        assert "thinking" not in fake.last.body
        await say(backend, chat(ADAPTIVE, tools=TOOLS, tool_choice="required", reasoning_effort="low"))
        assert fake.last.body["thinking"]["type"] == "adaptive"


async def test_schema_uses_structured_output_if_supported() -> None:
    fake = FakeAnthropic(Reply('{"warm":true}'))
    async with before("anthropic", fake) as backend:
        await backend.models()
        assert (await say(backend, chat(BOTH, response_format=FORMAT))).content == '{"warm":true}'
    assert fake.last.body["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert "tools" not in fake.last.body


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("kind", [FORMAT, {"type": "json_object"}])
async def test_schema_without_structured_output_is_a_tools_input_as_text(stream: bool, kind: Any) -> None:
    fake = FakeAnthropic(Reply(calls=(Call(JSON_TOOL, {"warm": True}),)))
    async with before("anthropic", fake) as backend:
        await backend.models()
        message = await say(backend, chat(OLDEST, stream=stream, response_format=kind))
    assert (orjson.loads(message.content), message.tool_calls, message.finish_reason) == ({"warm": True}, [], "stop")
    assert fake.last.body["tool_choice"] == {"type": "tool", "name": JSON_TOOL}


@pytest.mark.parametrize("stream", [True, False])
async def test_schema_refused_as_structured_output_uses_a_tool(stream: bool) -> None:
    fake = FakeAnthropic(Reply(calls=(Call(JSON_TOOL, {"warm": True}),)))
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": OPEN_SCHEMA}}
    async with before("anthropic", fake) as backend:
        await backend.models()
        message = await say(backend, chat(BOTH, stream=stream, response_format=wanted))
    assert orjson.loads(message.content) == {"warm": True}
    assert len(fake.bodies("/v1/messages")) == 2
    assert fake.last.body["tools"][0]["input_schema"] == OPEN_SCHEMA


async def test_tool_call_before_a_json_answer_is_a_tool_call() -> None:
    fake = FakeAnthropic(SIGNED_FORMAT)
    async with before("anthropic", fake) as backend:
        message = await say(backend, chat(OLDEST, stream=True, response_format=FORMAT, tools=TOOLS))
    assert [call.name for call in message.tool_calls] == ["read"]
    assert message.finish_reason == "tool_calls"
    assert fake.last.body["tool_choice"] == {"type": "any"}
    assert [tool["name"] for tool in fake.last.body["tools"]] == ["read", "stop", JSON_TOOL]


async def test_refused_parameter_is_dropped_and_not_sent_again() -> None:
    deprecated = Refusal(400, "`temperature` is deprecated for this model.")
    fake = FakeAnthropic(deprecated, Reply("Warm."))
    async with before("anthropic", fake) as backend:
        await backend.models()
        for _ in range(2):
            assert (await say(backend, chat(BOTH, temperature=0.5))).content == "Warm."
    assert ["temperature" in body for body in fake.bodies("/v1/messages")] == [True, False, False]


@pytest.mark.parametrize(
    ("refusal", "error", "code"),
    [
        (Refusal(400, "Your credit balance is too low to access the Anthropic API."), QuotaError, "budget_exceeded"),
        (Refusal(400, "prompt is too long: 210000 tokens > 200000 maximum"), InvalidRequestError, "context_length_exceeded"),
        (Refusal(403, "Your key may not use the model", "permission_error"), NotFoundError, "model_not_found"),
        (Refusal(400, "temperature: range: 0..1"), InvalidRequestError, "invalid_value"),
    ],
)
async def test_error_message_determines_its_class(refusal: Refusal, error: type[Exception], code: str) -> None:
    fake = FakeAnthropic(refusal)
    async with before("anthropic", fake) as backend:
        err = await error_of(backend.send(chat(BOTH, temperature=0.5)))
    assert type(err) is error
    assert err.code == code
    assert len(fake.bodies("/v1/messages")) == 1


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("refusal", "content_filter"),
        ("pause_turn", "length"),
        ("model_context_window_exceeded", "length"),
        ("something_new", "stop"),
    ],
)
async def test_every_stop_reason_is_a_finish_reason(stream: bool, stop: str, finish: str) -> None:
    async with before("anthropic", FakeAnthropic(Reply("So", stop=stop))) as backend:
        assert (await say(backend, chat(BOTH, stream=stream))).finish_reason == finish


@pytest.mark.parametrize("stream", [True, False])
async def test_usage_counts_the_cache_as_part_of_the_prompt(stream: bool) -> None:
    async with before("anthropic", FakeAnthropic()) as backend:
        answer = await backend.send(chat(BOTH, stream=stream))
        usage = (await read(answer))[1][-1]["usage"] if stream else (await whole(answer))["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (21, 8, 29)
    assert usage["prompt_tokens_details"] == {"cached_tokens": 6, "cache_write_tokens": 5, "cache_write_1h_tokens": 2}
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 2}


async def test_embeddings_with_anthropic_are_not_found() -> None:
    fake = FakeAnthropic()
    async with before("anthropic", fake) as backend:
        err = await error_of(backend.send(Request.parse(Kind.EMBEDDINGS, {"model": "embed", "input": "x"})))
    assert isinstance(err, NotFoundError)
    assert err.code == "model_not_found"
    assert not fake.received


async def test_stream_from_a_server_without_streaming_is_converted() -> None:
    fake = FakeAnthropic(SIGNED_FORMAT)
    fake.stream = lambda request, frames, fault=None: fake.whole(request, MESSAGE)  # type: ignore[method-assign]
    async with before("anthropic", fake) as backend:
        message = await say(backend, chat(BOTH, stream=True))
    assert (message.content, message.finish_reason) == ("Hi", "stop")


MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": BOTH,
    "content": [{"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 1},
}


async def pings(request: web.Request) -> web.StreamResponse:
    """Nothing but signs of life."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    while True:
        await response.write(b'event: ping\ndata: {"type": "ping"}\n\n')
        await pause_fake(0.05)


async def test_stream_of_pings_only_is_not_an_answer() -> None:
    fake = FakeAnthropic()
    fake.messages = pings  # type: ignore[method-assign]
    async with before("anthropic", fake, timeouts=QUICK) as backend:
        answer = await backend.send(chat(BOTH, stream=True))
        assert isinstance(await error_of(read(answer)), UpstreamTimeoutError)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("calls", [1, 2])
async def test_text_beside_a_json_answer_is_left_out(stream: bool, calls: int) -> None:
    fake = FakeAnthropic(Reply("Here is the JSON: ", calls=(Call(JSON_TOOL, {"warm": True}),) * calls))
    async with before("anthropic", fake) as backend:
        said = await say(backend, chat(OLDEST, response_format=FORMAT, stream=stream))
    assert orjson.loads(said.content) == {"warm": True}
    assert (said.finish_reason, said.tool_calls) == ("stop", [])


@pytest.mark.parametrize("stream", [True, False])
async def test_text_instead_of_a_json_answer_is_shown(stream: bool) -> None:
    fake = FakeAnthropic(Reply("I cannot say."), Reply("I look.", calls=(Call("read", {"room": "attic"}),)))
    async with before("anthropic", fake) as backend:
        said = await say(backend, chat(OLDEST, response_format=FORMAT, stream=stream))
        called = await say(backend, chat(OLDEST, response_format=FORMAT, stream=stream, tools=TOOLS))
    assert (said.content, said.finish_reason) == ("I cannot say.", "stop")
    assert (called.content, called.finish_reason) == ("I look.", "tool_calls")
    assert [call.name for call in called.tool_calls] == ["read"]
