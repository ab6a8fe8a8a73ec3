"""One rule for the names of models: every spelling of a name means the same model on every path, also for a key's models."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.fakes.upstream import StubBackend
from tests.support.server import Served, served
from zeroconf_ai.backends.base import BackendInfo
from zeroconf_ai.protocol.errors import UpstreamError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Capability
from zeroconf_ai.routing.policy import ModelAlias, Policy

from .test_models import Scoped

HELLO = [{"role": "user", "content": "Hello"}]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": HELLO},
    "/v1/completions": {"prompt": "Hello"},
    "/v1/responses": {"input": "Hello"},
    "/v1/messages": {"messages": HELLO, "max_tokens": 5},
    "/api/chat": {"messages": HELLO, "stream": False},
    "/api/generate": {"prompt": "Hello", "stream": False},
    "/v1beta/models/{model}:generateContent": {"contents": [{"parts": [{"text": "Hello"}]}]},
}
EMBEDDING: dict[str, dict[str, Any]] = {
    "/v1/embeddings": {"input": "Hello"},
    "/api/embed": {"input": "Hello"},
    "/api/embeddings": {"prompt": "Hello"},
    "/v1beta/models/{model}:embedContent": {"content": {"parts": [{"text": "Hello"}]}},
}
CHAT = frozenset({Capability.COMPLETION})
EMBED = frozenset({Capability.EMBEDDINGS})
NAMES: dict[str, tuple[str, str]] = {
    "llama3.2": ("gpu", "llama3.2:latest"),
    "llama3.2:latest": ("gpu", "llama3.2:latest"),
    "LLaMA3.2": ("gpu", "llama3.2:latest"),
    " llama3.2 ": ("gpu", "llama3.2:latest"),
    "gpu/llama3.2": ("gpu", "llama3.2:latest"),
    "GPU/Llama3.2:LATEST": ("gpu", "llama3.2:latest"),
    "gpu%2Fllama3.2": ("gpu", "llama3.2:latest"),
    "gpu": ("gpu", "llama3.2:latest"),
    "Gpu": ("gpu", "llama3.2:latest"),
    "gpu:latest": ("gpu", "llama3.2:latest"),
    "gpu/": ("gpu", "llama3.2:latest"),
    "gpu/auto": ("gpu", "llama3.2:latest"),
    "hf.co/a/b:Q4": ("gpu", "hf.co/a/b:Q4"),
    "HF.co/A/B:q4": ("gpu", "hf.co/a/b:Q4"),
    "hf.co%2Fa%2Fb%3AQ4": ("gpu", "hf.co/a/b:Q4"),
    "gpu/hf.co/a/b:Q4": ("gpu", "hf.co/a/b:Q4"),
    "living room": ("living room", "phi-4"),
    "Living Room/phi-4": ("living room", "phi-4"),
    "living%20room/phi-4": ("living room", "phi-4"),
    "living room/phi-4:latest": ("living room", "phi-4"),
    "zeroconf-ai/phi-4": ("living room", "phi-4"),
    "shelf/nas": ("shelf/nas", "gemma"),
    "shelf/nas/gemma": ("shelf/nas", "gemma"),
    "shelf%2Fnas/gemma:latest": ("shelf/nas", "gemma"),
    "smart": ("living room", "phi-4"),
    "SMART:latest": ("living room", "phi-4"),
    "zeroconf-ai/smart": ("living room", "phi-4"),
}
"""Requested name → the backend that answers, and its model."""
ALIASES = {"smart": ModelAlias(("Living room/PHI-4",))}


async def ask(gateway: Served, path: str, model: str, body: dict[str, Any]) -> tuple[int, Any, Any]:
    """Status, body and headers of an answer. The model is in the path or in the body."""
    return await gateway.ask("POST", path.format(model=quote(model, safe="")), json={"model": model, **body})


@asynccontextmanager
async def house(*patterns: str, **options: Any) -> AsyncIterator[Served]:
    """A gateway with three providers, whose names have a space and a slash, for a key that may use these models."""
    backends = (
        StubBackend("gpu", models=["llama3.2:latest", "hf.co/a/b:Q4", ModelInfo("nomic", capabilities=EMBED)]),
        StubBackend("living room", models=["phi-4"]),
        StubBackend("shelf/nas", models=["gemma"]),
    )
    async with served(*backends, access=Scoped(*patterns), **options) as gateway:
        gateway.engine.policy = Policy(virtual_models=ALIASES)
        yield gateway


def answered(gateway: Served) -> list[tuple[str, str]]:
    """(backend, model) of each request that was answered."""
    backends = (member.backend for member in gateway.engine.pool)
    return [(stub.info.id, request.model) for stub in backends if isinstance(stub, StubBackend) for request in stub.sent]


@pytest.mark.parametrize("path", BODIES)
async def test_name_in_any_spelling_means_the_same_model_in_every_dialect(path: str) -> None:
    for name, expected in NAMES.items():
        async with house() as gateway:
            status, body, _ = await ask(gateway, path, name, BODIES[path])
            assert (name, status, answered(gateway)) == (name, 200, [expected]), body


@pytest.mark.parametrize("path", EMBEDDING)
async def test_embedding_model_has_the_same_names(path: str) -> None:
    for name in ("nomic", "NOMIC:latest", "gpu/nomic", "gpu%2Fnomic", "gpu"):
        async with house() as gateway:
            status, answer, _ = await ask(gateway, path, name, EMBEDDING[path])
            assert (name, status, answered(gateway)) == (name, 200, [("gpu", "nomic")]), answer


async def test_models_list_entry_has_every_name_that_a_request_may_use() -> None:
    async with house() as gateway:
        for name, (_, model) in NAMES.items():
            status, body, _ = await gateway.get(f"models/{quote(name)}")
            assert (name, status, body.get("id")) == (name, 200, "smart" if "smart" in name.lower() else model)
            status, body, _ = await gateway.ask("POST", "/api/show", json={"model": name})
            assert (name, status) == (name, 200), body
        assert (await gateway.get("models/gpu/nomic"))[1]["provider"] == "Gpu"
        assert (await gateway.get("models/gpu%252Fllama3.2"))[1]["id"] == "llama3.2:latest"
        assert (await gateway.get("models/gpu/gemma"))[0] == 404


@pytest.mark.parametrize(
    "pattern", ["llama3.2", "LLAMA3.2:latest", "llama3.2:latest", "Llama*", "gpu/llama*", "GPU/llama3.2", "Gpu/*:latest"]
)
async def test_key_models_mean_the_same_names(pattern: str) -> None:
    async with house(pattern) as gateway:
        for name in ("llama3.2", "LLAMA3.2", "gpu/llama3.2", "gpu"):
            status, body, _ = await gateway.ask("POST", "/v1/chat/completions", json={"model": name, "messages": HELLO})
            assert (name, status) == (name, 200), body
            assert (await gateway.get(f"models/{name}"))[1]["id"] == "llama3.2:latest"
        for name in ("phi-4", "PHI-4", "living room/phi-4", "living%20room/phi-4", "living room", "smart", "hf.co/a/b:Q4"):
            status, body, _ = await gateway.ask("POST", "/v1/chat/completions", json={"model": name, "messages": HELLO})
            assert (name, status, body["error"]["code"]) == (name, 403, "model_not_allowed")
            assert (await gateway.get(f"models/{quote(name)}"))[0] == 404
        assert {backend for backend, _ in answered(gateway)} == {"gpu"}


@pytest.mark.parametrize("pattern", ["smart", "Smart:latest"])
async def test_key_with_an_alias_may_use_it_in_every_spelling(pattern: str) -> None:
    async with house(pattern) as gateway:
        for name in ("smart", "SMART", "smart:latest", "zeroconf-ai/smart"):
            status, body, _ = await gateway.ask("POST", "/v1/chat/completions", json={"model": name, "messages": HELLO})
            assert (name, status) == (name, 200), body
            assert (await gateway.get(f"models/{name}"))[1]["id"] == "smart"
        assert (await gateway.ask("POST", "/v1/chat/completions", json={"model": "phi-4", "messages": HELLO}))[0] == 403


@pytest.mark.parametrize("name", ["/" * 2_000_000, "x" * 2_000_000, "%2F" * 700_000], ids=["slashes", "letters", "encoded"])
async def test_name_beyond_the_limit_is_neither_compared_nor_repeated(name: str) -> None:
    async with house() as gateway:
        for path, body in {"/api/show": {}, "/api/pull": {}, "/api/generate": {}, "/api/embed": {}, **BODIES}.items():
            status, answer, _ = await gateway.ask("POST", path, json={"model": name, **body})
            assert (path, status) in ((path, 404), (path, 400))
            assert len(message_of(answer)) < 200
        status, answer, _ = await gateway.get(f"models/{quote(name[:2000])}")
        assert (status, len(message_of(answer)) < 200) == (404, True)


@pytest.mark.parametrize("name", ["zeroconf-ai", "Zeroconf-AI:latest", "zeroconf-ai/", "zeroconf-ai/auto"])
async def test_name_of_the_gateway_alone_means_any_model(name: str) -> None:
    async with house() as gateway:
        status, _, _ = await gateway.ask("POST", "/v1/chat/completions", json={"model": name, "messages": HELLO})
        assert (status, len(answered(gateway))) == (200, 1)
        assert (await gateway.get(f"models/{quote(name)}"))[1]["id"] == "auto"


async def test_exact_name_precedes_an_equivalent_one() -> None:
    lower, upper = StubBackend("a", models=["m", "gpu"]), StubBackend("gpu", models=["M", "auto-M", "Smart"])
    async with served(lower, upper) as gateway:
        gateway.engine.policy = Policy(virtual_models=ALIASES)
        for name, expected in {"gpu": ("a", "gpu"), "gpu/m": ("gpu", "M"), "Smart": ("gpu", "Smart")}.items():
            status, _, headers = await gateway.ask("POST", "/v1/chat/completions", json={"model": name, "messages": HELLO})
            found = headers["X-ZeroconfAI-Provider"].lower(), headers["X-ZeroconfAI-Model"]
            assert (name, status, found) == (name, 200, expected)


async def test_providers_of_one_name_answer_for_each_other() -> None:
    first, second = StubBackend("one", models=["m", "n"]), StubBackend("two", models=["m"])
    second.described = BackendInfo("two", "One")
    async with served(second, first) as gateway:
        assert (await gateway.ask("POST", "/v1/chat/completions", json={"model": "One/n", "messages": HELLO}))[0] == 200
    assert (len(first.sent), len(second.sent)) == (1, 0)


VISION = frozenset({Capability.COMPLETION, Capability.VISION})
PATHS = BODIES | EMBEDDING


def message_of(body: Any) -> str:
    error = body["error"]
    return str(error if isinstance(error, str) else error["message"])


@pytest.mark.parametrize("path", PATHS)
async def test_unknown_model_names_near_ones_with_their_capabilities(path: str) -> None:
    models = [ModelInfo("qwen3:8b", capabilities=VISION), *(ModelInfo(f"qwen{number}") for number in range(40))]
    async with served(StubBackend("a", models=models)) as gateway:
        status, answer, _ = await ask(gateway, path, "qwen3:8", PATHS[path])
    assert status == 404
    assert "qwen3:8b (completion, vision)" in message_of(answer)
    assert len(message_of(answer)) < 300


async def test_unknown_model_without_similar_names_lists_models_that_can_do_the_same() -> None:
    models = [ModelInfo("alpha", capabilities=CHAT), ModelInfo("omega", capabilities=EMBED)]
    async with served(StubBackend("a", models=models)) as gateway:
        _, chat, _ = await gateway.ask("POST", "/v1/chat/completions", json={"model": "zzzz-9000", "messages": HELLO})
        _, embedding, _ = await gateway.ask("POST", "/v1/embeddings", json={"model": "zzzz-9000", "input": "Hello"})
    assert message_of(chat).endswith("Near: alpha (completion).")
    assert message_of(embedding).endswith("Near: omega (embeddings).")


@pytest.mark.parametrize("path", BODIES)
async def test_failure_of_all_providers_names_equivalent_models(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroconf_ai.routing.execution.router.RETRY_SECONDS", 0.0)
    broken = StubBackend("a", UpstreamError("it failed"), models=["m", "n"])
    other = StubBackend("b", models=[ModelInfo("seer", capabilities=VISION), ModelInfo("nomic", capabilities=EMBED), "secret"])
    async with served(broken, other, access=Scoped("m", "seer", "nomic")) as gateway:
        status, answer, _ = await ask(gateway, path, "m", BODIES[path])
    assert status == 502
    assert message_of(answer).endswith("Models of other providers for this: seer (completion, vision).")
