"""Images of Gemini, which makes one for each request."""

from typing import Any, override

from aiohttp import web
from google.genai import types
from openai.types import ImagesResponse
import pytest

from tests.support.clouds.asking import before, error_of
from tests.support.clouds.gemini import FLASH, FakeGemini
from tests.support.clouds.server import PNG, Handler
from tests.support.server import served
from zeroconf_ai.protocol.errors import InvalidRequestError, NotFoundError, StreamBrokenError, UnavailableError
from zeroconf_ai.protocol.request import Kind, Request

MODEL = "gemini-2.5-flash-image"
PATH = f"/v1beta/models/{MODEL}:generateContent"
IMAGE = {"inlineData": {"mimeType": "image/png", "data": PNG}}


class FakeGeminiPainter(FakeGemini):
    """Gemini with a model that answers with images."""

    answer: Any = None
    """The body of each answer, or the status of an error; None: an image after a draft of it."""

    @override
    def routes(self) -> dict[tuple[str, str], Handler]:
        return super().routes() | {("POST", PATH): self.paint}

    @override
    async def models(self, request: web.Request) -> web.Response:
        methods = ["generateContent", "countTokens"]
        models = [{"name": f"models/{name}", "supportedGenerationMethods": methods} for name in (FLASH, MODEL)]
        return web.json_response({"models": models})

    async def paint(self, request: web.Request) -> web.StreamResponse:
        """One image."""
        body = await request.json()
        types.Content.model_validate(body["contents"][0])
        types.GenerateContentConfig.model_validate(body["generationConfig"])
        if isinstance(self.answer, int):
            return web.json_response({"error": {"code": self.answer, "message": "no"}}, status=self.answer)
        draft = {"inlineData": {"mimeType": "image/png", "data": "ZHJhZnQ="}, "thought": True}
        content = {"role": "model", "parts": [{"text": "A house."}, draft, IMAGE]}
        usage = {"promptTokenCount": 5, "candidatesTokenCount": 1290, "totalTokenCount": 1295}
        return web.json_response(
            self.answer or {"candidates": [{"content": content, "finishReason": "STOP"}], "usageMetadata": usage}
        )


def asked(**body: Any) -> Request:
    return Request.parse(Kind.IMAGES, {"model": MODEL, "prompt": "A house", **body})


async def test_images_of_gemini_are_those_of_openais_sdk() -> None:
    fake = FakeGeminiPainter()
    async with before("gemini", fake) as backend, served(backend) as gateway, gateway.sdk() as client:
        found = await client.images.generate(prompt="A house", n=2, size="1536x1024", response_format="b64_json")
        _, raw, headers = await gateway.ask("POST", "images/generations", json={"prompt": "A house"})
        _, _, chatted = await gateway.ask("POST", "chat/completions", json={"messages": [{"role": "user", "content": "Hi"}]})
    assert [image.b64_json for image in found.data or ()] == [PNG, PNG]
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.output_tokens, found.usage.total_tokens) == (10, 2580, 2590)
    assert (headers["X-ZeroconfAI-Model"], chatted["X-ZeroconfAI-Model"]) == (MODEL, FLASH)
    ImagesResponse.model_validate(raw, strict=True)
    wide, _, plain = fake.bodies(PATH)
    assert wide["contents"] == [{"role": "user", "parts": [{"text": "A house"}]}]
    assert wide["generationConfig"] == {"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "3:2"}}
    assert plain["generationConfig"] == {"responseModalities": ["IMAGE"]}


@pytest.mark.parametrize(
    ("size", "ratio"),
    [("1024x1024", "1:1"), ("1792x1024", "16:9"), ("1024x1792", "9:16"), ("3000x1", "21:9"), ("auto", None), ("0x5", None)],
)
async def test_images_of_gemini_have_the_nearest_shape(size: str, ratio: str | None) -> None:
    fake = FakeGeminiPainter()
    async with before("gemini", fake) as backend:
        await backend.models()
        await backend.send(asked(size=size))
    assert fake.last.body["generationConfig"].get("imageConfig") == (ratio and {"aspectRatio": ratio})


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"candidates": [{"content": {"parts": [{"text": "I cannot."}]}, "finishReason": "STOP"}]}, StreamBrokenError),
        ({"candidates": [{"finishReason": "NO_IMAGE"}]}, StreamBrokenError),
        ({"candidates": [{"finishReason": "IMAGE_SAFETY"}]}, InvalidRequestError),
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, InvalidRequestError),
        ({}, StreamBrokenError),
        (503, UnavailableError),
    ],
)
async def test_images_that_gemini_does_not_make_are_an_error(answer: Any, kind: type[Exception]) -> None:
    fake = FakeGeminiPainter()
    fake.answer = answer or {"candidates": []}
    async with before("gemini", fake) as backend:
        await backend.models()
        assert isinstance(await error_of(backend.send(asked(n=3))), kind)


async def test_images_of_a_model_of_gemini_without_images_are_refused_here() -> None:
    fake = FakeGeminiPainter()
    async with before("gemini", fake) as backend:
        await backend.models()
        assert isinstance(await error_of(backend.send(asked(model=FLASH))), NotFoundError)
    assert not fake.bodies(f"/v1beta/models/{FLASH}:generateContent")
