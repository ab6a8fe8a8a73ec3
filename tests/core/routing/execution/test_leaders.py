"""The backend that answered last for a conversation, a device or a user leads next time, where the strategy leaves a choice."""

from dataclasses import replace
import time
from typing import Any

import pytest

from tests.core.routing.conftest import Add, backend_of, route_and_close
from tests.core.routing.execution.test_sessions import Table
from tests.support.fakes.upstream import chat
from zeroconf_ai.accounting.conversations.session_row import SessionRow
from zeroconf_ai.protocol.errors import UpstreamConnectionError
from zeroconf_ai.protocol.record import Placement
from zeroconf_ai.protocol.request import Request
from zeroconf_ai.routing.execution import leaders as leaders_module
from zeroconf_ai.routing.execution.leaders import LEAD_SECONDS, Leaders, lead_keys
from zeroconf_ai.routing.execution.router import Router
from zeroconf_ai.routing.execution.sessions import Sessions
from zeroconf_ai.routing.policy import Policy
from zeroconf_ai.routing.pool.health import HealthChecker
from zeroconf_ai.routing.pool.pool import Pool

pytestmark = pytest.mark.usefixtures("nothing_is_left_open")


def by(*, device: str | None = None, user: str | None = None, talk: str | None = None, **meta: Any) -> Request:
    request = replace(chat(model="auto"), **meta)
    return replace(request, leads=lead_keys(replace(request, session=talk), device_id=device, user_id=user))


@pytest.fixture
def sessions() -> Sessions:
    return Sessions()


@pytest.fixture
def led(pool: Pool, checker: HealthChecker, sessions: Sessions) -> Router:
    return Router(pool, checker, sessions)


async def went_to(router: Router, request: Request) -> str:
    return (await route_and_close(router, request)).backend_id


@pytest.mark.parametrize("who", [{"device": "satellite"}, {"user": "anna"}, {"talk": "n:1"}])
async def test_leader_is_the_backend_that_answered_last(led: Router, add: Add, who: dict[str, str]) -> None:
    for name in "abc":
        add(name)
    first = await went_to(led, by(**who))
    assert {await went_to(led, by(**who)) for _ in range(5)} == {first}
    assert {await went_to(led, by()) for _ in range(5)} >= {"a", "b", "c"} - {first}  # others are still spread


async def test_leader_that_fails_is_replaced_by_the_one_that_worked(led: Router, add: Add) -> None:
    members = [add(name) for name in "ab"]
    first = await went_to(led, by(device="s"))
    failing = next(member for member in members if member.id == first)
    backend_of(failing).outcomes = [UpstreamConnectionError("refused")]
    second = await went_to(led, by(device="s"))
    assert second != first
    backend_of(failing).outcomes = [[{}]]
    failing.failures = 0
    assert await went_to(led, by(device="s")) == second


async def test_leader_is_the_one_that_answered_while_the_other_was_gone(led: Router, pool: Pool, add: Add) -> None:
    gone, _ = add("a"), add("b")
    pool.record_goodbye(gone)
    assert await went_to(led, by(user="u")) == "b"
    pool.record_success(gone, latency=0.1)
    assert {await went_to(led, by(user="u")) for _ in range(3)} == {"b"}


async def test_leader_of_the_conversation_precedes_that_of_the_device_and_of_the_user(led: Router, sessions: Sessions) -> None:
    leaders, keys = sessions.leaders, by(talk="n:1", device="s", user="u").leads
    for key, backend_id in zip(keys, "abc", strict=True):
        leaders.put([key], backend_id, "m")
    assert [leaders.find(keys[place:]) for place in range(4)] == ["a", "b", "c", None]


async def test_leader_does_not_outrank_the_strategy_a_pin_or_what_stays_at_home(
    led: Router, sessions: Sessions, add: Add
) -> None:
    add("a", priority=1)
    add("b", priority=2)
    add("c", priority=1, placement=Placement.CLOUD)
    sessions.leaders.put(by(device="s").leads, "b", "m")
    assert await went_to(led, by(device="s")) in ("a", "c")
    sessions.leaders.put(by(device="s").leads, "c", "m")
    assert await went_to(led, by(device="s", pin="b")) == "b"
    assert sessions.leaders.find(by(device="s").leads) == "c"  # a pin says nothing of what worked best
    for policy in (Policy(home_only=True), Policy(cloud_fallback=False)):
        reply = await led.route(by(device="s"), policy)
        await reply.close()
        assert reply.backend_id == "a"


async def test_leader_is_known_after_a_restart_and_for_thirty_days(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    keys = by(device="s").leads
    table = Table(SessionRow("n:1", "z", "m", now))
    before = Sessions()
    await before.open(table)
    before.leaders.put(keys, "b", "m")
    after = Sessions()
    await after.open(table)
    assert after.leaders.find(keys) == "b"
    assert (len(after), len(after.leaders)) == (1, 1)
    monkeypatch.setattr("zeroconf_ai.routing.execution.leaders.time.time", lambda: now + LEAD_SECONDS + 60)
    assert after.leaders.find(keys) is None
    late = Sessions()
    await late.open(table)
    assert len(late.leaders) == 0
    assert keys[0] not in table.rows


def test_leaders_are_bounded_for_each_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaders_module, "MAX_OF_A_KIND", 3)
    leaders = Leaders()
    leaders.put(by(device="s").leads, "a", "m")
    for number in range(10):
        leaders.put(by(talk=f"n:{number}").leads, "a", "m")
    assert len(leaders) == 4
    assert leaders.find(by(device="s").leads) == "a"
    assert [leaders.find(by(talk=f"n:{number}").leads) for number in (6, 7)] == [None, "a"]


async def test_leader_that_is_unchanged_is_not_written_with_each_request() -> None:
    table, sessions = Table(), Sessions()
    await sessions.open(table)
    for _ in range(5):
        sessions.leaders.put(by(device="s").leads, "a", "m")
    assert table.puts == 1
    sessions.leaders.put(by(device="s").leads, "b", "m")
    assert table.puts == 2
