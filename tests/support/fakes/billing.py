"""An upstream that answers and bills as much as a request allows, and an engine with a budget for it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, override

from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.backends.base import Answer, StaticAnswer
from zeroconf_ai.engine import Engine
from zeroconf_ai.protocol.chunks import Chunk
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Cost
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.routing.accounting import Accounting

from ..waiting import next_turn, until
from .chunks import delta
from .upstream import StubBackend

CENT = NANO // 100
PRICES = Prices(NANO, 10 * NANO)
"""1,000 nano-units for a token of the prompt, 10,000 for one of the answer: a cent is 1,000 tokens of an answer."""

HI = [{"role": "user", "content": "Hi"}]
SURCHARGED = ("web_search_options", "plugins", "audio", "models", "provider", "preset")
ENDLESS = 30_000
"""Tokens of an answer that nothing limits."""


class Cloud(StubBackend):
    """An upstream that answers and bills as much as a request allows, by its own counts."""

    def __init__(self, *, tells: bool = True, obeys: bool = True, most: int | None = None, word: str = "word ") -> None:
        """`tells`: report usage; `obeys`: respect the limit of a stream; `most`: the model's limit in the models list.

        `word`: each token of a stream, which has a chunk of its own.
        """
        super().__init__("cloud", models=[ModelInfo("m", 200_000, most, pricing=PRICES.to_json())], cost=Cost.METERED)
        self.tells = tells
        self.obeys = obeys
        self.most = most
        self.word = word
        self.billed = 0

    @override
    async def send(self, request: Request) -> Answer:
        self.sent.append(request)
        await next_turn()
        body = request.body
        prompt, answer = prompt_of(body), 0
        if request.kind is not Kind.EMBEDDINGS:
            each = limit_of(body) or self.most or ENDLESS
            answer = each * answers_of(body) + text_size(body.get("prediction"))
        surcharge = sum(bool(body.get(name)) for name in SURCHARGED)
        surcharge += (body.get("modalities") or ["text"]) != ["text"]
        surcharge += sum(tool.get("type", "function") != "function" for tool in body.get("tools") or ())
        factor = 2 if body.get("service_tier") == "priority" else 1
        used = {"prompt_tokens": prompt, "completion_tokens": answer}
        usage = {"usage": used} if self.tells else {}
        if not request.stream:
            self.billed += factor * (prompt * 1_000 + answer * 10_000) + surcharge * NANO
            if request.kind is Kind.EMBEDDINGS:
                return StaticAnswer(Chunk.of({"object": "list", "data": [{"index": 0, "embedding": [0.0]}]} | usage))
            message = {"role": "assistant", "content": "word " * answer}
            whole = {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
            return StaticAnswer(Chunk.of(whole | usage))
        self.billed += factor * prompt * 1_000 + surcharge * NANO
        return Stream(self, None if not self.obeys else answer, usage)


class Stream(Answer):
    """A stream of this many words, or without an end; each word is billed when it is sent."""

    def __init__(self, cloud: Cloud, words: int | None, usage: Mapping[str, Any]) -> None:
        self.cloud = cloud
        self.words = words
        self.told = usage

    @override
    async def batches(self) -> AsyncIterator[list[Chunk]]:
        for _ in count() if self.words is None else range(self.words):
            self.cloud.billed += 10_000
            yield [Chunk.of(delta(self.cloud.word))]
        yield [Chunk.of(delta(finish="length"))]
        if self.told:
            yield [Chunk.of({"object": "chat.completion.chunk", "choices": [], **self.told})]

    @override
    async def completion(self) -> Chunk:
        raise AssertionError("a stream has no complete body")

    @override
    async def close(self) -> None:
        """Nothing is open."""


def limit_of(body: Mapping[str, Any]) -> int:
    options = body.get("options") or {}
    named = [body.get(name) or 0 for name in ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict")]
    return max(*named, options.get("num_predict") or 0)


def answers_of(body: Mapping[str, Any]) -> int:
    prompt = body.get("prompt")
    prompts = len(prompt) if isinstance(prompt, list) and not isinstance(prompt[0], int) else 1
    return max(body.get("n") or 1, body.get("best_of") or 1) * prompts


def prompt_of(body: Mapping[str, Any]) -> int:
    told = ("messages", "prompt", "suffix", "input", "tools", "functions", "response_format")
    return sum(text_size(body.get(name)) for name in told)


def text_size(value: object) -> int:
    """The tokens of a value: one for each byte of a text, one for a token, 1,600 for an image."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, int) and not isinstance(value, bool):
        return 1
    if isinstance(value, Mapping):
        return 1_600 if value.get("type") == "image_url" else sum(map(text_size, value.values()))
    return sum(map(text_size, value)) if isinstance(value, list) else 0


@asynccontextmanager
async def spending(store: AccountingStore, *clouds: StubBackend, amount: int = CENT) -> AsyncIterator[Engine]:
    """An engine with a household budget."""
    await store.budgets.set(Scope.HOUSEHOLD, None, amount, Period.MONTH)
    engine = Engine()
    await engine.attach(Accounting.of(store))
    for cloud in clouds:
        await engine.checker.check(engine.add(cloud), models=True)
    yield engine
    await engine.close()


async def spent(store: AccountingStore) -> int:
    """The spent amount of the household, after all reservations are reconciled."""

    async def reconciled() -> bool:
        await store.flush()
        await store.budgets.refresh()
        return not store.budgets.state("household:month").reserved

    await until(reconciled)
    return store.budgets.state("household:month").spent
