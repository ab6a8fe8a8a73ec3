"""`Ledger`: nothing that was recorded is lost silently, and nothing waits for the database."""

import asyncio
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
import sqlite3
import time
from typing import Any

import pytest

from zeroconf_ai.accounting.storage import sqlite, statements, tables
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage import ledger as ledger_module
from zeroconf_ai.accounting.usage.generation import FailedAttempt, Generation, Outcome, Viewer
from zeroconf_ai.protocol.usage import Usage

from ....support.waiting import next_turn, until
from ..conftest import FreshDatabase, Make, run


def count(file: Path) -> int:
    return int(run(file, "SELECT count(*) FROM generations")[0][0])


UNSTORED = {"calls", "audio_tokens"}
"""What of a usage is only needed for its cost."""


@pytest.fixture
def full(make: Make) -> Generation:
    """A record that has every field."""
    numbers: dict[str, Any] = {field.name: at + 1 for at, field in enumerate(fields(Usage)) if field.name not in UNSTORED}
    record = make(
        "gen_1",
        outcome=Outcome.ERROR,
        answer_id="chatcmpl-1",
        model="m",
        backend_id="b",
        backend_name="B",
        provider_health="degraded",
        attempts=2,
        failed_attempts=(FailedAttempt("a", "A", "m", "A: timeout", "timeout", 0.1, 0.2), FailedAttempt("a", "A", "m")),
        stream=True,
        usage=Usage(**numbers),
        estimated=True,
        cost=123_456_789_012,
        prompt_cost=23_456_789_012,
        cost_source="owner",
        currency="EUR",
        converted_cost=111_111_111_111,
        converted_currency="CHF",
        energy=7.5,
        duration=1.5,
        sent=0.125,
        first_byte=0.2,
        first_token=0.25,
        finish_reason="stop",
        error_code="provider_error",
        caller="Phone",
        key_id="k",
        user_id="u",
        address="192.0.2.1",
    )
    assert all(getattr(record, field.name) not in (None, "", 0, False) for field in fields(record))
    return record


async def test_ledger_record_is_found_before_and_after_it_is_written(store: AccountingStore, full: Generation) -> None:
    store.ledger.record(full)
    assert await store.ledger.get("gen_1") == full
    await store.flush()
    assert await store.ledger.get("gen_1") == full
    assert await store.ledger.get("gen_2") is None


async def test_ledger_record_is_found_while_it_is_written(store: AccountingStore, full: Generation) -> None:
    store.ledger.record(full)
    flushing = asyncio.ensure_future(store.flush())
    while not flushing.done():
        assert await store.ledger.get("gen_1") == full
        await next_turn()
    await flushing


@pytest.mark.parametrize("written", [False, True], ids=["pending", "written"])
async def test_ledger_record_is_found_by_the_id_of_its_answer(store: AccountingStore, make: Make, written: bool) -> None:
    store.ledger.record(make("req_1", answer_id="chatcmpl-1", key_id="k1"))
    store.ledger.record(make("req_2", answer_id="chatcmpl-1", key_id="k2"))  # some servers give every answer the same id
    store.ledger.record(make("req_3", answer_id="req_1", key_id="k3"))
    if written:
        await store.flush()
    for wanted, key, found in (
        ("chatcmpl-1", "k1", "req_1"),
        ("chatcmpl-1", "k2", "req_2"),
        ("chatcmpl-1", "k3", None),
        ("req_1", "k1", "req_1"),
        ("req_1", "k3", "req_3"),
    ):
        record = await store.ledger.get(wanted, Viewer(key, None, "http", None))
        assert (record and record.id) == found
    for wanted, found in (("chatcmpl-1", "req_2"), ("req_1", "req_1")):
        record = await store.ledger.get(wanted)
        assert record is not None
        assert record.id == found


async def test_ledger_failed_attempts_are_bounded_and_escaped(store: AccountingStore, make: Make) -> None:
    endless = [FailedAttempt(f"b{number}", "B" * 10_000, "m\0", "r\udc80" * 10_000, None) for number in range(1_000)]
    store.ledger.record(make("gen_1", failed_attempts=endless))
    store.ledger.record(make("gen_2"))
    await store.flush()
    found, plain = await store.ledger.get("gen_1"), await store.ledger.get("gen_2")
    assert found is not None
    assert [attempt.backend_id for attempt in found.failed_attempts] == [f"b{number}" for number in range(980, 1_000)]
    assert {len(attempt.backend_name) for attempt in found.failed_attempts} == {statements.TEXT_LIMIT}
    assert found.failed_attempts[0].model == "m"
    assert found.failed_attempts[0].reason == "r?" * (statements.TEXT_LIMIT // 2)
    assert plain is not None
    assert plain.failed_attempts == ()


async def test_ledger_is_written_periodically(store: AccountingStore, fresh_database: FreshDatabase, make: Make) -> None:
    store.ledger.record(make("gen_1"))
    await until(lambda: fresh_database.count("generations"))


async def test_ledger_queue_is_written_at_close(fresh_database: FreshDatabase, make: Make) -> None:
    store = await AccountingStore.open(fresh_database.url)
    for at in range(500):
        store.ledger.record(make(f"gen_{at}"))
    await store.close()
    await store.close()
    assert fresh_database.count("generations") == 500


async def test_cost_without_prices_is_the_upstreams(store: AccountingStore, make: Make) -> None:
    store.ledger.record(make("named", usage=Usage(1, 1, cost=5)))
    store.ledger.record(make("reckoned", usage=Usage(1, 1, cost=5), cost=7))
    store.ledger.record(make("unknown", usage=Usage(1, 1)))
    await store.flush()
    costs = {}
    for name in ("named", "reckoned", "unknown"):
        found = await store.ledger.get(name)
        assert found is not None
        costs[name] = (found.cost, found.usage.cost)
    assert costs == {"named": (5, 5), "reckoned": (7, 5), "unknown": (None, None)}


async def test_ledger_repeated_id_finds_the_last_record(
    store: AccountingStore, fresh_database: FreshDatabase, make: Make
) -> None:
    store.ledger.record(make("same", model="one"))
    await store.flush()
    store.ledger.record(make("same", model="two"))
    await store.flush()
    found = await store.ledger.get("same")
    assert found is not None
    assert found.model == "two"
    assert fresh_database.count("generations") == 2


async def test_ledger_any_text_or_number_is_written(store: AccountingStore, fresh_database: FreshDatabase, make: Make) -> None:
    bad = ["\0", "\ud800", "x" * 1_000_000, "'; DROP TABLE generations; --", "💡"]
    for text in bad:
        store.ledger.record(make(text, requested_model=text, model=text, caller=text, address=text, finish_reason=text))
    store.ledger.record(make("numbers", usage=Usage(2**70, 0, cost=2**80), cost=-(2**80)))
    await store.flush()
    assert fresh_database.count("generations") == len(bad) + 1
    found = await store.ledger.get("x" * 1_000_000)
    assert found is not None
    assert found.model == "x" * statements.TEXT_LIMIT


async def test_ledger_locked_database_delays_records_without_loss(
    file: Path, make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    store = await AccountingStore.open(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for at in range(3):
            store.ledger.record(make(f"gen_{at}"))
            await store.flush()
    assert count(file) == 0
    assert (await store.ledger.get("gen_0")) is not None
    assert caplog.text.count("cannot be written to") == 1
    store.ledger.record(make("gen_3"))
    await store.flush()
    assert (count(file), store.ledger.dropped) == (4, 0)
    await store.close()


async def test_ledger_dropped_records_are_counted_and_logged_once(
    fresh_database: FreshDatabase, make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ledger_module, "PENDING_LIMIT", 10)
    store = await AccountingStore.open(fresh_database.url)
    for at in range(25):
        store.ledger.record(make(f"gen_{at}"))
    assert store.ledger.dropped == 15
    assert caplog.text.count("usage records are lost") == 1
    await store.close()
    assert fresh_database.count("generations") == 10


async def test_write_queue_unwritable_batch_does_not_stop_the_next(
    store: AccountingStore, fresh_database: FreshDatabase, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    store.ledger.record(make("bad", attempts="many"))
    store.ledger.record(replace(make("worse"), outcome=None))  # type: ignore[arg-type]
    await store.flush()
    assert store.ledger.dropped == 2
    store.ledger.record(make("good"))
    await store.flush()
    assert fresh_database.count("generations") == 1
    assert "lost" in caplog.text


async def test_ledger_old_records_are_deleted_in_batches(
    fresh_database: FreshDatabase, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "DELETE_ROWS", 10)
    monkeypatch.setattr("zeroconf_ai.accounting.store.DELETE_ROWS", 10)
    store = await AccountingStore.open(fresh_database.url, keep=1000.0)
    for at in range(25):
        store.ledger.record(make(f"old_{at}", created=time.time() - 2000))
    store.ledger.record(make("new"))
    await store.flush()
    await store.tidy()
    assert fresh_database.count("generations") == 1
    assert await store.ledger.get("new") is not None
    await store.close()


def test_ledger_each_field_has_a_column() -> None:
    names = {field.name for field in fields(Generation)} - {"usage"} | {field.name for field in fields(Usage)} - UNSTORED
    names |= {"row_id", "upstream_cost"}
    assert set(tables.generations.columns.keys()) == names
