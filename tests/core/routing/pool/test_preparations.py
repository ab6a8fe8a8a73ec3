"""Waking and loading are measured, bounded, and shown while they last."""

import asyncio

import pytest

from tests.core.routing.conftest import Add
from tests.support.engine import complete
from tests.support.fakes.chunks import delta
from tests.support.fakes.upstream import STOP, StubBackend, chat
from tests.support.waiting import until
from zeroconf_ai.admin.live import live
from zeroconf_ai.admin.names import Names
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol.errors import UpstreamError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.status import ProviderState, ProviderStatus
from zeroconf_ai.routing.pool.member import Wake
from zeroconf_ai.routing.pool.pool import Pool
from zeroconf_ai.routing.pool.preparations import MAX_MODELS, MEASURED, Preparations

COLD = ModelInfo("m", warm=False)


def test_usual_time_is_the_median_of_the_newest() -> None:
    preparations = Preparations()
    assert preparations.begin("m").usual is None
    for _ in range(2 * MEASURED):
        preparations.end(preparations.begin("m"), measured=True)
    usual = preparations.begin("m").usual
    assert usual is not None
    assert 0 <= usual < 10


def test_failed_one_is_not_measured_and_ends_once() -> None:
    preparations = Preparations()
    waking = preparations.begin()
    assert [one.kind for one in preparations] == ["waking"]
    preparations.end(waking, measured=False)
    preparations.end(waking, measured=True)
    assert list(preparations) == []
    assert preparations.begin().usual is None


def test_models_are_bounded_and_requests_for_one_model_are_one() -> None:
    preparations = Preparations()
    for number in range(2 * MAX_MODELS):
        preparations.end(preparations.begin(f"m{number}"), measured=True)
        preparations.answered(f"m{number}")
    assert preparations.begin("m0").usual is None
    assert not preparations.is_loaded("m0")
    assert preparations.is_loaded(f"m{2 * MAX_MODELS - 1}")
    preparations.begin("m0")
    assert [one.model for one in preparations] == ["m0"]


@pytest.mark.parametrize(
    ("listed", "reported", "warm"),
    [
        (True, None, True),
        (False, None, False),
        (None, None, None),
        (False, {"m"}, True),
        (True, {"other"}, False),
        (None, {"other"}, None),
        (True, set(), True),
    ],
)
def test_model_is_warm_by_the_newest_report(
    pool: Pool, add: Add, listed: bool | None, reported: set[str] | None, warm: bool | None
) -> None:
    member = add("a", models=[ModelInfo("m", warm=listed)])
    if reported is not None:
        member.status = ProviderStatus(warm_models=frozenset(reported))
    assert member.is_warm("m") is warm


async def test_cold_model_is_loading_until_its_first_token_and_then_warm() -> None:
    engine, answered = Engine(), asyncio.Event()
    backend = StubBackend("attic", [answered, delta("Hello"), STOP], models=[COLD])
    member = engine.add(backend)
    await engine.checker.check(member, models=True)
    asked = asyncio.create_task(complete(engine, chat(stream=True), Caller(Source.HTTP)))
    await until(lambda: any(True for _ in member.preparations))
    shown = live(engine, None, Names())["members"][0]
    assert [(one["kind"], one["model"], one["usual"]) for one in shown["preparations"]] == [("loading", "m", None)]
    assert shown["models"][0]["warm"] is False
    answered.set()
    assert await asked == "Hello"
    shown = live(engine, None, Names())["members"][0]
    assert (shown["preparations"], shown["models"][0]["warm"]) == ([], True)
    assert member.preparations.begin("m").usual is not None
    await engine.close()


async def test_cold_model_that_fails_is_no_longer_loading() -> None:
    engine = Engine()
    member = engine.add(StubBackend("attic", UpstreamError("out of memory"), models=[COLD]))
    await engine.checker.check(member, models=True)
    with pytest.raises(UpstreamError):
        await complete(engine, chat(stream=True))
    assert list(member.preparations) == []
    assert member.is_warm("m") is False
    await engine.close()


async def test_waking_is_shown_and_measured() -> None:
    engine, switched_on = Engine(), asyncio.Event()
    backend = StubBackend("attic")
    member = engine.add(backend)
    await engine.checker.check(member, models=True)
    member.state = ProviderState.OFFLINE
    backend.well = UpstreamError("asleep")
    told: list[int] = []
    engine.pool.listen(lambda _: told.append(len(live(engine, None, Names())["members"][0]["preparations"])))

    async def run() -> None:
        await switched_on.wait()

    member.wake = Wake(run, 30)
    asked = asyncio.create_task(complete(engine, chat(stream=True), Caller(Source.HTTP)))
    await until(lambda: told == [1])
    backend.well = type(backend)("other").well
    switched_on.set()
    assert await asked == "Hello"
    await until(lambda: not list(member.preparations))
    assert member.preparations.begin().usual is not None
    await engine.close()
