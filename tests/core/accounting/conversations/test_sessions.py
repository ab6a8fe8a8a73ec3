"""`SessionTable`: conversations outlive a restart, in a bounded number."""

import pytest

from zeroconf_ai.accounting.conversations import sessions as sessions_module
from zeroconf_ai.accounting.conversations.session_row import SessionRow
from zeroconf_ai.accounting.store import AccountingStore

from ..conftest import FreshDatabase


def row(key: str, last_used: float, model: str = "m") -> SessionRow:
    return SessionRow(key, "b", model, last_used)


async def test_sessions_newest_are_loaded_first(fresh_database: FreshDatabase) -> None:
    store = await AccountingStore.open(fresh_database.url)
    for at in range(5):
        store.sessions.put(row(f"s{at}", at))
    await store.close()
    store = await AccountingStore.open(fresh_database.url)
    assert await store.sessions.load(3) == [row("s4", 4), row("s3", 3), row("s2", 2)]
    await store.close()


async def test_sessions_last_write_wins(store: AccountingStore) -> None:
    store.sessions.put(row("moved", 1, "old"))
    store.sessions.put(row("gone", 1))
    assert len(await store.sessions.load(10)) == 2
    store.sessions.put(row("moved", 2, "new"))
    store.sessions.drop("gone")
    store.sessions.drop("never there")
    store.sessions.drop("back")
    store.sessions.put(row("back", 1))
    assert await store.sessions.load(10) == [row("moved", 2, "new"), row("back", 1)]


async def test_sessions_waiting_to_be_written_are_bounded(store: AccountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "PENDING_LIMIT", 3)
    for at in range(5):
        store.sessions.put(row(f"s{at}", at))
    assert [found.key for found in await store.sessions.load(10)] == ["s4", "s3", "s2"]


async def test_sessions_stored_are_bounded(store: AccountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "ROW_LIMIT", 3)
    for at in range(5):
        store.sessions.put(row(f"s{at}", at))
    await store.flush()
    await store.tidy()
    assert [found.key for found in await store.sessions.load(10)] == ["s4", "s3", "s2"]


async def test_sessions_with_unusual_keys_are_stored(store: AccountingStore) -> None:
    for key in ("\0a", "a", "\ud800", "x" * 5000, "x" * 5001):
        store.sessions.put(row(key, 1))
    store.sessions.drop("\0")
    assert sorted(found.key[:3] for found in await store.sessions.load(10)) == ["?", "a", "xxx"]
