"""The live state, and the feed that follows it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC
from functools import partial
from itertools import pairwise

import pytest

from tests.support.engine import complete
from tests.support.fakes.chunks import delta
from tests.support.fakes.upstream import STOP, StubBackend, chat
from tests.support.waiting import observe, until
from zeroconf_ai.accounting.usage.totals import Totals
from zeroconf_ai.admin.live import INTERVAL, Live, LiveFeed, live
from zeroconf_ai.admin.names import Names
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol.errors import RateLimitError, UpstreamConnectionError, UpstreamError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.routing.accounting import Accounting

NOBODY = Names()


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine()
    yield engine
    await engine.close()


async def test_live_running_request_names_caller_model_and_backend_without_content(engine: Engine) -> None:
    answered = asyncio.Event()
    engine.add(StubBackend("attic", [delta("Hello"), answered, STOP]))
    caller = Caller(Source.HTTP, "Laptop", key_id="k1", address="192.0.2.7")
    async with engine.run(chat(stream=True, messages=[{"role": "user", "content": "my secret"}]), caller):
        state = live(engine, None, NOBODY)
        (running,) = state["running"]
        assert (running["who"], running["model"], running["backend_name"]) == ("Laptop", "m", "Attic")
        assert (running["source"], running["requested_model"]) == ("http", "m")
        assert state["members"][0]["running"] == 1
        assert "my secret" not in str(state)
        answered.set()
    state = live(engine, None, NOBODY)
    assert state["running"] == []
    assert state["last_answer"] == {"backend": "Attic", "model": "m"}


async def test_live_request_without_an_answer_yet_names_the_backend_that_works_on_it(engine: Engine) -> None:
    thought = asyncio.Event()
    engine.add(StubBackend("attic", UpstreamError("There is no memory left.")))
    engine.add(StubBackend("cellar", [thought, delta("Hello"), STOP]))
    request = asyncio.create_task(complete(engine, chat(stream=True), Caller(Source.HTTP, "Laptop")))

    def tried() -> list[tuple[str | None, str | None]]:
        return [(one["backend_name"], one["model"]) for one in live(engine, None, NOBODY)["running"]]

    await until(lambda: tried() == [("Cellar", "m")])
    thought.set()
    assert await request == "Hello"


async def test_live_request_that_waits_for_its_permit_is_running_without_a_backend(engine: Engine) -> None:
    engine.limiter.limit = 1
    answered = asyncio.Event()
    engine.add(StubBackend("attic", [delta("Hello"), answered, STOP]))
    async with engine.run(chat(stream=True), Caller(Source.HTTP, "First")):
        second = asyncio.create_task(complete(engine, chat(stream=True), Caller(Source.HTTP, "Second")))
        await until(lambda: len(engine.running) == 2)
        state = live(engine, None, NOBODY)
        assert [(one["who"], one["backend_name"]) for one in state["running"]] == [("First", "Attic"), ("Second", None)]
        assert state["waiting"] == 1
        answered.set()
    assert await second == "Hello"
    assert live(engine, None, NOBODY)["running_total"] == 0


async def test_live_request_that_fails_is_no_longer_running(engine: Engine) -> None:
    engine.add(StubBackend("attic", UpstreamConnectionError("Attic is unreachable")))
    with pytest.raises(UpstreamError):
        await complete(engine, chat())
    assert len(engine.running) == 0


async def test_live_failover_is_told_with_both_names_and_the_reason(engine: Engine) -> None:
    engine.add(StubBackend("attic", UpstreamConnectionError("Attic is unreachable")))
    engine.add(StubBackend("cellar"))
    assert live(engine, None, NOBODY)["last_failover"] is None
    await complete(engine, chat(stream=True))
    failover = live(engine, None, NOBODY)["last_failover"]
    assert failover is not None
    assert (failover["backend"], failover["to"], failover["reason"]) == ("Attic", "Cellar", "Attic is unreachable")


async def test_live_member_that_asked_for_a_pause_is_resting_with_its_reason(engine: Engine) -> None:
    member = engine.add(StubBackend("attic"))
    await engine.checker.check(member)
    assert live(engine, None, NOBODY)["members"][0]["state"] == "healthy"
    engine.pool.record_request_failure(member, RateLimitError("Too many requests", retry_after=60))
    (shown,) = live(engine, None, NOBODY)["members"]
    assert (shown["state"], shown["reason"]) == ("resting", "Attic: Too many requests")


async def test_live_member_latencies_are_those_of_its_checks(engine: Engine) -> None:
    member = engine.add(StubBackend("attic"))
    for latency in (0.010, 0.0254):
        engine.pool.record_success(member, latency=latency)
    (shown,) = live(engine, None, NOBODY)["members"]
    assert (shown["latency_ms"], shown["latencies_ms"]) == (25.4, [10.0, 25.4])


async def test_live_models_are_limited_and_counted(engine: Engine) -> None:
    models = [ModelInfo(f"m{number}") for number in range(300)]
    member = engine.add(StubBackend("attic", models=models))
    await engine.checker.check(member, models=True)
    (shown,) = live(engine, None, NOBODY)["members"]
    assert (len(shown["models"]), shown["models_total"]) == (200, 300)


async def test_live_costs_and_requests_are_those_of_the_totals(engine: Engine) -> None:
    totals = Totals(UTC)
    await engine.attach(Accounting(totals))
    engine.add(StubBackend("attic"))
    await complete(engine, chat(stream=True))
    state = live(engine, totals, NOBODY)
    assert state["requests_today"] == 1
    assert state["members"][0]["requests_today"] == 1
    assert state["cost_today"] == {"USD": 0.0}


async def test_feed_many_changes_are_sent_together_and_the_last_state_is_not_lost(engine: Engine) -> None:
    engine.add(StubBackend("attic"))
    sent: list[Live] = []
    times: list[float] = []
    loop = asyncio.get_running_loop()

    def send(state: Live) -> None:
        sent.append(state)
        times.append(loop.time())

    feed = LiveFeed(engine, partial(live, engine, None, NOBODY), send)
    feed.start()
    assert len(sent) == 1
    for _ in range(50):
        await complete(engine, chat(stream=True))
    await until(lambda: sent[-1]["last_answer"] is not None)
    assert all(later - earlier >= INTERVAL * 0.9 for earlier, later in pairwise(times))
    feed.close()
    count = len(sent)
    await complete(engine, chat(stream=True))
    await observe(INTERVAL * 1.5)
    assert len(sent) == count
