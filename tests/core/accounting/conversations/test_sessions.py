"""`SessionTable`: conversations outlive a restart, in a bounded number."""

import pytest

from zeroconf_ai.accounting.conversations import sessions as sessions_module
from zeroconf_ai.accounting.conversations.session_row import SessionRow
from zeroconf_ai.accounting.store import Books

from ..conftest import Store


def row(key: str, last_used: float, model: str = "m") -> SessionRow:
    return SessionRow(key, "b", model, last_used)


async def test_the_newest_are_loaded_first(store: Store) -> None:
    books = await Books.open(store.url)
    for at in range(5):
        books.sessions.put(row(f"s{at}", at))
    await books.close()
    books = await Books.open(store.url)
    assert await books.sessions.load(3) == [row("s4", 4), row("s3", 3), row("s2", 2)]
    await books.close()


async def test_the_last_word_on_a_session_counts(books: Books) -> None:
    books.sessions.put(row("moved", 1, "old"))
    books.sessions.put(row("gone", 1))
    assert len(await books.sessions.load(10)) == 2
    books.sessions.put(row("moved", 2, "new"))
    books.sessions.drop("gone")
    books.sessions.drop("never there")
    books.sessions.drop("back")
    books.sessions.put(row("back", 1))
    assert await books.sessions.load(10) == [row("moved", 2, "new"), row("back", 1)]


async def test_what_waits_is_bounded(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "PENDING_LIMIT", 3)
    for at in range(5):
        books.sessions.put(row(f"s{at}", at))
    assert [found.key for found in await books.sessions.load(10)] == ["s4", "s3", "s2"]


async def test_what_is_kept_is_bounded(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "ROW_LIMIT", 3)
    for at in range(5):
        books.sessions.put(row(f"s{at}", at))
    await books.flush()
    await books.tidy()
    assert [found.key for found in await books.sessions.load(10)] == ["s4", "s3", "s2"]


async def test_odd_keys_do_no_harm(books: Books) -> None:
    for key in ("\0a", "a", "\ud800", "x" * 5000, "x" * 5001):
        books.sessions.put(row(key, 1))
    books.sessions.drop("\0")
    assert sorted(found.key[:3] for found in await books.sessions.load(10)) == ["?", "a", "xxx"]
