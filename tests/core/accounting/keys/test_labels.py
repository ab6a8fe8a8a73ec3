"""Labels of API keys: stored with the key, and groups and filters of usage and records, in SQLite and PostgreSQL."""

from datetime import timedelta
from pathlib import Path
import time

import pytest

from zeroconf_ai.accounting.keys import labels
from zeroconf_ai.accounting.keys.key_store import KeyStore
from zeroconf_ai.accounting.keys.labels import LABEL_LIMIT, LABELS_LIMIT, checked_labels
from zeroconf_ai.accounting.storage.database import Database
from zeroconf_ai.accounting.storage.write_queue import WriteQueue
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.record_search import RecordFilter
from zeroconf_ai.accounting.usage.rollups import Group, UsageFilter
from zeroconf_ai.admin.names import Names
from zeroconf_ai.admin.requests import find_requests
from zeroconf_ai.admin.usage import ReportQuery, UsageReport, report_by
from zeroconf_ai.protocol.errors import InvalidRequestError
from zeroconf_ai.protocol.usage import Usage

from ..conftest import FreshDatabase, Make


def test_labels_are_cleaned_sorted_and_unique_whatever_their_case() -> None:
    given = ["  Tablet ", "kitchen", "Kitchen", "", "\u202e\x00", "Büro\u200b", "<script>alert(1)</script>"]
    assert checked_labels(given) == ("<script>alert(1)</script>", "Büro", "Tablet", "kitchen")
    assert checked_labels(["x" * LABEL_LIMIT]) == ("x" * LABEL_LIMIT,)
    assert len(checked_labels(str(number) for number in range(LABELS_LIMIT))) == LABELS_LIMIT


@pytest.mark.parametrize("given", [["x" * (LABEL_LIMIT + 1)], ["a,b"], [str(number) for number in range(LABELS_LIMIT + 1)]])
def test_labels_too_many_too_long_or_with_a_comma_are_refused(given: list[str]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        checked_labels(given)
    assert caught.value.param == "labels"


async def test_labels_are_stored_and_reach_other_processes(store: AccountingStore, fresh_database: FreshDatabase) -> None:
    key, _ = await store.keys.create("Tablet", labels=("Kitchen", "tablet"))
    bare, _ = await store.keys.create("Bare")
    database = await Database.open(fresh_database.url)
    write_queue = WriteQueue(database)
    other = KeyStore(database, write_queue)
    await other.refresh()
    assert [found.labels for found in other] == [("Kitchen", "tablet"), ()]
    assert (await store.keys.update(key.id, labels=("Bath",))).labels == ("Bath",)
    await store.keys.update(bare.id, name="Still bare")
    await other.refresh()
    assert [(found.name, found.labels) for found in other] == [("Tablet", ("Bath",)), ("Still bare", ())]
    assert (await store.keys.update(key.id, labels=())).labels == ()
    with pytest.raises(InvalidRequestError):
        await store.keys.update(key.id, labels=("a,b",))
    await store.keys.revoke(bare.id)
    with pytest.raises(KeyError):
        await store.keys.update(bare.id, labels=("Bath",))
    await other.refresh()
    assert [(found.name, found.labels) for found in other] == [("Tablet", ())]
    await write_queue.close()
    await database.close()


async def test_usage_of_a_key_with_two_labels_counts_in_each_and_once_in_the_total(store: AccountingStore, make: Make) -> None:
    both, _ = await store.keys.create("Both", labels=("App", "Kitchen"))
    app, _ = await store.keys.create("App", labels=("App",))
    bare, _ = await store.keys.create("Bare")
    for number, key_id in enumerate((both.id, both.id, app.id, bare.id, None)):
        store.ledger.record(make(f"r{number}", key_id=key_id, model="m", usage=Usage(10, 1), cost=1_000_000_000))

    async def report(groups: list[str], label: str | None = None) -> UsageReport:
        query = ReportQuery(group_by=groups, only=UsageFilter(label=label))
        return await report_by(store.ledger, Names(store.keys), query)

    found = await report(["label"])
    assert [(row["label"], row["requests"], row["cost"]) for row in found["rows"]] == [
        ("", 2, {"USD": 2.0}),
        ("App", 3, {"USD": 3.0}),
        ("Kitchen", 2, {"USD": 2.0}),
    ]
    assert (found["total"]["requests"], found["total"]["cost"]) == (5, {"USD": 5.0})
    found = await report(["day", "label", "model"], label="Kitchen")
    assert [(row["label"], row["requests"]) for row in found["rows"]] == [("App", 2), ("Kitchen", 2)]
    assert found["total"]["requests"] == 2
    assert (await report(["model"], label="App"))["total"]["requests"] == 3
    assert (await report(["model"], label=""))["total"]["requests"] == 2
    assert (await report(["model"], label="app"))["rows"] == []
    assert (await report(["hour"], label="App"))["total"]["requests"] == 3
    assert (await report(["hour"], label=""))["total"]["requests"] == 2
    today = store.totals.date
    rows = await store.ledger.usage(today - timedelta(days=40), today, [Group.LABEL], only=UsageFilter(label="App"))
    assert sum(row.aggregate.requests for row in rows if row.group[Group.LABEL] == "App") == 3


async def test_requests_are_filtered_by_label_and_show_the_labels(store: AccountingStore, make: Make) -> None:
    key, _ = await store.keys.create("Both", labels=("App", "Kitchen"))
    store.ledger.record(make("labelled", key_id=key.id))
    store.ledger.record(make("anonymous", created=time.time() - 1))
    names = Names(store.keys)

    async def found(label: str) -> list[tuple[str, list[str]]]:
        page = await find_requests(store.ledger, names, RecordFilter(label=label))
        return [(one["id"], one["labels"]) for one in page["requests"]]

    assert await found("Kitchen") == [("labelled", ["App", "Kitchen"])]
    assert await found("") == [("anonymous", [])]
    assert await found("kitchen' OR '1'='1") == []


async def test_labels_of_a_revoked_key_stay_as_long_as_its_usage(store: AccountingStore, make: Make) -> None:
    used, _ = await store.keys.create("Used", labels=("Kitchen",))
    unused, _ = await store.keys.create("Unused", labels=("Bath",))
    store.ledger.record(make("r", key_id=used.id))
    await store.flush()
    for key in (used, unused):
        await store.keys.revoke(key.id)
    report = await report_by(store.ledger, Names(store.keys), ReportQuery(group_by=["label"]))
    assert [(row["label"], row["requests"]) for row in report["rows"]] == [("Kitchen", 1)]
    await store.tidy()
    assert await store._database.read(labels.read) == {used.id: ("Kitchen",)}
    await store.forget(key_id=used.id)
    assert await store._database.read(labels.read) == {}
    report = await report_by(store.ledger, Names(store.keys), ReportQuery(group_by=["label"]))
    assert [(row["label"], row["requests"]) for row in report["rows"]] == [("", 1)]


async def test_key_that_is_disabled_knows_by_whom(store: AccountingStore) -> None:
    key, _ = await store.keys.create("Phone", user_id="u1")
    assert key.disabled_by is None
    assert (await store.keys.update(key.id, enabled=False, actor="u1")).disabled_by == "u1"
    assert (await store.keys.update(key.id, enabled=False, name="Other", actor="admin")).disabled_by == "u1"
    assert (await store.keys.update(key.id, enabled=True, actor="admin")).disabled_by is None
    assert (await store.keys.update(key.id, enabled=False)).disabled_by == ""


async def test_usage_export_has_labels(store: AccountingStore, make: Make, tmp_path: Path) -> None:
    key, _ = await store.keys.create("Phone", labels=("=cmd()",))
    store.ledger.record(make("r", key_id=key.id))
    today = store.totals.date
    assert await store.export(tmp_path / "usage.csv", today, today, group_by=[Group.LABEL], label="=cmd()") == 1
    heading, row = (tmp_path / "usage.csv").read_text().splitlines()
    assert (heading.split(",")[:2], row.split(",")[:2]) == (["label", "requests"], ["'=cmd()", "1"])
