"""What each field of a request may cost is reserved, and what has no price is not sent."""

from typing import Any

import pytest

from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.routing.accounting import Accounting

from ....support.engine import complete
from ....support.fakes.billing import CENT, HI, PRICES, Cloud, spending, spent
from ....support.fakes.upstream import StubBackend
from ....support.server import served

SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "a hundred prompts": ("completions", {"prompt": ["Hi"] * 100, "max_tokens": 100}),
    "prompts of tokens": ("completions", {"prompt": [[1, 2]] * 100, "max_tokens": 100}),
    "best of twenty": ("completions", {"prompt": "Hi", "best_of": 20, "max_tokens": 100}),
    "a smaller limit beside": ("chat/completions", {"messages": HI, "max_completion_tokens": 1, "max_tokens": 5000}),
    "a larger limit beside": ("chat/completions", {"messages": HI, "max_completion_tokens": 5000, "max_tokens": 1}),
    "Ollama's limit beside": ("chat/completions", {"messages": HI, "max_tokens": 1, "options": {"num_predict": 5000}}),
    "many answers": ("chat/completions", {"messages": HI, "n": 50, "max_tokens": 100}),
    "best of in a chat": ("chat/completions", {"messages": HI, "best_of": 50, "max_tokens": 100}),
    "a long prediction": (
        "chat/completions",
        {"messages": HI, "max_tokens": 10, "prediction": {"type": "content", "content": "word " * 1000}},
    ),
    "a prompt of rare characters": (
        "chat/completions",
        {"messages": [{"role": "user", "content": "\U0001f9d1\u200d\U0001f680" * 1200}], "max_tokens": 10},
    ),
    "functions": (
        "chat/completions",
        {"messages": HI, "functions": [{"name": "f", "description": "x" * 11_000}], "max_tokens": 1},
    ),
    "a schema": (
        "chat/completions",
        {"messages": HI, "response_format": {"type": "json_object", "description": "x" * 11_000}, "max_tokens": 1},
    ),
    "inputs of tokens": ("embeddings", {"input": [list(range(100))] * 110}),
    "responses": ("responses", {"input": "Hi", "max_output_tokens": 5000}),
    "messages": ("messages", {"messages": HI, "max_tokens": 5000}),
    "Ollama's chat": ("/api/chat", {"messages": HI, "stream": False, "options": {"num_predict": 5000}}),
    "Ollama's generate": ("/api/generate", {"prompt": "Hi", "options": {"num_predict": 5000}}),
    "spoken answers": ("chat/completions", {"messages": HI, "max_tokens": 1, "modalities": ["text", "audio"]}),
    "a stored prompt": (
        "chat/completions",
        {"messages": HI, "max_tokens": 1, "extra_body": {"google": {"cached_content": "cachedContents/1"}}},
    ),
    "other models": ("chat/completions", {"messages": HI, "max_tokens": 1, "models": ["dear/model"]}),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_budget_request_beyond_the_remaining_amount_is_not_sent(store: AccountingStore, shape: str) -> None:
    path, body = SHAPES[shape]
    cloud = Cloud(most=100_000)
    if path == "embeddings":
        cloud.listed = (ModelInfo("embed", pricing=PRICES.to_json()),)
    await store.budgets.set(Scope.HOUSEHOLD, None, CENT, Period.MONTH)
    async with served(cloud) as gateway:
        await gateway.engine.attach(Accounting.of(store))
        model = "embed" if path == "embeddings" else "m"
        status, answer, _ = await gateway.ask("POST", path, json={"model": model, **body})
    assert status in (400, 429), answer
    assert (cloud.sent, cloud.billed) == ([], 0)
    if status == 400:
        assert "budget" in answer["error"]["message"], answer
    assert await spent(store) == 0


async def test_request_hosted_tool_under_a_budget_is_not_sent(store: AccountingStore) -> None:
    cloud = Cloud()
    await store.budgets.set(Scope.HOUSEHOLD, None, 100 * CENT, Period.MONTH)
    async with served(cloud) as gateway:
        await gateway.engine.attach(Accounting.of(store))
        body = {"model": "m", "messages": HI, "max_tokens": 1, "tools": [{"type": "web_search"}]}
        status, answer, _ = await gateway.ask("POST", "chat/completions", json=body)
    assert (status, answer["dropped_tools"]) == (200, ["web_search"])
    assert "tools" not in cloud.sent[0].body


async def test_request_fields_only_priced_ones_are_forwarded(store: AccountingStore) -> None:
    cloud = Cloud()
    async with spending(store, cloud) as engine:
        body = {
            "model": "m", "messages": HI, "max_tokens": 1, "max_completion_tokens": 20, "temperature": 0.5, "top_k": 3,
            "service_tier": "priority", "surprise": {"costs": "a lot"}, "max_output_tokens": 20, "num_predict": 7,
            "options": {"num_predict": 9, "mirostat": 1},
            "extra_body": {"google": {"safety_settings": [], "image_config": {}, "x": 1}, "surprise": 1},
        }  # fmt: skip
        await complete(engine, Request.parse(Kind.CHAT, body))
    sent = {key: value for key, value in cloud.sent[0].body.items() if key not in ("model", "messages")}
    google: dict[str, Any] = {"google": {"safetySettings": []}}
    assert sent == {
        "max_completion_tokens": 20,
        "temperature": 0.5,
        "top_k": 3,
        "options": {"mirostat": 1},
        "extra_body": google,
    }


async def test_request_fields_for_a_free_backend_are_all_sent(store: AccountingStore) -> None:
    home = StubBackend("home")
    async with spending(store, home, amount=1) as engine:
        body = {"model": "m", "messages": HI, "surprise": 1, "web_search_options": {}, "n": 2, "plugins": [{"id": "web"}]}
        await complete(engine, Request.parse(Kind.CHAT, body))
    assert home.sent[0].body == body


async def test_request_field_without_a_price_uses_free_backends(store: AccountingStore) -> None:
    cloud, home = Cloud(), StubBackend("home", priority=200)
    async with spending(store, cloud, home) as engine:
        await complete(
            engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "plugins": [{"id": "web"}], "max_tokens": 1})
        )
    assert (len(cloud.sent), len(home.sent)) == (0, 1)
