"""`KeyStore`: who is let in, and that a revoked key is out at once and for good."""

import asyncio
from contextlib import closing
import hashlib
import logging
from pathlib import Path
import re
import sqlite3
import threading
import time

import pytest

from zeroconf_ai.accounting.keys import statements
from zeroconf_ai.accounting.keys.client_key import ClientKey
from zeroconf_ai.accounting.keys.key_store import KeyStore, digest, new_secret
from zeroconf_ai.accounting.storage import sqlite
from zeroconf_ai.accounting.storage.database import DatabaseError
from zeroconf_ai.accounting.store import Books
from zeroconf_ai.protocol.errors import AuthenticationError, PermissionDeniedError

from ..conftest import Store, content


def refused(keys: KeyStore, secret: str) -> str:
    with pytest.raises((AuthenticationError, PermissionDeniedError)) as caught:
        keys.verify(secret)
    return str(caught.value.code)


def hold(file: Path) -> sqlite3.Connection:
    """Keep others from writing, as another process does that writes for long."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_a_secret_is_one_of_its_own() -> None:
    assert re.fullmatch(r"zai_[A-Za-z0-9_-]{32}", new_secret())
    assert len({new_secret() for _ in range(100)}) == 100


async def test_a_key_is_known_by_its_secret_alone(books: Books) -> None:
    key, secret = await books.keys.create("Phone", user_id="u1", models=("qwen*",), endpoints=("chat",), background=True)
    assert books.keys.verify(secret) == key
    assert (key.prefix, key.name, key.user_id, key.models, key.endpoints, key.background, key.enabled) == (
        secret[:8],
        "Phone",
        "u1",
        ("qwen*",),
        ("chat",),
        True,
        True,
    )
    for wrong in ("", key.prefix, key.id, secret + "x", secret[:-1], new_secret(), "x" * 10_000_000, "ä\udc80\ud800", "zai_\0"):
        assert refused(books.keys, wrong) == "invalid_api_key"


async def test_keys_are_there_again_after_a_restart(store: Store) -> None:
    books = await Books.open(store.url)
    key, secret = await books.keys.create("Phone", device="phone", models=("a", "b"), expires=time.time() + 1000)
    books.keys.verify(secret)
    used = books.keys.get(key.id)
    await books.close()
    books = await Books.open(store.url)
    assert list(books.keys) == [used]
    assert used is not None
    assert used.last_used is not None
    assert books.keys.verify(secret).id == key.id
    await books.close()


async def test_no_secret_and_no_hash_of_one_is_shown_and_no_secret_kept(
    books: Books, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key, secret = await books.keys.create("Phone")
    _, rotated = await books.keys.rotate(key.id)
    books.keys.verify(secret)
    other = await Books.open(store.url)
    with pytest.raises(DatabaseError) as caught:
        await other._database.write(lambda connection: statements.add(connection, key, digest(rotated)))
    await other.close()
    shown = "".join(map(repr, (books, books.keys, key, list(books.keys), caught.value))) + str(caught.value) + caplog.text
    await books.flush()
    stored = content(store, "keys", "audit")
    for each in (secret, rotated):
        assert each[10:] not in shown
        assert digest(each).hex() not in shown
        assert repr(digest(each)) not in shown
        assert each[10:] not in stored
        assert hashlib.sha256(each.encode()).hexdigest() in stored


async def test_a_disabled_and_an_expired_key_are_refused_each_by_its_name(books: Books) -> None:
    key, secret = await books.keys.create("Phone")
    await books.keys.update(key.id, enabled=False)
    assert refused(books.keys, secret) == "key_disabled"
    await books.keys.update(key.id, enabled=True, expires=time.time() - 1)
    assert refused(books.keys, secret) == "key_expired"
    await books.keys.update(key.id, expires=None)
    assert books.keys.verify(secret).id == key.id


async def test_only_what_may_change_changes(books: Books) -> None:
    key, secret = await books.keys.create("Phone")
    changed = await books.keys.update(key.id, name="  Tab\nlet ", models=["x"], endpoints=["chat"], background=True)
    assert (changed.name, changed.models, changed.endpoints, changed.background) == ("Tablet", ("x",), ("chat",), True)
    assert books.keys.verify(secret) == changed
    with pytest.raises(TypeError, match="digest"):
        await books.keys.update(key.id, digest=b"")
    with pytest.raises(KeyError):
        await books.keys.update("nobody", name="x")


async def test_a_revoked_key_is_refused_from_the_call_on(books: Books, store: Store) -> None:
    key, secret = await books.keys.create("Phone")
    _, other = await books.keys.create("Tablet")
    revoking = asyncio.ensure_future(books.keys.revoke(key.id))
    await asyncio.sleep(0)
    assert refused(books.keys, secret) == "invalid_api_key"
    await revoking
    assert store.run("SELECT name FROM keys") == [("Tablet",)]
    with pytest.raises(KeyError):
        await books.keys.revoke(key.id)
    assert books.keys.verify(other).name == "Tablet"


async def test_a_key_whose_revocation_cannot_be_written_stays_revoked_and_is_written_later(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    books = await Books.open(file)
    key, secret = await books.keys.create("Phone")
    with closing(hold(file)):
        with pytest.raises(DatabaseError):
            await books.keys.revoke(key.id)
        assert refused(books.keys, secret) == "invalid_api_key"
    await books.flush()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM keys").fetchone() == (0,)
    await books.keys.refresh()
    assert refused(books.keys, secret) == "invalid_api_key"
    await books.close()


async def test_a_key_revoked_while_it_is_changed_does_not_come_back(books: Books) -> None:
    key, secret = await books.keys.create("Phone")
    hold = threading.Event()
    busy = asyncio.ensure_future(books._database.read(lambda _: hold.wait()))
    changing = asyncio.ensure_future(books.keys.update(key.id, name="x"))
    rotating = asyncio.ensure_future(books.keys.rotate(key.id))
    await asyncio.sleep(0)
    revoking = asyncio.ensure_future(books.keys.revoke(key.id))
    await asyncio.sleep(0)
    hold.set()
    await asyncio.gather(busy, revoking)
    for task in (changing, rotating):
        with pytest.raises(KeyError):
            await task
    assert refused(books.keys, secret) == "invalid_api_key"
    await books.keys.refresh()
    assert list(books.keys) == []


async def test_another_process_s_changes_are_seen(books: Books, store: Store) -> None:
    other = await Books.open(store.url)
    seen = asyncio.Event()
    stop = other.keys.listen(seen.set)
    key, secret = await books.keys.create("Phone")
    await seen.wait()
    assert other.keys.verify(secret) == key
    seen.clear()
    await books.keys.revoke(key.id)
    await seen.wait()
    assert refused(other.keys, secret) == "invalid_api_key"
    with pytest.raises(KeyError):
        await other.keys.update(key.id, name="x")
    stop()
    await other.close()


async def test_changes_of_two_processes_at_once_are_all_seen_by_both(books: Books, store: Store) -> None:
    other = await Books.open(store.url)
    made = await asyncio.gather(*(keys.create(f"{at}") for at in range(10) for keys in (books.keys, other.keys)))
    for keys in (books.keys, other.keys):
        await keys.refresh()
        assert {keys.verify(secret).id for _, secret in made} == {key.id for key, _ in made}
    await other.close()


async def test_what_another_process_revoked_cannot_be_changed_or_rotated(books: Books, store: Store) -> None:
    key, _ = await books.keys.create("Phone")
    store.run("DELETE FROM keys")
    with pytest.raises(KeyError):
        await books.keys.update(key.id, name="x")
    with pytest.raises(KeyError):
        await books.keys.rotate(key.id)


async def test_after_a_rotation_both_secrets_are_good_for_a_while(
    books: Books, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, first = await books.keys.create("Phone")
    rotated, second = await books.keys.rotate(key.id, 1000.0)
    assert (rotated.id, rotated.prefix) == (key.id, second[:8])
    assert books.keys.verify(first) == books.keys.verify(second) == rotated
    await Books.close(books)
    books = await Books.open(store.url)
    assert books.keys.verify(first).id == books.keys.verify(second).id == key.id
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1001)
    assert refused(books.keys, first) == "invalid_api_key"
    assert books.keys.verify(second).id == key.id
    monkeypatch.undo()
    _, third = await books.keys.rotate(key.id, 0)
    assert [refused(books.keys, old) for old in (first, second)] == ["invalid_api_key"] * 2
    assert books.keys.verify(third).id == key.id
    await books.close()


async def test_a_secret_made_elsewhere_is_taken_in_once(books: Books) -> None:
    secret = "zai_example_example_example"
    key = await books.keys.adopt("First", digest(secret), secret[:8], device="phone")
    assert books.keys.verify(secret) == key
    assert (await books.keys.adopt("Again", digest(secret), secret[:8])).id == key.id
    assert len(books.keys) == 1


async def test_ten_thousand_keys_are_told_apart(books: Books) -> None:
    secrets = [new_secret() for _ in range(10_000)]

    def fill(connection: object) -> None:
        statements.count_change(connection)  # type: ignore[arg-type]
        for at, secret in enumerate(secrets):
            statements.add(connection, ClientKey(f"{at}", f"{at}", secret[:8], time.time()), digest(secret))  # type: ignore[arg-type]

    await books._database.write(fill)
    await books.keys.refresh()
    assert [books.keys.verify(secret).id for secret in secrets] == [f"{at}" for at in range(10_000)]
    await books.keys.revoke("7")
    assert refused(books.keys, secrets[7]) == "invalid_api_key"
    assert len(books.keys) == 9_999


async def test_uses_are_noted_at_once_here_and_once_a_minute_in_the_database(
    books: Books, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stored() -> float | None:
        [(used,)] = store.run("SELECT last_used FROM keys")
        return None if used is None else float(used)

    key, secret = await books.keys.create("Phone")
    now = time.time()
    for later, expected in ((0, 0), (30, 0), (61, 61)):
        monkeypatch.setattr(time, "time", lambda later=later: now + later)
        books.keys.verify(secret)
        told = books.keys.get(key.id)
        assert told is not None
        assert told.last_used == now + later
        await books.flush()
        assert stored() == now + expected


async def test_listeners_are_told_until_they_stop(books: Books) -> None:
    told: list[int] = []
    stop = books.keys.listen(lambda: told.append(len(books.keys)))
    key, _ = await books.keys.create("Phone")
    await books.keys.revoke(key.id)
    stop()
    stop()
    await books.keys.create("Tablet")
    assert told == [1, 0]
