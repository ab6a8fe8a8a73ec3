"""Gemini models: lists and capabilities, thinking, thought signatures, formats, withheld answers, errors, embeddings."""

from typing import Any, override

from aiohttp import web
import orjson
import pytest

from tests.support.clouds.asking import DIALECTS, KEY, TOOLS, before, chat, error_of, read, say, whole
from tests.support.clouds.gemini import EMBEDDER, FLASH, GEMMA, NEWEST, PRO, SIGNED, SPEAKER, UNCHECKED, FakeGemini, seal
from tests.support.clouds.server import PNG, Call, Refusal, Reply
from zeroconf_ai.accounting.prices.price_book import PriceBook
from zeroconf_ai.config.backend_types import BACKEND_TYPES
from zeroconf_ai.dialects.gemini.signatures import SignatureMemory
from zeroconf_ai.dialects.gemini.upstream_request import JSON_TOOL
from zeroconf_ai.protocol.errors import (
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    StreamBrokenError,
)
from zeroconf_ai.protocol.record import Capability, Cost, Placement
from zeroconf_ai.protocol.request import Kind, Request

SCHEMA = {"type": "object", "properties": {"warm": {"type": "boolean"}}, "required": ["warm"], "additionalProperties": False}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
TEXT_MODELS = (FLASH, PRO, SIGNED, NEWEST)
CALLS = Reply("", "Let me look.", "sealed", (Call("read", {"room": "attic"}), Call("stop", {}, "toolu_02B")))
streamed_or_not = pytest.mark.parametrize("stream", [True, False])


def sent(fake: FakeGemini) -> Any:
    """The generation parameters of the newest request."""
    return fake.last.body.get("generationConfig", {})


class RawGemini(FakeGemini):
    """A fake that answers with these bodies, as one answer or as the events of a stream."""

    def __init__(self, *bodies: Any) -> None:
        super().__init__()
        self._bodies = bodies

    @override
    async def generate(self, request: web.Request) -> web.StreamResponse:
        """Answer."""
        if "stream" not in request.path:
            return web.json_response(self._bodies[0])
        events = b"".join(b"data: " + orjson.dumps(body) + b"\r\n\r\n" for body in self._bodies)
        return web.Response(body=events, content_type="text/event-stream")


def candidate(*parts: Any, finish: str | None = "STOP", **fields: Any) -> Any:
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, "finishReason": finish, **fields}]}


@pytest.mark.parametrize("page", [1, 3, 1000])
async def test_gemini_list_is_read_completely_without_models_that_cannot_chat_or_embed(page: int) -> None:
    async with before("gemini", FakeGemini(page=page)) as backend:
        models = {model.id: model for model in await backend.models()}
    assert tuple(models) == (FLASH, PRO, SIGNED, NEWEST, GEMMA, EMBEDDER)
    assert SPEAKER not in models
    assert (models[FLASH].context_window, models[FLASH].max_output_tokens) == (1_048_576, 65_536)
    assert models[FLASH].supports([Capability.VISION, Capability.TOOLS, Capability.JSON, Capability.AUDIO])
    assert not models[FLASH].supports([Capability.EMBEDDINGS])
    assert not models[GEMMA].supports([Capability.TOOLS])
    assert not models[GEMMA].supports([Capability.JSON])
    assert models[EMBEDDER].capabilities == {Capability.EMBEDDINGS}


async def test_gemini_backend_is_metered_cloud_and_its_key_is_in_the_header_only() -> None:
    fake = FakeGemini()
    async with before("gemini", fake) as backend:
        await backend.health()
        assert (backend.info.cost, backend.info.placement) == (Cost.METERED, Placement.CLOUD)
        await say(backend, chat(FLASH, stream=True))
    assert [(received.path, received.query) for received in fake.received] == [
        ("/v1beta/models", "pageSize=1"),
        (f"/v1beta/models/{FLASH}:streamGenerateContent", "alt=sse"),
    ]
    assert fake.last.headers["x-goog-api-key"] == KEY
    assert "Authorization" not in fake.last.headers


async def test_gemini_model_has_a_list_price() -> None:
    book = PriceBook()
    declared = BACKEND_TYPES["gemini"]
    assert declared.endpoint is not None
    prices = await book.lookup(declared.price_list, declared.endpoint)
    assert prices is not None
    found = prices(FLASH)
    assert found is not None
    assert 0 < (found.cached or 0) < found.input < found.output


@pytest.mark.parametrize("model", [*TEXT_MODELS, GEMMA])
@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("effort", [None, "none", "minimal", "medium", "xhigh"])
async def test_parameters_refused_by_a_model_are_not_sent(model: str, listed: bool, effort: str | None) -> None:
    fake = FakeGemini()
    body: dict[str, Any] = {"temperature": 0.5, "top_p": 0.9, "top_k": 20, "max_tokens": 1_000_000}
    if model != GEMMA:
        body |= {"response_format": FORMAT, "tools": TOOLS}
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    async with before("gemini", fake) as backend:
        if listed:
            await backend.models()
        else:
            body["max_tokens"] = 50
        assert (await say(backend, chat(model, messages=messages, reasoning_effort=effort, **body))).content
    assert len(fake.bodies(f"/v1beta/models/{model}:generateContent")) == 1
    sampling = {key: value for key, value in sent(fake).items() if key in ("temperature", "topP", "topK")}
    assert sampling == ({} if model == NEWEST else {"temperature": 0.5, "topP": 0.9, "topK": 20})


@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        (FLASH, None, {"includeThoughts": True}),
        (FLASH, "none", {"thinkingBudget": 0}),
        (FLASH, "minimal", {"includeThoughts": True, "thinkingBudget": 1024}),
        (FLASH, "high", {"includeThoughts": True, "thinkingBudget": 24_576}),
        (PRO, "none", {"thinkingBudget": 128}),
        (SIGNED, "none", {"thinkingLevel": "MINIMAL"}),
        (SIGNED, "xhigh", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        (NEWEST, "minimal", {"includeThoughts": True, "thinkingLevel": "LOW"}),
        (GEMMA, "high", None),
        (FLASH, ["x"], {"includeThoughts": True}),
    ],
)
async def test_reasoning_effort_becomes_the_models_thinking_parameter(model: str, effort: Any, thinking: Any) -> None:
    fake = FakeGemini()
    async with before("gemini", fake) as backend:
        await say(backend, chat(model, reasoning_effort=effort))
    assert sent(fake).get("thinkingConfig") == thinking


async def test_options_of_google_are_sent_and_none_is_invented() -> None:
    fake = FakeGemini()
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    google = {"safety_settings": safety, "thinking_config": {"thinking_budget": 800}, "tools": [{"googleSearch": {}}], "x": 1}
    async with before("gemini", fake) as backend:
        await say(backend, chat(FLASH, extra_body={"google": google}))
        assert fake.last.body["safetySettings"] == safety
        assert fake.last.body["tools"] == [{"googleSearch": {}}]
        assert sent(fake)["thinkingConfig"] == {"thinking_budget": 800}
        await say(backend, chat(FLASH))
    assert fake.last.body.keys() == {"contents", "generationConfig"}


@streamed_or_not
@pytest.mark.parametrize("kept", ["extra_content", "reasoning_details", "nothing"])
async def test_thought_signature_returns_with_its_tool_call(stream: bool, kept: str) -> None:
    fake = FakeGemini(CALLS, Reply("21 °C"))
    async with before("gemini", fake) as backend:
        answer = await backend.send(chat(SIGNED, tools=TOOLS, stream=stream))
        if stream:
            _, chunks = await read(answer)
            deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
            calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
            details = [detail for delta in deltas for detail in delta.get("reasoning_details", ())]
        else:
            message = (await whole(answer))["choices"][0]["message"]
            calls, details = message["tool_calls"], message["reasoning_details"]
        assert calls[0]["extra_content"] == {"google": {"thought_signature": seal("sealed")}}
        assert "extra_content" not in calls[1]
        turn: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": calls}
        if kept != "extra_content":
            turn["tool_calls"] = [{key: value for key, value in call.items() if key != "extra_content"} for call in calls]
        if kept == "reasoning_details":
            turn["reasoning_details"] = details
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "21"} for call in calls]
        messages = [{"role": "user", "content": "Hi"}, turn, *results]
        assert (await say(backend, chat(SIGNED, messages=messages, tools=TOOLS))).content == "21 °C"
    sealed = [part.get("thoughtSignature") for part in fake.last.body["contents"][1]["parts"]]
    assert sealed == [seal("sealed"), None]


async def test_thought_signature_is_kept_in_details_for_another_gateway() -> None:
    """As from a client of a gateway whose memory does not have the call."""
    fake = FakeGemini(CALLS, Reply("21 °C"))
    async with before("gemini", fake) as backend:
        message = (await whole(await backend.send(chat(SIGNED, tools=TOOLS))))["choices"][0]["message"]
    calls = [{key: value for key, value in call.items() if key != "extra_content"} for call in message["tool_calls"]]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "21"} for call in calls]
    turn = {"role": "assistant", "content": None, "tool_calls": calls, "reasoning_details": message["reasoning_details"]}
    async with before("gemini", fake) as other:
        await say(other, chat(SIGNED, messages=[{"role": "user", "content": "Hi"}, turn, *results], tools=TOOLS))
    assert fake.last.body["contents"][1]["parts"][0]["thoughtSignature"] == seal("sealed")


def test_signature_memory_is_bounded() -> None:
    memory = SignatureMemory()
    for number in range(1_100):
        memory.keep(f"call_{number}", "x")
    assert (memory.find("call_99"), memory.find("call_100")) == ("", "x")
    for number in range(10):
        memory.keep(f"long_{number}", "x" * 1024 * 1024)
    assert [len(memory.find(f"long_{number}")) > 0 for number in range(10)] == [False] * 2 + [True] * 8
    memory.keep("long_9", "y")
    memory.keep("long_9", "z")
    assert memory.find("long_9") == "z"


async def test_thought_signature_of_a_text_returns_with_it() -> None:
    fake = FakeGemini(Reply("Hello.", "Hm.", "sealed"), Reply("Again."))
    async with before("gemini", fake) as backend:
        _, chunks = await read(await backend.send(chat(SIGNED, stream=True)))
        details = [d for chunk in chunks for choice in chunk["choices"] for d in choice["delta"].get("reasoning_details", ())]
        turn = {"role": "assistant", "content": "Hello.", "reasoning_details": details}
        await say(backend, chat(SIGNED, messages=[{"role": "user", "content": "Hi"}, turn, {"role": "user", "content": "And?"}]))
    assert fake.last.body["contents"][1]["parts"] == [{"text": "Hello.", "thoughtSignature": seal("sealed")}]


@pytest.mark.parametrize(("model", "expected"), [(SIGNED, UNCHECKED), (FLASH, None)])
async def test_tool_call_of_another_model_gets_the_signature_that_is_not_checked(model: str, expected: str | None) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "read", "arguments": "{}"}}
    claude = {"type": "reasoning.text", "text": "Hm.", "signature": "s", "format": "anthropic-claude-v1", "index": 0}
    turn = {"role": "assistant", "content": "", "tool_calls": [call], "reasoning_content": "Hm.", "reasoning_details": [claude]}
    messages = [turn, {"role": "tool", "tool_call_id": "call_1", "content": '{"degrees": 21}'}]
    fake = FakeGemini()
    async with before("gemini", fake) as backend:
        await say(backend, chat(model, messages=messages, tools=TOOLS))
    first, called, result = fake.last.body["contents"]
    assert first == {"role": "user", "parts": [{"text": "…"}]}
    assert called["parts"][0].get("thoughtSignature") == expected
    assert result["parts"] == [{"functionResponse": {"name": "read", "id": "call_1", "response": {"degrees": 21}}}]


async def test_thought_signature_is_not_sent_to_openai_which_refuses_it() -> None:
    async with before("gemini", FakeGemini(CALLS)) as backend:
        message = (await whole(await backend.send(chat(SIGNED, tools=TOOLS))))["choices"][0]["message"]
    assert "extra_content" in message["tool_calls"][0]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "21"} for call in message["tool_calls"]]
    messages = [{"role": "user", "content": "Hi"}, message, *results]
    for name, kept in (("openai", False), ("openrouter", True)):
        fake = DIALECTS[name].fake()
        async with before(name, fake) as other:
            await say(other, chat(DIALECTS[name].model, messages=messages, tools=TOOLS))
        assert [call["id"] for call in fake.last.body["messages"][1]["tool_calls"]] == ["toolu_01A", "toolu_02B"]
        assert ("extra_content" in str(fake.last.body)) == kept


async def test_tool_result_without_its_call_is_refused_with_its_path() -> None:
    fake = FakeGemini()
    async with before("gemini", fake) as backend:
        err = await error_of(backend.send(chat(FLASH, messages=[{"role": "tool", "tool_call_id": "x", "content": "21"}])))
    assert isinstance(err, InvalidRequestError)
    assert err.param == "messages[0].tool_call_id"


async def test_media_are_sent_as_inline_data() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "input_audio", "input_audio": {"format": "wav", "data": "UklGRg=="}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
    ]
    fake = FakeGemini()
    async with before("gemini", fake) as backend:
        await say(backend, chat(FLASH, parts))
        err = await error_of(backend.send(chat(FLASH, [{"type": "file", "file": {"file_id": "file-1"}}])))
    assert [part["inlineData"]["mimeType"] for part in fake.last.body["contents"][0]["parts"]] == [
        "image/png",
        "audio/wav",
        "application/pdf",
    ]
    assert err.param == "messages[0].content[0]"


@streamed_or_not
async def test_image_in_an_answer_is_passed_on(stream: bool) -> None:
    fake = RawGemini(candidate({"text": "Here."}, {"inlineData": {"mimeType": "image/png", "data": PNG}}))
    async with before("gemini", fake) as backend:
        answer = await backend.send(chat(FLASH, modalities=["text", "image"], stream=stream))
        if stream:
            _, chunks = await read(answer)
            images = [image for chunk in chunks for choice in chunk["choices"] for image in choice["delta"].get("images", ())]
        else:
            images = (await whole(answer))["choices"][0]["message"]["images"]
    assert [image["image_url"]["url"] for image in images] == [f"data:image/png;base64,{PNG}"]
    assert sent(fake)["responseModalities"] == ["TEXT", "IMAGE"]


@streamed_or_not
@pytest.mark.parametrize("model", [FLASH, SIGNED])
async def test_structured_answer_with_tools_is_text(model: str, stream: bool) -> None:
    reply = Reply("", calls=(Call(JSON_TOOL, {"warm": True}),)) if model == FLASH else Reply('{"warm":true}')
    fake = FakeGemini(reply)
    async with before("gemini", fake) as backend:
        message = await say(backend, chat(model, response_format=FORMAT, tools=TOOLS, stream=stream))
        assert (message.content, message.tool_calls, message.finish_reason) == ('{"warm":true}', [], "stop")
        if model == SIGNED:
            assert sent(fake)["responseJsonSchema"] == SCHEMA
        else:
            assert fake.last.body["toolConfig"]["functionCallingConfig"] == {"mode": "ANY"}
        await say(backend, chat(model, response_format={"type": "json_object"}))
    assert sent(fake)["responseMimeType"] == "application/json"


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        ("auto", None),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ({"type": "function", "function": {"name": "read"}}, {"mode": "ANY", "allowedFunctionNames": ["read"]}),
    ],
)
async def test_tool_choice_is_translated(choice: Any, calling: Any) -> None:
    fake = FakeGemini()
    async with before("gemini", fake) as backend:
        await say(backend, chat(FLASH, tools=TOOLS, tool_choice=choice))
    assert fake.last.body.get("toolConfig", {}).get("functionCallingConfig") == calling


async def test_tool_calls_after_the_first_are_dropped_if_the_caller_wants_one() -> None:
    async with before("gemini", FakeGemini(CALLS)) as backend:
        message = await say(backend, chat(SIGNED, tools=TOOLS, parallel_tool_calls=False))
    assert [call.name for call in message.tool_calls] == ["read"]


async def test_tool_call_without_an_id_gets_one() -> None:
    async with before("gemini", FakeGemini(CALLS)) as backend:
        message = await say(backend, chat(FLASH, tools=TOOLS))
    first, second = (call.id for call in message.tool_calls)
    assert first.startswith("call_")
    assert first != second


@streamed_or_not
async def test_usage_has_cached_and_reasoning_tokens(stream: bool) -> None:
    async with before("gemini", FakeGemini(Reply("Hello."))) as backend:
        usage = (await say(backend, chat(FLASH, stream=stream))).usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens) == (21, 8, 6, 2)


async def test_usage_counts_tokens_of_googles_tools_and_keeps_counts_that_later_events_omit() -> None:
    counts = {"promptTokenCount": 5, "toolUsePromptTokenCount": 7, "candidatesTokenCount": 3, "thoughtsTokenCount": 2}
    bodies = (
        candidate({"text": "Hi"}, finish=None) | {"usageMetadata": counts},
        candidate({"text": "."}) | {"usageMetadata": {"promptTokenCount": 0}},
    )
    async with before("gemini", RawGemini(*bodies)) as backend:
        message = await say(backend, chat(FLASH, stream=True))
    assert message.usage is not None
    assert (message.usage.prompt_tokens, message.usage.completion_tokens) == (12, 5)


async def test_finish_reason_in_every_event_does_not_end_the_answer() -> None:
    bodies = [candidate({"text": text}) for text in ("One", " two", " three")]
    async with before("gemini", RawGemini(*bodies)) as backend:
        message = await say(backend, chat(FLASH, stream=True))
    assert (message.content, message.finish_reason) == ("One two three", "stop")


@streamed_or_not
@pytest.mark.parametrize("reason", ["SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII", "OTHER", "A_LATER_REASON"])
async def test_answer_withheld_by_google_ends_with_content_filter(reason: str, stream: bool) -> None:
    fake = RawGemini(candidate({"text": "Once"}, finish=reason, finishMessage="Not this."))
    async with before("gemini", fake) as backend:
        answer = await backend.send(chat(FLASH, stream=stream))
        if stream:
            message, chunks = await read(answer)
            refusals = [choice["delta"].get("refusal") for chunk in chunks for choice in chunk["choices"]]
            assert (message.content, message.finish_reason) == ("Once", "content_filter")
            assert "Not this." in refusals
        else:
            choice = (await whole(answer))["choices"][0]
            assert (choice["finish_reason"], choice["message"]["refusal"]) == ("content_filter", "Not this.")


@streamed_or_not
async def test_answer_at_the_token_limit_is_cut_by_length(stream: bool) -> None:
    async with before("gemini", FakeGemini(Reply("Once", stop="MAX_TOKENS"))) as backend:
        assert (await say(backend, chat(FLASH, stream=stream))).finish_reason == "length"


@streamed_or_not
@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, InvalidRequestError, "PROHIBITED_CONTENT"),
        (candidate(finish="MALFORMED_FUNCTION_CALL", finishMessage="Malformed: x("), StreamBrokenError, "Malformed: x("),
        (candidate(finish="UNEXPECTED_TOOL_CALL"), StreamBrokenError, "UNEXPECTED_TOOL_CALL"),
        ({}, StreamBrokenError, ""),
        ({"candidates": None}, StreamBrokenError, ""),
        ({"candidates": [{"content": {}}]}, StreamBrokenError, ""),
        ({"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}}, RateLimitError, "slow"),
        ([{"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}], ApiError, ""),
    ],
)
async def test_answer_without_content_is_an_error(body: Any, error: type[ApiError], words: str, stream: bool) -> None:
    async with before("gemini", RawGemini(body)) as backend:
        answer = await backend.send(chat(FLASH, stream=stream))
        err = await error_of(read(answer) if stream else answer.completion())
        await answer.close()
    assert isinstance(err, error)
    assert words in err.log_text
    if error is InvalidRequestError:
        assert err.code == "content_policy_violation"


@pytest.mark.parametrize(
    ("refusal", "error", "code"),
    [
        (Refusal(400, "User location is not supported for the API use."), PermissionDeniedError, "key_disabled"),
        (Refusal(400, "Gemini API free tier is not available. Please enable billing."), QuotaError, None),
        (
            Refusal(400, "The input token count (9) exceeds the maximum number of tokens allowed (8)."),
            InvalidRequestError,
            "context_length_exceeded",
        ),
        (Refusal(403, "Your API key was reported as leaked."), PermissionDeniedError, None),
        (Refusal(400, "API key expired. Please renew the API key.", code="API_KEY_INVALID"), AuthenticationError, None),
    ],
)
async def test_error_with_an_ambiguous_status_is_understood(refusal: Refusal, error: type[ApiError], code: str | None) -> None:
    async with before("gemini", FakeGemini(refusal)) as backend:
        err = await error_of(backend.send(chat(FLASH)))
    assert type(err) is error
    assert code is None or err.code == code


async def test_retry_info_is_the_time_to_wait() -> None:
    async with before("gemini", FakeGemini(Refusal(429, "Quota exceeded", param="36.5s"))) as backend:
        err = await error_of(backend.send(chat(FLASH)))
    assert (type(err), err.retry_after) == (RateLimitError, 36.5)


async def test_parameter_rejected_by_a_model_is_left_out_from_then_on() -> None:
    fake = FakeGemini()
    async with before("gemini", fake) as backend:
        for _ in range(2):
            assert (await say(backend, chat(FLASH, presence_penalty=0.5, frequency_penalty=0.5, seed=7))).content
    assert len(fake.bodies(f"/v1beta/models/{FLASH}:generateContent")) == 3
    assert sent(fake) == {"seed": 7, "thinkingConfig": {"includeThoughts": True}}


@pytest.mark.parametrize("model", ["../../v1/models", "a/../b", ".", "a?key=b", "a#b", "ä", "a b", "a/"])
async def test_model_id_that_leads_to_another_path_is_unknown(model: str) -> None:
    fake = FakeGemini()
    async with before("gemini", fake) as backend:
        for request in (chat(model), Request.parse(Kind.EMBEDDINGS, {"model": model, "input": "x"})):
            err = await error_of(backend.send(request))
            assert (type(err), err.code) == (NotFoundError, "model_not_found")
    assert fake.received == []


async def test_model_may_be_named_as_google_does() -> None:
    fake = FakeGemini()
    async with before("gemini", fake) as backend:
        await say(backend, chat(f"models/{FLASH}"))
    assert fake.last.path == f"/v1beta/models/{FLASH}:generateContent"


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_embeddings_are_sent_in_batches(encoding: str) -> None:
    fake = FakeGemini()
    body = {"model": EMBEDDER, "input": ["text"] * 250, "encoding_format": encoding, "dimensions": 2, "task_type": "CLUSTERING"}
    async with before("gemini", fake) as backend:
        answer = await backend.send(Request.parse(Kind.EMBEDDINGS, body))
        data = (await answer.completion()).data
    assert [len(received.body["requests"]) for received in fake.received] == [100, 100, 50]
    assert fake.last.body["requests"][0] == {
        "model": f"models/{EMBEDDER}",
        "content": {"parts": [{"text": "text"}]},
        "outputDimensionality": 2,
        "taskType": "CLUSTERING",
    }
    assert [item["index"] for item in data["data"]] == list(range(250))
    assert data["data"][0]["embedding"] == ([0.25, -0.5] if encoding == "float" else "AACAPgAAAL8=")
    assert data["usage"]["estimated"] is True


@pytest.mark.parametrize("page", [{"embeddings": [{"values": [0.5]}]}, {}, {"embeddings": [{}, {}]}, {"embeddings": None}])
async def test_embeddings_that_are_missing_are_an_error(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def embed(*_: Any) -> web.Response:
        return web.json_response(page)

    monkeypatch.setattr(FakeGemini, "embed", embed)
    async with before("gemini", FakeGemini()) as backend:
        err = await error_of(backend.send(Request.parse(Kind.EMBEDDINGS, {"model": EMBEDDER, "input": ["a", "b"]})))
    assert isinstance(err, StreamBrokenError)


async def test_embeddings_of_tokens_are_refused() -> None:
    fake = FakeGemini()
    async with before("gemini", fake) as backend:
        err = await error_of(backend.send(Request.parse(Kind.EMBEDDINGS, {"model": EMBEDDER, "input": [1, 2]})))
    assert (err.param, fake.received) == ("input", [])
