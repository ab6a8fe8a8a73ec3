"""`zeroconf-ai usage`."""

import asyncio
import csv
from datetime import UTC, datetime
import io
import json
from pathlib import Path
import subprocess
import time

import pytest

from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Generation, Outcome
from zeroconf_ai.protocol.usage import Usage

from ...support.command import run

NOON = datetime(2026, 10, 20, 12, tzinfo=UTC).timestamp()
RANGE = ("--from", "2026-10-01", "--to", "2026-10-31")


def usage(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(state, "usage", *arguments, env={"TZ": "UTC"})


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the command finds a database with some use."""

    async def fill() -> None:
        store = await AccountingStore.open(tmp_path / "zeroconf-ai" / "gateway.db", zone=UTC)
        for at, (created, model) in enumerate(((NOON, "=m1"), (NOON + 86_400, "[b]m2"), (time.time(), "now"))):
            spent = {"usage": Usage(1_000_000, 5), "cost": 1_500_000_001 if at < 2 else None}
            record = Generation(f"{at}", created, "http", "chat", "auto", Outcome.OK, model=model, **spent)  # type: ignore[arg-type]
            store.ledger.record(record)
        await store.close()

    asyncio.run(fill())
    return tmp_path


def test_usage_table_has_a_total(state: Path) -> None:
    done = usage(state, *RANGE, "--group-by", "model", "--group-by", "day")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["=m1", "2026-10-20", "1", "0", "1,000,000", "0", "5", "1.500000001", "USD"] in rows
    assert ["[b]m2", "2026-10-21", "1", "0", "1,000,000", "0", "5", "1.500000001", "USD"] in rows
    assert any(row[:1] == ["Total"] and "3.000000002" in row for row in rows)


def test_usage_json_and_csv_are_printed(state: Path) -> None:
    told = json.loads(usage(state, "--from", "2026-10-20", "--to", "2026-10-20", "--format", "json").stdout)
    assert [(row["day"], row["requests"], row["cost"]) for row in told["data"]] == [("2026-10-20", 1, {"USD": 1.500000001})]
    assert told["total"]["requests"] == 1
    done = usage(state, "--from", "2026-10-20", "--to", "2026-10-21", "--format", "csv", "--group-by", "model")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["model"], row["cost_USD"]) for row in rows] == [("'=m1", "1.500000001"), ("[b]m2", "1.500000001")]


def test_usage_by_label_counts_a_request_once_in_the_total(state: Path) -> None:
    database = state / "zeroconf-ai" / "gateway.db"

    async def fill() -> None:
        store = await AccountingStore.open(database, zone=UTC)
        key, _ = await store.keys.create("Tablet", labels=("App", "Kitchen"))
        store.ledger.record(Generation("labelled", NOON, "http", "chat", "auto", Outcome.OK, key_id=key.id))
        await store.close()

    asyncio.run(fill())
    told = json.loads(usage(state, *RANGE, "--group-by", "label", "--format", "json").stdout)
    assert [(row["label"], row["requests"]) for row in told["data"]] == [("", 2), ("App", 1), ("Kitchen", 1)]
    assert told["total"]["requests"] == 3
    table = [line.split()[:2] for line in usage(state, *RANGE, "--group-by", "label").stdout.splitlines()]
    assert ["Total", "3"] in table
    told = json.loads(usage(state, *RANGE, "--group-by", "source", "--label", "App", "--format", "json").stdout)
    assert [row["requests"] for row in told["data"]] == [1]


def test_usage_default_is_this_month_by_day(state: Path) -> None:
    told = json.loads(usage(state, "--format", "json").stdout)
    today = datetime.now(UTC).date()
    assert (told["from"], told["to"]) == (today.replace(day=1).isoformat(), today.isoformat())
    assert told["data"][-1]["day"] == today.isoformat()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--from", "tomorrow"), "2030-12-31"),
        (("--from", "2026-02-02", "--to", "2026-02-01"), "--from must not be"),
        (("--database", "/nonexistent/x.db"), "no database"),
        (("--database", "mysql://x"), "Only SQLite and PostgreSQL"),
        (("--group-by", "address"), "address"),
    ],
)
def test_usage_invalid_options_are_reported(state: Path, arguments: tuple[str, ...], says: str) -> None:
    done = usage(state, *arguments)
    assert done.returncode != 0
    assert done.stdout == ""
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_usage_without_records_is_empty(state: Path) -> None:
    done = usage(state, "--from", "2020-01-01", "--to", "2020-01-02")
    assert (done.returncode, done.stdout) == (0, "")
    assert "There is no usage" in done.stderr


def test_usage_table_shows_audio_only_where_there_was_some(state: Path) -> None:
    assert "heard" not in usage(state, *RANGE).stdout

    async def fill() -> None:
        store = await AccountingStore.open(state / "zeroconf-ai" / "gateway.db", zone=UTC)
        for name, spent in (("ears", Usage(audio_seconds=90.0)), ("voice", Usage(speech_characters=1_234))):
            store.ledger.record(Generation(name, NOON, "http", "audio/speech", "auto", Outcome.OK, model=name, usage=spent))
        await store.close()

    asyncio.run(fill())
    done = run(state, "usage", *RANGE, "--group-by", "model", env={"TZ": "UTC", "COLUMNS": "160"})
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["ears", "1", "0", "0", "0", "0", "1.5", "0", "–"] in rows
    assert ["voice", "1", "0", "0", "0", "0", "0.0", "1,234", "–"] in rows
    told = json.loads(usage(state, *RANGE, "--group-by", "model", "--format", "json").stdout)
    assert (told["total"]["audio_seconds"], told["total"]["speech_characters"]) == (90.0, 1_234)
