"""Opening balances: what sensors showed before the ledger counted, continued without a drop."""

from pathlib import Path

from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.opening_balances import OpeningBalance

from ..conftest import FreshDatabase, Make


async def test_opening_balance_of_a_shown_value_continues_it_after_a_restart(fresh_database: FreshDatabase, make: Make) -> None:
    store = await AccountingStore.open(fresh_database.url)
    assert store.opening_balances.get("a", "requests") is None
    assert store.opening_balances.continue_from("a", "requests", 41, 3) == OpeningBalance(38)
    assert store.opening_balances.continue_from("a", "cost_total", 2_500_000_000, 0, "EUR") == OpeningBalance(
        2_500_000_000, "EUR"
    )
    assert store.opening_balances.continue_from("a", "errors", None, 7) == OpeningBalance(0)
    await store.close()
    store = await AccountingStore.open(fresh_database.url)
    assert store.opening_balances.continue_from("a", "requests", 41, 5) == OpeningBalance(38)
    assert store.opening_balances.continue_from("a", "errors", 7, 9) == OpeningBalance(0)
    assert store.opening_balances.get("a", "cost_total") == OpeningBalance(2_500_000_000, "EUR")
    await store.close()


async def test_opening_balance_is_raised_when_a_part_of_the_ledger_is_lost(file: Path) -> None:
    store = await AccountingStore.open(file)
    store.opening_balances.put("a", "requests", OpeningBalance(10))
    assert store.opening_balances.continue_from("a", "requests", 14, 2) == OpeningBalance(12)
    await store.close()


async def test_opening_balance_does_not_count_as_usage(file: Path) -> None:
    store = await AccountingStore.open(file)
    store.opening_balances.put("a", "cost_total", OpeningBalance(5, "USD"))
    await store.flush()
    assert store.totals.household.total.costs == {}
    await store.close()


async def test_opening_balance_put_during_a_write_is_kept(file: Path) -> None:
    store = await AccountingStore.open(file)
    for amount in range(50):
        store.opening_balances.put("a", "requests", OpeningBalance(amount))
        if amount % 7 == 0:
            await store.flush()
    await store.close()
    store = await AccountingStore.open(file)
    assert store.opening_balances.get("a", "requests") == OpeningBalance(49)
    await store.close()
