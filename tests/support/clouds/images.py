"""Fakes of servers that make images: OpenAI's API, strict about parameters, and LocalAI, which answers with addresses."""

import asyncio
from base64 import b64decode
from typing import Any, get_type_hints, override

from aiohttp import BodyPartReader, MultipartReader, StreamReader, web
from openai.types import image_edit_params, image_generate_params as image_params

from .openai import FakeOpenAI
from .server import PNG, Handler, Outcome, Refusal

GPT_IMAGE = "gpt-image-1"
DALL_E = "dall-e-3"
_KNOWN = frozenset(get_type_hints(image_params.ImageGenerateParamsNonStreaming))
_OF_EDITS = frozenset(get_type_hints(image_edit_params.ImageEditParamsNonStreaming)) - {"image", "mask", "response_format"}
_OF_GPT_IMAGE = _KNOWN - {"response_format", "style"}


class FakePainter(FakeOpenAI):
    """A fake of api.openai.com with two models for images and one for chats. An outcome that is a refusal is its answer."""

    def __init__(self, *outcomes: Outcome, key: str | None = "sk-canary-0123456789") -> None:
        """As every fake."""
        super().__init__(*outcomes, key=key)
        self.edited: list[list[tuple[str, str | bytes]]] = []
        """Names and values of each form."""

    @override
    def routes(self) -> dict[tuple[str, str], Handler]:
        paths = {"images/generations": self.images, "images/edits": self.edit}
        return super().routes() | {("POST", f"{self.prefix}/{path}"): handler for path, handler in paths.items()}

    @override
    async def models(self, _: web.Request) -> web.Response:
        data = [{"id": model, "object": "model", "created": 1, "owned_by": "openai"} for model in ("gpt-4.1", GPT_IMAGE, DALL_E)]
        return web.json_response({"object": "list", "data": data})

    async def edit(self, request: web.Request) -> web.StreamResponse:
        """As many images as requested, made from those of the form; `edited` has its fields."""
        form = await _form(request)
        self.edited.append(form)
        fields = {name for name, value in form if isinstance(value, str)}
        if unknown := fields - _OF_EDITS:
            param = min(unknown)
            return self.refusal(Refusal(400, f"Unknown parameter: '{param}'.", code="unknown_parameter", param=param))
        if isinstance(outcome := self.outcome(), Refusal):
            return self.refusal(outcome)
        tokens = {"input_tokens": 400, "output_tokens": 272, "total_tokens": 672}
        details = {"image_tokens": 387, "text_tokens": 13}
        data = [self.image(request, by_value=True) for _ in range(int(dict(form).get("n", 1)))]
        return web.json_response({"created": 1, "data": data, "usage": tokens | {"input_tokens_details": details}})

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
        known = super().routes() | {("GET", "/generated-images/b64.png"): self.show, ("GET", "/system"): self.system}
        return {path: handler for path, handler in known.items() if path[1] != f"{self.prefix}/images/edits"}

    @override
    async def models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "flux.1-schnell", "object": "model"}]})

    @override
    def image(self, request: web.Request, *, by_value: bool) -> dict[str, Any]:
        return {"url": self.address or f"http://{request.host}/generated-images/b64.png"}

    async def system(self, _: web.Request) -> web.Response:
        """The description of the server."""
        return web.json_response({"backends": ["diffusers"], "loaded_models": []})

    async def show(self, _: web.Request) -> web.Response:
        """The image."""
        return web.Response(body=b64decode(PNG), content_type="image/png")


async def _form(request: web.Request) -> list[tuple[str, str | bytes]]:
    """Names and values of a form whose body is read."""
    content = StreamReader(request.protocol, 2**16, loop=asyncio.get_running_loop())
    content.feed_data(await request.read())
    content.feed_eof()
    found: list[tuple[str, str | bytes]] = []
    reader = MultipartReader(request.headers, content)
    while isinstance(part := await reader.next(), BodyPartReader):
        value = bytes(await part.read())
        found.append((part.name or "", value.decode() if part.filename is None else value))
    return found
