"""A database that is damaged or gone: what is rescued, what stays closed, and how its owner opens that again."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
import os
from pathlib import Path
import sqlite3

import pytest

from zeroconf_ai.accounting.storage.database import DatabaseError
from zeroconf_ai.accounting.storage.rescue import Rescued
from zeroconf_ai.accounting.store import AccountingStore

from .conftest import FreshDatabase, Make, run
from .lost_database import KEYS, PAGE, SPENT, content_of, damage, fill, garbage, is_closed, pages_of, remove, write, zero


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
    assert sum(key.labels == ("Kitchen",) for key in store.keys) >= KEYS - 80
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
    assert len(lost) <= 2 * KEYS // (len(leaves) - 1)
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
