"""`POST /v1/images/generations`: routing, failover, limits and cost, with OpenAI's SDK as the client."""

from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import openai
from openai.types import ImagesResponse
import pytest

from tests.core.server.test_schema_of_openai import hold
from tests.support.clouds.asking import before
from tests.support.clouds.images import DALL_E, GPT_IMAGE, FakeLocalAI, FakePainter
from tests.support.clouds.server import PNG, FakeCloud, Refusal
from tests.support.fakes.upstream import StubBackend
from tests.support.server import Served, served
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.backends.base import StaticAnswer
from zeroconf_ai.protocol.chunks import Chunk
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Capability
from zeroconf_ai.protocol.request import Request
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.server.access.guard import Guard

HOUSE = "A small house"


@asynccontextmanager
async def over(**fakes: FakeCloud) -> AsyncIterator[Served]:
    """A gateway over OpenAI (`openai`) and a server at home (`openai_compatible`), in this order."""
    async with AsyncExitStack() as stack:
        backends = [await stack.enter_async_context(before(name, fake)) for name, fake in fakes.items()]
        yield await stack.enter_async_context(served(*backends))


async def test_images_of_openai_are_those_of_its_sdk() -> None:
    fake = FakePainter()
    async with over(openai=fake) as gateway, gateway.sdk() as client:
        found = await client.images.generate(model=GPT_IMAGE, prompt=HOUSE, n=2, quality="low", size="1024x1024")
        _, raw, headers = await gateway.ask("POST", "images/generations", json={"model": DALL_E, "prompt": HOUSE})
    assert [image.b64_json for image in found.data or ()] == [PNG, PNG]
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.output_tokens) == (13, 544)
    assert [image["url"] for image in raw["data"]] == ["https://images.example/1.png"]
    assert headers["X-ZeroconfAI-Model"] == DALL_E
    assert fake.bodies("/v1/images/generations")[0] == {
        "model": GPT_IMAGE, "prompt": HOUSE, "n": 2, "quality": "low", "size": "1024x1024"
    }  # fmt: skip
    raw.pop("provider")
    hold(ImagesResponse, raw)


async def test_images_of_gpt_image_come_by_value_although_it_rejects_the_parameter() -> None:
    fake = FakePainter()
    async with over(openai=fake) as gateway, gateway.sdk() as client:
        for _ in range(2):
            found = await client.images.generate(model=GPT_IMAGE, prompt=HOUSE, response_format="b64_json")
            assert [image.b64_json for image in found.data or ()] == [PNG]
    assert ["response_format" in body for body in fake.bodies("/v1/images/generations")] == [True, False, False]


async def test_images_at_addresses_of_a_server_at_home_come_by_value_on_request() -> None:
    fake = FakeLocalAI()
    async with over(openai_compatible=fake) as gateway, gateway.sdk() as client:
        by_value = await client.images.generate(model="flux.1-schnell", prompt=HOUSE, response_format="b64_json")
        as_sent = await client.images.generate(model="auto", prompt=HOUSE)
    assert by_value.data is not None
    assert as_sent.data is not None
    assert b64decode(by_value.data[0].b64_json or "") == b64decode(PNG)
    assert by_value.data[0].url is None
    assert (as_sent.data[0].url or "").endswith("/generated-images/b64.png")


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/x.png", "http://192.168.1.1/x.png", "file:///etc/passwd", "no address", "data:image/png,x"]
)
async def test_images_at_other_addresses_at_home_are_not_fetched(address: str) -> None:
    fake = FakeLocalAI()
    fake.address = address
    async with over(openai_compatible=fake) as gateway, gateway.sdk() as client:
        with pytest.raises(openai.APIStatusError, match="could not be fetched") as failed:
            await client.images.generate(prompt=HOUSE, response_format="b64_json")
    assert failed.value.status_code == 502
    assert address not in failed.value.message


@pytest.mark.parametrize("answer", [{}, {"data": []}, {"data": [{}]}, {"data": [{"b64_json": ""}]}, {"data": {"url": "x"}}, [1]])
async def test_images_that_are_missing_are_made_by_the_next_provider(answer: Any) -> None:
    first, second = (StubBackend(name, models=["gpt-image-1"], priority=at) for at, name in enumerate(("one", "two")))

    async def broken(request: Request) -> Any:
        return StaticAnswer(Chunk.of(answer if isinstance(answer, dict) else {}))

    first.send = broken  # type: ignore[method-assign]
    async with served(first, second) as gateway:
        status, said, headers = await gateway.ask("POST", "images/generations", json={"prompt": HOUSE})
    assert (status, said["data"]) == (200, [{"b64_json": "iVBORw0KGgo="}])
    assert (headers["X-ZeroconfAI-Provider"], headers["X-ZeroconfAI-Attempts"]) == ("Two", "2")


async def test_images_fail_over_from_a_cloud_to_the_server_at_home() -> None:
    cloud, home = FakePainter(Refusal(503, "overloaded")), FakeLocalAI()
    async with over(openai=cloud, openai_compatible=home) as gateway, gateway.sdk() as client:
        found = await client.images.with_raw_response.generate(prompt=HOUSE, response_format="b64_json")
    assert found.headers["X-ZeroconfAI-Attempts"] in ("1", "2")
    assert home.bodies("/v1/images/generations")[0]["model"] == "flux.1-schnell"
    [asked] = [request for request in home.received if request.path.endswith("/images/generations")]
    assert "gateway-id" in asked.headers["Via"]


async def test_images_that_came_through_this_gateway_before_are_refused() -> None:
    async with served(StubBackend("one", models=["gpt-image-1"])) as gateway:
        status, said, _ = await gateway.ask(
            "POST", "images/generations", json={"prompt": HOUSE}, headers={"Via": "1.1 gateway-id"}
        )
    assert (status, said["error"]["code"]) == (508, "loop_detected")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("prompt", value) for value in (None, "", " \n", 7, ["A house"], "x" * 32_001)),
        *(("n", value) for value in (0, 11, 1.5, True, "2")),
        ("size", 1024), ("quality", {}), ("response_format", {"type": "text"}), ("stream", True), ("model", ""),
    ],
)  # fmt: skip
async def test_images_of_an_invalid_request_are_a_400_that_names_the_parameter(field: str, value: Any) -> None:
    backend = StubBackend("one", models=["gpt-image-1"])
    async with served(backend) as gateway:
        status, said, _ = await gateway.ask("POST", "images/generations", json={"prompt": HOUSE, field: value})
    assert (status, said["error"]["param"], backend.sent) == (400, field, [])


async def test_images_are_made_by_models_for_images_only() -> None:
    mixed = StubBackend("mixed", models=["llama3", "sdxl-turbo", "nomic-embed"])
    async with served(mixed) as gateway:
        for path, body, model in (
            ("images/generations", {"prompt": HOUSE}, "sdxl-turbo"),
            ("chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}, "llama3"),
            ("embeddings", {"input": "Hi"}, "nomic-embed"),
        ):
            status, _, headers = await gateway.ask("POST", path, json=body)
            assert (status, headers["X-ZeroconfAI-Model"]) == (200, model)
    chats = ModelInfo("llama3", capabilities=frozenset({Capability.COMPLETION}))
    async with served(StubBackend("chats", models=[chats])) as gateway:
        for model in ("auto", "llama3"):
            status, said, _ = await gateway.ask("POST", "images/generations", json={"prompt": HOUSE, "model": model})
            assert status in (400, 404), said


async def test_images_need_a_key_that_may_make_them(tmp_path: Path) -> None:
    store = await AccountingStore.open(tmp_path / "gateway.db")
    try:
        async with served(StubBackend("one", models=["gpt-image-1"]), access=Guard(store.keys)) as gateway:
            await gateway.engine.attach(Accounting.of(store))
            statuses = {}
            for scope in ("images", "chat"):
                _, secret = await store.keys.create(scope, endpoints=(scope,), requests_per_minute=1)
                for turn in range(2):
                    status, _, _ = await gateway.ask(
                        "POST", "images/generations", json={"prompt": HOUSE}, headers={"Authorization": f"Bearer {secret}"}
                    )
                    statuses[scope, turn] = status
    finally:
        await store.close()
    assert statuses == {("images", 0): 200, ("images", 1): 429, ("chat", 0): 403, ("chat", 1): 403}
