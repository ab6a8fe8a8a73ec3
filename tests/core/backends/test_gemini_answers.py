"""What Gemini answers: tokens, finish reasons, answers that are withheld, errors."""

from typing import Any, override

from aiohttp import web
import orjson
import pytest

from tests.support.clouds.asking import TOOLS, before, chat, error_of, read, say, whole
from tests.support.clouds.gemini import FLASH, FakeGemini
from tests.support.clouds.server import PNG, Refusal, Reply
from zeroconf_ai.protocol.errors import (
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    StreamBrokenError,
)

from .gemini_answers import CALLS, sent, streamed_or_not


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
