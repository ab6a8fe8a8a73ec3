"""Requests of a person who listens: they wait for no backend that may not answer."""

from collections.abc import Callable
from dataclasses import replace
import time
from typing import Any, override

import pytest

from tests.core.routing.conftest import Add, backend_of, route_and_close, sent
from tests.support.fakes.upstream import StubBackend, chat
from tests.support.waiting import AT_ONCE, stopped_loop_clock
from zeroconf_ai.backends.base import Answer
from zeroconf_ai.backends.connect_limit import connect_limit
from zeroconf_ai.protocol.errors import ApiError, UnavailableError, UpstreamConnectionError, UpstreamError, UpstreamTimeoutError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Placement
from zeroconf_ai.protocol.request import Request, Urgency
from zeroconf_ai.protocol.status import Health, ProviderState
from zeroconf_ai.routing.execution import router as router_module
from zeroconf_ai.routing.execution.router import LISTENING_CONNECT_SECONDS, Router
from zeroconf_ai.routing.pool.circuit_breaker import FAILURES_UNTIL_OPEN
from zeroconf_ai.routing.pool.member import TRIAL_AFTER, Member, Wake
from zeroconf_ai.routing.pool.pool import Pool

pytestmark = pytest.mark.usefixtures("nothing_is_left_open")

SESSION = "n:kitchen"


def spoken(model: str = "auto", session: str | None = SESSION) -> Request:
    return replace(chat(model=model), urgency=Urgency.VOICE, session=session)


async def once_and_without_a_wait(router: Router, request: Request | None = None) -> str:
    """Route a request while no timer ends, so that a request that waits for one does not return; the id of its backend."""
    with stopped_loop_clock():
        reply = await route_and_close(router, request or spoken())
    return reply.backend_id


@pytest.mark.parametrize(
    ("error", "health_checks"),
    [
        (UpstreamConnectionError("refused"), 0),
        (UpstreamError("500"), 0),
        (UnavailableError("503"), 0),
        (UpstreamTimeoutError("silent"), 0),
    ],
    ids=["gone", "broken", "busy", "silent"],
)
async def test_voice_session_whose_backend_fails_is_answered_by_another_without_a_wait(
    router: Router, add: Add, error: ApiError, health_checks: int
) -> None:
    own, other = add("a", priority=1), add("b", priority=2)
    assert await once_and_without_a_wait(router) == "a"
    backend_of(own).outcomes = [error]
    assert await once_and_without_a_wait(router) == "b"
    assert sent(own, other) == [2, 1]  # one attempt at each, and no second one after a pause
    assert backend_of(own).asked["health"] == health_checks


async def test_voice_session_whose_backend_has_just_gone_offline_is_answered_without_a_wait(
    router: Router, pool: Pool, add: Add
) -> None:
    own, other = add("a", priority=1), add("b", priority=2)
    await once_and_without_a_wait(router)
    pool.record_goodbye(own)
    assert await once_and_without_a_wait(router) == "b"
    assert (sent(own, other), backend_of(own).asked["health"]) == ([1, 1], 0)


async def test_voice_without_another_backend_fails_without_a_wait_so_that_the_local_agent_can_answer(
    router: Router, pool: Pool, add: Add
) -> None:
    own = add("a", UpstreamConnectionError("refused"))
    pool.record_goodbye(own)
    with stopped_loop_clock(), pytest.raises(UpstreamError):
        await router.route(spoken())
    assert (sent(own), backend_of(own).asked["health"]) == ([1], 0)


async def test_voice_5xx_of_the_only_backend_is_tried_once_more(router: Router, add: Add) -> None:
    own = add("a", UpstreamError("500"), [{}])
    assert (await route_and_close(router, spoken())).backend_id == "a"
    assert sent(own) == [2]


async def test_voice_session_whose_backend_is_busy_is_answered_by_a_free_one(router: Router, add: Add) -> None:
    own, other = add("a", priority=1), add("b", priority=2)
    await once_and_without_a_wait(router)
    own.limiter.limit = 1
    with await own.limiter.acquire():
        assert await once_and_without_a_wait(router) == "b"
    assert sent(own, other) == [1, 1]


def _failed_once(pool: Pool, member: Member) -> None:
    pool.record_failure(member, UpstreamConnectionError("refused"))


def _timed_out(pool: Pool, member: Member) -> None:
    pool.record_failure(member, UpstreamTimeoutError("slow"))


def _unwell(pool: Pool, member: Member) -> None:
    member.health = Health(status="degraded")
    pool.record_success(member, latency=0.1)


def _resting(pool: Pool, member: Member) -> None:
    pool.record_failure(member, UnavailableError("later", retry_after=60))


def _half_open(pool: Pool, member: Member) -> None:
    for _ in range(FAILURES_UNTIL_OPEN):
        member.breaker.fail()
    member.breaker.retry_at = time.monotonic() - 1


@pytest.mark.parametrize("make", [_failed_once, _timed_out, _unwell, _resting, _half_open])
async def test_voice_sick_backend_comes_after_the_well_ones(
    router: Router, pool: Pool, add: Add, make: Callable[[Pool, Member], None]
) -> None:
    best, other = add("a", priority=1), add("b", priority=2)
    await once_and_without_a_wait(router)
    make(pool, best)
    assert await once_and_without_a_wait(router) == "b"  # also of the session that was on it
    assert await once_and_without_a_wait(router, spoken(session=None)) == "b"
    assert sent(best, other) == [1, 2]


async def test_voice_backend_whose_circuit_breaker_rested_for_long_is_tried_again(router: Router, pool: Pool, add: Add) -> None:
    best, _ = add("a", priority=1), add("b", priority=2)
    _half_open(pool, best)
    best.breaker.retry_at = time.monotonic() - TRIAL_AFTER - 1
    assert await once_and_without_a_wait(router) == "a"
    assert not best.breaker.retry_at


async def test_voice_sleeping_backend_keeps_its_place(pool: Pool, router: Router, add: Add) -> None:
    best, _ = add("a", priority=1), add("b", priority=2)

    async def wake() -> None:
        pool.record_success(best, latency=0.1)

    best.state, best.wake = ProviderState.OFFLINE, Wake(wake, AT_ONCE)
    assert (await route_and_close(router, spoken())).backend_id == "a"


class Connecting(StubBackend):
    """Keeps the limit of the time to connect that holds for each request."""

    def __init__(self, name: str, **info: Any) -> None:
        super().__init__(name, **info)
        self.limits: list[float | None] = []

    @override
    async def send(self, request: Request) -> Answer:
        self.limits.append(connect_limit())
        return await super().send(request)


@pytest.mark.parametrize(
    ("urgency", "placement", "others", "limit"),
    [
        (Urgency.VOICE, Placement.LOCAL, 1, LISTENING_CONNECT_SECONDS),
        (Urgency.VOICE, Placement.LOCAL, 0, None),
        (Urgency.VOICE, Placement.CLOUD, 1, None),
        (Urgency.NORMAL, Placement.LOCAL, 1, None),
    ],
    ids=["voice", "nobody else", "cloud", "not voice"],
)
async def test_time_to_connect_is_limited_for_voice_at_home_if_another_backend_is_free(
    router: Router, add: Add, urgency: Urgency, placement: Placement, others: int, limit: float | None
) -> None:
    backend = Connecting("a", placement=placement, priority=1)
    add(backend)
    for _ in range(others):
        add("b", priority=2)
    await route_and_close(router, replace(chat(), urgency=urgency))
    assert backend.limits == [limit]
    assert connect_limit() is None


async def test_time_to_connect_is_not_limited_if_the_other_backend_is_busy(router: Router, add: Add) -> None:
    backend = Connecting("a", priority=1)
    add(backend)
    other = add("b", priority=2)
    other.limiter.limit = 1
    with await other.limiter.acquire():
        await route_and_close(router, spoken())
    assert backend.limits == [None]


async def test_voice_conversation_that_moves_to_a_small_window_is_shortened_without_a_summary(
    router: Router, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router_module, "SESSION_SECONDS", 0.01)
    large = add(StubBackend("a", models=[ModelInfo("m", context_window=100_000)], priority=1))
    small = add(StubBackend("b", models=[ModelInfo("m", context_window=500)], priority=2))
    turns = [{"role": role, "content": "word " * 300} for role in ("user", "assistant", "user")]
    await route_and_close(
        router, replace(Request.parse(chat().kind, {"messages": turns}), session=SESSION, urgency=Urgency.VOICE)
    )
    backend_of(large).outcomes = [UpstreamConnectionError("refused")]
    request = Request.parse(chat().kind, {"messages": [*turns, {"role": "user", "content": "And?"}]})
    reply = await route_and_close(router, replace(request, session=SESSION, urgency=Urgency.VOICE))
    assert reply.handover is not None
    assert reply.handover.summarized
    assert sent(small) == [1]  # the question only, no request for a summary
