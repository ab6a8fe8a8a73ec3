"""Embeddings of Gemini."""

from typing import Any

from aiohttp import web
import pytest

from tests.support.clouds.asking import before, error_of
from tests.support.clouds.gemini import EMBEDDER, FakeGemini
from zeroconf_ai.protocol.errors import StreamBrokenError
from zeroconf_ai.protocol.request import Kind, Request


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_embeddings_are_sent_in_batches(encoding: str) -> None:
    fake = FakeGemini()
    body = {"model": EMBEDDER, "input": ["text"] * 250, "encoding_format": encoding, "dimensions": 2, "task_type": "CLUSTERING"}
    async with before("gemini", fake) as backend:
        answer = await backend.send(Request.parse(Kind.EMBEDDINGS, body))
        data = (await answer.completion()).data
    assert [len(received.body["requests"]) for received in fake.received] == [100, 100, 50]
    assert fake.last.body["requests"][0] == {
        "model": f"models/{EMBEDDER}",
        "content": {"parts": [{"text": "text"}]},
        "outputDimensionality": 2,
        "taskType": "CLUSTERING",
    }
    assert [item["index"] for item in data["data"]] == list(range(250))
    assert data["data"][0]["embedding"] == ([0.25, -0.5] if encoding == "float" else "AACAPgAAAL8=")
    assert data["usage"]["estimated"] is True


@pytest.mark.parametrize("page", [{"embeddings": [{"values": [0.5]}]}, {}, {"embeddings": [{}, {}]}, {"embeddings": None}])
async def test_embeddings_that_are_missing_are_an_error(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def embed(*_: Any) -> web.Response:
        return web.json_response(page)

    monkeypatch.setattr(FakeGemini, "embed", embed)
    async with before("gemini", FakeGemini()) as backend:
        err = await error_of(backend.send(Request.parse(Kind.EMBEDDINGS, {"model": EMBEDDER, "input": ["a", "b"]})))
    assert isinstance(err, StreamBrokenError)


async def test_embeddings_of_tokens_are_refused() -> None:
    fake = FakeGemini()
    async with before("gemini", fake) as backend:
        err = await error_of(backend.send(Request.parse(Kind.EMBEDDINGS, {"model": EMBEDDER, "input": [1, 2]})))
    assert (err.param, fake.received) == ("input", [])
