"""What is stored of people: no word of what they say unless the owner wants it, and nothing once they are forgotten."""

import asyncio
from dataclasses import replace
from datetime import date
import time

import pytest

from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.conversations import messages as bodies_module
from zeroconf_ai.accounting.conversations.messages import Body
from zeroconf_ai.accounting.conversations.session_row import SessionRow
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.storage import statements, tables
from zeroconf_ai.accounting.store import Books
from zeroconf_ai.accounting.usage.rollups import FORGOTTEN, Group
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.routing.execution.sessions import session_key

from ....support.fakes.upstream import STOP, USAGE, StubBackend, delta
from ..conftest import Make, Store, content

ALWAYS = (date(1, 1, 1), date(9999, 12, 31))
TABLES = tuple(tables.metadata.tables)
CANARY = "canary-4711"


def body(generation_id: str, **fields: str) -> Body:
    given = {"source": "assist", "request": f"{CANARY} asked", "response": "answered", "conversation_id": "c1"}
    return Body(generation_id, time.time(), **{**given, **fields})


async def test_acts_are_noted_with_who_and_when_and_without_secrets(books: Books, store: Store) -> None:
    began = time.time()
    key, secret = await books.keys.create("Phone", actor="anna")
    await books.keys.update(key.id, name="Tablet", actor="anna")
    _, rotated = await books.keys.rotate(key.id, actor="ben")
    await books.keys.revoke(key.id, actor="ben")
    books.audit.note("anna", "budget.set", "household")
    acts = await books.audit.list()
    assert [(act.actor, act.act, act.subject) for act in acts] == [
        ("anna", "budget.set", "household"),
        ("ben", "key.revoke", key.id),
        ("ben", "key.rotate", key.id),
        ("anna", "key.update", key.id),
        ("anna", "key.create", key.id),
    ]
    assert all(began <= act.at <= time.time() for act in acts)
    assert [act.act for act in await books.audit.list(2)] == ["budget.set", "key.revoke"]
    stored = content(store, "audit")
    assert not [each for each in (secret, rotated) if each[4:] in stored]


async def test_old_acts_go(books: Books, store: Store) -> None:
    books.audit.note("anna", "key.create", "k")
    await books.flush()
    store.run("UPDATE audit SET at = 5")
    books.audit.note("anna", "key.revoke", "k")
    await books.flush()
    await books.tidy()
    assert [act.act for act in await books.audit.list()] == ["key.revoke"]


async def test_by_default_no_word_is_stored(books: Books, store: Store) -> None:
    engine = Engine(recorder=books.ledger)
    await engine.sessions.open(books.sessions)
    said = [[delta(f"{CANARY} answered"), STOP, USAGE]]
    await engine.checker.check(engine.add(StubBackend("one", *said)))
    messages = [{"role": "system", "content": CANARY}, {"role": "user", "content": f"{CANARY} asked"}]
    request = Request.parse(Kind.CHAT, {"model": "m", "messages": messages, "session_id": CANARY, "user": CANARY, "stream": True})
    request = replace(request, session=session_key(None, request.body, "k"))
    async with engine.run(request, Caller(Source.HTTP, key_id="k")) as reply:
        assert CANARY.encode() in b"".join([chunk.raw async for chunk in reply.chunks()])
    assert request.session is not None
    books.sessions.put(SessionRow(request.session, "one", "m", time.time()))
    books.bodies.put(body("gen_1"))
    await books.flush()
    assert (store.count("generations"), store.count("sessions")) == (1, 1)
    assert CANARY not in content(store, *TABLES)
    await engine.close()


async def test_what_passes_the_engine_is_kept_where_the_owner_wants_it_and_gone_when_forgotten(store: Store) -> None:
    for keeps, whole in ((None, False), (True, False), (True, True), (False, False)):
        books = await Books.open(store.url, keep_bodies=keeps)
        key, _ = await books.keys.create("Phone")
        engine = Engine(recorder=books.ledger)
        engine.bodies = books.bodies
        await engine.checker.check(engine.add(StubBackend("one", [delta(f"{CANARY} answered"), STOP, USAGE])))
        messages = [{"role": "user", "content": f"{CANARY} asked"}]
        body = {"model": "m", "messages": messages, "stream": not whole}
        request = replace(Request.parse(Kind.CHAT, body, request_id="gen_1"), session="c1")
        async with engine.run(request, Caller(Source.HTTP, "Phone", key_id=key.id)) as reply:
            if not whole:
                assert len([chunk async for chunk in reply.chunks()]) == 3
        await books.flush()
        assert (store.count("bodies"), store.count("conversations")) == ((1, 1) if keeps else (0, 0))
        if keeps:
            found = await books.bodies.get("gen_1")
            assert found is not None
            assert f"{CANARY} asked" in found[0]
            assert ("Hello" if whole else f"{CANARY} answered") in found[1]  # what the stub says to who wants no stream
            assert store.run("SELECT id, source, display_name FROM conversations") == [("c1", "http", "Phone")]
            await books.forget(key_id=key.id)
        assert CANARY not in content(store, *TABLES)
        await engine.close()
        await books.close()


async def test_words_are_kept_where_the_owner_wants_it_and_deleted_when_not_any_more(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies_module, "BODY_LIMIT", 10)
    books = await Books.open(store.url, keep_bodies=True)
    books.bodies.put(body("1", request="question" * 10, username="anna", display_name="Kitchen"))
    books.bodies.put(body("2", request="\0\ud800"))
    assert await books.bodies.get("1") == ("questionqu", "answered")
    assert await books.bodies.get("2") == ("?", "answered")
    assert await books.bodies.get("3") is None
    assert store.count("conversations") == 1
    await books.close()
    books = await Books.open(store.url)
    books.bodies.put(body("4"))
    await books.close()
    assert store.count("bodies") == 2
    await (await Books.open(store.url, keep_bodies=False)).close()
    assert (store.count("bodies"), store.count("conversations")) == (0, 0)


async def test_words_go_with_the_records(store: Store) -> None:
    books = await Books.open(store.url, keep_bodies=True, keep=1000.0)
    books.bodies.put(body("old"))
    await books.flush()
    for statement in ("UPDATE bodies SET created = 5", "UPDATE conversations SET last_used = 5"):
        store.run(statement)
    books.bodies.put(body("new", conversation_id="c2"))
    await books.flush()
    await books.tidy()
    assert await books.bodies.get("old") is None
    assert await books.bodies.get("new") is not None
    assert store.count("conversations") == 1
    await books.close()


async def test_words_that_wait_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies_module, "PENDING_LIMIT", 5)
    books = await Books.open(store.url, keep_bodies=True)
    for number in range(20):
        books.bodies.put(body(f"{number}"))
    await books.close()
    assert store.count("bodies") == 5


@pytest.mark.parametrize("whose", ["key", "user"])
async def test_a_forgotten_one_is_named_nowhere_and_the_sums_stay(
    store: Store, make: Make, whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "DELETE_ROWS", 10)
    monkeypatch.setattr("zeroconf_ai.accounting.store.DELETE_ROWS", 10)
    books = await Books.open(store.url, keep_bodies=True)
    user = "user-canary"
    key, _ = await books.keys.create("Name-canary", user_id=user, device="Device-canary", actor=user)
    other, secret = await books.keys.create("Other", user_id="somebody")
    for scope, subject in ((Scope.KEY, key.id), (Scope.USER, user), (Scope.KEY, other.id)):
        await books.budgets.set(scope, subject, 10**9, Period.MONTH)
    names = {"key_id": key.id, "user_id": user}
    for number in range(25):
        books.ledger.record(make(f"{number}", **names, caller="Name-canary", cost=2))
        books.ledger.record(make(f"{number}", key_id=other.id, user_id="somebody", caller="Other", cost=3))
        books.bodies.put(body(f"{number}", **names, username="Name-canary", conversation_id=f"{number}-canary"))
    books.ledger.record(make("waiting", **names, cost=2))
    before = books.totals.household
    if whose == "key":
        await books.forget(key_id=key.id, actor="admin")
    else:
        await books.forget(user_id=user, actor=user)
    assert books.totals.household == before
    stored = content(store, *TABLES)
    assert key.id not in stored
    assert "canary" not in stored or whose == "key"
    assert "Name-canary" not in stored
    assert store.count("generations") == 25
    uses = await books.ledger.use(*ALWAYS, (Group.KEY, Group.USER))
    assert {use.group[Group.KEY]: use.sums.costs for use in uses} == {FORGOTTEN: {"USD": 52}, other.id: {"USD": 75}}
    assert books.keys.get(key.id) is None
    assert {budget.subject for budget in books.budgets} == {other.id, *([user] if whose == "key" else [])}
    assert books.keys.verify(secret).id == other.id
    [act, *_] = await books.audit.list()
    assert (act.actor, act.act, act.subject) == ("admin" if whose == "key" else FORGOTTEN, "forget", whose)
    if whose == "key":
        await books.forget(user_id=user)
        uses = await books.ledger.use(*ALWAYS, (Group.KEY,))
        assert {use.group[Group.KEY]: use.sums.requests for use in uses} == {FORGOTTEN: 26, other.id: 25}
    await books.close()


async def test_one_is_forgotten_at_a_time(books: Books) -> None:
    for whose in ({}, {"key_id": "k", "user_id": "u"}):
        with pytest.raises(TypeError, match="either"):
            await books.forget(**whose)


async def test_a_key_of_which_nothing_is_known_is_forgotten_all_the_same(books: Books, make: Make) -> None:
    books.ledger.record(make("1", key_id="gone"))
    await asyncio.gather(books.forget(key_id="gone"), books.forget(key_id="never"))
    assert await books.ledger.get("1") is None
