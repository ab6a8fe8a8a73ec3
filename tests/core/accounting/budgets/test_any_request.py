"""No request of any dialect makes an upstream bill more than its budget."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.dialects.anthropic.client_request import to_chat as messages_to_chat
from zeroconf_ai.dialects.gemini.client_request import to_chat as contents_to_chat, to_embeddings as contents_to_embeddings
from zeroconf_ai.dialects.ollama.client_request import chat_to_chat, generate_to_chat
from zeroconf_ai.dialects.responses.client_request import to_chat as responses_to_chat
from zeroconf_ai.protocol.errors import InvalidRequestError, QuotaError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.request import Kind, Request

from ....support.engine import complete
from ....support.fakes.billing import CENT, PRICES, Cloud, spending

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
LIMIT = st.integers(1, 3000)
SMALL = st.integers(1, 30)
WORD = st.sampled_from(
    [
        "a",
        " a",
        "and ",
        "word ",
        "\n\n",
        "    ",
        " because",
        "transmission",
        "e\u0301",
        "\u00fc",
        " \u0435\u0441\u043b\u0438",
        "\u4f60\u597d",
        "\u0928\u092e\u0938\u094d",
        "\U0001f600",
    ]
)
"""Tokens of 1 to 12 bytes, in several scripts."""
TOKENS = st.lists(st.integers(0, 200_000), min_size=1, max_size=20)
PART = st.one_of(
    TEXT.map(lambda text: {"type": "text", "text": text}),
    st.just({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}),
    TEXT.map(lambda text: {"type": "file", "file": {"file_data": text}}),
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system"]), "content": TEXT | st.lists(PART, min_size=1, max_size=3)},
        optional={"name": TEXT},
    ),
    min_size=1,
    max_size=3,
)
FUNCTION = TEXT.map(lambda text: {"type": "function", "function": {"name": "f", "description": text}})
HOSTED = st.sampled_from([{"type": "web_search"}, {"type": "code_interpreter"}])
COMMON: dict[str, Any] = {
    "max_tokens": LIMIT,
    "max_completion_tokens": LIMIT,
    "max_output_tokens": LIMIT,
    "num_predict": LIMIT,
    "options": st.fixed_dictionaries({}, optional={"num_predict": st.integers(-2, 3000)}),
    "n": SMALL,
    "best_of": SMALL,
    "stream": st.booleans(),
    "service_tier": st.sampled_from(["auto", "default", "flex", "priority"]),
    "prediction": TEXT.map(lambda text: {"type": "content", "content": text}),
    "surprise": TEXT,
}
CHAT = COMMON | {
    "tools": st.lists(FUNCTION | HOSTED, min_size=1, max_size=3),
    "functions": st.lists(TEXT.map(lambda text: {"name": "f", "description": text}), max_size=2),
    "response_format": TEXT.map(lambda text: {"type": "json_object", "schema": {"description": text}}),
    "reasoning_effort": st.sampled_from(["low", "high"]),
    "reasoning": st.fixed_dictionaries({"max_tokens": LIMIT}),
    "thinking": st.fixed_dictionaries({"type": st.just("enabled"), "budget_tokens": LIMIT}),
    "modalities": st.sampled_from([["text"], ["text", "audio"]]),
    "web_search_options": st.just({"search_context_size": "low"}),
    "plugins": st.just([{"id": "web"}]),
    "audio": st.just({"voice": "alloy"}),
    "models": st.just(["dear/one"]),
    "provider": st.just({"order": ["dear"]}),
}


@dataclass(frozen=True)
class Dialect:
    """What its clients send, and what becomes of it."""

    bodies: st.SearchStrategy[dict[str, Any]]
    parse: Callable[[dict[str, Any]], Request]


def bodies(needed: Mapping[str, Any], optional: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"model": st.just("m"), **needed}, optional=dict(optional))


def parse_chat(body: Mapping[str, Any]) -> Request:
    return Request.parse(Kind.CHAT, body)


PLAIN = st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": TEXT}), min_size=1, max_size=3)
CONTENTS = st.lists(TEXT.map(lambda text: {"parts": [{"text": text}]}), min_size=1, max_size=3)
OLLAMA = {
    "stream": st.booleans(),
    "options": st.fixed_dictionaries({}, optional={"num_predict": st.integers(-2, 3000), "temperature": st.just(0.5)}),
    "think": st.booleans(),
    "images": st.just(["iVBORw0KGgo="]),
}
DIALECTS = {
    "chat": Dialect(bodies({"messages": MESSAGES}, CHAT), parse_chat),
    "completions": Dialect(
        bodies({"prompt": TEXT | TOKENS | st.lists(TEXT, min_size=1) | st.lists(TOKENS, min_size=1)}, COMMON | {"suffix": TEXT}),
        lambda body: Request.parse(Kind.COMPLETION, body),
    ),
    "embeddings": Dialect(
        bodies(
            {"input": TEXT | TOKENS | st.lists(TEXT, min_size=1) | st.lists(TOKENS, min_size=1)},
            {"dimensions": SMALL, "n": SMALL},
        ),
        lambda body: Request.parse(Kind.EMBEDDINGS, body | {"model": "m-embed"}),
    ),
    "responses": Dialect(
        bodies(
            {"input": TEXT},
            {
                "instructions": TEXT,
                "max_output_tokens": LIMIT,
                "stream": st.booleans(),
                "service_tier": st.sampled_from(["auto", "priority"]),
                "reasoning": st.just({"effort": "high"}),
                "tools": st.just([{"type": "function", "name": "f", "parameters": {}}]),
                "max_tool_calls": SMALL,
            },
        ),
        lambda body: parse_chat(responses_to_chat(body)[0]),
    ),
    "messages": Dialect(
        bodies(
            {"messages": PLAIN},
            {
                "max_tokens": LIMIT,
                "system": TEXT,
                "stream": st.booleans(),
                "thinking": st.fixed_dictionaries({"type": st.just("enabled"), "budget_tokens": LIMIT}),
                "tools": st.just([{"name": "f", "input_schema": {}}]),
                "service_tier": st.just("auto"),
            },
        ),
        lambda body: parse_chat(messages_to_chat(body)),
    ),
    "gemini": Dialect(
        bodies(
            {"contents": CONTENTS},
            {
                "generationConfig": st.fixed_dictionaries(
                    {},
                    optional={
                        "maxOutputTokens": LIMIT,
                        "thinkingConfig": st.fixed_dictionaries({"thinkingBudget": LIMIT}),
                        "responseModalities": st.just(["TEXT", "IMAGE"]),
                    },
                ),
                "systemInstruction": TEXT.map(lambda text: {"parts": [{"text": text}]}),
                "tools": st.sampled_from([[{"functionDeclarations": [{"name": "f"}]}], [{"googleSearch": {}}]]),
                "safetySettings": st.just([{"category": "x", "threshold": "y"}]),
                "serviceTier": st.just("priority"),
            },
        ),
        lambda body: parse_chat(contents_to_chat(body, "m", stream=False)),
    ),
    "gemini embeddings": Dialect(
        bodies({"content": TEXT.map(lambda text: {"parts": [{"text": text}]})}, {"outputDimensionality": SMALL, "title": TEXT}),
        lambda body: Request.parse(Kind.EMBEDDINGS, contents_to_embeddings(body, "m-embed", batch=False)),
    ),
    "ollama chat": Dialect(bodies({"messages": PLAIN}, OLLAMA), lambda body: parse_chat(chat_to_chat(body))),
    "ollama generate": Dialect(
        bodies({"prompt": TEXT}, OLLAMA | {"system": TEXT}), lambda body: parse_chat(generate_to_chat(body))
    ),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_budget_any_request_never_overspent(file: Path, name: str) -> None:
    with asyncio.Runner() as runner:
        store = runner.run(AccountingStore.open(file))
        try:
            _check_all(runner, store, name)
        finally:
            runner.run(store.close())


def _check_all(runner: asyncio.Runner, store: AccountingStore, name: str) -> None:
    dialect = DIALECTS[name]

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        requests=st.lists(dialect.bodies, min_size=1, max_size=3),
        amount=st.sampled_from([CENT // 10, CENT, 5 * CENT]),
        tells=st.booleans(),
        obeys=st.booleans(),
        most=st.none() | LIMIT,
        word=WORD,
    )
    def check(requests: list[dict[str, Any]], amount: int, tells: bool, obeys: bool, most: int | None, word: str) -> None:
        cloud = Cloud(tells=tells, obeys=obeys, most=most, word=word)
        if name.endswith("embeddings"):
            cloud.listed = (ModelInfo("m-embed", pricing=PRICES.to_json()),)
        runner.run(_spend_all(store, cloud, amount, [dialect.parse(body) for body in requests]))

    check()


async def _spend_all(store: AccountingStore, cloud: Cloud, amount: int, requests: list[Request]) -> None:
    async with spending(store, cloud, amount=amount) as engine:
        await store.budgets.reset("household:month")
        for request in requests:
            before, left, refused = cloud.billed, amount - store.budgets.state("household:month").spent, None
            try:
                await complete(engine, request)
            except (QuotaError, InvalidRequestError) as err:
                refused = err
            assert cloud.billed == before if refused else before < cloud.billed <= before + left
            # Without reported usage, the recorded cost of earlier prompts is an estimate.
            assert cloud.billed <= amount or not cloud.tells
        state = store.budgets.state("household:month")
        assert state.reserved == 0
        assert state.spent <= amount
