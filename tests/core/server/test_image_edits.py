"""`POST /v1/images/edits`: forms, routing, failover, limits and cost, with OpenAI's SDK as the client."""

from base64 import b64decode, b64encode
from typing import Any, override

from aiohttp import FormData, web
import openai
from openai.types import ImagesResponse
import pytest

from tests.core.backends.test_gemini_images import IMAGE, MODEL, PATH, FakeGeminiPainter
from tests.core.server.test_image_generations import HOUSE, over
from tests.core.server.test_schema_of_openai import hold
from tests.support.clouds.asking import before
from tests.support.clouds.images import DALL_E, GPT_IMAGE, FakeLocalAI, FakePainter
from tests.support.clouds.server import PNG, Handler, Refusal
from tests.support.fakes.upstream import StubBackend
from tests.support.server import Served, served
from zeroconf_ai.backends.base import ImageEdits

PICTURE = b64decode(PNG)
JPEG = b"\xff\xd8\xff\xe0" + bytes(64)


class FakeOldServer(FakeLocalAI):
    """A server with images, without edits, which is not LocalAI."""

    @override
    def routes(self) -> dict[tuple[str, str], Handler]:
        return {path: handler for path, handler in super().routes().items() if path[1] != "/system"}

    @override
    async def models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "sdxl", "object": "model"}]})


async def edit(gateway: Served, *files: tuple[str, bytes], **fields: str) -> tuple[int, Any]:
    """Send a form; returns the status and the answer."""
    form = FormData(default_to_multipart=True)
    for name, data in files:
        form.add_field(name, data, filename="a.png", content_type="image/png")
    for name, text in {"prompt": HOUSE, **fields}.items():
        form.add_field(name, text)
    status, said, _ = await gateway.ask("POST", "images/edits", data=form)
    return status, said


async def test_edits_of_openai_are_those_of_its_sdk() -> None:
    fake = FakePainter()
    async with over(openai=fake) as gateway, gateway.sdk() as client:
        found = await client.images.edit(
            model=GPT_IMAGE, image=[PICTURE, JPEG], mask=PICTURE, prompt=HOUSE, n=2, quality="low", input_fidelity="high"
        )
        one = await client.images.edit(image=("a.png", PICTURE), prompt=HOUSE, response_format="b64_json")
    assert [image.b64_json for image in found.data or ()] == [PNG, PNG]
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.output_tokens) == (400, 272)
    assert one.data is not None
    hold(ImagesResponse, {name: value for name, value in one.to_dict().items() if name != "provider"})
    several, rejected, single = fake.edited
    fields = {"model": GPT_IMAGE, "prompt": HOUSE, "n": "2", "quality": "low", "input_fidelity": "high"}
    assert {name: value for name, value in several if isinstance(value, str)} == fields
    assert sorted((name, value) for name, value in several if isinstance(value, bytes)) == sorted(
        [("image[]", PICTURE), ("image[]", JPEG), ("mask", PICTURE)]
    )
    assert "response_format" in dict(rejected)
    assert sorted(single) == [("image", PICTURE), ("model", GPT_IMAGE), ("prompt", HOUSE)]


async def test_edits_at_localai_are_made_from_the_image_in_its_json() -> None:
    fake = FakeLocalAI()
    async with over(openai_compatible=fake) as gateway, gateway.sdk() as client:
        for _ in range(2):
            found = await client.images.edit(image=PICTURE, prompt=HOUSE, response_format="b64_json")
            assert [image.b64_json for image in found.data or ()] == [PNG]
        with pytest.raises(openai.APIStatusError, match="does not edit images with a mask"):
            await client.images.edit(image=PICTURE, mask=PICTURE, prompt=HOUSE)
    assert [body["file"] for body in fake.bodies("/v1/images/generations")] == [PNG, PNG]
    assert [request.path for request in fake.received].count("/v1/images/edits") == 1


async def test_edits_of_a_server_without_them_are_made_by_the_next_provider_and_it_is_not_asked_again() -> None:
    old, cloud = FakeOldServer(), FakePainter()
    async with over(openai_compatible=old, openai=cloud) as gateway:
        attempts = []
        for _ in range(2):
            async with gateway.sdk() as client:
                found = await client.images.with_raw_response.edit(image=PICTURE, prompt=HOUSE)
            attempts.append(found.headers["X-ZeroconfAI-Attempts"])
    assert [request.path for request in old.received].count("/v1/images/edits") <= 1
    assert attempts[1] == "1"
    assert len(cloud.edited) == 2


async def test_edits_fail_over_with_all_images() -> None:
    failing, well = FakePainter(Refusal(503, "overloaded")), FakePainter()
    async with before("openai", failing) as first, before("openai_compatible", well) as second, served(first, second) as gateway:
        status, _ = await edit(gateway, ("image", PICTURE), ("image", JPEG), model=GPT_IMAGE)
    assert status == 200
    assert [value for name, value in well.edited[0] if name == "image[]"] == [PICTURE, JPEG]


async def test_edits_of_gemini_are_made_from_the_images_before_the_text() -> None:
    fake = FakeGeminiPainter()
    async with before("gemini", fake) as backend, served(backend) as gateway, gateway.sdk() as client:
        found = await client.images.edit(image=[PICTURE, JPEG], prompt=HOUSE)
        with pytest.raises(openai.APIStatusError, match="does not edit images with a mask"):
            await client.images.edit(image=PICTURE, mask=PICTURE, prompt=HOUSE, model=MODEL)
    assert [image.b64_json for image in found.data or ()] == [PNG]
    [body] = fake.bodies(PATH)
    jpeg = {"inlineData": {"mimeType": "image/jpeg", "data": b64encode(JPEG).decode()}}
    assert body["contents"] == [{"role": "user", "parts": [IMAGE, jpeg, {"text": HOUSE}]}]


async def test_edits_are_made_by_models_that_edit_at_backends_that_can() -> None:
    never, without = (
        StubBackend("never", models=["sdxl"]),
        StubBackend("without", models=["imagen-4.0", "flux-kontext"], priority=1),
    )
    never.edits, without.edits = ImageEdits.NO, ImageEdits.WITHOUT_MASK
    masked = StubBackend("masked", models=[DALL_E, GPT_IMAGE], priority=2)
    async with served(never, without, masked) as gateway:
        assert (await edit(gateway, ("image", PICTURE)))[0] == 200
        assert (await edit(gateway, ("image", PICTURE), ("mask", PICTURE)))[0] == 200
        status, said = await edit(gateway, ("image", PICTURE), model=DALL_E)
    assert [[request.model for request in backend.sent] for backend in (never, without, masked)] == [
        [], ["flux-kontext"], [GPT_IMAGE]
    ]  # fmt: skip
    assert status in (400, 404)
    assert "does not edit images" in said["error"]["message"]


@pytest.mark.parametrize(
    ("files", "fields", "param"),
    [
        ([], {}, "image"),
        ([("image", b"no image")], {}, "image"),
        ([("image", b"")], {}, "image"),
        ([("image", PICTURE), ("mask", b"%PDF-1.7")], {}, "mask"),
        ([("image", PICTURE), ("mask", PICTURE), ("mask", PICTURE)], {}, "mask"),
        ([("mask", PICTURE)], {}, "image"),
        ([("image[]", PICTURE)] * 17, {}, "image"),
        ([("image", PICTURE)], {"prompt": " "}, "prompt"),
        ([("image", PICTURE)], {"n": "11"}, "n"),
        ([("image", PICTURE)], {"n": "two"}, "n"),
        ([("image", PICTURE)], {"stream": "true"}, "stream"),
        ([("image", PICTURE)], {"response_format": "gif"}, "response_format"),
    ],
)
async def test_edits_of_an_invalid_form_are_a_400_that_names_the_field(
    files: list[tuple[str, bytes]], fields: dict[str, str], param: str
) -> None:
    backend = StubBackend("one", models=[GPT_IMAGE])
    async with served(backend) as gateway:
        status, said = await edit(gateway, *files, **fields)
    assert (status, said["error"]["param"], backend.sent) == (400, param, [])


async def test_edits_of_images_beyond_the_limits_are_refused() -> None:
    backend = StubBackend("one", models=[GPT_IMAGE])
    large = PICTURE + bytes(11 * 1024 * 1024)
    async with served(backend) as gateway:
        one = await edit(gateway, ("image", large + large))
        together = await edit(gateway, *[("image", large)] * 3)
        status, said, _ = await gateway.ask("POST", "images/edits", json={"prompt": HOUSE})
    assert (one[0], together[0], status) == (413, 413, 400)
    assert "multipart/form-data" in said["error"]["message"]
    assert not backend.sent
