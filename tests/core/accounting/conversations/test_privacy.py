"""Personal data: prompts and answers are stored only if enabled, and deleted by `forget`."""

import asyncio
from dataclasses import replace
from datetime import date
import time

import pytest

from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.conversations import exchanges as bodies_module
from zeroconf_ai.accounting.conversations.session_row import SessionRow
from zeroconf_ai.accounting.conversations.stored_exchange import StoredExchange
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.storage import statements, tables
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.rollups import FORGOTTEN, Group
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.routing.execution.sessions import session_key

from ....support.fakes.chunks import delta
from ....support.fakes.upstream import STOP, USAGE, StubBackend
from ..conftest import FreshDatabase, Make, content

ALWAYS = (date(1, 1, 1), date(9999, 12, 31))
TABLES = tuple(tables.metadata.tables)
CANARY = "canary-4711"


def body(generation_id: str, **fields: str) -> StoredExchange:
    given = {"source": "assist", "request": f"{CANARY} asked", "response": "answered", "conversation_id": "c1"}
    return StoredExchange(generation_id, time.time(), **{**given, **fields})


async def test_audit_entries_have_actor_and_time_without_secrets(store: AccountingStore, fresh_database: FreshDatabase) -> None:
    began = time.time()
    key, secret = await store.keys.create("Phone", actor="anna")
    await store.keys.update(key.id, name="Tablet", actor="anna")
    _, rotated = await store.keys.rotate(key.id, actor="ben")
    await store.keys.revoke(key.id, actor="ben")
    store.audit.record("anna", "budget.set", "household")
    acts = await store.audit.list()
    assert [(act.actor, act.act, act.subject) for act in acts] == [
        ("anna", "budget.set", "household"),
        ("ben", "key.revoke", key.id),
        ("ben", "key.rotate", key.id),
        ("anna", "key.update", key.id),
        ("anna", "key.create", key.id),
    ]
    assert all(began <= act.at <= time.time() for act in acts)
    assert [act.act for act in await store.audit.list(2)] == ["budget.set", "key.revoke"]
    stored = content(fresh_database, "audit")
    assert not [each for each in (secret, rotated) if each[4:] in stored]


async def test_audit_old_entries_are_deleted(store: AccountingStore, fresh_database: FreshDatabase) -> None:
    store.audit.record("anna", "key.create", "k")
    await store.flush()
    fresh_database.run("UPDATE audit SET at = 5")
    store.audit.record("anna", "key.revoke", "k")
    await store.flush()
    await store.tidy()
    assert [act.act for act in await store.audit.list()] == ["key.revoke"]


async def test_conversations_are_not_stored_by_default(store: AccountingStore, fresh_database: FreshDatabase) -> None:
    engine = Engine()
    await engine.attach(Accounting(recorder=store.ledger, sessions=store.sessions))
    said = [[delta(f"{CANARY} answered"), STOP, USAGE]]
    await engine.checker.check(engine.add(StubBackend("one", *said)))
    messages = [{"role": "system", "content": CANARY}, {"role": "user", "content": f"{CANARY} asked"}]
    request = Request.parse(Kind.CHAT, {"model": "m", "messages": messages, "session_id": CANARY, "user": CANARY, "stream": True})
    request = replace(request, session=session_key(None, request.body, "k"))
    async with engine.run(request, Caller(Source.HTTP, key_id="k")) as reply:
        assert CANARY.encode() in b"".join([chunk.raw async for chunk in reply.chunks()])
    assert request.session is not None
    store.sessions.put(SessionRow(request.session, "one", "m", time.time()))
    store.exchanges.put(body("gen_1"))
    await store.flush()
    assert (fresh_database.count("generations"), fresh_database.count("sessions")) == (1, 1)
    assert CANARY not in content(fresh_database, *TABLES)
    await engine.close()


async def test_conversations_are_stored_if_enabled_and_deleted_by_forget(
    fresh_database: FreshDatabase,
) -> None:
    for keeps, whole in ((None, False), (True, False), (True, True), (False, False)):
        store = await AccountingStore.open(fresh_database.url, keep_bodies=keeps)
        key, _ = await store.keys.create("Phone")
        engine = Engine()
        await engine.attach(Accounting(recorder=store.ledger, exchanges=store.exchanges))
        await engine.checker.check(engine.add(StubBackend("one", [delta(f"{CANARY} answered"), STOP, USAGE])))
        messages = [{"role": "user", "content": f"{CANARY} asked"}]
        body = {"model": "m", "messages": messages, "stream": not whole}
        request = replace(Request.parse(Kind.CHAT, body, request_id="gen_1"), session="c1")
        async with engine.run(request, Caller(Source.HTTP, "Phone", key_id=key.id)) as reply:
            if not whole:
                assert len([chunk async for chunk in reply.chunks()]) == 3
        await store.flush()
        assert (fresh_database.count("bodies"), fresh_database.count("conversations")) == ((1, 1) if keeps else (0, 0))
        if keeps:
            found = await store.exchanges.get("gen_1")
            assert found is not None
            assert f"{CANARY} asked" in found[0]
            assert ("Hello" if whole else f"{CANARY} answered") in found[1]  # what the stub says to who wants no stream
            assert fresh_database.run("SELECT id, source, display_name FROM conversations") == [("c1", "http", "Phone")]
            await store.forget(key_id=key.id)
        assert CANARY not in content(fresh_database, *TABLES)
        await engine.close()
        await store.close()


async def test_conversations_are_stored_if_enabled_and_deleted_when_disabled(
    fresh_database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies_module, "BODY_LIMIT", 10)
    store = await AccountingStore.open(fresh_database.url, keep_bodies=True)
    store.exchanges.put(body("1", request="question" * 10, username="anna", display_name="Kitchen"))
    store.exchanges.put(body("2", request="\0\ud800"))
    assert await store.exchanges.get("1") == ("questionqu", "answered")
    assert await store.exchanges.get("2") == ("?", "answered")
    assert await store.exchanges.get("3") is None
    assert fresh_database.count("conversations") == 1
    await store.close()
    store = await AccountingStore.open(fresh_database.url)
    store.exchanges.put(body("4"))
    await store.close()
    assert fresh_database.count("bodies") == 2
    await (await AccountingStore.open(fresh_database.url, keep_bodies=False)).close()
    assert (fresh_database.count("bodies"), fresh_database.count("conversations")) == (0, 0)


async def test_conversations_are_deleted_with_their_records(fresh_database: FreshDatabase) -> None:
    store = await AccountingStore.open(fresh_database.url, keep_bodies=True, keep=1000.0)
    store.exchanges.put(body("old"))
    await store.flush()
    for statement in ("UPDATE bodies SET created = 5", "UPDATE conversations SET last_used = 5"):
        fresh_database.run(statement)
    store.exchanges.put(body("new", conversation_id="c2"))
    await store.flush()
    await store.tidy()
    assert await store.exchanges.get("old") is None
    assert await store.exchanges.get("new") is not None
    assert fresh_database.count("conversations") == 1
    await store.close()


async def test_conversations_queue_is_bounded(fresh_database: FreshDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies_module, "PENDING_LIMIT", 5)
    store = await AccountingStore.open(fresh_database.url, keep_bodies=True)
    for number in range(20):
        store.exchanges.put(body(f"{number}"))
    await store.close()
    assert fresh_database.count("bodies") == 5


@pytest.mark.parametrize("whose", ["key", "user"])
async def test_forget_removes_the_name_and_keeps_totals(
    fresh_database: FreshDatabase, make: Make, whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "DELETE_ROWS", 10)
    monkeypatch.setattr("zeroconf_ai.accounting.store.DELETE_ROWS", 10)
    store = await AccountingStore.open(fresh_database.url, keep_bodies=True)
    user = "user-canary"
    key, _ = await store.keys.create("Name-canary", user_id=user, device="Device-canary", actor=user)
    other, secret = await store.keys.create("Other", user_id="somebody")
    for scope, subject in ((Scope.KEY, key.id), (Scope.USER, user), (Scope.KEY, other.id)):
        await store.budgets.set(scope, subject, 10**9, Period.MONTH)
    names = {"key_id": key.id, "user_id": user}
    for number in range(25):
        store.ledger.record(make(f"{number}", **names, caller="Name-canary", cost=2))
        store.ledger.record(make(f"{number}", key_id=other.id, user_id="somebody", caller="Other", cost=3))
        store.exchanges.put(body(f"{number}", **names, username="Name-canary", conversation_id=f"{number}-canary"))
    store.ledger.record(make("waiting", **names, cost=2))
    before = store.totals.household
    if whose == "key":
        await store.forget(key_id=key.id, actor="admin")
    else:
        await store.forget(user_id=user, actor=user)
    assert store.totals.household == before
    stored = content(fresh_database, *TABLES)
    assert key.id not in stored
    assert "canary" not in stored or whose == "key"
    assert "Name-canary" not in stored
    assert fresh_database.count("generations") == 25
    uses = await store.ledger.usage(*ALWAYS, (Group.KEY, Group.USER))
    assert {use.group[Group.KEY]: use.aggregate.costs for use in uses} == {FORGOTTEN: {"USD": 52}, other.id: {"USD": 75}}
    assert store.keys.get(key.id) is None
    assert {budget.subject for budget in store.budgets} == {other.id, *([user] if whose == "key" else [])}
    assert store.keys.verify(secret).id == other.id
    [act, *_] = await store.audit.list()
    assert (act.actor, act.act, act.subject) == ("admin" if whose == "key" else FORGOTTEN, "forget", whose)
    if whose == "key":
        await store.forget(user_id=user)
        uses = await store.ledger.usage(*ALWAYS, (Group.KEY,))
        assert {use.group[Group.KEY]: use.aggregate.requests for use in uses} == {FORGOTTEN: 26, other.id: 25}
    await store.close()


async def test_forget_of_both_or_no_subject_is_refused(store: AccountingStore) -> None:
    for whose in ({}, {"key_id": "k", "user_id": "u"}):
        with pytest.raises(TypeError, match="key_id or user_id"):
            await store.forget(**whose)


async def test_forget_of_an_unknown_key_succeeds(store: AccountingStore, make: Make) -> None:
    store.ledger.record(make("1", key_id="gone"))
    await asyncio.gather(store.forget(key_id="gone"), store.forget(key_id="never"))
    assert await store.ledger.get("1") is None
