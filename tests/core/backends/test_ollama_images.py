"""Images of Ollama, whose API for them makes one for each request."""

from typing import Any, override

from aiohttp import web
import pytest

from tests.support.clouds.asking import before, error_of
from tests.support.clouds.ollama import FakeOllama
from tests.support.clouds.server import PNG, Handler
from tests.support.server import served
from zeroconf_ai.protocol.errors import StreamBrokenError
from zeroconf_ai.protocol.request import Kind, Request

MODEL = "x/z-image-turbo:latest"
PATH = "/v1/images/generations"


class FakeOllamaPainter(FakeOllama):
    """Ollama with a model for images."""

    answer: Any = None
    """The body of each answer; None: an image."""

    @override
    def routes(self) -> dict[tuple[str, str], Handler]:
        self.installed[MODEL] = ["image"]
        return super().routes() | {("POST", PATH): self.paint}

    async def paint(self, request: web.Request) -> web.StreamResponse:
        """One image."""
        assert (await request.json())["model"] == MODEL
        return web.json_response(self.answer or {"created": 1, "data": [{"b64_json": PNG}]})


async def test_images_of_ollama_are_as_many_as_requested() -> None:
    fake = FakeOllamaPainter()
    async with before("ollama", fake) as backend, served(backend) as gateway, gateway.sdk() as client:
        found = await client.images.generate(prompt="A house", n=2, size="512x512", quality="high")
        _, _, chatted = await gateway.ask("POST", "chat/completions", json={"messages": [{"role": "user", "content": "Hi"}]})
        _, shown, _ = await gateway.ask("POST", "/api/show", json={"model": MODEL})
    assert [image.b64_json for image in found.data or ()] == [PNG, PNG]
    assert fake.bodies(PATH) == [{"model": MODEL, "prompt": "A house", "size": "512x512", "response_format": "b64_json"}] * 2
    assert chatted["X-ZeroconfAI-Model"] != MODEL
    assert shown["capabilities"] == ["image"]


@pytest.mark.parametrize("answer", [{"data": []}, {"data": [{}]}, {"data": None}])
async def test_images_that_ollama_does_not_make_are_an_error(answer: Any) -> None:
    fake = FakeOllamaPainter()
    fake.answer = answer
    async with before("ollama", fake) as backend:
        request = Request.parse(Kind.IMAGES, {"model": MODEL, "prompt": "A house"})
        assert isinstance(await error_of(backend.send(request)), StreamBrokenError)
