"""The second attempt while the first backend is silent and a person listens."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.core.routing.conftest import Add, backend_of, sent
from tests.support.fakes.chunks import delta
from tests.support.fakes.upstream import STOP, USAGE, StubBackend, chat
from tests.support.waiting import cancel, observe, until
from zeroconf_ai.accounting.usage.generation import OVERTAKEN, FailedAttempt
from zeroconf_ai.protocol.errors import UpstreamError
from zeroconf_ai.protocol.hosted_tools import HostedDialect, HostedTools
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Cost, Placement
from zeroconf_ai.protocol.request import Request, Urgency
from zeroconf_ai.routing.execution import hedging
from zeroconf_ai.routing.execution.attempts import LOST
from zeroconf_ai.routing.execution.router import Router
from zeroconf_ai.routing.policy import Terms
from zeroconf_ai.routing.pool.member import Member
from zeroconf_ai.routing.pricing.billing import Bill
from zeroconf_ai.routing.selection.candidates import Candidate

pytestmark = pytest.mark.usefixtures("nothing_is_left_open")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hedging.HEDGE_SECONDS == 1
    monkeypatch.setattr(hedging, "HEDGE_SECONDS", 0.01)


def spoken(**body: Any) -> Request:
    return replace(chat(stream=True, **body), urgency=Urgency.VOICE)


def silent(until_set: asyncio.Event, text: str = "Late") -> list[object]:
    """An answer that begins when the event is set."""
    return [until_set, delta(text), STOP, USAGE]


async def test_hedge_silent_backend_is_overtaken_by_another_and_cancelled_and_recorded(router: Router, add: Add) -> None:
    first, second = add("a", silent(asyncio.Event()), priority=1), add("b", priority=2)
    first.limiter.limit = 1
    failures: list[FailedAttempt] = []
    bills: list[Bill] = []
    reply = await router.route(spoken(), failures=failures, bills=bills)
    assert (reply.backend_id, sent(first, second)) == ("b", [1, 1])
    assert [(attempt.backend_id, attempt.failure) for attempt in reply.attempts] == [("a", LOST), ("b", "")]
    assert [(failed.backend_id, failed.reason, failed.code) for failed in failures] == [("a", LOST, OVERTAKEN)]
    assert [bill.member.id for bill in bills] == ["a", "b"]  # both may have worked
    assert (backend_of(first).open, first.active, first.limiter.active, first.breaker.failures) == (0, 0, 0, 0)
    await until(lambda: backend_of(first).asked["health"] == 1)  # it may be gone
    await reply.close()


async def test_hedge_first_backend_that_answers_after_all_wins_and_the_second_is_cancelled(router: Router, add: Add) -> None:
    go_on = asyncio.Event()
    first, second = add("a", silent(go_on), priority=1), add("b", silent(asyncio.Event()), priority=2)
    asked = asyncio.create_task(router.route(spoken()))
    await until(lambda: sent(second) == [1])
    go_on.set()
    reply = await asked
    assert reply.backend_id == "a"
    assert [(attempt.backend_id, attempt.failure) for attempt in reply.attempts] == [("b", LOST), ("a", "")]
    assert (backend_of(second).open, second.active, sent(first)) == (0, 0, [1])
    await reply.close()


async def test_hedge_only_the_winners_tool_call_is_heard(router: Router, add: Add) -> None:
    call = {"index": 0, "id": "call", "type": "function", "function": {"name": "turn_on", "arguments": "{}"}}
    add("a", [asyncio.Event(), delta(tool_calls=[call | {"id": "late"}]), STOP], priority=1)
    add("b", [delta(tool_calls=[call | {"id": "first"}]), STOP], priority=2)
    reply = await router.route(spoken())
    heard = [chunk.data async for chunk in reply.chunks()]
    ids = [called["id"] for data in heard for choice in data["choices"] for called in choice["delta"].get("tool_calls", ())]
    assert ids == ["first"]
    await reply.close()


async def test_hedge_at_most_one_other_backend_is_asked(router: Router, add: Add) -> None:
    events = [asyncio.Event() for _ in range(3)]
    members = [add(name, silent(event), priority=place) for place, (name, event) in enumerate(zip("abc", events, strict=True))]
    asked = asyncio.create_task(router.route(spoken()))
    await until(lambda: sent(members[1]) == [1])
    await observe(0.1)
    assert sent(*members) == [1, 1, 0]
    events[1].set()
    await (await asked).close()


async def test_hedge_failure_of_the_first_leaves_the_second_running(router: Router, add: Add) -> None:
    fails, go_on = asyncio.Event(), asyncio.Event()
    first, second = add("a", [fails, UpstreamError("broken")], priority=1), add("b", silent(go_on), priority=2)
    asked = asyncio.create_task(router.route(spoken()))
    await until(lambda: sent(second) == [1])
    fails.set()
    await until(lambda: first.breaker.failures == 1)
    go_on.set()
    reply = await asked
    assert [(attempt.backend_id, attempt.failure) for attempt in reply.attempts] == [("a", "broken"), ("b", "")]
    assert sent(first, second) == [1, 1]
    await reply.close()


async def test_hedge_after_both_have_failed_the_next_backend_answers(router: Router, add: Add) -> None:
    fails = asyncio.Event()
    members = [add("a", [fails, UpstreamError("one")], priority=1), add("b", [fails, UpstreamError("two")], priority=2)]
    third = add("c", priority=3)
    asked = asyncio.create_task(router.route(spoken()))
    await until(lambda: sent(members[1]) == [1])
    fails.set()
    reply = await asked
    assert (reply.backend_id, sent(*members, third)) == ("c", [1, 1, 1])
    assert {attempt.failure for attempt in reply.attempts} == {"one", "two", ""}
    await reply.close()


async def test_hedge_cancelled_request_closes_both(router: Router, add: Add) -> None:
    members = [add(name, silent(asyncio.Event()), priority=place) for place, name in enumerate("ab")]
    for member in members:
        member.limiter.limit = 1
    asked = asyncio.create_task(router.route(spoken()))
    await until(lambda: sent(members[1]) == [1])
    await cancel(asked)
    assert [(member.active, member.limiter.active, backend_of(member).open) for member in members] == [(0, 0, 0)] * 2


def _set(name: str, value: object) -> Callable[[Member], None]:
    return lambda member: setattr(member, name, value)


def _costs(member: Member) -> None:
    backend = backend_of(member)
    backend.described = replace(backend.described, cost=Cost.METERED)


def _is_agent(member: Member) -> None:
    backend = backend_of(member)
    backend.described = replace(backend.described, agent=True)


def _is_proxy(member: Member) -> None:
    backend = backend_of(member)
    backend.described = replace(backend.described, placement=Placement.PROXY)


def _is_cold(member: Member) -> None:
    member.models = (ModelInfo("m", warm=False),)


def _is_sick(member: Member) -> None:
    member.failures = 1


def _is_full(member: Member) -> None:
    member.limiter.limit, member.limiter.active = 1, 1


def _nothing(member: Member) -> None:
    pass


HOSTED = {"tools": [{"type": "web_search"}]}


@pytest.mark.parametrize(
    ("change", "of_first", "of_second"),
    [
        ({"urgency": Urgency.NORMAL}, _nothing, _nothing),
        ({"body": {**chat(stream=True).body, "stream": False}}, _nothing, _nothing),
        ({"pin": "a"}, _nothing, _nothing),
        ({"hosted": HostedTools(HostedDialect.RESPONSES)}, _nothing, _nothing),
        ({"body": {**chat(stream=True).body, **HOSTED}}, _nothing, _nothing),
        ({"body": {**chat(stream=True).body, "web_search_options": {"search_context_size": "low"}}}, _nothing, _nothing),
        ({"body": {**chat(stream=True).body, "extra_body": {"google": {"tools": [{"googleSearch": {}}]}}}}, _nothing, _nothing),
        ({}, _is_agent, _nothing),
        ({}, _is_proxy, _nothing),
        ({}, _nothing, _is_agent),
        ({}, _nothing, _is_proxy),
        ({}, _nothing, _is_cold),
        ({}, _nothing, _is_sick),
        ({}, _nothing, _is_full),
        ({}, _nothing, _costs),
        ({}, _nothing, _set("terms", Terms(prices={"m": None}))),  # type: ignore[dict-item]
        ({"allowances": {"b": 10}}, _nothing, _nothing),
    ],
)
def test_hedge_is_never_made_where_it_may_act_twice_cost_or_wait(
    change: dict[str, Any], of_first: Callable[[Member], None], of_second: Callable[[Member], None]
) -> None:
    request = spoken().with_meta(**change)
    first, second = Member(StubBackend("a")), Member(StubBackend("b"))
    for member in (first, second):
        member.models = (ModelInfo("m"),)
    of_first(first)
    of_second(second)
    one, two = Candidate(first, "m"), Candidate(second, "m")
    delay = hedging.hedge_delay(one, request)
    assert delay is None or hedging.second_candidate(one, [two], request) is None


def test_hedge_begins_after_twice_the_usual_time_to_the_first_token() -> None:
    member = Member(StubBackend("a"))
    one = Candidate(member, "m")
    assert hedging.hedge_delay(one, spoken()) == hedging.HEDGE_SECONDS
    member.first_token_seconds = 3.0
    assert hedging.hedge_delay(one, spoken()) == 6.0
    other = Member(StubBackend("b"))
    other.models = (ModelInfo("m", warm=True),)
    assert hedging.second_candidate(one, [Candidate(member, "n"), Candidate(other, "m")], spoken()) == Candidate(other, "m")
