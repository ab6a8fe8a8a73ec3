"""Whoever goes away, and whenever: the upstream is let go, the places are free, and what was used is on record."""

import asyncio
from collections.abc import AsyncIterator
from typing import override

import aiohttp
import pytest

from tests.support.engine import complete
from tests.support.fakes.chunks import delta
from tests.support.fakes.recorder import MemoryRecorder
from tests.support.fakes.upstream import (
    COMPLETION,
    ROLE,
    STOP,
    USAGE,
    StubAnswer,
    StubBackend,
    Upstream,
    answers,
    chat,
    stalls,
    streams,
)
from tests.support.waiting import AT_ONCE, cancel, run_pending_tasks, until
from zeroconf_ai.accounting.usage.generation import Outcome
from zeroconf_ai.backends.base import Answer, BackendInfo, Endpoint
from zeroconf_ai.backends.zeroconfai import ZeroconfAIBackend
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol.errors import StreamBrokenError, UnavailableError
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.routing.pool.member import Member

CALLER = Caller(Source.HTTP, "test", key_id="k1")
CHAT = "/chat/completions"
SAID = "twelve chars"
"""Three tokens by the rule of thumb."""


@pytest.fixture
def recorder() -> MemoryRecorder:
    return MemoryRecorder()


@pytest.fixture
async def engine(recorder: MemoryRecorder) -> AsyncIterator[Engine]:
    engine = Engine(own_id="this-gateway")
    await engine.attach(Accounting(recorder=recorder))
    yield engine
    await engine.close()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as upstream:
        upstream.on("/health", answers({"status": "ok"})).on("/models", answers({"data": [{"id": "m"}]}))
        yield upstream


@pytest.fixture
async def member(engine: Engine, upstream: Upstream) -> AsyncIterator[Member]:
    async with aiohttp.ClientSession() as session:
        member = engine.add(ZeroconfAIBackend(session, BackendInfo("attic", "Attic"), Endpoint(upstream.base_url)))
        await engine.checker.check(member)
        yield member


def at_rest(engine: Engine, member: Member) -> bool:
    slots = (engine.limiter, member.limiter)
    return member.active == 0 and all((place.active, place.waiting) == (0, 0) for place in slots)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("where", ["the engine", "the backend"])
async def test_cancelled_in_the_queue_is_recorded(
    engine: Engine, member: Member, upstream: Upstream, recorder: MemoryRecorder, where: str, stream: bool
) -> None:
    upstream.on(CHAT, answers(COMPLETION))
    slots = engine.limiter if where == "the engine" else member.limiter
    slots.limit = 1
    place = await slots.acquire()
    task = asyncio.create_task(complete(engine, chat(stream=stream), CALLER))
    await until(lambda: slots.waiting == 1)
    await cancel(task)
    place.release()
    assert at_rest(engine, member)
    assert upstream.bodies() == []
    (entry,) = recorder.entries
    assert (entry.outcome, entry.usage, entry.estimated) == (Outcome.CANCELLED, Usage(), False)


@pytest.mark.parametrize("stream", [True, False])
async def test_cancelled_before_the_first_byte_is_recorded(
    engine: Engine, member: Member, upstream: Upstream, recorder: MemoryRecorder, stream: bool
) -> None:
    upstream.on(CHAT, stalls)
    engine.limiter.limit = member.limiter.limit = 1
    task = asyncio.create_task(complete(engine, chat(stream=stream), CALLER))
    await until(lambda: len(upstream.bodies()) == 1)
    await cancel(task)
    assert at_rest(engine, member)
    await asyncio.wait_for(upstream.received[-1].over.wait(), AT_ONCE)
    assert upstream.received[-1].cut
    assert [entry.outcome for entry in recorder.entries] == [Outcome.CANCELLED]


async def test_cancelled_during_a_stream_is_recorded(
    engine: Engine, member: Member, upstream: Upstream, recorder: MemoryRecorder
) -> None:
    upstream.on(CHAT, streams(ROLE, delta(SAID), delta(SAID), then="stall"))
    heard: list[object] = []

    async def listen() -> None:
        async with engine.run(chat(stream=True), CALLER) as reply:
            async for chunk in reply.chunks():
                heard.append(chunk)  # noqa: PERF401 - what came before the end counts

    task = asyncio.create_task(listen())
    await until(lambda: len(heard) == 3)
    await cancel(task)
    assert at_rest(engine, member)
    await asyncio.wait_for(upstream.received[-1].over.wait(), AT_ONCE)
    assert upstream.received[-1].cut
    (entry,) = recorder.entries
    prompt = chat().estimated_prompt_tokens
    assert (entry.outcome, entry.usage, entry.estimated) == (Outcome.CANCELLED, Usage(prompt, 6), True)
    assert (entry.backend_id, entry.model, entry.key_id) == ("attic", "m", "k1")
    assert entry.first_token is not None
    assert member.breaker.failures == 0


async def test_cancelled_during_an_answer_is_recorded(
    engine: Engine, member: Member, upstream: Upstream, recorder: MemoryRecorder
) -> None:
    upstream.on(CHAT, streams(b'{"choices": [', then="stall", kind="application/json"))
    task = asyncio.create_task(complete(engine, chat(), CALLER))
    await until(lambda: len(upstream.bodies()) == 1)
    await run_pending_tasks(50)
    await cancel(task)
    assert at_rest(engine, member)
    await asyncio.wait_for(upstream.received[-1].over.wait(), AT_ONCE)
    assert upstream.received[-1].cut
    assert [entry.outcome for entry in recorder.entries] == [Outcome.CANCELLED]


# What was used.


async def test_engine_interrupted_stream_is_counted_by_its_text(engine: Engine, recorder: MemoryRecorder) -> None:
    backend = StubBackend("a", [ROLE, *[delta(SAID)] * 9, StreamBrokenError("cut")])
    engine.add(backend)
    with pytest.raises(StreamBrokenError):
        await complete(engine, chat(stream=True), CALLER)
    (entry,) = recorder.entries
    assert (entry.outcome, entry.error_code, entry.estimated) == (Outcome.ERROR, "provider_error", True)
    assert entry.usage.completion_tokens == 27


async def test_engine_long_stream_without_usage_is_estimated_from_its_beginning(engine: Engine, recorder: MemoryRecorder) -> None:
    engine.add(StubBackend("a", [*[delta(SAID)] * 1000, STOP]))
    await complete(engine, chat(stream=True), CALLER)
    (entry,) = recorder.entries
    assert (entry.outcome, entry.estimated) == (Outcome.OK, True)
    assert entry.usage.completion_tokens == pytest.approx(3000, rel=0.01)


async def test_engine_estimate_includes_tool_calls_and_reasoning(engine: Engine, recorder: MemoryRecorder) -> None:
    call = {"index": 0, "id": "c", "function": {"name": "look", "arguments": '{"a": 12}'}}
    engine.add(StubBackend("a", [delta(reasoning_content=SAID), delta(tool_calls=[call]), STOP]))
    await complete(engine, chat(stream=True), CALLER)
    assert recorder.entries[0].usage.completion_tokens == round((12 + 4 + 9) / 4)


async def test_engine_reported_usage_is_not_estimated(engine: Engine, recorder: MemoryRecorder) -> None:
    engine.add(StubBackend("a", [delta(SAID), STOP, USAGE]))
    for stream in (True, False):
        await complete(engine, chat(stream=stream), CALLER)
    assert [(entry.usage, entry.estimated) for entry in recorder.entries] == [(Usage(3, 2), False)] * 2


async def test_embeddings_without_usage_count_their_input(engine: Engine, recorder: MemoryRecorder) -> None:
    class Silent(StubBackend):
        @override
        async def send(self, request: Request) -> Answer:
            return StubAnswer(self, [{"data": [{"embedding": [0.1] * 100}]}])

    engine.add(Silent("a"))
    await complete(engine, Request.parse(Kind.EMBEDDINGS, {"model": "m", "input": "x" * 40}), CALLER)
    assert (recorder.entries[0].usage, recorder.entries[0].estimated) == (Usage(10), True)


async def test_engine_time_to_first_token_is_averaged_over_streams(engine: Engine) -> None:
    member = engine.add(StubBackend("a"))
    seen = [member.first_token_seconds]
    for stream in (False, True):
        await complete(engine, chat(stream=stream), CALLER)
        seen.append(member.first_token_seconds)
    assert [seconds is None for seconds in seen] == [True, True, False]
    member.first_token_seconds = 10.0
    await complete(engine, chat(stream=True), CALLER)
    assert 6.9 < member.first_token_seconds < 7.5


# The engine's own places.


async def test_engine_concurrency_limit_is_enforced(engine: Engine) -> None:
    engine.limiter.limit, engine.limiter.queue_length = 1, 1
    engine.add(StubBackend("a"))
    async with engine.run(chat(), CALLER):
        waiting = asyncio.create_task(complete(engine, chat(), CALLER))
        await until(lambda: engine.limiter.waiting == 1)
        with pytest.raises(UnavailableError) as raised:
            await complete(engine, chat(), CALLER)
    await waiting
    assert raised.value.code == "provider_capacity_exceeded"
    assert raised.value.retry_after is not None
    assert engine.limiter.active == 0


async def test_engine_nested_request_of_an_agent_does_not_wait_for_itself(engine: Engine) -> None:
    class Agent(StubBackend):
        @override
        async def send(self, request: Request) -> Answer:
            async with engine.run(chat(model="inner"), Caller(Source.ASSIST)) as reply:
                assert reply.backend_id == "model"
            return await super().send(request)

    engine.limiter.limit, engine.limiter.queue_length = 1, 0
    engine.add(Agent("agent", models=["outer"], agent=True)).models = (*StubBackend("x", models=["outer"]).listed,)
    engine.add(StubBackend("model", models=["inner"])).models = (*StubBackend("x", models=["inner"]).listed,)
    await asyncio.wait_for(complete(engine, chat(model="outer"), CALLER), AT_ONCE)
    assert engine.limiter.active == 0
    async with engine.run(chat(model="inner"), CALLER):  # the next one waits as ever
        with pytest.raises(UnavailableError):
            await complete(engine, chat(model="inner"), CALLER)


async def test_engine_models_are_listed_while_a_backend_does_not_answer(engine: Engine) -> None:
    hole, well = StubBackend("hole", models=["h"]), StubBackend("well", models=["w"])
    members = [engine.add(backend) for backend in (hole, well)]
    for member in members:
        await engine.checker.check(member)
    hole.well = asyncio.Event()
    checking = asyncio.create_task(engine.checker.check(members[0], models=True))
    await until(lambda: hole.asked["health"] == 2)
    assert [model.id for _, model in engine.models()] == ["h", "w"]
    assert not checking.done()
    engine.pool.record_goodbye(members[0])
    assert [model.id for _, model in engine.models()] == ["w"]
    assert [model.id for model in members[0].models] == ["h"]
    hole.well.set()
    await checking
