"""The models of servers: listed, loaded, unloaded, downloaded and deleted."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest

from tests.support.clouds.ollama import EMBEDDER, PLAIN, THINKER, FakeOllama
from tests.support.clouds.server import FakeCloud, engine as fake_engine
from tests.support.fakes.provider import FakeProvider, running
from zeroconf_ai.admin.server_models import MAX_PULLS, Pull, ServerModels
from zeroconf_ai.backends.base import BackendInfo, Endpoint
from zeroconf_ai.backends.ollama.backend import OllamaOptions
from zeroconf_ai.engine import Engine
from zeroconf_ai.presence.provider_backend import ProviderBackend
from zeroconf_ai.protocol.errors import ApiError, InvalidRequestError, NotFoundError, UpstreamError

JSON = "application/json"
OK: tuple[int, str, Any] = (200, JSON, {})


class Home:
    """An engine with one provider, and the control of its models."""

    def __init__(self, engine: Engine, session: aiohttp.ClientSession) -> None:
        self.engine = engine
        self.session = session
        self.models = ServerModels(engine)

    async def add(self, url: str, backend_id: str = "gpu", settings: OllamaOptions | None = None) -> None:
        backend = ProviderBackend(self.session, BackendInfo(backend_id, "GPU"), Endpoint(url), settings=settings)
        await self.engine.checker.check(self.engine.add(backend), models=True)

    async def pulls(self) -> Sequence[Pull]:
        return (await self.models.describe("gpu"))["pulls"]


@pytest.fixture
async def home() -> AsyncIterator[Home]:
    async with aiohttp.ClientSession() as session:
        engine = Engine()
        made = Home(engine, session)
        yield made
        await made.models.close()
        await engine.close()


@pytest.fixture
async def ollama() -> AsyncIterator[FakeOllama]:
    async with FakeOllama() as fake:
        yield fake


async def test_ollama_models_are_listed_with_their_memory(home: Home, ollama: FakeOllama) -> None:
    await home.add(f"{ollama.root}/v1")
    (server,) = await home.models.list()
    assert (server["name"], server["error"]) == ("GPU", None)
    assert server["can"] == ["delete", "keep_alive", "load", "pull", "unload"]
    by_name = {model["name"]: model for model in server["models"]}
    assert by_name[THINKER] == {
        "name": THINKER,
        "size": 5_225_388_164,
        "loaded": True,
        "memory": 5_000_000_000,
        "until": "2026-11-21T12:00:00Z",
    }
    assert (by_name[PLAIN]["loaded"], by_name[PLAIN]["memory"]) == (False, None)
    member = home.engine.pool.get("gpu")
    assert member is not None
    assert member.status is not None
    assert member.status.graphics_memory == 5_000_000_000


async def test_ollama_model_is_loaded_with_the_size_of_its_requests_and_unloaded(home: Home, ollama: FakeOllama) -> None:
    await home.add(f"{ollama.root}/v1", settings=OllamaOptions(num_ctx=9000))
    for model in (PLAIN, EMBEDDER):  # a model for embeddings has another path
        await home.models.load("gpu", model, "1h")
    assert ollama.bodies("/api/generate")[0] == {
        "model": PLAIN,
        "stream": False,
        "options": {"num_ctx": 9000},
        "keep_alive": "1h",
    }
    assert ollama.loaded == {THINKER: 8192, PLAIN: 9000, EMBEDDER: 2048}
    member = home.engine.pool.get("gpu")
    assert member is not None
    assert {model.id for model in member.models if model.warm} == set(ollama.loaded)
    for model in (PLAIN, EMBEDDER):
        await home.models.unload("gpu", model)
    assert set(ollama.loaded) == {THINKER}


async def test_ollama_model_is_downloaded_with_progress_and_deleted(home: Home, ollama: FakeOllama) -> None:
    await home.add(f"{ollama.root}/v1")
    ollama.pull_gate.clear()
    home.models.start_pull("gpu", " new:1b ")
    home.models.start_pull("gpu", "new:1b")  # it is running already
    async with asyncio.timeout(10):
        while not (pulls := await home.pulls()) or pulls[0]["completed"] is None:
            await asyncio.sleep(0.01)
    assert pulls == [
        {"model": "new:1b", "state": "running", "status": "pulling 5a", "completed": 500, "total": 2000, "error": None}
    ]
    ollama.pull_gate.set()
    await home.models.pull("gpu", "new:1b")
    assert [pull["state"] for pull in await home.pulls()] == ["done"]
    member = home.engine.pool.get("gpu")
    assert member is not None
    assert "new:1b" in {model.id for model in member.models}
    await home.models.delete("gpu", "new:1b")
    assert "new:1b" not in ollama.installed
    assert "new:1b" not in {model.id for model in member.models}
    with pytest.raises(NotFoundError):
        await home.models.delete("gpu", "new:1b")


async def test_download_that_fails_says_why_and_a_cancelled_one_ends(home: Home, ollama: FakeOllama) -> None:
    await home.add(f"{ollama.root}/v1")
    with pytest.raises(UpstreamError, match="file does not exist"):
        await home.models.pull("gpu", "missing")
    ollama.pull_gate.clear()
    waiting = asyncio.create_task(home.models.pull("gpu", "new:1b"))
    async with asyncio.timeout(10):
        while len(await home.pulls()) < 2:
            await asyncio.sleep(0.01)
    home.models.cancel_pull("gpu", "new:1b")
    with pytest.raises(InvalidRequestError, match="cancelled"):
        await waiting
    assert {pull["model"]: pull["state"] for pull in await home.pulls()} == {"missing": "failed", "new:1b": "cancelled"}
    with pytest.raises(NotFoundError):
        home.models.cancel_pull("gpu", "new:1b")


async def test_downloads_at_a_time_are_bounded(home: Home, ollama: FakeOllama) -> None:
    await home.add(f"{ollama.root}/v1")
    ollama.pull_gate.clear()
    for number in range(MAX_PULLS):
        home.models.start_pull("gpu", f"new:{number}")
    with pytest.raises(InvalidRequestError, match="downloads are running"):
        home.models.start_pull("gpu", "one-more")
    await home.models.close()
    assert {pull["state"] for pull in await home.pulls()} == {"cancelled"}


LISTED = {
    "models": [
        {"type": "llm", "key": "qwen3-8b", "size_bytes": 5000, "loaded_instances": [{"id": "qwen3-8b"}, {"id": "qwen3-8b:2"}]},
        {"type": "llm", "key": "gemma", "loaded_instances": []},
    ]
}
LM_STUDIO = {
    "v1__models": (200, JSON, {"data": [{"id": "qwen3-8b"}]}),
    "lmstudio-greeting": (200, JSON, {"lmstudio": True}),
    "api__v1__models": (200, JSON, LISTED),
    "api__v1__models__load": OK,
    "api__v1__models__unload": OK,
}
ROUTED = [
    {"id": "a", "owned_by": "llamacpp", "status": {"value": "loaded"}},
    {"id": "b", "owned_by": "llamacpp", "status": {"value": "unloaded"}},
]
ROUTER = {
    "v1__models": (200, JSON, {"data": ROUTED}),
    "models": (200, JSON, {"data": ROUTED}),
    "health": OK,
    "models__load": OK,
    "models__unload": OK,
}


async def test_lm_studio_loads_and_unloads_all_instances(home: Home) -> None:
    fake: FakeCloud = fake_engine(**LM_STUDIO)
    async with fake:
        await home.add(f"{fake.root}/v1")
        (server,) = await home.models.list()
        assert [(model["name"], model["size"], model["loaded"]) for model in server["models"]] == [
            ("qwen3-8b", 5000, True),
            ("gemma", None, False),
        ]
        assert server["can"] == ["load", "unload"]
        await home.models.load("gpu", "gemma")
        await home.models.unload("gpu", "qwen3-8b")
        assert fake.bodies("/api/v1/models/load") == [{"model": "gemma"}]
        assert fake.bodies("/api/v1/models/unload") == [{"instance_id": "qwen3-8b"}, {"instance_id": "qwen3-8b:2"}]
        with pytest.raises(NotFoundError):
            await home.models.unload("gpu", "nothing")
        with pytest.raises(InvalidRequestError):
            await home.models.load("gpu", "gemma", "1h")
        with pytest.raises(InvalidRequestError):
            home.models.start_pull("gpu", "gemma")
        with pytest.raises(InvalidRequestError):
            await home.models.delete("gpu", "gemma")


async def test_llamacpp_router_loads_and_unloads(home: Home) -> None:
    fake: FakeCloud = fake_engine(**ROUTER)
    async with fake:
        await home.add(f"{fake.root}/v1")
        (server,) = await home.models.list()
        assert [(model["name"], model["loaded"]) for model in server["models"]] == [("a", True), ("b", False)]
        await home.models.load("gpu", "b")
        await home.models.unload("gpu", "a")
        assert (fake.bodies("/models/load"), fake.bodies("/models/unload")) == ([{"model": "b"}], [{"model": "a"}])


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        ({**LM_STUDIO, "api__v1__models": (404, JSON, {})}, True),
        ({**ROUTER, "models": (200, JSON, {"data": [{"id": "a", "owned_by": "llamacpp"}]})}, True),
        ({**ROUTER, "models": (200, JSON, [1, None])}, False),
        ({**LM_STUDIO, "api__v1__models": (200, JSON, {"models": [1, {"key": 5}, {"key": ""}]})}, False),
    ],
)
async def test_server_whose_api_cannot_says_why(home: Home, paths: dict[str, Any], says: bool) -> None:
    async with fake_engine(**paths) as fake:
        await home.add(f"{fake.root}/v1")
        (server,) = await home.models.list()
        assert (server["models"], bool(server["error"])) == ([], says)


async def test_provider_of_this_protocol_is_not_controlled(home: Home) -> None:
    async with running(FakeProvider()) as fake:
        await home.add(fake.base_url)
        assert await home.models.list() == []
        with pytest.raises(InvalidRequestError):
            await home.models.load("gpu", "test-model")
        with pytest.raises(NotFoundError):
            await home.models.load("nobody", "test-model")


@pytest.mark.parametrize("name", ["", " ", "a" * 257, "a\nb", "a\u202eb"])
async def test_name_that_no_model_has_is_refused(home: Home, ollama: FakeOllama, name: str) -> None:
    await home.add(f"{ollama.root}/v1")
    with pytest.raises(ApiError):
        await home.models.load("gpu", name)
    with pytest.raises(ApiError):
        home.models.start_pull("gpu", name)
    assert ollama.bodies("/api/pull") == ollama.bodies("/api/generate") == []
