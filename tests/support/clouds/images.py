"""Fakes of servers that make images: OpenAI's API, strict about parameters, and LocalAI, which answers with addresses."""

from base64 import b64decode
from typing import Any, get_type_hints, override

from aiohttp import web
from openai.types import image_generate_params as image_params

from .openai import FakeOpenAI
from .server import PNG, Handler, Refusal

GPT_IMAGE = "gpt-image-1"
DALL_E = "dall-e-3"
_KNOWN = frozenset(get_type_hints(image_params.ImageGenerateParamsNonStreaming))
_OF_GPT_IMAGE = _KNOWN - {"response_format", "style"}


class FakePainter(FakeOpenAI):
    """A fake of api.openai.com with two models for images and one for chats. An outcome that is a refusal is its answer."""

    @override
    def routes(self) -> dict[tuple[str, str], Handler]:
        return super().routes() | {("POST", f"{self.prefix}/images/generations"): self.images}

    @override
    async def models(self, _: web.Request) -> web.Response:
        data = [{"id": model, "object": "model", "created": 1, "owned_by": "openai"} for model in ("gpt-4.1", GPT_IMAGE, DALL_E)]
        return web.json_response({"object": "list", "data": data})

    async def images(self, request: web.Request) -> web.StreamResponse:
        """As many images as requested."""
        body = await request.json()
        gpt_image = body["model"] == GPT_IMAGE
        if self.strict and (unknown := set(body) - (_OF_GPT_IMAGE if gpt_image else _KNOWN)):
            param = min(unknown)
            return self.refusal(Refusal(400, f"Unknown parameter: '{param}'.", code="unknown_parameter", param=param))
        if isinstance(outcome := self.outcome(), Refusal):
            return self.refusal(outcome)
        by_value = gpt_image or body.get("response_format") == "b64_json"
        data = [self.image(request, by_value=by_value) for _ in range(body.get("n") or 1)]
        whole: dict[str, Any] = {"created": 1_700_000_000, "data": data}
        if gpt_image:
            details = {"image_tokens": 0, "text_tokens": 13}
            tokens = {"input_tokens": 13, "output_tokens": 272 * len(data), "total_tokens": 13 + 272 * len(data)}
            whole |= {"quality": "low", "size": "1024x1024", "usage": tokens | {"input_tokens_details": details}}
        return web.json_response(whole)

    def image(self, request: web.Request, *, by_value: bool) -> dict[str, Any]:
        """One image of the answer."""
        return {"b64_json": PNG} if by_value else {"url": "https://images.example/1.png", "revised_prompt": "A small house"}


class FakeLocalAI(FakePainter):
    """LocalAI: it ignores what it does not know, and this one answers with addresses of its own, without usage."""

    strict = False
    address = ""
    """The address of every image; "": one of this server."""

    @override
    def routes(self) -> dict[tuple[str, str], Handler]:
        return super().routes() | {("GET", "/generated-images/b64.png"): self.show}

    @override
    async def models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "flux.1-schnell", "object": "model"}]})

    @override
    def image(self, request: web.Request, *, by_value: bool) -> dict[str, Any]:
        return {"url": self.address or f"http://{request.host}/generated-images/b64.png"}

    async def show(self, _: web.Request) -> web.Response:
        """The image."""
        return web.Response(body=b64decode(PNG), content_type="image/png")
