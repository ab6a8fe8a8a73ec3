"""A request that is cancelled at any of its await points leaves one record, and nothing reserved, running or connected."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
import random

import aiohttp
import pytest

from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.backends.base import BackendInfo, Endpoint
from zeroconf_ai.backends.zeroconfai import ZeroconfAIBackend
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol.errors import ApiError
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Cost
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.routing.policy import Terms
from zeroconf_ai.routing.pool.member import Member

from ...support.cancellation import CancelledAt, Moment
from ...support.fakes.chunks import delta
from ...support.fakes.upstream import COMPLETION, ROLE, STOP, USAGE, Upstream, answers, chat, streams
from ...support.waiting import until
from .conftest import FreshDatabase

CHAT = "/chat/completions"
PRICES = Prices(NANO, 10 * NANO)
PARALLEL = 60
"""The key's limit."""
LEAST_POINTS, MOST_POINTS = 10, 200
"""At least and at most so many points are gone through: how many it has depends on what is ready when it is awaited."""


@dataclass
class Home:
    """An engine with everything that a request can acquire, before a real server."""

    engine: Engine
    member: Member
    store: AccountingStore
    database: FreshDatabase
    upstream: Upstream
    caller: Caller

    async def use(self, *, stream: bool) -> None:
        """Run a request to its end."""
        async with self.engine.run(chat(stream=stream, max_tokens=10), self.caller) as reply:
            if stream:
                async for _ in reply.chunks():
                    pass
            else:
                assert reply.body

    async def assert_released(self) -> None:
        """Every permit, reservation and upstream connection is given back."""
        limiters = (self.engine.limiter, self.member.limiter)
        assert [(limiter.active, limiter.waiting) for limiter in limiters] == [(0, 0), (0, 0)]
        assert self.member.active == 0
        for received in self.upstream.received:
            await asyncio.wait_for(received.over.wait(), 30)
        await self.store.flush()
        await self.store.budgets.refresh()
        for budget in self.store.budgets:
            assert self.store.budgets.state(budget.id).reserved == 0, budget.id
        assert self.caller.key_id is not None
        limits = await self.store.admission_control.rate_limit_status(self.caller.key_id, None, None)
        assert limits.parallel is not None
        assert limits.parallel.remaining == PARALLEL
        assert self.database.count("reservations") == 0

    async def assert_recorded(self, requests: int) -> dict[str, int]:
        """There is one record of each request, budgets and totals have the sum of their costs; the number by outcome."""
        rows = self.database.run("SELECT outcome, cost, prompt_tokens + completion_tokens, backend_id FROM generations")
        assert len(rows) == requests
        total = sum(cost or 0 for _, cost, *_ in rows)
        for budget in self.store.budgets:
            assert self.store.budgets.state(budget.id).spent == total, budget.id
        today = self.store.totals.household.today
        assert (today.requests, today.usage.cost) == (requests, total)
        for outcome, cost, tokens, backend_id in rows:
            charged = (cost or 0) > 0
            assert charged == (tokens > 0), (outcome, cost, tokens)
            assert not charged or backend_id == self.member.id
        outcomes = [outcome for outcome, *_ in rows]
        return {outcome: outcomes.count(outcome) for outcome in set(outcomes)}


@asynccontextmanager
async def home_of(store: AccountingStore, database: FreshDatabase) -> AsyncIterator[Home]:
    """One permit of the engine and of the backend, a budget of the household and of the key, and a limit of the key."""
    key, _ = await store.keys.create("Phone", parallel=PARALLEL)
    await store.budgets.set(Scope.HOUSEHOLD, None, NANO, Period.MONTH)
    await store.budgets.set(Scope.KEY, key.id, NANO, Period.DAY)
    engine = Engine()
    await engine.attach(Accounting.of(store))
    async with Upstream() as upstream, aiohttp.ClientSession() as session:
        upstream.on("/health", answers({"status": "ok"})).on("/models", answers({"data": [{"id": "m"}]}))
        info = BackendInfo("attic", "Attic", cost=Cost.METERED)
        member = engine.add(ZeroconfAIBackend(session, info, Endpoint(upstream.base_url)), Terms(prices={"*": PRICES}))
        await engine.checker.check(member, models=True)
        yield Home(engine, member, store, database, upstream, Caller(Source.HTTP, key_id=key.id))
        await engine.close()


def soon(callback: Callable[[], None]) -> Callable[[], None]:
    """A callback that has another one called in the next turn of the event loop."""

    def schedule() -> None:
        asyncio.get_running_loop().call_soon(callback)

    return schedule


@pytest.mark.parametrize("again", [False, True], ids=["once", "clean-up too"])
@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_request_cancelled_at_each_await_point_releases_everything_and_is_recorded_once(
    store: AccountingStore, fresh_database: FreshDatabase, stream: bool, moment: Moment, again: bool
) -> None:
    async with home_of(store, fresh_database) as home:
        home.upstream.on(CHAT, streams(ROLE, delta("Hello"), STOP, USAGE) if stream else answers(COMPLETION))
        home.engine.limiter.limit = 1
        requests = cancelled = 0
        for point in range(MOST_POINTS):
            permit = await home.engine.limiter.acquire()
            home.engine.limiter.changed = soon(permit.release)  # so that the queue is among the await points
            run = CancelledAt(point, moment, again=again)
            task = asyncio.create_task(run.run(home.use(stream=stream)))
            requests += 1
            (failure,) = await asyncio.gather(task, return_exceptions=True)
            permit.release()
            home.engine.limiter.changed = None
            await home.assert_released()
            if not run.reached:
                assert failure is None
                if point >= LEAST_POINTS:
                    break
            assert failure is None or isinstance(failure, asyncio.CancelledError), failure
            cancelled += failure is not None
        else:
            pytest.fail("the request has more await points than this test goes through")
        found = await home.assert_recorded(requests)
        assert found.pop("ok") == requests - cancelled
        assert found == {"cancelled": cancelled}
        assert cancelled >= 2  # in the queue, and for the answer, which may arrive at once on a busy machine
        assert 1 <= len(home.upstream.bodies()) < requests  # some were cancelled before they were sent, and some after


@pytest.mark.parametrize("seed", range(3))
async def test_parallel_requests_cancelled_at_random_points_release_all_and_are_recorded_once(
    store: AccountingStore, fresh_database: FreshDatabase, seed: int
) -> None:
    chance = random.Random(seed)
    async with home_of(store, fresh_database) as home:
        home.engine.limiter.limit, home.engine.limiter.queue_length, home.member.limiter.limit = 20, PARALLEL, 2
        home.upstream.on(CHAT, streams(ROLE, delta("Hello"), STOP, USAGE))
        at_most = 0

        def watch(_: object) -> None:
            nonlocal at_most
            at_most = max(at_most, home.member.active)

        home.engine.pool.listen(watch)
        runs = [
            CancelledAt(chance.randrange(10), chance.choice(list(Moment)), again=chance.random() < 0.3) for _ in range(PARALLEL)
        ]
        tasks = [asyncio.create_task(run.run(home.use(stream=True))) for run in runs]
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(one is None or isinstance(one, asyncio.CancelledError | ApiError) for one in found), found
        await until(lambda: all(received.over.is_set() for received in home.upstream.received))
        await home.assert_released()
        outcomes = await home.assert_recorded(len(tasks))
        assert outcomes.get("ok", 0) == found.count(None)
        assert outcomes.get("cancelled", 0) == sum(isinstance(one, asyncio.CancelledError) for one in found) > 0
        assert at_most <= 2
