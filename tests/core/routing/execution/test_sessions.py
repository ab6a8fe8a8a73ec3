"""Sessions: which requests are one, where they are, and that they are bounded and outlive a restart."""

from dataclasses import replace
import time
from typing import Any

import pytest

from tests.core.routing.conftest import Add, route_and_close, sent
from tests.support.fakes.upstream import StubBackend
from zeroconf_ai.accounting.conversations.session_row import SessionRow
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.routing.execution import sessions as sessions_module
from zeroconf_ai.routing.execution.router import Router
from zeroconf_ai.routing.execution.sessions import IDLE_SECONDS, Sessions, session_key
from zeroconf_ai.routing.pool.health import HealthChecker
from zeroconf_ai.routing.pool.pool import Pool

TURNS = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
LATER = [*TURNS, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "And?"}]


class Table:
    """What `accounting.sessions.SessionTable` does, in memory."""

    def __init__(self, *rows: SessionRow) -> None:
        self.rows = {row.key: row for row in rows}
        self.puts = 0

    async def load(self, limit: int) -> list[SessionRow]:
        return sorted(self.rows.values(), key=lambda row: -row.last_used)[:limit]

    def put(self, row: SessionRow) -> None:
        self.puts += 1
        self.rows[row.key] = row

    def drop(self, key: str) -> None:
        self.rows.pop(key, None)


def in_session(key: str | None, messages: list[dict[str, Any]] | None = None, model: str = "auto") -> Request:
    return Request.parse(Kind.CHAT, {"model": model, "messages": messages or TURNS}, session=key)


# Which requests are one session.


def test_session_id_from_header_precedes_body_and_messages() -> None:
    named = {"messages": TURNS, "session_id": "s"}
    assert session_key("h", named, None) == session_key("h", {"messages": LATER}, None)
    assert session_key(None, named, None) == session_key(None, {"messages": [], "metadata": {"session_id": "s"}}, None)
    assert session_key(None, named, None) not in (session_key("h", named, None), session_key(None, {"messages": TURNS}, None))


@pytest.mark.parametrize(
    "body",
    [
        {"conversation_id": "c1"},
        {"conversation": "c1"},
        {"conversation": {"id": "c1"}},
        {"metadata": {"conversation_id": "c1"}},
        {"prompt_cache_key": "c1"},
    ],
)
def test_session_id_of_each_client_field_is_found(body: dict[str, Any]) -> None:
    key = session_key(None, {"messages": TURNS, **body}, None)
    assert key == session_key("c1", {"messages": LATER}, None)


def test_session_without_id_is_identified_by_its_beginning() -> None:
    key = session_key(None, {"messages": TURNS}, "k")
    assert key == session_key(None, {"messages": LATER}, "k")
    assert key != session_key(None, {"messages": [TURNS[0], {"role": "user", "content": "Ho"}]}, "k")
    assert key != session_key(None, {"messages": [{"role": "system", "content": "Be long."}, TURNS[1]]}, "k")


@pytest.mark.parametrize("header", [None, "named"])
def test_session_ids_are_hashed_and_separate_for_each_api_key(header: str | None) -> None:
    keys = {session_key(header, {"messages": TURNS}, key_id) for key_id in (None, "one", "two")}
    assert len(keys) == 3
    assert not any("named" in str(key) or "Hi" in str(key) for key in keys)


@pytest.mark.parametrize("messages", [None, "text", [1]])
def test_session_id_of_a_request_without_valid_messages_is_none(messages: object) -> None:
    assert session_key(None, {"messages": messages}, None) is None


# Where they are.


def test_session_without_id_starts_after_the_first_answer() -> None:
    sessions = Sessions()
    key = session_key(None, {"messages": TURNS}, None)
    named = session_key("h", {}, None)
    assert key is not None
    assert named is not None
    sessions.put(key, "a", "m")
    sessions.put(named, "a", "m")
    assert sessions.find(in_session(key)) is None
    assert sessions.find(in_session(named)) is not None
    found = sessions.find(in_session(key, LATER))
    assert found is not None
    assert (found.backend_id, found.model) == ("a", "m")


def test_sessions_beyond_the_limit_drop_the_longest_unused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "MAX_SESSIONS", 3)
    sessions = Sessions()
    for key in ("n:1", "n:2", "n:3", "n:1", "n:4"):
        sessions.put(key, "a", "m")
    assert [sessions.find(in_session(key)) is not None for key in ("n:1", "n:2", "n:3", "n:4")] == [True, False, True, True]
    assert len(sessions) == 3


async def test_session_that_is_unused_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    table = Table()
    sessions = Sessions()
    await sessions.open(table)
    sessions.put("n:1", "a", "m")
    sessions.put("n:2", "a", "m")
    monkeypatch.setattr("zeroconf_ai.routing.execution.sessions.time.time", lambda: now + IDLE_SECONDS + 60)
    assert sessions.find(in_session("n:1")) is None
    sessions.put("n:3", "a", "m")
    assert len(sessions) == 1
    assert list(table.rows) == ["n:3"]


async def test_sessions_are_kept_over_a_restart() -> None:
    now = time.time()
    old = SessionRow("n:old", "a", "m", now - IDLE_SECONDS - 1)
    table = Table(SessionRow("n:1", "a", "m", now - 10), SessionRow("n:2", "b", "m", now - 20), old)
    sessions = Sessions()
    sessions.put("n:2", "c", "m")
    await sessions.open(table)
    found = {key: row.backend_id for key in ("n:1", "n:2", "n:old") if (row := sessions.find(in_session(key))) is not None}
    assert found == {"n:1": "a", "n:2": "c"}
    assert "n:old" not in table.rows


async def test_session_that_is_unchanged_is_not_written_with_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [time.time()]
    monkeypatch.setattr("zeroconf_ai.routing.execution.sessions.time.time", lambda: now[0])
    table = Table()
    sessions = Sessions()
    await sessions.open(table)
    for _ in range(10):
        sessions.put("n:1", "a", "m")
    assert table.puts == 1
    sessions.put("n:1", "b", "m")
    assert table.puts == 2
    now[0] += 3600
    sessions.put("n:1", "b", "m")
    assert table.puts == 3
    assert table.rows["n:1"].last_used == now[0]


# What that means for requests.


@pytest.fixture
async def sticky(pool: Pool, checker: HealthChecker) -> Router:
    return Router(pool, checker, Sessions())


async def went_to(router: Router, request: Request) -> str:
    return (await route_and_close(router, request)).backend_id


async def test_session_stays_although_others_are_less_busy(sticky: Router, add: Add) -> None:
    members = [add(name) for name in "abc"]
    first = await went_to(sticky, in_session("n:s"))
    assert {await went_to(sticky, in_session("n:s")) for _ in range(6)} == {first}
    assert {await went_to(sticky, in_session(None)) for _ in range(6)} >= {"a", "b", "c"} - {first}
    assert sum(sent(*members)) == 13


async def test_session_stays_with_its_model(sticky: Router, add: Add) -> None:
    member = add("a", models=["second"])
    add("b", models=["m"], priority=200)
    assert await went_to(sticky, in_session("n:s")) == "a"
    member.models = (ModelInfo("first"), ModelInfo("second"))
    models = []
    for key in (None, "n:s"):
        reply = await sticky.route(in_session(key))
        await reply.close()
        models.append((reply.backend_id, reply.model, reply.handover))
    assert models == [("a", "first", None), ("a", "second", None)]


async def test_session_yields_to_a_requested_model(sticky: Router, add: Add) -> None:
    add("a", models=["x"], priority=1)
    add("b", models=["y"], priority=2)
    assert await went_to(sticky, in_session("n:s")) == "a"
    reply = await sticky.route(in_session("n:s", model="y"))
    await reply.close()
    assert (reply.backend_id, reply.handover) == ("b", None)


async def test_session_yields_to_a_pin(sticky: Router, add: Add) -> None:
    add("a", priority=1)
    add("b", priority=2)
    assert await went_to(sticky, in_session("n:s")) == "a"
    assert await went_to(sticky, in_session("n:s", model="b/m")) == "b"
    assert await went_to(sticky, replace(in_session("n:s"), pin="a")) == "a"


async def test_session_with_one_possible_backend_is_not_stored(pool: Pool, checker: HealthChecker, add: Add) -> None:
    sessions = Sessions()
    router = Router(pool, checker, sessions)
    add(StubBackend("a"))
    await went_to(router, in_session("n:s", model="m"))
    assert len(sessions) == 0
