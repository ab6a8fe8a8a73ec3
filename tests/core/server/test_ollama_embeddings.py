"""Ollama's `/api/embed` and `/api/embeddings` with Ollama's SDK."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ollama
import pytest

from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Capability

from ...support.fakes import upstream
from ...support.fakes.upstream import StubBackend
from ...support.server import Served, served


@asynccontextmanager
async def embedder(**options: Any) -> AsyncIterator[tuple[ollama.AsyncClient, StubBackend, Served]]:
    """Ollama's client of a gateway over a backend with an embedding model."""
    backend = StubBackend("one", models=[ModelInfo("nomic", capabilities=frozenset({Capability.EMBEDDINGS}))])
    async with served(backend, **options) as gateway:
        client = ollama.AsyncClient(host=f"http://127.0.0.1:{gateway.port}")
        try:
            yield client, backend, gateway
        finally:
            await client._client.aclose()


async def test_ollama_embed_and_embeddings_return_vectors() -> None:
    async with embedder() as (client, backend, _):
        several = await client.embed("nomic", ["one"], dimensions=8, keep_alive="5m", truncate=True, options={"num_ctx": 512})
        one = await client.embed("nomic", "one")
        legacy = await client.embeddings("nomic", "one")
        nothing = await client.embed("nomic", [])
        nothing_legacy = await client.embeddings("nomic")
    assert (several.embeddings, one.embeddings, legacy.embedding) == ([[0.5]], [[0.5]], [0.5])
    assert (several.model, several.prompt_eval_count) == ("nomic", 3)
    assert several.total_duration is not None
    assert (nothing.embeddings, nothing_legacy.embedding) == ([], [])
    assert [dict(request.body) for request in backend.sent] == [
        {"model": "nomic", "input": ["one"], "dimensions": 8, "keep_alive": "5m"},
        {"model": "nomic", "input": "one"},
        {"model": "nomic", "input": "one"},
    ]


async def test_ollama_embed_reads_vectors_in_base64_and_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [{"index": 1, "embedding": [1.0]}, {"index": 0, "embedding": "AAAAPw=="}]
    monkeypatch.setattr(upstream, "EMBEDDINGS", {"object": "list", "data": listed})
    async with embedder() as (client, _, _):
        assert (await client.embed("nomic", ["one", "two"])).embeddings == [[0.5], [1.0]]


@pytest.mark.parametrize("vector", [None, "!", "AAAA", ["x"], {}, 7])
async def test_ollama_embed_unreadable_vector_is_the_providers_failure(monkeypatch: pytest.MonkeyPatch, vector: Any) -> None:
    monkeypatch.setattr(upstream, "EMBEDDINGS", {"object": "list", "data": [{"index": 0, "embedding": vector}]})
    async with embedder() as (client, _, _):
        with pytest.raises(ollama.ResponseError, match="cannot be read") as failed:
            await client.embed("nomic", "one")
    assert failed.value.status_code == 502
