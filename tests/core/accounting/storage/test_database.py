"""The database as a file: its mode, damage, a newer version, other processes, and addresses that hold a password."""

import asyncio
from contextlib import closing
import logging
import os
from pathlib import Path
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest
from sqlalchemy import text

from zeroconf_ai.accounting.storage import database as database_module
from zeroconf_ai.accounting.storage.database import Database, DatabaseError, parse_url
from zeroconf_ai.accounting.store import AccountingStore

from ....support.waiting import next_turn

CANARY = "canary-password"

WRITER = """
import asyncio, sys, time
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Generation, Outcome

async def main():
    store = await AccountingStore.open(sys.argv[1])
    number = 0
    while True:
        for _ in range(50):
            store.ledger.record(Generation(f"{number}", time.time(), "http", "chat", "auto", Outcome.OK))
            number += 1
        waiting = len(store.ledger._pending) + len(store.ledger._in_flight)
        print(number - waiting, flush=True)
        await asyncio.sleep(0.005)

asyncio.run(main())
"""

SPENDER = """
import asyncio, sys, time
from zeroconf_ai.accounting.admission import AdmissionRequest
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.usage.generation import Generation, Outcome

async def main():
    store = await AccountingStore.open(sys.argv[1])
    budget = await store.budgets.set(Scope.HOUSEHOLD, None, 10**12, Period.MONTH)
    spent = 0
    while True:
        admission = await store.admission_control.admit(AdmissionRequest("http", "chat", "m", worst_costs={"cloud": 9}))
        record = Generation("g", time.time(), "http", "chat", "m", Outcome.OK, backend_id="cloud", cost=7)
        admission.reconcile(record)
        store.ledger.record(record)
        spent += 7
        print(time.monotonic(), spent, flush=True)
        await asyncio.sleep(0.001)

asyncio.run(main())
"""

SHARER = """
import asyncio, sys, time
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Generation, Outcome

async def main():
    sys.stdin.readline()
    store = await AccountingStore.open(sys.argv[1])
    for number in range(20):
        store.ledger.record(Generation(f"{number}", time.time(), "http", "chat", "auto", Outcome.OK))
        await store.keys.create(f"{number}")
    await store.close()
    print(store.ledger.dropped)

asyncio.run(main())
"""


def rows(file: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(statement).fetchall()


def content_of(file: Path) -> bytes:
    return file.read_bytes()


def write(file: Path, content: bytes, mode: int = 0o600) -> None:
    file.write_bytes(content)
    file.chmod(mode)


def modes_in(folder: Path) -> dict[str, int]:
    return {part.name: part.stat().st_mode & 0o777 for part in folder.iterdir()}


def started(code: str, file: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


async def test_database_path_and_url_are_equivalent(tmp_path: Path) -> None:
    file = tmp_path / "a folder" / "100 % odd.db"
    for address in (file, str(file), f"sqlite:///{file}"):
        store = await AccountingStore.open(address)
        await store.keys.create("Phone")
        await store.close()
    assert rows(file, "SELECT count(*) FROM keys") == [(3,)]


async def test_database_file_is_readable_by_its_owner_only(file: Path) -> None:
    write(file, b"", 0o644)
    store = await AccountingStore.open(file)
    await store.keys.create("Phone")
    assert modes_in(file.parent) == dict.fromkeys((file.name, f"{file.name}-wal", f"{file.name}-shm"), 0o600)
    await store.close()


async def test_database_thread_ends_with_it(file: Path) -> None:
    before = set(threading.enumerate())
    database = await Database.open(file)
    threads = {await database.read(lambda _: threading.current_thread()) for _ in range(5)}
    assert len(threads) == 1
    assert not threads & before
    await database.close()
    await database.close()
    assert set(threading.enumerate()) == before
    with pytest.raises(DatabaseError, match="closed"):
        await database.read(lambda _: None)


async def test_database_cancelled_write_is_completed(file: Path) -> None:
    database = await Database.open(file)
    hold = threading.Event()
    blocking = asyncio.ensure_future(database.read(lambda _: hold.wait()))
    writing = asyncio.ensure_future(database.write(lambda connection: connection.execute(text("UPDATE counters SET value = 7"))))
    await next_turn()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    hold.set()
    await blocking
    await database.close()
    assert rows(file, "SELECT value FROM counters WHERE name = 'keys'") == [(7,)]


async def test_database_failed_transaction_changes_nothing(file: Path) -> None:
    database = await Database.open(file)

    def work(connection: object) -> None:
        connection.execute(text("UPDATE counters SET value = 7"))  # type: ignore[attr-defined]
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(work)
    await database.close()
    assert rows(file, "SELECT value FROM counters WHERE name = 'keys'") == [(0,)]


@pytest.mark.parametrize("kind", ["no database", "damaged page", "damaged header"])
async def test_database_damaged_file_is_renamed_and_replaced(file: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    store = await AccountingStore.open(file)
    for number in range(200):
        await store.keys.create(f"{number}")
    await store.close()
    content = bytearray(content_of(file))
    if kind == "no database":
        content = bytearray(b"this is no database" * 1000)
    elif kind == "damaged page":
        content[4096 * 8 : 4096 * 12] = os.urandom(4096 * 4)
    else:
        content[:16] = bytes(16)
    write(file, bytes(content))

    with pytest.raises(DatabaseError, match=r"malformed|not a database|cannot be used"):
        await AccountingStore.open(file, set_damaged_aside=False)
    assert content_of(file) == content

    store = await AccountingStore.open(file)
    assert store.loss is not None
    aside = store.loss.damaged
    assert aside is not None
    assert aside.name.startswith(f"{file.name}.corrupt-")
    assert content_of(aside) == content
    assert str(aside) in caplog.text
    _, secret = await store.keys.create("new")
    await store.close()
    store = await AccountingStore.open(file)
    assert store.loss is None
    assert store.keys.verify(secret).name == "new"
    await store.close()


async def test_database_folder_without_write_permission_is_reported(tmp_path: Path) -> None:
    blocking = tmp_path / "file"
    blocking.touch()
    with pytest.raises(DatabaseError, match="cannot be used"):
        await AccountingStore.open(blocking / "store.db")
    with pytest.raises(DatabaseError, match="cannot be used"):
        await AccountingStore.open(tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:{CANARY}@[192.0.2.1/name",
        f"mysql://user:{CANARY}@192.0.2.1/name",
        f"postgresql://user:{CANARY}@192.0.2.1:port/name",
        f"://user:{CANARY}@",
        f"postgresql://user:{CANARY}@127.0.0.1:9/name",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
async def test_database_wrong_url_error_has_no_password(
    url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG, "sqlalchemy.engine")
    monkeypatch.setattr(database_module, "find_spec", lambda _: None)
    with pytest.raises(DatabaseError) as caught:
        await AccountingStore.open(url)
    assert CANARY not in f"{caught.value!r}{caught.value.__cause__!r}{caplog.text}"


async def test_database_display_name_has_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "find_spec", lambda _: object())
    url = parse_url(f"postgres://user:{CANARY}@192.0.2.1/name?sslmode=require")
    assert url.drivername == "postgresql+psycopg"
    database = Database(url)
    assert CANARY not in f"{database!r} {database.name} {vars(database)!r}"
    assert "192.0.2.1/name" in database.name
    await database.close()


async def test_database_of_a_later_version_is_not_changed(file: Path) -> None:
    await (await AccountingStore.open(file)).close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = content_of(file)
    with pytest.raises(DatabaseError, match="later version"):
        await AccountingStore.open(file)
    assert content_of(file) == before
    assert modes_in(file.parent).keys() == {file.name}


def test_ledger_of_a_killed_process_loses_only_unwritten_records(file: Path) -> None:
    with started(WRITER, file) as process:
        assert process.stdout is not None
        said = 0
        while said < 5_000:
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            said = int(line)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        said = max([said, *(int(line) for line in process.stdout.read().split("\n")[:-1])])
    assert rows(file, "PRAGMA integrity_check") == [("ok",)]
    [(count, first, last)] = rows(file, "SELECT count(*), min(CAST(id AS INTEGER)), max(CAST(id AS INTEGER)) FROM generations")
    assert isinstance(count, int)
    assert count >= said
    assert (first, last) == (0, count - 1)
    for table in ("rollups", "key_rollups", "key_months"):
        assert rows(file, f"SELECT sum(requests) FROM {table}") == [(count,)]  # noqa: S608


def test_budget_of_a_killed_process_loses_at_most_a_second(file: Path) -> None:
    with started(SPENDER, file) as process:
        assert process.stdout is not None
        told: list[tuple[float, int]] = []
        while not told or told[-1][0] - told[0][0] < 3.0:
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            told.append((float(line.split()[0]), int(line.split()[1])))
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        rest = [line.split() for line in process.stdout.read().split("\n")[:-1]]
        told += [(float(at), int(charged)) for at, charged in rest]
    [(spent,)] = rows(file, "SELECT spent FROM accounts")
    assert isinstance(spent, int)
    lost = [at for at, charged in told if charged > spent]
    # By the process's own clock, and with a second for a machine that is busy.
    assert told[-1][0] - min(lost, default=told[-1][0]) < 2.0
    assert 0 < spent <= told[-1][1] + 7


def test_database_processes_starting_with_a_new_file_share_it(file: Path) -> None:
    processes = [started(SHARER, file) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        told, error = process.communicate(timeout=60)
        assert (told, error, process.returncode) == ("0\n", "", 0)
    assert rows(file, "SELECT count(*) FROM generations") == [(80,)]
    assert rows(file, "SELECT count(*) FROM keys") == [(80,)]
    assert rows(file, "SELECT value FROM counters WHERE name = 'keys'") == [(80,)]
