"""The one way in: everything that is taken is given back, whatever ends a request."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC
import random
from typing import Any, override

import aiohttp
from aiohttp import web
import pytest

from tests.support.engine import complete
from tests.support.fakes.chunks import delta
from tests.support.fakes.recorder import MemoryRecorder
from tests.support.fakes.upstream import COMPLETION, ROLE, STOP, USAGE, StubBackend, Upstream, answers, chat, stalls, streams
from tests.support.waiting import AT_ONCE, pause_fake, run_pending_tasks, until
from zeroconf_ai.accounting.usage.generation import OVERTAKEN, Recorders
from zeroconf_ai.accounting.usage.totals import Subject, Totals
from zeroconf_ai.backends.base import Answer, BackendInfo, Endpoint, Timeouts
from zeroconf_ai.backends.zeroconfai import MAX_CONNECTIONS, ZeroconfAIBackend
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol.errors import (
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    LoopDetectedError,
    RateLimitError,
    StreamBrokenError,
    UnavailableError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)
from zeroconf_ai.protocol.home_rule import HomeRule
from zeroconf_ai.protocol.record import Placement
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.status import ProviderState
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.routing.execution import router as router_module

CALLER = Caller(Source.ASSIST, "test")
CHAT = "/chat/completions"


@pytest.fixture
async def engine(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    monkeypatch.setattr(router_module, "RETRY_SECONDS", 0.001)
    engine = Engine(own_id="this-gateway")
    yield engine
    await engine.close()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("zeroconf_ai")]


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as upstream:
        upstream.on("/health", answers({"status": "ok"})).on("/models", answers({"data": [{"id": "m"}]}))
        yield upstream


@pytest.fixture
async def backend(upstream: Upstream) -> AsyncIterator[ZeroconfAIBackend]:
    async with aiohttp.ClientSession() as session:
        yield ZeroconfAIBackend(session, BackendInfo("attic", "Attic"), Endpoint(upstream.base_url), timeouts=Timeouts(probe=1))


async def gone(upstream: Upstream) -> None:
    await asyncio.wait_for(upstream.received[-1].over.wait(), AT_ONCE)
    assert upstream.received[-1].cut


async def test_engine_request_is_answered(engine: Engine, upstream: Upstream, backend: ZeroconfAIBackend) -> None:
    member = engine.add(backend)
    await engine.checker.check(member)
    upstream.on(CHAT, streams(ROLE, delta("Hel"), delta("lo"), STOP, USAGE))
    async with engine.run(chat(stream=True, model="auto"), CALLER) as reply:
        text = [chunk.data async for chunk in reply.chunks()]
    assert "".join(data["choices"][0]["delta"].get("content", "") for data in text if data["choices"]) == "Hello"
    assert reply.used == Usage(3, 2)
    assert member.active == 0


async def test_record_of_an_overtaken_attempt_names_it_and_counts_no_failure(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeroconf_ai.routing.execution.hedging.HEDGE_SECONDS", 0.01)
    totals, records = Totals(UTC), MemoryRecorder()
    await engine.attach(Accounting(recorder=Recorders(totals, records)))
    for backend in (StubBackend("a", [asyncio.Event(), STOP], priority=1), StubBackend("b", priority=2)):
        await engine.checker.check(engine.add(backend))
    async with engine.run(chat(stream=True), CALLER) as reply:
        assert [chunk async for chunk in reply.chunks()]
    record = records.only
    assert (record.backend_id, record.attempts, record.outcome) == ("b", 2, "ok")
    assert [(attempt.backend_id, attempt.code) for attempt in record.failed_attempts] == [("a", OVERTAKEN)]
    assert [totals.of(Subject.BACKEND, name).total.failed_attempts for name in "ab"] == [0, 0]


@pytest.mark.parametrize("stream", [False, True])
async def test_record_after_a_failover_names_every_failed_attempt(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setattr("zeroconf_ai.routing.execution.router.RETRY_SECONDS", 0)
    totals = Totals(UTC)
    await engine.attach(Accounting(recorder=totals))
    twice = StubBackend("a", UpstreamError("500"), UpstreamError("500"))
    for backend in (twice, StubBackend("b", RateLimitError("429")), StubBackend("c")):
        await engine.checker.check(engine.add(backend))
    async with engine.run(chat(stream=stream), Caller(Source.AI_TASK, "test")) as reply:
        assert [attempt.backend_id for attempt in reply.attempts] == ["a", "b", "c"]
        _ = [chunk async for chunk in reply.chunks()] if stream else reply.body
    counts = {name: totals.of(Subject.BACKEND, name).total for name in "abc"}
    assert {name: (one.requests, one.failed_attempts) for name, one in counts.items()} == {"a": (0, 2), "b": (0, 1), "c": (1, 0)}
    assert (totals.household.total.requests, totals.household.total.errors) == (1, 0)


async def test_record_of_a_broken_stream_counts_a_failed_attempt(engine: Engine) -> None:
    totals = Totals(UTC)
    await engine.attach(Accounting(recorder=totals))
    await engine.checker.check(engine.add(StubBackend("a", [delta("Hel"), StreamBrokenError("cut")])))
    with pytest.raises(StreamBrokenError):
        async with engine.run(chat(stream=True), CALLER) as reply:
            _ = [chunk async for chunk in reply.chunks()]
    found = totals.of(Subject.BACKEND, "a").total
    assert (found.requests, found.errors, found.failed_attempts) == (1, 1, 1)


async def test_engine_usage_is_requested_in_each_stream(engine: Engine) -> None:
    backend = StubBackend("a")
    engine.add(backend)
    for options in (None, {"include_usage": False, "other": 1}):
        async with engine.run(chat(stream=True, stream_options=options), CALLER) as reply:
            _ = [chunk async for chunk in reply.chunks()]
    assert [request.body["stream_options"] for request in backend.sent] == [
        {"include_usage": True},
        {"include_usage": True, "other": 1},
    ]
    async with engine.run(chat(), CALLER):
        assert "stream_options" not in backend.sent[-1].body
    async with engine.run(Request.parse(Kind.EMBEDDINGS, {"model": "m", "input": "x", "stream": True}), CALLER):
        assert "stream_options" not in backend.sent[-1].body


async def test_engine_loop_is_refused_and_each_hop_is_in_via(engine: Engine) -> None:
    backend = StubBackend("a")
    engine.add(backend)
    first = Request.parse(Kind.CHAT, dict(chat().body), via=("somebody",))
    async with engine.run(first, CALLER):
        passed_on = backend.sent[0]
    assert passed_on.via == ("somebody", "this-gateway")
    with pytest.raises(LoopDetectedError):
        async with engine.run(passed_on, CALLER):
            pass
    assert len(backend.sent) == 1


async def test_engine_without_own_id_adds_no_via() -> None:
    engine, backend = Engine(), StubBackend("a")
    engine.add(backend)
    async with engine.run(chat(), CALLER):
        assert backend.sent[0].via == ()
    await engine.close()


async def test_engine_left_early_closes_the_upstream(engine: Engine, upstream: Upstream, backend: ZeroconfAIBackend) -> None:
    member = engine.add(backend)
    upstream.on(CHAT, streams(delta("Hel"), then="stall"))
    async with engine.run(chat(stream=True), CALLER) as reply:
        async for _ in reply.chunks():
            break
    assert member.active == 0
    await gone(upstream)


async def test_engine_exception_in_the_block_closes_the_upstream(
    engine: Engine, upstream: Upstream, backend: ZeroconfAIBackend
) -> None:
    member = engine.add(backend)
    upstream.on(CHAT, streams(delta("Hel"), then="stall"))
    with pytest.raises(LookupError):
        async with engine.run(chat(stream=True), CALLER):
            raise LookupError
    assert member.active == 0
    await gone(upstream)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("behaviour", [stalls, streams(ROLE, then="stall"), streams(delta("Hel"), then="stall")])
async def test_engine_cancelled_at_any_time_closes_the_upstream_and_releases_the_permit(
    engine: Engine, upstream: Upstream, backend: ZeroconfAIBackend, stream: bool, behaviour: Any
) -> None:
    member = engine.add(backend)
    upstream.on(CHAT, behaviour)
    for _ in range(2):
        asking = [asyncio.create_task(complete(engine, chat(stream=stream), CALLER)) for _ in range(MAX_CONNECTIONS + 2)]
        upstream.received.clear()
        await until(lambda: len(upstream.received) >= MAX_CONNECTIONS)
        await run_pending_tasks(50)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        assert member.active == 0
        assert len(upstream.received) == MAX_CONNECTIONS  # those that waited for a slot never went out
        for request in upstream.received:
            await asyncio.wait_for(request.over.wait(), AT_ONCE)
            assert request.cut


@pytest.mark.parametrize(("told", "at_once"), [(None, MAX_CONNECTIONS), (7, 7), (1, 1)])
async def test_gateway_concurrency_is_reported_or_five(
    engine: Engine, upstream: Upstream, backend: ZeroconfAIBackend, told: int | None, at_once: int
) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await until(lambda: upstream.most_at_once >= at_once)
        await pause_fake(0.02)  # time for one too many
        return await answers(COMPLETION)(request)

    if told is not None:
        upstream.on("/status", answers({"queue": {"max_concurrent": told}}))
    await engine.checker.check(engine.add(backend))
    upstream.on(CHAT, slow)
    upstream.most_at_once = 0
    await asyncio.gather(*(complete(engine, chat(), CALLER) for _ in range(10)))
    assert (len(upstream.bodies()), upstream.most_at_once) == (10, at_once)


async def test_engine_failover_uses_the_next_backend(engine: Engine, upstream: Upstream, backend: ZeroconfAIBackend) -> None:
    first = engine.add(backend)
    second = engine.add(StubBackend("cellar", priority=200))
    for member in (first, second):
        await engine.checker.check(member)
    upstream.on(CHAT, streams(then="cut"))
    async with engine.run(chat(stream=True), CALLER) as reply:
        assert reply.backend_id == "cellar"
        assert [attempt.backend_id for attempt in reply.attempts] == ["attic", "cellar"]


async def test_engine_without_backends_is_an_error_before_the_block(engine: Engine) -> None:
    with pytest.raises(UnavailableError, match="No provider is set up"):
        async with engine.run(chat(), CALLER):
            raise AssertionError("not reached")


async def test_engine_models_of_enabled_backends_are_listed_in_order(engine: Engine) -> None:
    for name, priority in (("b", 20), ("a", 10), ("off", 1), ("away", 2)):
        await engine.checker.check(engine.add(StubBackend(name, models=[f"{name}1", f"{name}2"], priority=priority)))
    off, away = engine.pool.get("off"), engine.pool.get("away")
    assert off is not None
    assert away is not None
    off.enabled, away.state = False, ProviderState.OFFLINE
    assert [model.id for _, model in engine.models()] == ["a1", "a2", "b1", "b2"]


async def test_engine_removed_backend_completes_its_requests(engine: Engine) -> None:
    backend = StubBackend("a")
    member = engine.add(backend)
    with pytest.raises(ValueError, match="already"):
        engine.add(StubBackend("a"))
    async with engine.run(chat(), CALLER) as reply:
        await engine.remove("a")
        await engine.remove("a")
        assert reply.body
    assert backend.closed
    assert (backend.open, member.active) == (0, 0)
    assert engine.add(StubBackend("a")) is not member


async def test_engine_close_during_a_check_releases_everything(engine: Engine) -> None:
    backend = StubBackend("a")
    backend.well = asyncio.Event()
    checking = asyncio.create_task(engine.checker.check(engine.add(backend)))
    await run_pending_tasks()
    await engine.close()
    await asyncio.wait_for(checking, AT_ONCE)
    assert backend.closed
    assert list(engine.pool) == []


async def test_engine_backend_failing_to_close_does_not_affect_others(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(StubBackend):
        @override
        async def close(self) -> None:
            raise RuntimeError("stuck")

    other = StubBackend("other")
    engine.add(Stuck("stuck"))
    engine.add(other)
    await engine.close()
    assert other.closed
    assert "could not be closed" in caplog.text


OUTCOMES: list[Any] = [
    [ROLE, delta("Hello"), STOP, USAGE],
    [delta("Hel"), StreamBrokenError("cut")],
    [ROLE, UpstreamTimeoutError("silent")],
    [StreamBrokenError("error event")],
    UpstreamError("500"),
    UpstreamConnectionError("refused"),
    RateLimitError("busy", retry_after=0.001),
    UnavailableError("full"),
    AuthenticationError("key"),
    InvalidRequestError("bad"),
    UpstreamTimeoutError("slow"),
    LookupError("a mistake"),
]


@pytest.mark.parametrize("seed", range(5))
async def test_engine_counts_are_exact_after_many_random_requests(engine: Engine, seed: int) -> None:
    chance = random.Random(seed)
    totals = Totals(UTC)
    await engine.attach(Accounting(recorder=totals))
    backends = [StubBackend(name, *chance.choices(OUTCOMES, k=300)) for name in "abc"]
    members = [engine.add(backend) for backend in backends]
    for member in members:
        await engine.checker.check(member)
    lowest = 0

    def watch() -> None:
        nonlocal lowest
        lowest = min(lowest, *(member.active for member in members))

    engine.pool.listen_load(watch)

    async def one(number: int) -> None:
        await run_pending_tasks(chance.randrange(60))
        try:
            async with engine.run(chat(stream=number % 3 != 0), CALLER) as reply:
                async for _ in reply.chunks():
                    if chance.random() < 0.2:
                        break
        except (ApiError, LookupError):
            pass

    asking = [asyncio.create_task(one(number)) for number in range(200)]

    async def cancel(task: asyncio.Task[None]) -> None:
        await run_pending_tasks(chance.randrange(80))
        task.cancel()

    cancelling = [asyncio.create_task(cancel(task)) for task in chance.sample(asking, 60)]
    await asyncio.gather(*asking, *cancelling, return_exceptions=True)
    await run_pending_tasks()
    assert lowest == 0
    assert [(member.active, backend.open) for member, backend in zip(members, backends, strict=True)] == [(0, 0)] * 3
    assert sum(totals.of(Subject.BACKEND, member.id).total.requests for member in members) > 20


async def test_engine_answer_is_read_inside_the_block(engine: Engine, upstream: Upstream, backend: ZeroconfAIBackend) -> None:
    engine.add(backend)
    upstream.on(CHAT, answers(COMPLETION))
    async with engine.run(chat(), CALLER) as reply:
        assert b"Hello" in reply.body


@pytest.mark.parametrize(("source", "backends"), [(Source.ASSIST, 1), (Source.PAGE, 1), (Source.HTTP, 2), (Source.CLI, 2)])
async def test_engine_equal_backends_are_kept_by_a_person_and_shared_by_programs(
    engine: Engine, upstream: Upstream, source: Source, backends: int
) -> None:
    caller = Caller(source, "test", user_id="anna")
    answered = set()
    upstream.on(CHAT, answers(COMPLETION))
    async with aiohttp.ClientSession() as session:
        for name in ("Attic", "Cellar"):
            info = BackendInfo(name.lower(), name)
            await engine.checker.check(engine.add(ZeroconfAIBackend(session, info, Endpoint(upstream.base_url))))
        for _ in range(4):
            async with engine.run(chat(model="auto"), caller) as reply:
                answered.add(reply.backend_id)
        await engine.close()
    assert len(answered) == backends


async def test_engine_sessions_are_those_that_its_router_uses(engine: Engine) -> None:
    await engine.checker.check(engine.add(StubBackend("a")), models=True)
    await complete(engine, chat(model="auto").with_meta(session="n:talk"))
    assert len(engine.sessions) == 1


async def test_engine_what_is_asked_on_behalf_of_a_request_that_stays_at_home_stays_there(engine: Engine) -> None:
    """An agent of the home is at home, and must not take what it was asked elsewhere."""
    cloud, home = StubBackend("cloud", placement=Placement.CLOUD, priority=1), StubBackend("home", priority=2)

    class Agent(StubBackend):
        @override
        async def send(self, request: Request) -> Answer:
            await complete(engine, chat(model="auto"), Caller(Source.ASSIST))
            return await super().send(request)

    for backend in (cloud, home, Agent("agent", models=["agent"])):
        await engine.checker.check(engine.add(backend), models=True)
    asked = chat(model="agent")
    await complete(engine, asked)
    assert (len(cloud.sent), len(home.sent)) == (1, 0)
    await complete(engine, asked, Caller(Source.HTTP, home_rule=HomeRule.KEY))
    assert (len(cloud.sent), len(home.sent)) == (1, 1)
    await complete(engine, asked.with_meta(home_rule=HomeRule.PICTURE))
    assert (len(cloud.sent), len(home.sent)) == (1, 2)
