"""A database that is damaged or gone: what is rescued, what stays closed, and how its owner opens that again."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
import os
from pathlib import Path
import random
import sqlite3
import time

import pytest

from zeroconf_ai.accounting import admission_control
from zeroconf_ai.accounting.admission import AdmissionRequest
from zeroconf_ai.accounting.budget import Action, Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.storage import sqlite, write_queue
from zeroconf_ai.accounting.storage.database import DatabaseError
from zeroconf_ai.accounting.storage.rescue import Rescued
import zeroconf_ai.accounting.store as store_module
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Outcome
from zeroconf_ai.protocol.errors import UnavailableError
from zeroconf_ai.protocol.usage import Usage

from ...support.waiting import until
from .conftest import FreshDatabase, Make, run

PAGE = 4096
KEYS = 300
SPENT = 7_000


def metered(**fields: object) -> AdmissionRequest:
    return replace(AdmissionRequest("http", "chat", "m", worst_costs={"cloud": 10}), **fields)  # type: ignore[arg-type]


_FILLED: dict[str, bytes] = {}
"""The file that `fill` made, by the id of its database."""


async def fill(address: Path | str, make: Make) -> str:
    """Keys, a budget with something spent of it, and usage; the id of the database."""
    if isinstance(address, Path) and _FILLED:
        [(known, content)] = _FILLED.items()
        make_folder(address)
        write(address, content)
        return known
    store = await AccountingStore.open(address)
    for number in range(KEYS):
        await store.keys.create(f"key {number}")
    await store.budgets.set(Scope.HOUSEHOLD, None, 10_000, Period.MONTH, action=Action.REFUSE)
    admission = await store.admission_control.admit(metered(worst_costs={"cloud": SPENT}))
    first = next(iter(store.keys))
    record = make("g", cost=SPENT, backend_id="cloud", model="m", key_id=first.id, usage=Usage(10, 20))
    admission.reconcile(record)
    store.ledger.record(record)
    await store.close()
    if isinstance(address, Path):
        _FILLED[store.id] = content_of(address)
    return store.id


def damage(file: Path, change: Callable[[bytearray], bytes | bytearray]) -> None:
    file.write_bytes(change(bytearray(file.read_bytes())))


def write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def make_folder(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)


def content_of(file: Path) -> bytes:
    return file.read_bytes()


def zero(start: int, end: int) -> Callable[[bytearray], bytearray]:
    def change(content: bytearray) -> bytearray:
        content[start:end] = bytes(end - start)
        return content

    return change


def garbage(first: int, pages: int) -> Callable[[bytearray], bytearray]:
    def change(content: bytearray) -> bytearray:
        content[first * PAGE : (first + pages) * PAGE] = random.Random(1).randbytes(pages * PAGE)
        return content

    return change


def remove(file: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def pages_of(file: Path, name: str) -> list[int]:
    """The numbers of the leaf pages of a table or index, from 0, as they lie in the file."""
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path", (name,))
        return [number - 1 for (number,) in found]


async def is_closed(store: AccountingStore) -> bool:
    """Whether a metered backend is blocked while a free one answers."""
    admission = await store.admission_control.admit(metered(worst_costs={"cloud": 10, "local": 0}))
    closed = "cloud" in admission.barred
    assert "local" not in admission.barred
    if closed:
        with pytest.raises(UnavailableError) as caught:
            await store.admission_control.admit(metered())
        assert caught.value.code == "budgets_lost"
        assert store.admission_control.free_only
        assert store.admission_control.counts_money
    return closed


async def test_database_new_metered_backends_are_open(fresh_database: FreshDatabase) -> None:
    store = await AccountingStore.open(fresh_database.url)
    assert store.loss is None
    assert not await is_closed(store)
    await store.close()
    again = await AccountingStore.open(fresh_database.url, known_id=store.id, used_before=True)
    assert (again.id, again.loss) == (store.id, None)
    assert not await is_closed(again)
    await again.close()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(zero(0, 16), id="magic zeroed"),
        pytest.param(zero(0, 100), id="header zeroed"),
        pytest.param(zero(0, PAGE), id="first page zeroed"),
        pytest.param(lambda content: content[:-PAGE], id="last page missing"),
        pytest.param(lambda content: content[: len(content) - PAGE // 2], id="cut off within a page"),
    ],
)
async def test_database_damaged_is_rescued_and_blocks_metered_backends(
    file: Path, make: Make, change: Callable[[bytearray], bytes | bytearray]
) -> None:
    await fill(file, make)
    damage(file, change)
    store = await AccountingStore.open(file)
    assert store.loss is not None
    assert store.loss.damaged is not None
    assert store.loss.rescued.budgets == 1
    assert store.loss.rescued.usage == 1
    assert KEYS - 40 <= len(store.keys) == store.loss.rescued.keys
    assert store.budgets.state("household:month").spent == SPENT
    assert store.totals.household.total.costs == {"USD": SPENT}
    assert await is_closed(store)
    await store.close()
    assert run(file, "SELECT sum(requests) FROM key_months") == [(1,)]
    assert [part.name for part in file.parent.iterdir() if part.name.endswith((".copy", ".restoring"))] == []


async def test_database_with_garbage_among_keys_rescues_the_others(file: Path, make: Make) -> None:
    await fill(file, make)
    leaves = pages_of(file, "keys")
    assert len(leaves) > 4
    with closing(sqlite3.connect(file)) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM keys ORDER BY rowid")]
    damage(file, garbage(leaves[1], 1))
    damage(file, garbage(leaves[3], 1))
    store = await AccountingStore.open(file)
    kept = {key.id for key in store.keys}
    assert {ids[0], ids[-1]} < kept
    lost = [number for number, key_id in enumerate(ids) if key_id not in kept]
    assert len(lost) < 2 * KEYS // (len(leaves) - 1)
    assert any(second - first > 1 for first, second in pairwise(lost))  # those between the two pages are kept
    assert store.budgets.state("household:month").spent == SPENT
    await store.close()


@pytest.mark.parametrize(
    "content",
    [b"\x89PNG\r\n\x1a\n" + bytes(20_000), b"this is no database" * 1000, b"{}", bytes(PAGE * 20)],
    ids=["image", "text", "short", "zeros"],
)
async def test_database_of_another_file_type_is_replaced_and_blocks_metered_backends(
    file: Path, make: Make, content: bytes
) -> None:
    await fill(file, make)
    write(file, content)
    store = await AccountingStore.open(file)
    assert store.loss is not None
    assert store.loss.damaged is not None
    assert store.loss.damaged.read_bytes() == content
    assert (store.loss.rescued, len(store.keys), len(store.budgets)) == (Rescued(), 0, 0)
    assert await is_closed(store)
    await store.close()


@pytest.mark.parametrize("how", ["unlinked", "emptied"])
async def test_database_missing_with_a_known_id_blocks_metered_backends(file: Path, make: Make, how: str) -> None:
    known = await fill(file, make)
    remove(file)
    if how == "emptied":
        write(file, b"")
    store = await AccountingStore.open(file, known_id=known)
    assert store.loss is not None
    assert store.loss.damaged is None
    assert await is_closed(store)
    await store.close()
    # A restart opens nothing, nor does one that knows the new database's id.
    for known_id in (known, store.id, None):
        store = await AccountingStore.open(file, known_id=known_id)
        assert await is_closed(store)
        await store.close()


async def test_database_missing_after_earlier_use_blocks_metered_backends(fresh_database: FreshDatabase) -> None:
    store = await AccountingStore.open(fresh_database.url, used_before=True)
    assert await is_closed(store)
    await store.close()


async def test_database_missing_beside_a_damaged_one_blocks_metered_backends(file: Path) -> None:
    file.with_name(f"{file.name}.corrupt-20260101T000000000000Z").write_bytes(b"")
    store = await AccountingStore.open(file)
    assert await is_closed(store)
    await store.close()


async def test_database_emptied_on_the_server_blocks_metered_backends(fresh_database: FreshDatabase, make: Make) -> None:
    known = await fill(fresh_database.url, make)
    tables = [
        name for (name,) in fresh_database.run(_TABLE_NAMES["postgresql" if "postgresql" in fresh_database.url else "sqlite"])
    ]
    for name in tables:
        fresh_database.run(f"DROP TABLE {name}")
    store = await AccountingStore.open(fresh_database.url, known_id=known)
    assert len(store.keys) == 0
    assert await is_closed(store)
    await store.close()


_TABLE_NAMES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}


async def test_loss_confirmed_allows_metered_backends_in_all_processes(fresh_database: FreshDatabase) -> None:
    store = await AccountingStore.open(fresh_database.url, used_before=True)
    other = await AccountingStore.open(fresh_database.url)
    assert await is_closed(other)
    told = asyncio.Event()
    other.listen_loss(told.set)
    await store.confirm_loss(actor="owner")
    assert not await is_closed(store)
    async with asyncio.timeout(20):
        await told.wait()
    assert not await is_closed(other)
    await store.close()
    await other.close()
    assert fresh_database.run("SELECT actor, act FROM audit") == [("owner", "database.confirm")]
    store = await AccountingStore.open(fresh_database.url, known_id=store.id)
    assert not await is_closed(store)
    await store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE budgets SET thresholds = 'no json'",
        "UPDATE budgets SET thresholds = 'null'",
        "UPDATE budgets SET action = 'whatever'",
        "UPDATE keys SET models = 'no json' WHERE name = 'key 1'",
        "UPDATE keys SET name = CAST(x'ff' AS TEXT) WHERE name = 'key 1'",
        "DROP TABLE key_rollups",
    ],
)
async def test_database_with_an_unreadable_row_is_renamed_and_others_rescued(file: Path, make: Make, statement: str) -> None:
    await fill(file, make)
    run(file, statement)
    with pytest.raises(DatabaseError):
        await AccountingStore.open(file, set_damaged_aside=False)
    store = await AccountingStore.open(file)
    assert store.loss is not None
    assert len(store.keys) >= KEYS - 1
    assert store.loss.rescued.budgets == (0 if "budgets" in statement else 1)
    assert await is_closed(store)
    await store.close()


async def test_rescue_revoked_key_is_not_restored(file: Path, make: Make) -> None:
    await fill(file, make)
    store = await AccountingStore.open(file)
    stolen, _ = await store.keys.create("stolen")
    await store.keys.revoke(stolen.id)
    await store.close()
    damage(file, zero(0, PAGE))
    store = await AccountingStore.open(file)
    assert len(store.keys) == KEYS
    assert stolen.id not in {key.id for key in store.keys}
    await store.close()


async def test_database_of_another_program_is_not_changed(file: Path) -> None:
    run(file, "CREATE TABLE states (id INTEGER)")
    before = content_of(file)
    with pytest.raises(DatabaseError, match="another program"):
        await AccountingStore.open(file)
    assert content_of(file) == before
    assert [part.name for part in file.parent.iterdir()] == [file.name]


async def test_database_as_fifo_or_folder_cannot_be_opened(tmp_path: Path) -> None:
    fifo, folder = tmp_path / "fifo", tmp_path / "folder"
    os.mkfifo(fifo)
    folder.mkdir()
    for path in (fifo, folder):
        with pytest.raises(DatabaseError, match="cannot be used"):
            await AccountingStore.open(path)


async def test_database_locked_at_the_start_is_an_error_without_changes(
    file: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = await fill(file, make)
    monkeypatch.setattr("zeroconf_ai.accounting.storage.sqlite.BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("UPDATE counters SET value = value")
        with pytest.raises(DatabaseError, match="locked"):
            await AccountingStore.open(file)
        other.execute("ROLLBACK")
    store = await AccountingStore.open(file, known_id=known)
    assert (store.loss, len(store.keys)) == (None, KEYS)
    await store.close()


async def test_database_damaged_without_permission_to_rename_is_an_error(file: Path, make: Make) -> None:
    await fill(file, make)
    damage(file, zero(0, PAGE))
    with pytest.raises(DatabaseError):
        await AccountingStore.open(file, set_damaged_aside=False)
    assert [part.name for part in file.parent.iterdir()] == [file.name]


# While it is in use.


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is looked at often."""
    monkeypatch.setattr(store_module, "REFRESH_SECONDS", 0.02)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("how", ["deleted", "deleted with its log", "folder deleted", "replaced", "replaced by a folder"])
async def test_database_file_deleted_during_use_is_written_again(
    tmp_path: Path, make: Make, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "folder" / "books.db"
    known = await fill(file, make)
    store = await AccountingStore.open(file, known_id=known)
    key, secret = await store.keys.create("kept")  # in the log alone
    inode = file.stat().st_ino
    match how:
        case "deleted":
            file.unlink()
        case "deleted with its log":
            remove(file)
        case "folder deleted":
            remove(file)
            file.parent.rmdir()
        case "replaced":
            remove(file)
            file.write_bytes(b"something else" * 1000)
        case _:
            remove(file)
            file.mkdir()
    await until(lambda: file.is_file() and file.stat().st_ino != inode and file.stat().st_mode & 0o777 == 0o600)
    await until(lambda: "it was written again" in caplog.text)
    await store.keys.create("after")
    assert not await is_closed(store)
    await store.close()
    again = await AccountingStore.open(file, known_id=known)
    assert again.loss is None
    assert again.keys.verify(secret).id == key.id
    assert len(again.keys) == KEYS + 2
    assert again.budgets.state("household:month").spent == SPENT
    await again.close()
    others = [part.name for part in file.parent.iterdir() if part.name != file.name]
    assert len(others) == (1 if "replaced" in how else 0), others
    assert caplog.text.count("it was written again") == 1


@pytest.mark.usefixtures("quick")
async def test_database_file_replaced_by_its_copy_is_used(file: Path, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    known = await fill(file, make)
    copy = file.with_name("copy")
    write(copy, content_of(file))
    store = await AccountingStore.open(file, known_id=known)
    await store.keys.create("after the copy")
    await store.budgets.set(Scope.HOUSEHOLD, None, 1, Period.DAY)
    remove(file)
    copy.replace(file)
    await until(lambda: len(store.keys) == KEYS and len(store.budgets) == 1)
    assert "replaced by another copy" in caplog.text
    await store.keys.create("in the copy")
    await store.close()
    assert run(file, "SELECT count(*) FROM keys") == [(KEYS + 1,)]


@pytest.mark.usefixtures("quick")
async def test_database_file_deleted_during_use_by_two_is_shared_again(
    file: Path, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(file, make)
    one, other = await AccountingStore.open(file), await AccountingStore.open(file)
    remove(file)
    await until(lambda: {store._database._identity for store in (one, other)} == {sqlite.identity(file)})
    assert caplog.text.count("it was written again") == 1
    await one.keys.create("by one")
    await until(lambda: any(key.name == "by one" for key in other.keys))
    await other.keys.create("by the other")
    await until(lambda: any(key.name == "by the other" for key in one.keys))
    await one.close()
    await other.close()
    assert run(file, "PRAGMA integrity_check") == [("ok",)]
    assert run(file, "SELECT count(*) FROM keys") == [(KEYS + 2,)]


async def test_database_file_is_checked_by_time_not_by_request(file: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(file, make)
    store = await AccountingStore.open(file)
    looks = 0

    def look(_: Path) -> None:
        nonlocal looks
        looks += 1

    monkeypatch.setattr("zeroconf_ai.accounting.storage.database.sqlite.identity", look)
    for number in range(100):
        admission = await store.admission_control.admit(metered())
        admission.reconcile(make(f"{number}", outcome=Outcome.OK))
    assert looks < 10
    monkeypatch.undo()
    await store.close()


# What cannot be written.


async def test_database_unwritable_for_long_blocks_metered_backends_until_it_is_writable(
    file: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_queue, "FLUSH_SECONDS", 0.02)
    monkeypatch.setattr(admission_control, "UNWRITTEN_SECONDS", 0.1)
    monkeypatch.setattr("zeroconf_ai.accounting.storage.sqlite.BUSY_SECONDS", 0.05)
    await fill(file, make)
    store = await AccountingStore.open(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as full:
        pages = full.execute("PRAGMA page_count").fetchone()[0]
    await store._database.read(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}"))  # a full disk

    def record() -> None:
        for number in range(200):
            store.ledger.record(make(f"{time.monotonic()} {number}", backend_id="cloud", cost=1))

    record()
    await until(lambda: store.admission_control.free_only)
    with pytest.raises(UnavailableError) as caught:
        await store.admission_control.admit(metered())
    assert caught.value.code == "database_unavailable"
    await store._database.read(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 1000000"))
    await until(lambda: not store.admission_control.free_only)
    await store.admission_control.admit(metered())
    await store.close()
