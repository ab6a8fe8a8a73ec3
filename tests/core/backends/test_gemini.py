"""Gemini models: lists and capabilities, thinking, thought signatures, formats, withheld answers, errors, embeddings."""

from typing import Any

import pytest

from tests.support.clouds.asking import KEY, TOOLS, before, chat, error_of, say
from tests.support.clouds.gemini import EMBEDDER, FLASH, GEMMA, NEWEST, PRO, SIGNED, SPEAKER, FakeGemini
from tests.support.clouds.server import PNG, Call, Reply
from zeroconf_ai.accounting.prices.price_book import PriceBook
from zeroconf_ai.config.backend_types import BACKEND_TYPES
from zeroconf_ai.dialects.gemini.upstream_request import JSON_TOOL
from zeroconf_ai.protocol.errors import InvalidRequestError, NotFoundError
from zeroconf_ai.protocol.record import Capability, Cost, Placement
from zeroconf_ai.protocol.request import Kind, Request

from .gemini_answers import CALLS, sent, streamed_or_not

SCHEMA = {"type": "object", "properties": {"warm": {"type": "boolean"}}, "required": ["warm"], "additionalProperties": False}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
TEXT_MODELS = (FLASH, PRO, SIGNED, NEWEST)


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
