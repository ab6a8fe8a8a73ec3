"""Embeddings of a real model: all-MiniLM-L6-v2 in llama.cpp's server."""

from base64 import b64decode
from collections.abc import Sequence
import math
import struct
from typing import Any

import aiohttp
from openai import AsyncOpenAI
import pytest

from tests.e2e.conftest import StartProvider

from .conftest import StartGateway, StartLlama
from .servers import KEY, MINILM, Gateway, LlamaServer, provider

MODEL = "house-index"
"""Its alias, which does not say that it is for embeddings."""
WIDTH = 384
CAT, KITTEN = "The cat sits on the mat.", "A kitten is lying on a rug."
STOCKS, SHARES = "The stock market fell sharply today.", "Shares lost value on the exchange."


@pytest.fixture
async def llama(start_llama: StartLlama) -> LlamaServer:
    return await start_llama("gpu", "--embeddings", model=MINILM, alias=MODEL)


def likeness(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of the angle between two vectors."""
    return math.sumprod(one, other) / math.hypot(*one) / math.hypot(*other)


async def embed(gateway: Gateway, given: Any, **options: Any) -> list[Any]:
    answered = await gateway.ask({"model": MODEL, "input": given, **options}, "/embeddings")
    assert answered.status == 200, answered.body
    assert answered.headers["X-ZeroconfAI-Model"] == MODEL
    assert [entry["index"] for entry in answered.body["data"]] == list(range(len(answered.body["data"])))
    return [entry["embedding"] for entry in answered.body["data"]]


async def test_embeddings_of_similar_texts_are_near(llama: LlamaServer, start_gateway: StartGateway) -> None:
    gateway = await start_gateway(sources=("--upstream", f"llamacpp={llama.url}"))
    async with AsyncOpenAI(base_url=gateway.url, api_key=KEY, max_retries=0) as client:  # the SDK requests base64
        answer = await client.embeddings.create(model=MODEL, input=[CAT, KITTEN, STOCKS, SHARES])
    cat, kitten, stocks, shares = (entry.embedding for entry in answer.data)
    assert len(cat) == WIDTH
    assert answer.usage.prompt_tokens > 20
    near = min(likeness(cat, kitten), likeness(stocks, shares))
    far = max(likeness(one, other) for one in (cat, kitten) for other in (stocks, shares))
    assert near > 0.4
    assert far < 0.2


async def test_embeddings_as_floats_as_base64_and_of_tokens_are_equal(llama: LlamaServer, start_gateway: StartGateway) -> None:
    gateway = await start_gateway(provider(llama))
    (floats,) = await embed(gateway, CAT, encoding_format="float")
    (packed,) = await embed(gateway, [CAT], encoding_format="base64")
    assert struct.unpack(f"<{WIDTH}f", b64decode(packed)) == pytest.approx(floats, abs=1e-6)

    question = {"content": CAT, "add_special": True}
    async with aiohttp.ClientSession() as session, session.post(f"{llama.url}/tokenize", json=question) as response:
        tokens = (await response.json())["tokens"]
    ((of_tokens,), (of_list,)) = await embed(gateway, tokens), await embed(gateway, [tokens])
    assert likeness(of_tokens, floats) > 0.999
    assert of_list == pytest.approx(of_tokens, abs=1e-6)


async def test_failover_uses_the_same_model_only(
    llama: LlamaServer, start_llama: StartLlama, start_gateway: StartGateway, start_provider: StartProvider
) -> None:
    demo = await start_provider("pi")
    spare = await start_llama("attic", "--embeddings", model=MINILM, alias=MODEL)
    other = {"id": "demo", "type": "zeroconfai", "endpoint": demo.base_url}
    gateway = await start_gateway(provider(llama, priority=1), other, provider(spare, "attic", priority=200))
    assert {MODEL, "demo-embed"} <= (await gateway.models()).keys()
    (before,) = await embed(gateway, CAT)

    llama.process.kill()
    (after,) = await embed(gateway, CAT)
    assert likeness(before, after) > 0.999

    spare.process.kill()
    refused = await gateway.ask({"model": MODEL, "input": CAT}, "/embeddings")
    assert refused.status in (502, 503)
    assert MODEL in refused.body["error"]["message"] or "attic" in refused.body["error"]["message"]
    assert (await gateway.ask({"model": "demo-embed", "input": CAT}, "/embeddings")).status == 200
