"""Fifty requests at once on a budget of one cent spend one cent at most: in one process, and in two with one PostgreSQL."""

import asyncio
from datetime import UTC
from pathlib import Path
import sys
import time

import openai
import pytest

from zeroconf_ai.accounting.admission import AdmissionRequest
from zeroconf_ai.accounting.budget import Scope, make_budget
from zeroconf_ai.accounting.budgets.balances import BudgetWindow
from zeroconf_ai.accounting.budgets.reservations import NO_RESERVATION
from zeroconf_ai.accounting.budgets.shared_balances import SharedBalances
from zeroconf_ai.accounting.periods import Period, Windows
from zeroconf_ai.accounting.storage import leases
from zeroconf_ai.accounting.storage.leases import Leases
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.errors import QuotaError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Cost
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.server.access.guard import Guard

from ...support.fakes.chunks import delta
from ...support.fakes.upstream import STOP, USAGE, StubBackend
from ...support.server import Served, served
from ...support.waiting import until
from .conftest import FreshDatabase, Make, expire_leases

CENT = NANO // 100
AT_ONCE = 50
WORST = CENT // 9
RACER = Path(__file__).with_name("racer.py")
PRICES = Prices(10 * NANO, 100 * NANO)
ASK = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10}


@pytest.fixture
def cloud() -> StubBackend:
    model = ModelInfo("m", pricing=PRICES.to_json())
    return StubBackend("cloud", [delta("Hello"), STOP, USAGE], models=[model], cost=Cost.METERED)


async def keep(gateway: Served, store: AccountingStore) -> None:
    await gateway.engine.attach(Accounting.of(store))


async def total(store: AccountingStore, budget_id: str) -> int:
    await store.flush()
    await store.budgets.refresh()
    return store.budgets.state(budget_id).spent


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_budget_fifty_parallel_requests_never_overspent(
    store: AccountingStore, fresh_database: FreshDatabase, cloud: StubBackend, stream: bool
) -> None:
    _, secret = await store.keys.create("Phone")
    budget = await store.budgets.set(Scope.HOUSEHOLD, None, CENT, Period.MONTH)
    go_on = asyncio.Event()
    cloud.outcomes = [[delta("Hello"), go_on, STOP, USAGE]]
    async with served(cloud, access=Guard(store.keys)) as gateway:
        await keep(gateway, store)
        member = next(iter(gateway.engine.pool))
        member.limiter.limit = None
        gateway.engine.limiter.limit = None

        async def chat_status() -> int:
            headers = {"Authorization": f"Bearer {secret}"}
            async with gateway.session.post(
                f"{gateway.url}/chat/completions", json=ASK | {"stream": stream}, headers=headers
            ) as response:
                if response.status != 200:
                    error = (await response.json())["error"]
                    assert (response.status, error["code"], error["type"]) == (429, "budget_exceeded", "insufficient_quota")
                await response.read()
                return response.status

        asking = [asyncio.create_task(chat_status()) for _ in range(AT_ONCE)]
        if stream:  # no answer ends before every request was admitted or refused
            await until(lambda: len(cloud.sent) + sum(task.done() for task in asking) == AT_ONCE)
        go_on.set()
        found = await asyncio.gather(*asking)
        answered = found.count(200)
        assert 0 < answered < AT_ONCE
        each = PRICES.cost(Usage(3, 2))
        assert await total(store, budget.id) == answered * each <= CENT
        assert store.budgets.state(budget.id).reserved == 0
        assert (member.active, member.limiter.active, gateway.engine.limiter.active) == (0, 0, 0)
        assert len(cloud.sent) == answered
        assert store.totals.household.today.usage.cost == answered * each
        rows = fresh_database.run(
            "SELECT outcome, error_code, cost, count(*) FROM generations GROUP BY outcome, error_code, cost"
        )
        refused = AT_ONCE - answered
        assert sorted(rows) == [("error", "budget_exceeded", None, refused), ("ok", None, each, answered)]


async def test_budget_refusal_is_not_retried_by_the_openai_sdk(
    store: AccountingStore, fresh_database: FreshDatabase, cloud: StubBackend
) -> None:
    key, secret = await store.keys.create("Phone")
    await store.budgets.set(Scope.KEY, key.id, CENT, Period.MONTH)
    async with served(cloud, access=Guard(store.keys)) as gateway:
        await keep(gateway, store)
        async with openai.AsyncOpenAI(base_url=gateway.url, api_key=secret, max_retries=3) as client:
            messages: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
            await client.chat.completions.create(model="m", messages=messages, max_tokens=10)
            with pytest.raises(openai.RateLimitError, match="max_tokens below") as caught:
                await client.chat.completions.create(model="m", messages=messages, max_tokens=4096)
        headers = caught.value.response.headers
        renews = store.budgets.state(f"key:{key.id}:month").period.end
        assert headers["x-should-retry"] == "false" or renews - time.time() <= 60
        assert abs(int(headers["Retry-After"]) - (renews - time.time())) < 30
        await store.flush()
        rows = fresh_database.run("SELECT outcome, error_code FROM generations ORDER BY row_id")
        assert rows == [("ok", None), ("error", "budget_exceeded")]  # one refused call, not four
        assert len(cloud.sent) == 1


async def test_budget_cancelled_request_is_charged_for_its_output(
    store: AccountingStore, fresh_database: FreshDatabase, cloud: StubBackend
) -> None:
    budget = await store.budgets.set(Scope.HOUSEHOLD, None, CENT, Period.MONTH)
    never = asyncio.Event()
    cloud.outcomes = [[delta("four words of text"), never, STOP]]
    async with served(cloud) as gateway:
        await keep(gateway, store)
        async with gateway.session.post(f"{gateway.url}/chat/completions", json=ASK | {"stream": True}) as response:
            await response.content.readline()
            response.close()
        await until(lambda: fresh_database.count("generations"))
        assert await total(store, budget.id) > 0
        state = store.budgets.state(budget.id)
        assert state.reserved == 0
        assert cloud.open == 0
        rows = fresh_database.run("SELECT outcome, cost FROM generations")
        assert rows == [("cancelled", state.spent)]


async def test_budget_two_gateways_on_postgresql_never_overspent(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    server = request.getfixturevalue("postgresql")
    with server.database() as name:
        url = server.url(name)
        store = await AccountingStore.open(url)
        try:
            for scope, subject in ((Scope.HOUSEHOLD, None), (Scope.KEY, "k")):
                await store.budgets.set(scope, subject, CENT, Period.MONTH)
            racers = [
                await asyncio.create_subprocess_exec(
                    *(sys.executable, str(RACER), url, str(AT_ONCE // 2), str(WORST)),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                )
                for _ in range(2)
            ]
            async with asyncio.timeout(100):
                for racer in racers:
                    assert racer.stdout is not None
                    assert await racer.stdout.readline() == b"ready\n"
                for racer in racers:
                    assert racer.stdin is not None
                    racer.stdin.write(b"go\n")
                said = await asyncio.gather(*(racer.communicate() for racer in racers))
                told = [[int(part) for part in out.split()] for out, _ in said]
            spent, answered = (sum(numbers) for numbers in zip(*told, strict=True))
            assert 9 <= answered < AT_ONCE
            assert spent <= CENT
            for budget_id in ("household:month", "key:k:month"):
                assert await total(store, budget_id) == spent
                assert store.budgets.state(budget_id).reserved == 0
        finally:
            await store.close()


@pytest.mark.parametrize("fresh_database", ["postgresql"], indirect=True)
async def test_budget_reservations_of_a_killed_gateway_are_released(
    fresh_database: FreshDatabase, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    asked = AdmissionRequest("http", "chat", "m", key_id="k", worst_costs={"cloud": CENT})
    store, other = await AccountingStore.open(fresh_database.url), await AccountingStore.open(fresh_database.url)
    try:
        await store.budgets.set(Scope.KEY, "k", CENT, Period.MONTH)
        await other.budgets.refresh()
        monkeypatch.setattr(leases, "LEASE_SECONDS", -1.0)
        held = await store.admission_control.admit(asked)
        with pytest.raises(QuotaError, match="reserved for requests in progress"):
            await other.admission_control.admit(asked)
        await expire_leases(fresh_database)
        monkeypatch.undo()
        second = await other.admission_control.admit(asked)
        held.reconcile(make("g", cost=5, backend_id="cloud"))  # it lives after all: what it spent is charged
        second.reconcile(make("g", cost=6, backend_id="cloud"))
        await other.flush()
        assert await total(store, "key:k:month") == 11
        assert store.budgets.state("key:k:month").reserved == 0
    finally:
        await store.close()
        await other.close()


async def test_reconciliation_after_an_immediate_one_is_written() -> None:
    """The database's thread may be done before the event loop's looks whether it is."""
    written: list[int] = []

    class Quick:
        async def write(self, work: object) -> list[object]:
            written.append(1)
            return []

    accounts = SharedBalances(Quick(), Leases(Quick()), lambda _: None)  # type: ignore[arg-type]
    budget = make_budget(Scope.KEY, "k", CENT, Period.MONTH)
    due = BudgetWindow(budget, Windows(UTC).at(Period.MONTH, time.time()))
    for count in (1, 2, 3):
        accounts.reconcile(NO_RESERVATION, [due], 5)
        await accounts.flush()
        assert len(written) == count
