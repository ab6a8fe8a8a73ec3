"""Files for spreadsheets and programs, and the size of the database's own."""

from collections.abc import AsyncIterator
from contextlib import closing
import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
import io
import json
from pathlib import Path
from sqlite3 import connect

from hypothesis import given, strategies as st
import pytest

from zeroconf_ai.accounting.storage import sqlite
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage import export, ledger as ledger_module
from zeroconf_ai.accounting.usage.export import Format
from zeroconf_ai.accounting.usage.generation import FailedAttempt
from zeroconf_ai.accounting.usage.rollups import Group
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.protocol.values import NANO

from ..conftest import FreshDatabase, Make, run

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
DAY = 86_400.0


@pytest.fixture
async def filled(fresh_database: FreshDatabase, make: Make, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AccountingStore]:
    """An accounting store with three days of usage, in which a model is named like a formula."""
    monkeypatch.setattr(ledger_module, "_PAGE_ROWS", 4)
    store = await AccountingStore.open(fresh_database.url, zone=UTC)
    for day in range(3):
        for number in range(5):
            cost = {"cost": 10**number, "currency": "EUR" if day else "USD"}
            record = make(f"{day}{number}", created=NOON + day * DAY, model="=cmd|'/c calc'!A0", usage=Usage(1, 2), **cost)
            store.ledger.record(record)
    yield store
    await store.close()


def names_in(folder: Path) -> set[str]:
    return {part.name for part in folder.iterdir() if not part.name.startswith("gateway.db")}


def content(file: Path) -> str:
    return file.read_bytes().decode()


async def test_export_file_is_written_by_lines(filled: AccountingStore, tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    first, last = date(2026, 11, 20), date(2026, 11, 21)
    assert await filled.export(file, first, last, written=Format.JSON_LINES) == 10
    lines = [json.loads(line) for line in content(file).splitlines()]
    assert [line["id"] for line in lines] == [f"{day}{number}" for day in range(2) for number in range(5)]
    assert sum(line["cost"] for line in lines) == 22_222
    assert file.stat().st_mode & 0o777 == 0o600
    assert await filled.export(file, first, first, written=Format.JSON_LINES) == 5
    assert len(content(file).splitlines()) == 5
    assert names_in(tmp_path) == {"export.jsonl"}


async def test_export_csv_has_no_formulas_and_exact_costs(filled: AccountingStore, tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    assert await filled.export(file, date(2026, 11, 1), date(2026, 11, 30), group_by=[Group.DAY, Group.MODEL]) == 3
    rows = list(csv.DictReader(io.StringIO(content(file), newline="")))
    assert {row["model"] for row in rows} == {"'=cmd|'/c calc'!A0"}
    assert [(row["day"], row["requests"], row["cost_EUR"], row["cost_USD"]) for row in rows] == [
        ("2026-11-20", "5", "0", "0.000011111"),
        ("2026-11-21", "5", "0.000011111", "0"),
        ("2026-11-22", "5", "0.000011111", "0"),
    ]


async def test_export_csv_without_rows_has_a_heading(store: AccountingStore, tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    for group_by in (None, [Group.KEY]):
        assert await store.export(file, date(2026, 1, 1), date(2026, 1, 2), group_by=group_by) == 0
        [heading] = content(file).splitlines()
        assert ("key_name" if group_by else "key_id") in heading


async def test_export_that_cannot_be_written_leaves_no_file(filled: AccountingStore, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        await filled.export(tmp_path / "folder", date(2026, 1, 1), date(2026, 12, 31))
    assert names_in(tmp_path) == {"folder"}


@given(st.text(max_size=8), st.sampled_from(["", "=", "+", "-", "@", "\t", "\r", "\n"]))
def test_export_csv_text_is_never_a_formula(text: str, before: str) -> None:
    written = export.csv_text(["a"], [{"a": before + text}])
    [_, [cell]] = list(csv.reader(io.StringIO(written, newline=""))) if (before + text) else [[], [""]]
    assert not cell.startswith(("=", "@", "\t", "\r", "\n"))
    if cell.startswith(("+", "-")):
        assert cell[1:].replace(".", "", 1).isdecimal()
    assert cell.removeprefix("'") == (before + text).removeprefix("'")


@given(st.integers(-(2**62), 2**62))
def test_costs_are_exact(nano: int) -> None:
    assert Fraction(Decimal(export.decimal(nano))) == Fraction(nano, NANO)


async def test_database_file_shrinks_after_deletions(file: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroconf_ai.accounting.store._PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(sqlite, "_STEP_PAGES", 50)
    store = await AccountingStore.open(file, keep=1000.0)
    for number in range(6_000):
        store.ledger.record(make(f"{number}", created=5.0, model="m" * 500, caller="c" * 500))
    await store.flush()
    [(before,)] = run(file, "PRAGMA page_count")
    await store.tidy()
    [(after,)] = run(file, "PRAGMA page_count")
    [(free,)] = run(file, "PRAGMA freelist_count")
    assert before > 1_500
    assert after < before / 3
    assert free <= sqlite._SPARE_PAGES
    assert run(file, "PRAGMA integrity_check") == [("ok",)]
    await store.close()


async def test_database_older_file_can_shrink(file: Path) -> None:
    await (await AccountingStore.open(file)).close()
    assert unable_to_shrink(file) == 0
    await (await AccountingStore.open(file)).close()
    assert run(file, "PRAGMA auto_vacuum") == [(2,)]


def unable_to_shrink(file: Path) -> int:
    """Disable shrinking of the file; returns its auto_vacuum value."""
    with closing(connect(file, isolation_level=None)) as connection:
        for statement in ("PRAGMA journal_mode = DELETE", "PRAGMA auto_vacuum = NONE", "VACUUM"):
            connection.execute(statement).fetchall()
        return int(connection.execute("PRAGMA auto_vacuum").fetchone()[0])


async def test_export_failed_attempts_are_json_in_both_formats(fresh_database: FreshDatabase, make: Make, tmp_path: Path) -> None:
    failed = FailedAttempt("a", "=Attic", "m", 'said "no", twice', "provider_error")
    store = await AccountingStore.open(fresh_database.url, zone=UTC)
    store.ledger.record(make("1", created=NOON, cost=5, prompt_cost=2, answer_id="chatcmpl-1", failed_attempts=(failed,)))
    store.ledger.record(make("2", created=NOON + 1))
    day = date(2026, 11, 20)
    for written in Format:
        await store.export(tmp_path / written.value, day, day, written=written)
    await store.close()
    rows = list(csv.DictReader(io.StringIO(content(tmp_path / "csv"))))
    lines = [json.loads(line) for line in content(tmp_path / "jsonl").splitlines()]
    assert [row["failed_attempts"] and json.loads(row["failed_attempts"]) for row in rows] == [[failed._asdict()], ""]
    assert [line["failed_attempts"] for line in lines] == [[failed._asdict()], None]
    assert (rows[0]["answer_id"], rows[0]["prompt_cost"]) == ("chatcmpl-1", "2")
