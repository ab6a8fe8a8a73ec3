"""Searches and sums of many records use indexes: asserted by the databases' plans, not by time."""

from collections.abc import Callable
from functools import partial
import time
from typing import Any

import pytest
from sqlalchemy import Connection, event

from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage import record_search
from zeroconf_ai.accounting.usage.generation import Outcome
from zeroconf_ai.accounting.usage.record_search import RecordFilter, SumGroups
from zeroconf_ai.accounting.usage.rollups import Group

from ..conftest import Make

WEEK = 7 * 86_400
FILTERS: list[dict[str, Any]] = [
    {},
    {"model": "m"},
    {"backend_id": "b"},
    {"key_id": "7"},
    {"user_id": "u"},
    {"label": "Kitchen"},
    {"label": ""},
    {"address": "192.0.2.1"},
    {"source": "http"},
    {"outcome": Outcome.ERROR},
    {"model": "m", "outcome": Outcome.ERROR, "key_id": "7"},
]


async def plan_of(store: AccountingStore, work: Callable[[Connection], object]) -> str:
    """The plan of the statement that `work` executes."""

    def explain(connection: Connection) -> str:
        executed: list[tuple[str, Any]] = []

        def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
            executed.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", note)
        work(connection)
        event.remove(connection, "before_cursor_execute", note)
        [(statement, parameters)] = executed
        if connection.dialect.name == "sqlite":
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return "\n".join(str(row.detail) for row in rows)
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # few rows are always read as a whole
        return "\n".join(str(row[0]) for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters))

    return await store.ledger._database.read(explain)


def reads_all(plan: str) -> bool:
    """Whether a plan reads the records without an index."""
    lines = [line.strip() for line in plan.splitlines()]
    return any(
        (line.startswith("SCAN generations") and "USING" not in line) or "Seq Scan on generations" in line for line in lines
    )


@pytest.mark.parametrize("wanted", FILTERS, ids=lambda wanted: "+".join(wanted) or "all")
@pytest.mark.parametrize("start", [None, WEEK], ids=["ever", "week"])
async def test_search_of_each_filter_follows_an_index_in_the_order_of_the_page(
    store: AccountingStore, make: Make, wanted: dict[str, Any], start: int | None
) -> None:
    for number in range(50):
        store.ledger.record(make(f"r{number}", created=time.time() - number, key_id=str(number % 9)))
    await store.flush()
    found = RecordFilter(start=None if start is None else time.time() - start, **wanted)
    for cursor in (None, (time.time(), 5)):
        plan = await plan_of(store, partial(record_search.page, wanted=found, before=cursor, limit=51))
        assert not reads_all(plan), plan
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan, plan


async def test_search_of_an_id_follows_the_indexes_of_both_ids(store: AccountingStore) -> None:
    plan = await plan_of(store, lambda connection: record_search.page(connection, RecordFilter(request_id="x"), None, 51))
    assert "ix_generations_id" in plan
    assert "ix_generations_answer_id" in plan


@pytest.mark.parametrize("group", [Group.MODEL, Group.KEY, Group.LABEL])
async def test_sums_of_a_range_read_only_its_records(store: AccountingStore, make: Make, group: Group) -> None:
    for number in range(50):
        store.ledger.record(make(f"r{number}", created=time.time() - number * 86_400))
    await store.flush()
    wanted = RecordFilter(start=time.time() - 86_400, end=time.time())
    plan = await plan_of(
        store, lambda connection: record_search.sums(connection, wanted, SumGroups(hour=True, address=True, groups=(group,)))
    )
    assert not reads_all(plan), plan
    assert "ix_generations_created" in plan
