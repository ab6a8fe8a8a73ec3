"""Permits and their queue: limit, order by urgency, and no lost request."""

import asyncio

from hypothesis import given, settings, strategies as st
import pytest

from zeroconf_ai.protocol.errors import UnavailableError
from zeroconf_ai.protocol.request import Urgency
from zeroconf_ai.routing.pool.concurrency import ConcurrencyLimiter, Permit

from ....support.waiting import AT_ONCE, run_pending_tasks


@pytest.mark.parametrize("limit", [None, 0])
async def test_limiter_without_a_limit_never_waits(limit: int | None) -> None:
    slots = ConcurrencyLimiter(limit)
    places = [await slots.acquire() for _ in range(1000)]
    assert (slots.active, slots.waiting, slots.free, slots.full) == (1000, 0, True, False)
    for place in places:
        place.release()
        place.release()
    assert slots.active == 0


async def test_limiter_queue_is_ordered_by_urgency_and_arrival() -> None:
    slots = ConcurrencyLimiter(1)
    first = await slots.acquire()
    order: list[str] = []

    async def wait(name: str, urgency: Urgency) -> None:
        with await slots.acquire(urgency):
            order.append(name)

    waiting = []
    for name, urgency in (
        ("background 1", Urgency.BACKGROUND),
        ("normal 1", Urgency.NORMAL),
        ("voice 1", Urgency.VOICE),
        ("background 2", Urgency.BACKGROUND),
        ("normal 2", Urgency.NORMAL),
        ("voice 2", Urgency.VOICE),
    ):
        waiting.append(asyncio.create_task(wait(name, urgency)))
        await run_pending_tasks()
    first.release()
    await asyncio.gather(*waiting)
    assert order == ["voice 1", "voice 2", "normal 1", "normal 2", "background 1", "background 2"]
    assert (slots.active, slots.waiting) == (0, 0)


async def test_limiter_full_queue_refuses_with_retry_after() -> None:
    slots = ConcurrencyLimiter(1, queue_length=1)
    place = await slots.acquire()
    waiting = asyncio.create_task(slots.acquire())
    await run_pending_tasks()
    assert slots.full
    with pytest.raises(UnavailableError) as raised:
        await slots.acquire(Urgency.VOICE)
    assert (raised.value.code, raised.value.status) == ("provider_capacity_exceeded", 503)
    assert raised.value.retry_after == slots.estimate(2)
    place.release()
    (await waiting).release()


async def test_limiter_queue_of_length_zero_refuses() -> None:
    slots = ConcurrencyLimiter(1, queue_length=0)
    with await slots.acquire(), pytest.raises(UnavailableError):
        await slots.acquire()
    (await slots.acquire()).release()


async def test_limiter_wait_too_long_raises_and_leaves_the_queue() -> None:
    slots = ConcurrencyLimiter(1)
    place = await slots.acquire()
    with pytest.raises(UnavailableError, match="no running request ended"):
        await slots.acquire(seconds=0.01)
    assert slots.waiting == 0
    place.release()
    assert slots.active == 0


async def test_limiter_cancelled_wait_leaves_the_queue() -> None:
    told: list[int] = []
    slots = ConcurrencyLimiter(1)
    slots.changed = lambda: told.append(slots.waiting)
    place = await slots.acquire()
    gone, stays = (asyncio.create_task(slots.acquire()) for _ in range(2))
    await run_pending_tasks()
    gone.cancel()
    await run_pending_tasks()
    assert slots.waiting == 1
    place.release()
    (await stays).release()
    assert told == [1, 2, 1, 0]


async def test_limiter_permit_granted_during_a_cancellation_is_passed_on() -> None:
    slots = ConcurrencyLimiter(1)
    place = await slots.acquire()
    gone, stays = (asyncio.create_task(slots.acquire()) for _ in range(2))
    await run_pending_tasks()
    place.release()  # the first waiting request has the permit, but has not run yet
    gone.cancel()
    assert (await asyncio.wait_for(stays, AT_ONCE)) is not None
    assert gone.cancelled()
    assert (slots.active, slots.waiting) == (1, 0)


async def test_limiter_changed_limit_applies_to_waiting_requests() -> None:
    slots = ConcurrencyLimiter(1)
    held = [await slots.acquire()]
    waiting = [asyncio.create_task(slots.acquire()) for _ in range(4)]
    await run_pending_tasks()
    slots.limit = 3
    await run_pending_tasks()
    assert (slots.active, slots.waiting) == (3, 2)
    slots.limit = 1
    held[0].release()
    await run_pending_tasks()
    assert (slots.active, slots.waiting) == (2, 2)  # held permits are kept, and none is granted
    slots.limit = None
    places = await asyncio.wait_for(asyncio.gather(*waiting), AT_ONCE)
    for place in places:
        place.release()
    assert slots.active == 0


async def test_limiter_estimated_wait_follows_the_duration_of_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("zeroconf_ai.routing.pool.concurrency.time.monotonic", lambda: now[0])
    slots = ConcurrencyLimiter(2)
    places = [await slots.acquire() for _ in range(2)]
    now[0] = 8.0
    for place in places:
        place.release()
    assert slots.wait == 0.0
    assert [slots.estimate(position) for position in (1, 2, 4)] == [4.0, 8.0, 16.0]
    assert ConcurrencyLimiter().estimate(3) == 0.0


async def test_limiter_waiting_requests_are_listed_with_ids_in_queue_order() -> None:
    slots = ConcurrencyLimiter(1)
    place = await slots.acquire()
    waiting = [
        asyncio.create_task(slots.acquire(Urgency.BACKGROUND, request_id="late", key_id="k1")),
        asyncio.create_task(slots.acquire(Urgency.VOICE, request_id="soon", key_id="k2")),
    ]
    await run_pending_tasks()
    assert [(waiter.request_id, waiter.key_id) for waiter in slots.waiters()] == [("soon", "k2"), ("late", "k1")]
    place.release()
    (await waiting[1]).release()
    (await waiting[0]).release()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("acquire"), st.sampled_from(Urgency)),
        st.tuples(st.sampled_from(["release", "cancel", "run", "release and cancel"]), st.integers(0, 20)),
        st.tuples(st.just("limit"), st.integers(0, 4)),
    ),
    min_size=20,
    max_size=200,
)


@settings(max_examples=100, deadline=None)
@given(limit=st.integers(1, 4), queue_length=st.integers(0, 8), steps=STEPS)
def test_limiter_any_order_of_events_keeps_the_limit_and_all_waiters(
    limit: int, queue_length: int, steps: list[tuple[str, int]]
) -> None:
    with asyncio.Runner() as runner:
        runner.run(_play(ConcurrencyLimiter(limit, queue_length), steps))


async def _play(slots: ConcurrencyLimiter, steps: list[tuple[str, int]]) -> None:
    asking: list[asyncio.Task[Permit]] = []
    held: list[Permit] = []

    def collect() -> None:
        for task in [task for task in asking if task.done()]:
            asking.remove(task)
            if not task.cancelled() and task.exception() is None:
                held.append(task.result())

    lowered = False
    for what, number in steps:
        collect()
        if what == "acquire":
            asking.append(asyncio.create_task(slots.acquire(Urgency(number))))
        if what in ("release", "release and cancel") and held:
            held.pop(number % len(held)).release()
        if what in ("cancel", "release and cancel") and asking:
            asking[number % len(asking)].cancel()
        if what == "limit":
            lowered = lowered or (number != 0 and (slots.limit is None or number < slots.limit))
            slots.limit = number
        if what == "run":
            await run_pending_tasks()
        assert lowered or slots.limit is None or slots.active <= slots.limit
        assert slots.waiting <= slots.queue_length
        assert not (slots.waiting and slots.free)  # a free permit while a request waits is a lost wake-up
    while asking or held:
        await run_pending_tasks()
        collect()
        while held:
            held.pop().release()
    assert (slots.active, slots.waiting) == (0, 0)
