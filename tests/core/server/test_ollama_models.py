"""Ollama's lists of models, and what it does with models that the gateway does not manage, with Ollama's SDK."""

from datetime import UTC, datetime

import ollama
import pytest

from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Capability

from ...support.fakes.upstream import StubBackend
from ...support.server import served
from .test_ollama_native import asked


async def test_ollama_models_equal_the_models_list() -> None:
    async with asked(context_window=8192, capabilities=frozenset({Capability.COMPLETION, Capability.TOOLS})) as (
        client,
        _,
        gateway,
    ):
        listed = await client.list()
        _, models, _ = await gateway.get("models")
        shown = await client.show("test-model")
    assert [model.model for model in listed.models] == [model["id"] for model in models["data"]]
    assert all(model.digest and model.modified_at for model in listed.models)
    assert shown.capabilities == ["completion", "tools"]
    assert shown.modelinfo is not None
    architecture = shown.modelinfo["general.architecture"]
    assert shown.modelinfo[f"{architecture}.context_length"] == 8192


async def test_ollama_running_models_are_the_loaded_ones() -> None:
    models = [ModelInfo("warm", context_window=8192, warm=True), ModelInfo("cold", warm=False), ModelInfo("unknown")]
    async with served(StubBackend("one", models=models)) as gateway:
        client = ollama.AsyncClient(host=f"http://127.0.0.1:{gateway.port}")
        (loaded,) = (await client.ps()).models
        await client._client.aclose()
    assert (loaded.name, loaded.model, loaded.context_length) == ("warm", "warm", 8192)
    assert loaded.expires_at is not None
    assert loaded.expires_at > datetime.now(UTC)
    assert loaded.digest
    assert loaded.details is not None


@pytest.mark.parametrize("name", ["test-model", "test-model:latest", "one/test-model", "TEST-model", "fast"])
async def test_ollama_pull_of_a_served_model_succeeds(name: str) -> None:
    async with asked() as (client, _, gateway):
        assert (await client.pull(name)).status == "success"
        assert [step.status async for step in await client.pull(name, stream=True)] == ["pulling manifest", "success"]
        status, body, _ = await gateway.ask("POST", "/api/pull", json={"name": name, "stream": False})
    assert (status, body) == (200, {"status": "success"})


async def test_ollama_pull_of_another_model_is_an_error() -> None:
    async with asked() as (client, _, _):
        for pulling in (client.pull("other"), consume(client)):
            with pytest.raises(ollama.ResponseError, match=r"not known here.*cannot download") as failed:
                await pulling
            assert failed.value.status_code == 404


async def consume(client: ollama.AsyncClient) -> None:
    async for _ in await client.pull("other", stream=True):
        pass


async def test_ollama_management_of_models_is_refused_clearly() -> None:
    async with asked() as (client, _, gateway):
        tries = {
            "create models": client.create("x", from_="test-model"),
            "copy models": client.copy("test-model", "x"),
            "delete models": client.delete("test-model"),
            "upload models": client.push("test-model"),
        }
        for verb, attempt in tries.items():
            with pytest.raises(ollama.ResponseError, match=f"cannot {verb}"):
                await attempt
        for method in ("HEAD", "POST"):
            status, _, _ = await gateway.ask(method, "/api/blobs/sha256:00")
            assert status == 404
        for path in ("/api", "/api/", "/api/me", "/api/web_search", "/api/chat/x"):
            status, body, _ = await gateway.ask("POST", path, json={})
            assert (status, list(body), path in body["error"]) == (404, ["error"], True)
