"""The states of a circuit breaker and their effect on requests."""

import asyncio
import time
from typing import Any

import pytest

from tests.core.routing.conftest import Add, backend_of, route_and_close, sent
from tests.support.fakes.chunks import delta
from tests.support.fakes.upstream import chat
from tests.support.waiting import run_pending_tasks, until
from zeroconf_ai.protocol.errors import (
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    RateLimitError,
    StreamBrokenError,
    UnavailableError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)
from zeroconf_ai.protocol.status import ProviderState
from zeroconf_ai.routing.execution.router import Router
from zeroconf_ai.routing.pool.circuit_breaker import FIRST_PAUSE, LONGEST_PAUSE, Breaker, BreakerState
from zeroconf_ai.routing.pool.health import HealthChecker
from zeroconf_ai.routing.pool.pool import Pool

pytestmark = pytest.mark.usefixtures("nothing_is_left_open")

BROKEN = UpstreamError("500")


def opened() -> Breaker:
    breaker = Breaker()
    assert [breaker.fail() for _ in range(3)] == [False, False, True]
    return breaker


def test_breaker_opens_after_three_consecutive_failures() -> None:
    breaker = opened()
    assert (breaker.state, breaker.ready) == (BreakerState.OPEN, False)
    assert breaker.retry_at - time.monotonic() == pytest.approx(FIRST_PAUSE, abs=1)


@pytest.mark.parametrize("step", [-86_400.0, 86_400.0])
def test_breaker_pause_is_not_changed_by_a_step_of_the_wall_clock(monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    """A machine without a battery-backed clock starts in the past, and NTP sets it while pauses run."""
    breaker, now = opened(), time.time()
    monkeypatch.setattr("time.time", lambda: now + step)
    states = [breaker.state]
    breaker.retry_at = time.monotonic() - 1
    states.append(breaker.state)
    assert states == [BreakerState.OPEN, BreakerState.HALF_OPEN]


def test_breaker_stays_closed_after_failures_with_successes_between() -> None:
    breaker = Breaker()
    for _ in range(5):
        breaker.fail()
        breaker.fail()
        breaker.succeed()
    assert breaker.state is BreakerState.CLOSED


def test_breaker_after_its_pause_allows_one_trial() -> None:
    breaker = opened()
    breaker.retry_at = time.monotonic() - 1
    assert (breaker.state, breaker.ready) == (BreakerState.HALF_OPEN, True)
    assert breaker.begin()
    assert not breaker.ready
    assert not breaker.begin()
    breaker.end_trial()
    assert breaker.ready


def test_breaker_pause_doubles_with_each_failed_trial_until_a_success() -> None:
    breaker = opened()
    pauses = []
    for _ in range(6):
        breaker.retry_at = time.monotonic() - 1
        assert breaker.fail()
        pauses.append(round(breaker.retry_at - time.monotonic()))
    assert pauses == [60, 120, 240, 480, LONGEST_PAUSE, LONGEST_PAUSE]
    breaker.succeed()
    assert (breaker.state, breaker.failures) == (BreakerState.CLOSED, 0)
    for _ in range(3):
        breaker.fail()
    assert round(breaker.retry_at - time.monotonic()) == FIRST_PAUSE


def test_breaker_pause_is_not_extended_by_a_failed_last_resort() -> None:
    breaker = opened()
    until = breaker.retry_at
    assert not breaker.fail()
    assert breaker.retry_at == until


def test_breaker_after_a_first_token_allows_requests_until_a_failure() -> None:
    breaker = opened()
    breaker.retry_at = time.monotonic() - 1
    breaker.answered()
    assert breaker.ready
    assert breaker.fail()
    assert round(breaker.retry_at - time.monotonic()) == 2 * FIRST_PAUSE


@pytest.mark.parametrize(
    "outcome",
    [
        BROKEN,
        UpstreamConnectionError("refused"),
        UpstreamTimeoutError("silent"),
        StreamBrokenError("cut"),
    ],
)
async def test_breaker_opens_despite_successful_health_checks(
    router: Router, checker: HealthChecker, add: Add, outcome: ApiError
) -> None:
    first, second = add("a", outcome, priority=1), add("b", priority=2)
    for _ in range(5):
        await route_and_close(router)
        await checker.check(first)
    assert first.breaker.state is BreakerState.OPEN
    assert first.state is ProviderState.HEALTHY
    assert sent(second) == [5]
    asked = len(backend_of(first).sent)
    await route_and_close(router)
    assert sent(first) == [asked]


@pytest.mark.parametrize(
    "error",
    [InvalidRequestError("400"), RateLimitError("429"), UnavailableError("503", retry_after=1), AuthenticationError("401")],
)
async def test_breaker_ignores_client_rate_limit_and_key_errors(router: Router, add: Add, error: ApiError) -> None:
    member = add("a", error)
    for _ in range(4):
        with pytest.raises(ApiError):
            await router.route(chat())
    assert member.breaker.failures == 0


@pytest.mark.parametrize("error", [BROKEN, UpstreamTimeoutError("slow"), StreamBrokenError("cut")])
async def test_breaker_failures_do_not_make_a_reachable_backend_offline(router: Router, add: Add, error: ApiError) -> None:
    member = add("a", error)
    for _ in range(5):
        with pytest.raises(ApiError):
            await router.route(chat())
    assert (member.state, member.failures) == (ProviderState.HEALTHY, 0)


async def test_breaker_counts_interrupted_streams(router: Router, add: Add) -> None:
    member = add("a", [delta("Hel"), StreamBrokenError("cut")])
    for _ in range(3):
        reply = await router.route(chat(stream=True))
        with pytest.raises(StreamBrokenError):
            _ = [chunk async for chunk in reply.chunks()]
        await reply.close()
    assert member.breaker.state is BreakerState.OPEN


async def test_breaker_half_open_allows_exactly_one_request(router: Router, add: Add) -> None:
    go_on = asyncio.Event()
    first, second = add("a", BROKEN, priority=1), add("b", priority=2)
    for _ in range(3):
        await route_and_close(router)
    backend_of(first).sent.clear()
    backend_of(first).outcomes = [go_on]
    first.breaker.retry_at = time.monotonic() - 1
    trial = asyncio.create_task(router.route(chat()))
    await until(lambda: backend_of(first).sent)
    for _ in range(5):
        await route_and_close(router)
    assert sent(first, second) == [1, 8]
    go_on.set()
    await (await trial).close()
    assert first.breaker.state is BreakerState.CLOSED
    await route_and_close(router)
    assert sent(first, second) == [2, 8]


async def test_breaker_cancelled_trial_allows_another(router: Router, add: Add) -> None:
    first = add("a", BROKEN, priority=1)
    add("b", priority=2)
    for _ in range(3):
        await route_and_close(router)
    backend_of(first).outcomes = [asyncio.Event()]
    first.breaker.retry_at = time.monotonic() - 1
    trial = asyncio.create_task(router.route(chat()))
    await run_pending_tasks()
    assert not first.breaker.ready
    trial.cancel()
    await asyncio.gather(trial, return_exceptions=True)
    assert first.breaker.ready


async def test_breaker_open_backend_is_tried_as_the_last_resort(router: Router, add: Add) -> None:
    member = add("a", *[BROKEN] * 6, [delta("Hello")])
    for _ in range(3):
        with pytest.raises(UpstreamError):
            await router.route(chat())
    assert not member.breaker.ready
    await route_and_close(router)
    assert member.breaker.state is BreakerState.CLOSED


async def test_breaker_listener_is_notified_when_it_opens(router: Router, pool: Pool, add: Add) -> None:
    states: list[Any] = []
    member = add("a", BROKEN)
    pool.listen(lambda _: states.append(member.breaker.state), "a")
    for _ in range(3):
        with pytest.raises(UpstreamError):
            await router.route(chat())
    assert states[-1] is BreakerState.OPEN
