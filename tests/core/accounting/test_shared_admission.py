"""Admission by one statement, in a database that gateways share."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
import tempfile
import time
from typing import Any

from hypothesis import given, strategies as st
import pytest
from sqlalchemy import text

from tests.support.postgres import Server
from zeroconf_ai.accounting.admission import Admission, AdmissionRequest, RateLimits
from zeroconf_ai.accounting.admission_control import StoreAdmissionControl
from zeroconf_ai.accounting.budget import Action, Balance, Scope, make_budget
from zeroconf_ai.accounting.budgets.budget_store import BudgetStore
from zeroconf_ai.accounting.budgets.reservations import BudgetBalance, decide, exceeded_by
from zeroconf_ai.accounting.keys.key_store import KeyStore
from zeroconf_ai.accounting.limits.rate_limits import RateLimiter, limits_of
from zeroconf_ai.accounting.periods import Period, Windows
from zeroconf_ai.accounting.shared_admission import SharedAdmission
from zeroconf_ai.accounting.storage.database import Database
from zeroconf_ai.accounting.storage.leases import Leases
from zeroconf_ai.accounting.storage.write_queue import WriteQueue
from zeroconf_ai.protocol.errors import QuotaError, RateLimitError

from .conftest import Make

COST, GATEWAYS = 10, 4


@dataclass(frozen=True)
class Gateway:
    """A gateway's keys, limits and budgets, without what a store does from time to time."""

    database: Database
    keys: KeyStore
    limits: RateLimiter
    budgets: BudgetStore
    control: StoreAdmissionControl

    async def flush(self) -> None:
        """Write what waits to be written."""
        await self.budgets.balances.flush()
        await self.limits.flush()

    async def limited(self, amount: int = 10**15, **limits: int) -> str:
        """The id of a key with budgets and limits."""
        given: dict[str, Any] = {"requests_per_minute": 10**6, "tokens_per_minute": 10**9, "parallel": 500, **limits}
        key, _ = await self.keys.create("Phone", **given)
        await self.budgets.set(Scope.HOUSEHOLD, None, amount, Period.MONTH)
        await self.budgets.set(Scope.KEY, key.id, amount, Period.DAY)
        return key.id


@asynccontextmanager
async def gateway(url: str) -> AsyncIterator[Gateway]:
    database = await Database.open(url)
    queue = WriteQueue(database)
    leases, keys = Leases(database), KeyStore(database, queue)
    budgets, limits = BudgetStore(database, queue, UTC, leases), limits_of(database, queue, keys, leases)
    shared = SharedAdmission(database, leases, limits, budgets)
    try:
        await keys.refresh()
        await budgets.refresh()
        yield Gateway(database, keys, limits, budgets, StoreAdmissionControl(limits, budgets, queue, shared))
    finally:
        await budgets.balances.close()
        await limits.close()
        await queue.close()
        await database.close()


def asks(key_id: str, cost: int = COST, **fields: Any) -> AdmissionRequest:
    given = {"prompt_tokens": 9, "answer_tokens": 9, "worst_costs": {"cloud": cost}, **fields}
    return AdmissionRequest("http", "chat", "m", key_id=key_id, **given)


async def round_trips(database: Database, work: Awaitable[Any]) -> int:
    """How often the server was ready for the next query meanwhile, as libpq traces it."""

    def connection_of(connection: Any) -> Any:
        return connection.connection.driver_connection.pgconn

    server = await database.read(connection_of)
    with tempfile.TemporaryFile() as trace:
        server.trace(trace.fileno())
        try:
            await work
        finally:
            server.untrace()
        trace.seek(0)
        return trace.read().count(b"ReadyForQuery")


async def test_admission_with_limits_and_two_budgets_is_one_round_trip(postgresql: Server) -> None:
    """It was 14, in three transactions."""
    with postgresql.database() as name:
        async with gateway(postgresql.url(name)) as one:
            asked = asks(await one.limited(), backend_rates={"cloud": RateLimits(tokens_per_minute=10**6)})
            await one.control.admit(asked)  # creates the rows
            assert await round_trips(one.database, one.control.admit(asked)) == 1


async def test_admission_is_prepared_once_whatever_its_numbers(postgresql: Server) -> None:
    with postgresql.database() as name:
        async with gateway(postgresql.url(name)) as one:
            key_id = await one.limited()
            for cost in (1, 10**3, 10**6, 10**12, *range(10)):
                await one.control.admit(asks(key_id, cost))
            prepared = text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%WITH asked%'")
            assert await one.database.read(lambda connection: connection.execute(prepared).scalar_one()) == 1


@pytest.mark.parametrize(
    ("amount", "limits", "admitted"),
    [(20 * COST, {}, 20), (10**15, {"parallel": 15}, 15), (10**15, {"requests_per_minute": 25}, 25)],
    ids=["budget", "parallel", "requests"],
)
async def test_gateways_that_admit_at_once_admit_no_more_than_there_is(
    postgresql: Server, make: Make, amount: int, limits: dict[str, int], admitted: int
) -> None:
    """Four gateways wait for each other's rows; each sees what the one before it left."""
    with postgresql.database() as name:
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(gateway(postgresql.url(name)))
            key_id = await first.limited(amount, **limits)
            (await first.control.admit(asks(key_id))).reconcile(make("g", backend_id="cloud"))  # creates the rows
            await first.flush()
            started = time.monotonic()
            gateways = [first, *[await stack.enter_async_context(gateway(postgresql.url(name))) for _ in range(GATEWAYS - 1)]]
            asked = [one.control.admit(asks(key_id)) for _ in range(20) for one in gateways]
            found = await asyncio.gather(*asked, return_exceptions=True)
            held = [end for end in found if isinstance(end, Admission)]
            assert all(isinstance(end, Admission | QuotaError | RateLimitError) for end in found), found
            refilled = (time.monotonic() - started) * limits.get("requests_per_minute", 0) / 60
            assert admitted - 1 <= len(held) <= admitted + refilled
            rows = f"SELECT spent, reserved FROM accounts WHERE budget_id IN ('household:month', 'key:{key_id}:day')"  # noqa: S608
            assert postgresql.run(name, rows) == [(0, len(held) * COST)] * 2
            for admission in held:
                admission.reconcile(make("g", cost=COST - 1, backend_id="cloud"))
            await asyncio.gather(*(one.flush() for one in gateways))
            assert postgresql.run(name, rows) == [(len(held) * (COST - 1), 0)] * 2
            assert postgresql.run(name, "SELECT sum(reserved) FROM accounts") == [(0,)]
            assert postgresql.run(name, "SELECT count(*) FROM reservations") == [(0,)]


async def test_admission_that_is_not_possible_changes_nothing_and_says_why(postgresql: Server, make: Make) -> None:
    with postgresql.database() as name:
        async with gateway(postgresql.url(name)) as one:
            key_id = await one.limited(amount=3 * COST, parallel=2, tokens_per_minute=1000)
            ample = {"cloud": 2 * COST}
            first = await one.control.admit(asks(key_id, ample_costs=ample))
            second = await one.control.admit(asks(key_id, ample_costs=ample))  # less than asked, but as much as is left
            assert (first.allowances, second.allowances) == ({"cloud": 2 * COST}, {"cloud": COST})
            before = postgresql.run(name, "SELECT * FROM accounts ORDER BY 1, 2")
            with pytest.raises(RateLimitError, match="concurrent"):
                await one.control.admit(asks(key_id))
            second.reconcile(make("g", cost=0, backend_id="cloud"))
            with pytest.raises(QuotaError, match=r"max_tokens|Try again when"):
                await one.control.admit(asks(key_id, cost=2 * COST))
            with pytest.raises(RateLimitError, match="tokens"):
                await one.control.admit(asks(key_id, answer_tokens=999))
            third = await one.control.admit(asks(key_id))
            assert postgresql.run(name, "SELECT * FROM accounts ORDER BY 1, 2") == before
            assert 1000 - 2 * 18 <= int(third.headers["x-ratelimit-remaining-tokens"]) <= 1000 - 18
            for admission in (first, third):
                admission.reconcile(make("g", cost=COST, backend_id="cloud"))
            await one.flush()
            state = one.control.rate_limit_status(key_id, None, None)
            assert (await state).parallel.remaining == 2  # type: ignore[union-attr]
            assert postgresql.run(name, "SELECT count(*) FROM reservations") == [(0,)]


async def test_free_request_holds_a_permit_only(postgresql: Server, make: Make) -> None:
    with postgresql.database() as name:
        async with gateway(postgresql.url(name)) as one:
            key_id = await one.limited(parallel=1)
            for _ in range(3):
                admission = await one.control.admit(asks(key_id, cost=0))
                assert postgresql.run(name, "SELECT budget_id, amount FROM reservations") == [(f"parallel:key:{key_id}", 1)]
                with pytest.raises(RateLimitError):
                    await one.control.admit(asks(key_id, cost=0))
                admission.reconcile(make("g", backend_id="cloud"))
            await one.flush()
            assert postgresql.run(name, "SELECT count(*) FROM reservations") == [(0,)]


async def test_unused_tokens_are_back_for_the_next_request(postgresql: Server, make: Make) -> None:
    with postgresql.database() as name:
        async with gateway(postgresql.url(name)) as one:
            key_id = await one.limited(tokens_per_minute=100)
            for _ in range(5):
                admission = await one.control.admit(asks(key_id, prompt_tokens=45, answer_tokens=45))
                admission.reconcile(make("g", backend_id="cloud"))


COSTS = st.integers(0, 20)


@given(
    budgets=st.lists(
        st.tuples(st.sampled_from(["", "a", "b"]), st.integers(0, 60), st.sampled_from(Action), COSTS, COSTS, COSTS), max_size=4
    ),
    costs=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.tuples(COSTS, COSTS)),
)
def test_budgets_that_have_enough_decide_like_unused_ones(
    budgets: list[tuple[str, int, Action, int, int, int]], costs: dict[str, tuple[int, int]]
) -> None:
    """That is why the amounts are known before the balances are read."""
    window = Windows(UTC).at(Period.DAY, 0.0)
    made = [
        (
            make_budget(Scope.BACKEND if of else Scope.HOUSEHOLD, of or None, amount, Period.DAY, action),
            Balance(spent, reserved, warned),
        )
        for of, amount, action, spent, reserved, warned in budgets
    ]
    worst = {name: least for name, (least, _) in costs.items()}
    ample = {name: least + more for name, (least, more) in costs.items()}
    used = [BudgetBalance(budget, window, balance) for budget, balance in made]
    unused = decide(worst, [BudgetBalance(budget, window, Balance()) for budget, _ in made], ample)
    if unused.shortfall is not None or unused.barred:
        return
    amounts = {amount.budget.id: amount.amount for amount in unused.amounts}
    if all(
        balance.spent < budget.amount and balance.spent + balance.reserved + amounts.get(budget.id, 0) <= budget.amount
        for budget, balance in made
    ):
        assert decide(worst, used, ample) == unused
        assert exceeded_by(worst, used) == []
