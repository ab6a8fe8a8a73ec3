"""A provider whose list of models is empty serves no model; one without a list may serve any."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from zeroconf_ai.backends.base import BackendInfo, Endpoint
from zeroconf_ai.backends.catalogue import BackendOverrides, Catalogue
from zeroconf_ai.backends.zeroconfai import ZeroconfAIBackend

from ...support.clouds.asking import before
from ...support.clouds.server import engine
from ...support.fakes.upstream import COMPLETION, StubBackend, Upstream, answers
from ...support.server import CHAT, served

JSON, MODEL = "application/json", "test-model"
EMPTY = [
    {"object": "list", "data": None},
    {"object": "list", "data": []},
    {"object": "list"},
    {"object": "list", "data": [{"object": "model"}, None, ""]},
    {"object": "list", "data": {}},
    {"object": "list", "models": None},
]
TYPES = ("openai", "openai_compatible", "vllm", "llamacpp", "litellm", "lmstudio", "openrouter", "anthropic", "ollama")
LISTS = ("v1__models", "api__v0__models", "api__tags", "v1__api__tags")
PROBES = ("health", "health__liveliness", "v1__key", "api__version", "v1__api__version", "api__ps", "v1__api__ps")


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """For the backends."""
    async with aiohttp.ClientSession() as session:
        yield session


async def asked(*backends: Any, model: str = MODEL) -> tuple[int, Any]:
    """Status and body of a chat with a model."""
    async with served(*backends) as gateway:
        status, body, _ = await gateway.ask("POST", "chat/completions", json=CHAT | {"model": model})
    return status, body


@pytest.mark.parametrize("listed", EMPTY, ids=str)
@pytest.mark.parametrize("name", TYPES)
async def test_empty_list_of_models_means_that_none_is_served(name: str, listed: Any) -> None:
    paths = dict.fromkeys(LISTS, (200, JSON, listed)) | dict.fromkeys(PROBES, (200, JSON, {"version": "1"}))
    fake = engine(**paths, v1__chat__completions=(200, JSON, COMPLETION))
    async with before(name, fake) as backend:
        status, body = await asked(backend)
        assert (status, body["error"]["code"]) == (404, "model_not_found")
        status, body = await asked(backend, StubBackend("good", models=[MODEL]))
        assert status == 200
    assert not [received for received in fake.received if received.method == "POST"]


@pytest.mark.parametrize("listed", EMPTY, ids=str)
async def test_empty_list_of_a_provider_on_the_network_means_that_none_is_served(
    session: aiohttp.ClientSession, listed: Any
) -> None:
    async with Upstream().on("/models", answers(listed)).on("/chat/completions", answers(COMPLETION)) as upstream:
        backend = ZeroconfAIBackend(session, BackendInfo("attic", "Attic"), Endpoint(upstream.base_url))
        status, body = await asked(backend)
        assert (status, body["error"]["code"]) == (404, "model_not_found")
        status, body = await asked(backend, model="auto")
        assert status in (400, 503)
        assert "Attic: lists no models" in str(body)
    assert upstream.bodies() == []


async def test_provider_on_the_network_without_a_list_may_serve_any_model(session: aiohttp.ClientSession) -> None:
    health = answers({"status": "ok"})
    async with Upstream().on("/health", health).on("/chat/completions", answers(COMPLETION)) as upstream:
        backend = ZeroconfAIBackend(session, BackendInfo("attic", "Attic"), Endpoint(upstream.base_url))
        assert (await asked(backend))[0] == 200


@pytest.mark.parametrize("listed", EMPTY, ids=str)
async def test_models_that_the_owner_configured_are_served_despite_an_empty_list(listed: Any) -> None:
    fake = engine(v1__models=(200, JSON, listed), v1__chat__completions=(200, JSON, COMPLETION))
    async with before("openai_compatible", fake) as inner:
        backend = Catalogue(inner, BackendOverrides(100, allowed=(MODEL,)))
        assert (await asked(backend))[0] == 200
        assert (await asked(backend, model="another"))[0] == 404
