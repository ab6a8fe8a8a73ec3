"""A database file that is deleted, replaced or full while it is in use."""

from contextlib import closing
from pathlib import Path
import sqlite3
import time

import pytest

from zeroconf_ai.accounting import admission_control
from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.storage import sqlite, write_queue
import zeroconf_ai.accounting.store as store_module
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Outcome
from zeroconf_ai.protocol.errors import UnavailableError

from ...support.waiting import until
from .conftest import Make, run
from .lost_database import KEYS, SPENT, content_of, fill, is_closed, metered, remove, write


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is looked at often."""
    monkeypatch.setattr(store_module, "REFRESH_SECONDS", 0.02)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("how", ["deleted", "deleted with its log", "folder deleted", "replaced", "replaced by a folder"])
async def test_database_file_deleted_during_use_is_written_again(
    tmp_path: Path, make: Make, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "folder" / "gateway.db"
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
