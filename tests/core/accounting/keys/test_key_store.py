"""`KeyStore`: verification of keys, and immediate revocation."""

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
from zeroconf_ai.accounting.keys.key_changes import KeyLimitError
from zeroconf_ai.accounting.keys.key_secret import new_secret
from zeroconf_ai.accounting.keys.key_store import KeyStore
from zeroconf_ai.accounting.storage import sqlite
from zeroconf_ai.accounting.storage.database import Database, DatabaseError
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.errors import AuthenticationError, InvalidRequestError, PermissionDeniedError
from zeroconf_ai.protocol.home_rule import HomeRule
from zeroconf_ai.protocol.key_proof import digest, is_generated

from ....support.waiting import next_turn
from ..conftest import FreshDatabase, content


def refused(keys: KeyStore, secret: str) -> str:
    with pytest.raises((AuthenticationError, PermissionDeniedError)) as caught:
        keys.verify(secret)
    return str(caught.value.code)


def hold(file: Path) -> sqlite3.Connection:
    """Keep others from writing, as another process does that writes for long."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_key_secrets_are_unique_and_selected_whole_by_a_double_click() -> None:
    made = {new_secret() for _ in range(1_000)}
    assert len(made) == 1_000
    assert all(re.fullmatch(r"zai_[A-Za-z0-9]{32}", secret) for secret in made)
    assert len(set("".join(secret.removeprefix("zai_") for secret in made))) == 62


async def test_key_of_a_former_version_with_a_hyphen_at_its_end_stays_valid(store: AccountingStore) -> None:
    former = "zai_-example_of_a_former_version_12-"
    assert is_generated(former)
    key = await store.keys.adopt("Phone", digest(former), former[:8])
    await store.keys.refresh()
    assert store.keys.verify(former) == key
    _, renewed = await store.keys.rotate(key.id)
    assert renewed.removeprefix("zai_").isalnum()
    assert store.keys.verify(former).id == store.keys.verify(renewed).id == key.id


async def test_key_is_identified_by_its_secret_only(store: AccountingStore) -> None:
    key, secret = await store.keys.create("Phone", user_id="u1", models=("qwen*",), endpoints=("chat",), background=True)
    assert store.keys.verify(secret) == key
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
        assert refused(store.keys, wrong) == "invalid_api_key"


async def test_keys_are_kept_after_a_restart(fresh_database: FreshDatabase) -> None:
    store = await AccountingStore.open(fresh_database.url)
    key, secret = await store.keys.create("Phone", device="phone", models=("a", "b"), expires=time.time() + 1000)
    store.keys.verify(secret)
    used = store.keys.get(key.id)
    await store.close()
    store = await AccountingStore.open(fresh_database.url)
    assert list(store.keys) == [used]
    assert used is not None
    assert used.last_used is not None
    assert store.keys.verify(secret).id == key.id
    await store.close()


async def test_key_secrets_and_hashes_are_not_shown_and_secrets_not_stored(
    store: AccountingStore, fresh_database: FreshDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "sqlalchemy.engine")
    key, secret = await store.keys.create("Phone")
    _, rotated = await store.keys.rotate(key.id)
    store.keys.verify(secret)
    other = await Database.open(fresh_database.url)
    with pytest.raises(DatabaseError) as caught:
        await other.write(lambda connection: statements.add(connection, key, digest(rotated)))
    await other.close()
    shown = "".join(map(repr, (store, store.keys, key, list(store.keys), caught.value))) + str(caught.value) + caplog.text
    await store.flush()
    stored = content(fresh_database, "keys", "audit")
    for each in (secret, rotated):
        assert each[10:] not in shown
        assert digest(each).hex() not in shown
        assert repr(digest(each)) not in shown
        assert each[10:] not in stored
        assert hashlib.sha256(each.encode()).hexdigest() in stored


async def test_key_disabled_or_expired_has_its_error_code(store: AccountingStore) -> None:
    key, secret = await store.keys.create("Phone")
    await store.keys.update(key.id, enabled=False)
    assert refused(store.keys, secret) == "key_disabled"
    await store.keys.update(key.id, enabled=True, expires=time.time() - 1)
    assert refused(store.keys, secret) == "key_expired"
    await store.keys.update(key.id, expires=None)
    assert store.keys.verify(secret).id == key.id


async def test_key_update_changes_only_the_given_fields(store: AccountingStore) -> None:
    key, secret = await store.keys.create("Phone")
    assert not key.home_only
    changed = await store.keys.update(
        key.id, name="  Tab\nlet ", models=["x"], endpoints=["chat"], background=True, home_only=True
    )
    assert (changed.name, changed.models, changed.endpoints, changed.background) == ("Tablet", ("x",), ("chat",), True)
    store.keys.invalidate()
    await store.keys.refresh()
    assert store.keys.verify(secret).home_rule is HomeRule.KEY
    assert store.keys.verify(secret) == changed
    with pytest.raises(TypeError, match="digest"):
        await store.keys.update(key.id, digest=b"")
    with pytest.raises(KeyError):
        await store.keys.update("nobody", name="x")


async def test_key_uses_llm_apis_only_with_a_user(store: AccountingStore, fresh_database: FreshDatabase) -> None:
    with pytest.raises(InvalidRequestError, match="Only an API key of a user"):
        await store.keys.create("Shared", llm_apis=("assist",))
    key, secret = await store.keys.create("Phone", user_id="u1", llm_apis=("mcp-1", "assist", "assist"))
    assert key.llm_apis == ("assist", "mcp-1")
    with pytest.raises(InvalidRequestError, match="Only an API key of a user"):
        await store.keys.update(key.id, user_id=None)
    for wrong in (("",), ("a\n",), ("a" * 256,), tuple(map(str, range(51)))):
        with pytest.raises(InvalidRequestError, match="LLM API"):
            await store.keys.update(key.id, llm_apis=wrong)
    other = await AccountingStore.open(fresh_database.url)
    assert other.keys.verify(secret).llm_apis == ("assist", "mcp-1")
    await other.keys.update(key.id, llm_apis=(), user_id=None)
    await other.close()
    await store.keys.refresh()
    assert store.keys.verify(secret).llm_apis == ()


async def test_key_revoked_is_refused_immediately(store: AccountingStore, fresh_database: FreshDatabase) -> None:
    key, secret = await store.keys.create("Phone")
    _, other = await store.keys.create("Tablet")
    revoking = asyncio.ensure_future(store.keys.revoke(key.id))
    await next_turn()
    assert refused(store.keys, secret) == "invalid_api_key"
    await revoking
    assert fresh_database.run("SELECT name FROM keys") == [("Tablet",)]
    with pytest.raises(KeyError):
        await store.keys.revoke(key.id)
    assert store.keys.verify(other).name == "Tablet"


async def test_key_revocation_that_cannot_be_written_applies_and_is_retried(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    store = await AccountingStore.open(file)
    key, secret = await store.keys.create("Phone")
    with closing(hold(file)):
        with pytest.raises(DatabaseError):
            await store.keys.revoke(key.id)
        assert refused(store.keys, secret) == "invalid_api_key"
    await store.flush()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM keys").fetchone() == (0,)
    await store.keys.refresh()
    assert refused(store.keys, secret) == "invalid_api_key"
    await store.close()


async def test_key_revoked_during_a_change_stays_revoked(store: AccountingStore) -> None:
    key, secret = await store.keys.create("Phone")
    hold = threading.Event()
    busy = asyncio.ensure_future(store._database.read(lambda _: hold.wait()))
    changing = asyncio.ensure_future(store.keys.update(key.id, name="x"))
    rotating = asyncio.ensure_future(store.keys.rotate(key.id))
    await next_turn()
    revoking = asyncio.ensure_future(store.keys.revoke(key.id))
    await next_turn()
    hold.set()
    await asyncio.gather(busy, revoking)
    for task in (changing, rotating):
        with pytest.raises(KeyError):
            await task
    assert refused(store.keys, secret) == "invalid_api_key"
    await store.keys.refresh()
    assert list(store.keys) == []


async def test_key_changes_of_another_process_are_seen(store: AccountingStore, fresh_database: FreshDatabase) -> None:
    other = await AccountingStore.open(fresh_database.url)
    seen = asyncio.Event()
    stop = other.keys.listen(seen.set)
    key, secret = await store.keys.create("Phone")
    await seen.wait()
    assert other.keys.verify(secret) == key
    seen.clear()
    await store.keys.revoke(key.id)
    await seen.wait()
    assert refused(other.keys, secret) == "invalid_api_key"
    with pytest.raises(KeyError):
        await other.keys.update(key.id, name="x")
    stop()
    await other.close()


async def test_key_changes_of_two_processes_are_seen_by_both(store: AccountingStore, fresh_database: FreshDatabase) -> None:
    other = await AccountingStore.open(fresh_database.url)
    made = await asyncio.gather(*(keys.create(f"{at}") for at in range(10) for keys in (store.keys, other.keys)))
    for keys in (store.keys, other.keys):
        await keys.refresh()
        assert {keys.verify(secret).id for _, secret in made} == {key.id for key, _ in made}
    await other.close()


async def test_key_revoked_by_another_process_cannot_be_changed(store: AccountingStore, fresh_database: FreshDatabase) -> None:
    key, _ = await store.keys.create("Phone")
    fresh_database.run("DELETE FROM keys")
    with pytest.raises(KeyError):
        await store.keys.update(key.id, name="x")
    with pytest.raises(KeyError):
        await store.keys.rotate(key.id)


async def test_key_rotated_accepts_both_secrets_during_the_overlap(
    store: AccountingStore, fresh_database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, first = await store.keys.create("Phone")
    rotated, second = await store.keys.rotate(key.id, 1000.0)
    assert (rotated.id, rotated.prefix) == (key.id, second[:8])
    assert store.keys.verify(first) == store.keys.verify(second) == rotated
    await AccountingStore.close(store)
    store = await AccountingStore.open(fresh_database.url)
    assert store.keys.verify(first).id == store.keys.verify(second).id == key.id
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1001)
    assert refused(store.keys, first) == "invalid_api_key"
    assert store.keys.verify(second).id == key.id
    monkeypatch.undo()
    _, third = await store.keys.rotate(key.id, 0)
    assert [refused(store.keys, old) for old in (first, second)] == ["invalid_api_key"] * 2
    assert store.keys.verify(third).id == key.id
    await store.close()


async def test_key_secret_created_elsewhere_is_stored_once(store: AccountingStore) -> None:
    secret = "zai_example_example_example"
    key = await store.keys.adopt("First", digest(secret), secret[:8], device="phone")
    assert store.keys.verify(secret) == key
    assert (await store.keys.adopt("Again", digest(secret), secret[:8])).id == key.id
    assert len(store.keys) == 1


async def test_keys_in_great_number_are_distinguished(store: AccountingStore, fresh_database: FreshDatabase) -> None:
    secrets = [new_secret() for _ in range(2_000)]

    def fill(connection: object) -> None:
        statements.count_change(connection)  # type: ignore[arg-type]
        for at, secret in enumerate(secrets):
            statements.add(connection, ClientKey(f"{at}", f"{at}", secret[:8], time.time()), digest(secret))  # type: ignore[arg-type]

    database = await Database.open(fresh_database.url)
    await database.write(fill)
    await database.close()
    await store.keys.refresh()
    assert [store.keys.verify(secret).id for secret in secrets] == [f"{at}" for at in range(2_000)]
    await store.keys.revoke("7")
    assert refused(store.keys, secrets[7]) == "invalid_api_key"
    assert len(store.keys) == 1_999


async def test_key_last_use_is_updated_immediately_and_stored_each_minute(
    store: AccountingStore, fresh_database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stored() -> float | None:
        [(used,)] = fresh_database.run("SELECT last_used FROM keys")
        return None if used is None else float(used)

    key, secret = await store.keys.create("Phone")
    now = time.time()
    for later, expected in ((0, 0), (30, 0), (61, 61)):
        monkeypatch.setattr(time, "time", lambda later=later: now + later)
        store.keys.verify(secret)
        told = store.keys.get(key.id)
        assert told is not None
        assert told.last_used == now + later
        await store.flush()
        assert stored() == now + expected


async def test_key_listeners_are_notified_until_they_stop(store: AccountingStore) -> None:
    told: list[int] = []
    stop = store.keys.listen(lambda: told.append(len(store.keys)))
    key, _ = await store.keys.create("Phone")
    await store.keys.revoke(key.id)
    stop()
    stop()
    await store.keys.create("Tablet")
    assert told == [1, 0]


async def test_keys_of_a_user_created_by_two_processes_at_once_do_not_exceed_the_number(
    store: AccountingStore, fresh_database: FreshDatabase
) -> None:
    other = await AccountingStore.open(fresh_database.url)
    creating = [
        keys.create(f"{number}", user_id="u1", most_of_user=3) for number in range(4) for keys in (store.keys, other.keys)
    ]
    results = await asyncio.gather(*creating, store.keys.create("Other", user_id="u2", most_of_user=1), return_exceptions=True)
    failed = [result for result in results if isinstance(result, BaseException)]
    assert [type(error) for error in failed] == [KeyLimitError] * 5
    assert str(failed[0]) == "You have 3 API keys, and may have no more. Revoke one first."
    await other.close()
    assert fresh_database.run("SELECT user_id, count(*) FROM keys GROUP BY user_id ORDER BY user_id") == [("u1", 3), ("u2", 1)]
    assert fresh_database.run("SELECT count(*) FROM audit WHERE act = 'key.create'") == [(4,)]


async def test_hosted_tools_of_a_key_are_checked_and_stored(store: AccountingStore, fresh_database: FreshDatabase) -> None:
    plain, _ = await store.keys.create("Plain")
    key, _ = await store.keys.create("Laptop", hosted_tools=("mcp", "web_search", "mcp"))
    assert (plain.hosted_tools, key.hosted_tools) == ((), ("web_search", "mcp"))
    with pytest.raises(InvalidRequestError, match="Unknown hosted tools: shell"):
        await store.keys.update(key.id, hosted_tools=("shell",))
    await store.keys.update(key.id, hosted_tools=("server_url", "mcp"))
    other = await AccountingStore.open(fresh_database.url)
    assert {found.name: found.hosted_tools for found in other.keys} == {"Plain": (), "Laptop": ("mcp", "server_url")}
    await other.close()
