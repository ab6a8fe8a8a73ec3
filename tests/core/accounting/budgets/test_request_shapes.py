"""Whatever shape a request has, its upstream can bill no more than what was set aside for it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, override

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.backends.base import Answer, BackendInfo, StaticAnswer
from zeroconf_ai.dialects.anthropic.client_request import to_chat as messages_to_chat
from zeroconf_ai.dialects.ollama.client_request import chat_to_chat, generate_to_chat
from zeroconf_ai.dialects.responses.client_request import to_chat as responses_to_chat
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol.chunks import Chunk, Delta
from zeroconf_ai.protocol.errors import InvalidRequestError, QuotaError, UpstreamTimeoutError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Cost
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.routing.policy import Policy, Terms
from zeroconf_ai.routing.pricing.billing import Bill

from ....support.fakes.upstream import StubBackend, delta
from ....support.server import served
from ....support.waiting import next_turn, until

CENT = NANO // 100
PRICES = Prices(NANO, 10 * NANO)
"""1,000 nano-units for a token of the prompt, 10,000 for one of the answer: a cent is 1,000 tokens of an answer."""


CALLER = Caller(Source.HTTP)
HI = [{"role": "user", "content": "Hi"}]
SURCHARGED = ("web_search_options", "plugins", "audio", "models", "provider", "preset")
ENDLESS = 30_000
"""Tokens of an answer that nothing limits."""


class Cloud(StubBackend):
    """An upstream that answers and bills as much as a request allows, by its own counts."""

    def __init__(self, *, tells: bool = True, obeys: bool = True, most: int | None = None) -> None:
        """`tells`: report usage; `obeys`: respect the limit of a stream; `most`: the model's limit in the models list."""
        super().__init__("cloud", models=[ModelInfo("m", 200_000, most, pricing=PRICES.to_json())], cost=Cost.METERED)
        self.tells = tells
        self.obeys = obeys
        self.most = most
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
            message = {"role": "assistant", "content": "word " * answer}
            whole = {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
            return StaticAnswer(Chunk.of(whole | usage))
        self.billed += factor * prompt * 1_000 + surcharge * NANO
        return Stream(self, None if not self.obeys else answer, usage)


class Stream(Answer):
    """So many words, or words without an end, each billed when it is said."""

    def __init__(self, cloud: Cloud, words: int | None, usage: Mapping[str, Any]) -> None:
        self.cloud = cloud
        self.words = words
        self.told = usage

    @override
    async def batches(self) -> AsyncIterator[list[Chunk]]:
        for _ in count() if self.words is None else range(self.words):
            self.cloud.billed += 10_000
            yield [Chunk.of(delta("word "))]
        yield [Chunk.of(delta(finish="length"))]
        if self.told:
            yield [Chunk.of({"object": "chat.completion.chunk", "choices": [], **self.told})]

    @override
    async def whole(self) -> Chunk:
        raise AssertionError("a stream has no body")

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
    """The tokens of all texts in a value where each byte is one; of a token, one; of an image, 1,600."""
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


async def use(engine: Engine, request: Request) -> str:
    """What is said, of a stream."""
    async with engine.run(request, CALLER) as reply:
        if not request.stream:
            return reply.body.decode()
        return "".join([Delta.parse(chunk.data).content async for chunk in reply.chunks()])


async def spent(store: AccountingStore) -> int:
    """What is spent, when nothing is set aside any more."""

    async def reconciled() -> bool:
        await store.flush()
        await store.budgets.refresh()
        return not store.budgets.state("household:month").reserved

    await until(reconciled)
    return store.budgets.state("household:month").spent


# The shapes, one by one.

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
    "a hosted tool": ("chat/completions", {"messages": HI, "max_tokens": 1, "tools": [{"type": "web_search"}]}),
    "web search": ("chat/completions", {"messages": HI, "max_tokens": 1, "web_search_options": {"search_context_size": "high"}}),
    "spoken answers": ("chat/completions", {"messages": HI, "max_tokens": 1, "modalities": ["text", "audio"]}),
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


async def test_request_fields_only_priced_ones_are_forwarded(store: AccountingStore) -> None:
    cloud = Cloud()
    async with spending(store, cloud) as engine:
        body = {
            "model": "m", "messages": HI, "max_tokens": 1, "max_completion_tokens": 20, "temperature": 0.5, "top_k": 3,
            "service_tier": "priority", "surprise": {"costs": "a lot"}, "max_output_tokens": 20, "num_predict": 7,
            "options": {"num_predict": 9, "mirostat": 1},
        }  # fmt: skip
        await use(engine, Request.parse(Kind.CHAT, body))
    sent = {key: value for key, value in cloud.sent[0].body.items() if key not in ("model", "messages")}
    assert sent == {"max_completion_tokens": 20, "temperature": 0.5, "top_k": 3, "options": {"mirostat": 1}}


async def test_request_fields_for_a_free_backend_are_all_sent(store: AccountingStore) -> None:
    home = StubBackend("home")
    async with spending(store, home, amount=1) as engine:
        body = {"model": "m", "messages": HI, "surprise": 1, "web_search_options": {}, "n": 2, "plugins": [{"id": "web"}]}
        await use(engine, Request.parse(Kind.CHAT, body))
    assert home.sent[0].body == body


async def test_request_field_without_a_price_uses_free_backends(store: AccountingStore) -> None:
    cloud, home = Cloud(), StubBackend("home", priority=200)
    async with spending(store, cloud, home) as engine:
        await use(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "plugins": [{"id": "web"}], "max_tokens": 1}))
    assert (len(cloud.sent), len(home.sent)) == (0, 1)


# Requests that name no limit.


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("most", "sent"), [(None, None), (300, 300), (50_000, None)])
async def test_budget_request_without_a_limit_gets_a_fitting_one(
    store: AccountingStore, stream: bool, most: int | None, sent: int | None
) -> None:
    cloud = Cloud(most=most)
    async with spending(store, cloud) as engine:
        await use(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "stream": stream}))
        limit = cloud.sent[0].body["max_tokens"]
        assert (limit == sent) if sent else (750 < limit < 1000)
        assert 0 < cloud.billed == await spent(store) <= CENT
        assert store.budgets.state("household:month").reserved == 0
        again = Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "stream": stream})
        found = await asyncio.gather(*(use(engine, again) for _ in range(20)), return_exceptions=True)
        assert not any("max_tokens" in err.message for err in found if isinstance(err, QuotaError))
        assert any(isinstance(err, QuotaError) for err in found)
        assert cloud.billed == await spent(store) <= CENT


async def test_budget_request_limit_is_refused_not_lowered(store: AccountingStore) -> None:
    cloud = Cloud()
    async with spending(store, cloud) as engine:
        with pytest.raises(QuotaError, match="max_tokens below 2000"):
            await use(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "max_tokens": 2000}))
        await use(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "max_tokens": 900}))
    assert [request.body["max_tokens"] for request in cloud.sent] == [900]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fields", [{}, {"max_tokens": 60}, {"n": 3}], ids=str)
async def test_budget_fifty_parallel_requests_of_maximum_length_never_overspent(
    store: AccountingStore, stream: bool, fields: dict[str, Any]
) -> None:
    cloud = Cloud()
    async with spending(store, cloud) as engine:
        request = Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "stream": stream, **fields})
        found = await asyncio.gather(*(use(engine, request) for _ in range(50)), return_exceptions=True)
        assert all(isinstance(one, str | QuotaError) for one in found), found
        assert any(isinstance(one, str) for one in found)
        assert 0 < cloud.billed == await spent(store) <= CENT
        assert store.budgets.state("household:month").reserved == 0


# Upstreams that do not keep the limit.


@pytest.mark.parametrize("fields", [{}, {"max_tokens": 100}], ids=str)
async def test_stream_beyond_its_limit_ends_at_the_reservation(store: AccountingStore, fields: dict[str, Any]) -> None:
    cloud = Cloud(obeys=False)
    async with spending(store, cloud) as engine:
        request = Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "stream": True, **fields})
        async with engine.run(request, CALLER) as reply:
            chunks = [chunk async for chunk in reply.chunks()]
        assert (chunks[-2].finish_reason, reply.failure) == ("length", None)
        assert chunks[-1].data["usage"]["estimated"] is True
        assert 0 < cloud.billed <= await spent(store) + 10_000 <= CENT + 10_000
        assert cloud.billed <= CENT
        assert store.budgets.state("household:month").reserved == 0


async def test_stream_within_its_limit_is_complete(store: AccountingStore) -> None:
    cloud = Cloud()
    async with spending(store, cloud, amount=100 * CENT) as engine:
        said = await use(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "stream": True, "max_tokens": 500}))
    assert said == "word " * 500


async def test_stream_without_a_budget_is_not_inspected(store: AccountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    home = StubBackend("home", [delta("Hello "), *[delta("you ")] * 1000, delta(finish="stop")])
    async with spending(store, home) as engine:
        monkeypatch.setattr(Bill, "_measure", lambda *_: pytest.fail("a chunk was read"))
        said = await use(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "stream": True}))
        assert len(said) == 6 + 4000


async def test_answer_without_stream_is_limited_by_the_reservation(store: AccountingStore) -> None:
    cloud = Cloud()
    async with spending(store, cloud) as engine:
        await use(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "max_tokens": 100}))
    (sent,) = cloud.sent
    assert sent.answer_bytes is not None
    assert 65_536 < sent.answer_bytes < 200_000


# Whoever leaves, and whatever fails on the way.


@pytest.mark.parametrize("fields", [{}, {"max_tokens": 90}], ids=str)
async def test_answers_abandoned_without_stream_are_charged(store: AccountingStore, fields: dict[str, Any]) -> None:
    """The upstream makes and bills them to the end."""
    cloud = Cloud()
    real = cloud.send

    async def send(request: Request) -> Answer:
        answer = await real(request)
        await asyncio.Event().wait()
        return answer

    cloud.send = send  # type: ignore[method-assign]
    async with spending(store, cloud) as engine:
        refused = 0
        for _ in range(20):
            before = len(cloud.sent)
            task = asyncio.create_task(use(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, **fields})))
            await until(lambda before=before, task=task: len(cloud.sent) > before or task.done())  # type: ignore[misc]
            task.cancel()
            (ended,) = await asyncio.gather(task, return_exceptions=True)
            refused += isinstance(ended, QuotaError)
        assert refused
        assert cloud.billed <= await spent(store) + 20 * 100_000
        assert cloud.billed <= CENT


class Late(Cloud):
    """Takes too long, and bills the whole answer all the same."""

    @override
    async def send(self, request: Request) -> Answer:
        await super().send(request)
        raise UpstreamTimeoutError("took the request and said nothing")


def named(cloud: Cloud, name: str, priority: int) -> Cloud:
    cloud.described = BackendInfo(name, name.title(), cost=Cost.METERED, priority=priority)
    return cloud


@pytest.mark.parametrize(("amount", "answered"), [(CENT, False), (3 * CENT, True)])
async def test_budget_failover_after_a_late_answer_stays_within_the_reservation(
    store: AccountingStore, amount: int, answered: bool
) -> None:
    """Both upstreams bill; each one's own budget is charged with its part."""
    late, other = named(Late(), "late", 1), named(Cloud(), "other", 2)
    for backend_id in ("late", "other"):
        await store.budgets.set(Scope.BACKEND, backend_id, NANO, Period.MONTH)
    async with spending(store, late, other, amount=amount) as engine:
        engine.policy = Policy(retry_metered_timeouts=True)
        for member in engine.pool:
            member.terms = Terms(prices={"*": PRICES})
        body = {"model": "m", "messages": HI, "max_tokens": 600, "stream": False}
        found = await asyncio.gather(use(engine, Request.parse(Kind.CHAT, body)), return_exceptions=True)
        assert isinstance(found[0], str) is answered
        assert len(other.sent) == (1 if answered else 0)
        total = await spent(store)
        assert late.billed - 100_000 <= total - other.billed <= late.billed
        assert late.billed + other.billed <= amount
        assert store.budgets.state("backend:other:month").spent == other.billed
        assert store.budgets.state("backend:late:month").spent == total - other.billed


# Any shape.

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
LIMIT = st.integers(1, 3000)
SMALL = st.integers(1, 30)
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


def chat(body: Mapping[str, Any]) -> Request:
    return Request.parse(Kind.CHAT, body)


PLAIN = st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": TEXT}), min_size=1, max_size=3)
OLLAMA = {
    "stream": st.booleans(),
    "options": st.fixed_dictionaries({}, optional={"num_predict": st.integers(-2, 3000), "temperature": st.just(0.5)}),
    "think": st.booleans(),
    "images": st.just(["iVBORw0KGgo="]),
}
DIALECTS = {
    "chat": Dialect(bodies({"messages": MESSAGES}, CHAT), chat),
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
        lambda body: chat(responses_to_chat(body)),
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
        lambda body: chat(messages_to_chat(body)),
    ),
    "ollama chat": Dialect(bodies({"messages": PLAIN}, OLLAMA), lambda body: chat(chat_to_chat(body))),
    "ollama generate": Dialect(bodies({"prompt": TEXT}, OLLAMA | {"system": TEXT}), lambda body: chat(generate_to_chat(body))),
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
    )
    def check(requests: list[dict[str, Any]], amount: int, tells: bool, obeys: bool, most: int | None) -> None:
        cloud = Cloud(tells=tells, obeys=obeys, most=most)
        if name == "embeddings":
            cloud.listed = (ModelInfo("m-embed", pricing=PRICES.to_json()),)
        runner.run(_spend_all(store, cloud, amount, [dialect.parse(body) for body in requests]))

    check()


async def _spend_all(store: AccountingStore, cloud: Cloud, amount: int, requests: list[Request]) -> None:
    async with spending(store, cloud, amount=amount) as engine:
        await store.budgets.reset("household:month")
        for request in requests:
            before, refused = cloud.billed, None
            try:
                await use(engine, request)
            except (QuotaError, InvalidRequestError) as err:
                refused = err
            assert cloud.billed == before if refused else before < cloud.billed <= amount
        state = store.budgets.state("household:month")
        assert state.reserved == 0
        assert state.spent <= amount
