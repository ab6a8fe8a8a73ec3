"""Requests that wait for their turn at a backend."""

import asyncio
from dataclasses import replace

import pytest

from tests.core.routing.conftest import Add, backend_of, sent
from tests.support.fakes.upstream import StubBackend, chat
from tests.support.waiting import run_pending_tasks, until
from zeroconf_ai.protocol.errors import UnavailableError, UpstreamError
from zeroconf_ai.protocol.request import Urgency
from zeroconf_ai.protocol.status import ProviderStatus, Queue
from zeroconf_ai.routing.execution.reply import Reply
from zeroconf_ai.routing.execution.router import Router
from zeroconf_ai.routing.policy import Terms
from zeroconf_ai.routing.pool.health import HealthChecker
from zeroconf_ai.routing.pool.member import Member
from zeroconf_ai.routing.pool.pool import Pool

pytestmark = pytest.mark.usefixtures("nothing_is_left_open")


async def route(router: Router, urgency: Urgency = Urgency.NORMAL) -> Reply:
    return await router.route(replace(chat(), urgency=urgency))


async def test_permit_is_held_until_the_reply_is_closed(router: Router, add: Add) -> None:
    member = add("a")
    member.limiter.limit = 1
    first = await route(router)
    second = asyncio.create_task(route(router))
    await until(lambda: member.limiter.waiting == 1)
    assert sent(member) == [1]
    await first.close()
    await first.close()
    await (await second).close()
    assert (sent(member), member.limiter.active) == ([2], 0)


async def test_permit_of_another_backend_is_used_if_one_is_full(router: Router, add: Add) -> None:
    best, other = add("a", priority=1), add("b", priority=2)
    best.limiter.limit = 1
    replies = [await route(router) for _ in range(3)]
    assert sent(best, other) == [1, 2]
    for reply in replies:
        await reply.close()


async def test_queue_of_the_best_backend_is_used_if_all_are_full(router: Router, add: Add) -> None:
    best, other = add("a", priority=1), add("b", priority=2)
    best.limiter.limit = other.limiter.limit = 1
    held = [await route(router) for _ in range(2)]
    waiting = asyncio.create_task(route(router))
    await until(lambda: best.limiter.waiting == 1)
    best.limiter.queue_length = 1
    another = asyncio.create_task(route(router))  # the best one's queue is full
    await until(lambda: other.limiter.waiting == 1)
    for reply in held:
        await reply.close()
    for task in (waiting, another):
        await (await task).close()
    assert sent(best, other) == [2, 2]


async def test_queue_full_everywhere_error_has_reasons_and_retry_after(router: Router, add: Add) -> None:
    members = [add("a"), add("b")]
    for member in members:
        member.limiter.limit, member.limiter.queue_length = 1, 0
    held = [await route(router) for _ in members]
    with pytest.raises(UnavailableError) as raised:
        await route(router)
    assert (raised.value.status, raised.value.code) == (503, "provider_capacity_exceeded")
    assert [detail.partition(":")[0] for detail in raised.value.details] == ["A", "B"]
    assert raised.value.retry_after is not None
    assert not any(member.resting() or member.breaker.failures for member in members)  # that is no fault of theirs
    for reply in held:
        await reply.close()


async def test_queue_full_and_failure_are_both_in_the_error(router: Router, add: Add) -> None:
    add("a", UpstreamError("500"))
    full = add("b")
    full.limiter.limit, full.limiter.queue_length = 1, 0
    place = await full.limiter.acquire()
    with pytest.raises(UpstreamError, match="A: 500; B: Busy") as raised:
        await route(router)
    assert raised.value.retry_after is not None
    place.release()


async def test_queue_wait_too_long_at_all_backends_is_an_error(router: Router, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroconf_ai.routing.execution.router.MAX_WAIT", 0.02)
    best, other = add("a", priority=1), add("b", priority=2)
    best.limiter.limit = other.limiter.limit = 1
    held = [await route(router) for _ in range(2)]
    with pytest.raises(UnavailableError, match="within"):
        await route(router)
    for reply in held:
        await reply.close()


async def test_queue_voice_requests_go_first(router: Router, add: Add) -> None:
    member = add("a")
    member.limiter.limit = 1
    held = await route(router)
    order: list[Urgency] = []

    async def one(urgency: Urgency) -> None:
        reply = await route(router, urgency)
        order.append(urgency)
        await reply.close()

    waiting = []
    for number, urgency in enumerate((Urgency.BACKGROUND, Urgency.NORMAL, Urgency.VOICE), 1):
        waiting.append(asyncio.create_task(one(urgency)))
        await until(lambda number=number: member.limiter.waiting == number)  # type: ignore[misc]
    await held.close()
    await asyncio.gather(*waiting)
    assert order == [Urgency.VOICE, Urgency.NORMAL, Urgency.BACKGROUND]


async def test_queue_cancelled_request_is_removed_and_never_sent(router: Router, add: Add) -> None:
    member = add("a")
    member.limiter.limit = 1
    held = await route(router)
    waiting = asyncio.create_task(route(router))
    await until(lambda: member.limiter.waiting == 1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert member.limiter.waiting == 0
    await held.close()
    assert (sent(member), member.limiter.active) == ([1], 0)


async def test_queue_listener_is_notified_of_each_waiting_request(router: Router, pool: Pool, add: Add) -> None:
    member = add("a")
    member.limiter.limit = 1
    seen: list[int] = []
    pool.listen_load(lambda: seen.append(member.limiter.waiting), "a")
    held = await route(router)
    waiting = asyncio.create_task(route(router))
    await until(lambda: 1 in seen)
    await held.close()
    await (await waiting).close()
    await run_pending_tasks()
    assert seen[-1] == 0


class Peer(StubBackend):
    max_concurrent = 5


async def test_concurrency_limit_configured_precedes_reported_and_default_limit(pool: Pool, checker: HealthChecker) -> None:
    backend = Peer("a")
    member = Member(backend)
    pool.add(member)
    assert member.limiter.limit == 5
    backend.says = ProviderStatus(queue=Queue(max_concurrent=8))
    await checker.check(member)
    assert member.limiter.limit == 8
    backend.says = ProviderStatus(queue=Queue(max_concurrent=0))
    await checker.check(member)
    assert member.limiter.limit == 5
    assert Member(backend, Terms(max_concurrent=2, queue_length=7)).limiter.limit == 2
    assert Member(backend, Terms(queue_length=7)).limiter.queue_length == 7
    assert Member(StubBackend("b")).limiter.limit is None


async def test_concurrency_of_a_replaced_backend_includes_running_requests(router: Router, pool: Pool, add: Add) -> None:
    former = add("a")
    held = await route(router)
    now = Member(former.backend, Terms(max_concurrent=1, queue_length=3), known=True, models=backend_of(former).listed)
    pool.replace(now)
    assert (now.limiter.limit, now.limiter.queue_length, now.limiter.free) == (1, 3, False)
    waiting = asyncio.create_task(route(router))
    await until(lambda: now.limiter.waiting == 1)
    await held.close()
    await (await waiting).close()
    assert now.limiter.active == 0
