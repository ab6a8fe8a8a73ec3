"""Accounting of an engine: what is attached counts, in order, until it is detached."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import override

import pytest

from tests.support.engine import complete
from tests.support.fakes.admission import FakeAdmission
from tests.support.fakes.chunks import delta
from tests.support.fakes.recorder import MemoryRecorder
from tests.support.fakes.upstream import STOP, USAGE, StubBackend, chat
from zeroconf_ai.accounting.admission import Admission, AdmissionControl, AdmissionRequest
from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.conversations.session_row import SessionRow
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.storage.database import DatabaseError
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Generation, Outcome
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Cost
from zeroconf_ai.protocol.request import Request
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.routing.accounting import Accounting

CALLER = Caller(Source.ASSIST, "test")
ANSWER = [delta("Hello"), STOP, USAGE]
PRICED = ModelInfo("m", pricing={"input_cost_per_1m": 10, "output_cost_per_1m": 100})


class Doorkeeper(AdmissionControl):
    """Admits everything, and notes what it admitted and reconciled."""

    def __init__(self) -> None:
        self.admitted = 0
        self.reconciled: list[Generation] = []

    @override
    async def admit(self, asked: AdmissionRequest) -> Admission:
        self.admitted += 1
        return FakeAdmission(reconciled=self.reconciled)


class Rows:
    """Sessions in memory."""

    def __init__(self, *rows: SessionRow | DatabaseError) -> None:
        self._rows = rows
        self.stored: list[SessionRow] = []

    async def load(self, limit: int) -> list[SessionRow]:
        for row in self._rows:
            if isinstance(row, DatabaseError):
                raise row
        return [row for row in self._rows if isinstance(row, SessionRow)]

    def put(self, row: SessionRow) -> None:
        self.stored.append(row)

    def drop(self, key: str) -> None:
        pass


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine()
    yield engine
    await engine.close()


def request(request_id: str, *, stream: bool = False) -> Request:
    return replace(chat(stream=stream), request_id=request_id)


async def test_attach_two_recorders_both_record_in_the_order_of_attachment(engine: Engine) -> None:
    recordings: list[MemoryRecorder] = []
    first, second = MemoryRecorder(recordings), MemoryRecorder(recordings)
    await engine.checker.check(engine.add(StubBackend("one", ANSWER)))
    detach_first = await engine.attach(Accounting(first))
    detach_second = await engine.attach(Accounting(second))
    await complete(engine, request("a"))
    detach_first()
    await complete(engine, request("b"))
    detach_second()
    await complete(engine, request("c"))
    assert (first.ids, second.ids) == (["a"], ["a", "b"])
    assert recordings == [first, second, second]
    assert engine.recorder is None


async def test_attach_two_admission_controls_the_newest_admits(engine: Engine) -> None:
    await engine.checker.check(engine.add(StubBackend("one", ANSWER)))
    older, newer = Doorkeeper(), Doorkeeper()
    await engine.attach(Accounting(admission_control=older))
    detach_newer = await engine.attach(Accounting(admission_control=newer))
    detach_recorder = await engine.attach(Accounting(MemoryRecorder()))
    await complete(engine, request("a"))
    assert (older.admitted, newer.admitted) == (0, 1)
    detach_newer()
    detach_recorder()
    await complete(engine, request("b"))
    assert (older.admitted, newer.admitted) == (1, 1)


async def test_detach_the_older_one_leaves_the_newer_one_attached(engine: Engine) -> None:
    older, newer = Doorkeeper(), Doorkeeper()
    detach_older = await engine.attach(Accounting(admission_control=older))
    await engine.attach(Accounting(admission_control=newer))
    detach_older()
    detach_older()
    assert engine.admission_control is newer


async def test_detach_during_a_request_reconciles_it_with_its_admission_control(engine: Engine) -> None:
    go_on = asyncio.Event()
    await engine.checker.check(engine.add(StubBackend("one", [delta("Hel"), go_on, delta("lo"), STOP, USAGE])))
    former, next_one = Doorkeeper(), Doorkeeper()
    former_recorder, next_recorder = MemoryRecorder(), MemoryRecorder()
    detach = await engine.attach(Accounting(former_recorder, former))
    async with engine.run(request("a", stream=True), CALLER) as reply:
        chunks = reply.chunks()
        await anext(chunks)
        detach()
        await engine.attach(Accounting(next_recorder, next_one))
        go_on.set()
        async for _ in chunks:
            pass
    assert [(generation.id, generation.outcome) for generation in former.reconciled] == [("a", Outcome.OK)]
    assert (next_one.admitted, next_one.reconciled) == (0, [])
    assert (former_recorder.ids, next_recorder.ids) == ([], ["a"])


async def test_detach_during_a_request_releases_its_reservation(engine: Engine, tmp_path: Path) -> None:
    go_on = asyncio.Event()
    cloud = StubBackend("cloud", [delta("Hel"), go_on, delta("lo"), STOP, USAGE], models=[PRICED], cost=Cost.METERED)
    await engine.checker.check(engine.add(cloud), models=True)
    store = await AccountingStore.open(tmp_path / "gateway.db")
    try:
        budget = await store.budgets.set(Scope.HOUSEHOLD, None, NANO, Period.MONTH)
        detach = await engine.attach(Accounting.of(store))
        async with engine.run(chat(stream=True, model="m", max_tokens=100), CALLER) as reply:
            chunks = reply.chunks()
            await anext(chunks)
            reserved = store.budgets.state(budget.id).reserved
            detach()
            go_on.set()
            async for _ in chunks:
                pass
        after = store.budgets.state(budget.id)
    finally:
        await store.close()
    assert reserved > 0
    assert after.reserved == 0
    assert after.spent > 0


async def test_attach_with_sessions_that_cannot_be_loaded_attaches_nothing(engine: Engine) -> None:
    rows = Rows(DatabaseError("broken"))
    with pytest.raises(DatabaseError):
        await engine.attach(Accounting(MemoryRecorder(), Doorkeeper(), sessions=rows))
    assert (engine.recorder, engine.admission_control) == (None, None)
    engine.sessions.put("n:1", "one", "m")
    assert rows.stored == []


async def test_detach_sessions_are_stored_by_the_one_before(engine: Engine) -> None:
    older, newer = Rows(SessionRow("n:0", "one", "m", 1e12)), Rows()
    detach_older = await engine.attach(Accounting(sessions=older))
    detach_newer = await engine.attach(Accounting(sessions=newer))
    engine.sessions.put("n:1", "one", "m")
    detach_newer()
    engine.sessions.put("n:2", "one", "m")
    detach_older()
    engine.sessions.put("n:3", "one", "m")
    assert ([row.key for row in newer.stored], [row.key for row in older.stored]) == (["n:1"], ["n:2"])
    assert len(engine.sessions) == 4
