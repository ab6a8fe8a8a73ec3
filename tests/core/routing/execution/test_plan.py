"""One plan for the admission and the routing of a request, as long as nothing else ran in between."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import override
from unittest.mock import Mock

import pytest

from tests.support.fakes.admission import FakeAdmission
from tests.support.fakes.upstream import COMPLETION, StubBackend, chat
from tests.support.waiting import next_turn, until
from zeroconf_ai.accounting.admission import Admission, AdmissionControl, AdmissionRequest
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol.status import ProviderState
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.routing.policy import Policy, Strategy, Terms
from zeroconf_ai.routing.selection.candidates import candidates

CALLER = Caller(Source.HTTP, "test")


class Control(AdmissionControl):
    """Admits everything, after `meanwhile`."""

    def __init__(self) -> None:
        self.barred: frozenset[str] = frozenset()
        self.meanwhile: Callable[[], None] | None = None
        self.waits = False
        self.spent: dict[str, int] = {}

    @override
    async def admit(self, asked: AdmissionRequest) -> Admission:
        if self.waits:
            await next_turn()
        if self.meanwhile is not None:
            self.meanwhile()
        return FakeAdmission(self.barred)

    @override
    def month_cost(self, backend_id: str) -> int:
        return self.spent.get(backend_id, 0)


@pytest.fixture
def control() -> Control:
    return Control()


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Counts how often candidates are worked out."""
    counting = Mock(wraps=candidates)
    monkeypatch.setattr("zeroconf_ai.routing.execution.router.candidates", counting)
    return counting


@pytest.fixture
async def engine(control: Control) -> AsyncIterator[Engine]:
    """Two backends, `first` before `second`, the former with a monthly limit."""
    engine = Engine()
    for priority, name in enumerate(("first", "second")):
        backend = StubBackend(name, [COMPLETION], [COMPLETION], priority=priority)
        member = engine.add(backend, Terms(monthly_limit=100) if name == "first" else None)
        await engine.checker.check(member, models=True)
    await engine.attach(Accounting(admission_control=control))
    yield engine
    await engine.close()


async def answered_by(engine: Engine) -> str:
    async with engine.run(chat(), CALLER) as reply:
        return reply.backend_id


async def test_plan_of_a_request_without_waiting_is_made_once(engine: Engine, planned: Mock) -> None:
    assert await answered_by(engine) == "first"
    assert planned.call_count == 1


async def test_plan_of_a_request_that_waited_for_admission_is_made_again(engine: Engine, control: Control, planned: Mock) -> None:
    def goes_offline() -> None:
        member = engine.pool.get("first")
        assert member is not None
        member.state = ProviderState.OFFLINE

    control.waits, control.meanwhile = True, goes_offline
    assert await answered_by(engine) == "second"
    assert planned.call_count == 2


async def test_plan_of_a_request_that_waited_for_a_permit_is_made_again(engine: Engine, planned: Mock) -> None:
    engine.limiter.limit = 1
    async with engine.run(chat(), CALLER):
        waiting = asyncio.create_task(answered_by(engine))
        await until(lambda: planned.call_count >= 2)
        member = engine.pool.get("first")
        assert member is not None
        member.enabled = False
    assert await waiting == "second"
    assert planned.call_count == 3


async def test_plan_with_a_candidate_excluded_by_admission_is_made_again(engine: Engine, control: Control, planned: Mock) -> None:
    control.barred = frozenset({"first"})
    assert await answered_by(engine) == "second"
    assert planned.call_count == 2


async def test_plan_with_another_backend_excluded_is_kept(engine: Engine, control: Control, planned: Mock) -> None:
    control.barred = frozenset({"another"})
    assert await answered_by(engine) == "first"
    assert planned.call_count == 1


async def test_plan_of_a_replaced_policy_is_made_again(engine: Engine, control: Control, planned: Mock) -> None:
    def replaces_policy() -> None:
        engine.policy = Policy(strategy=Strategy.LATENCY)

    control.meanwhile = replaces_policy
    await answered_by(engine)
    assert planned.call_count == 2


async def test_plan_with_a_candidate_at_its_monthly_limit_is_made_again(engine: Engine, control: Control, planned: Mock) -> None:
    control.spent = {"first": 100}
    assert await answered_by(engine) == "second"
    assert planned.call_count == 2
