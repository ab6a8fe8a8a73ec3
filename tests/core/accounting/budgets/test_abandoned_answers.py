"""Answers that are abandoned, or follow one that came too late, are charged and stay within the reservation."""

import asyncio
from typing import Any, override

import pytest

from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.backends.base import Answer, BackendInfo
from zeroconf_ai.protocol.errors import QuotaError, UpstreamTimeoutError
from zeroconf_ai.protocol.record import Cost
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.routing.policy import Policy, Terms

from ....support.engine import CALLER, complete
from ....support.fakes.billing import CENT, HI, PRICES, Cloud, spending, spent
from ....support.waiting import until


@pytest.mark.parametrize("fields", [{}, {"max_tokens": 90}], ids=str)
async def test_answers_abandoned_without_stream_are_charged(store: AccountingStore, fields: dict[str, Any]) -> None:
    """The upstream makes and bills them to the end."""
    cloud = Cloud()
    real = cloud.send

    async def send(request: Request) -> Answer:
        answer = await real(request)
        await asyncio.Event().wait()
        return answer

    cloud.send = send  # type: ignore[method-assign]
    async with spending(store, cloud) as engine:
        refused = 0
        for _ in range(20):
            before = len(cloud.sent)
            task = asyncio.create_task(complete(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, **fields})))
            await until(lambda before=before, task=task: len(cloud.sent) > before or task.done())  # type: ignore[misc]
            task.cancel()
            (ended,) = await asyncio.gather(task, return_exceptions=True)
            refused += isinstance(ended, QuotaError)
        assert refused
        assert cloud.billed <= await spent(store) + 20 * 100_000
        assert cloud.billed <= CENT


async def test_stream_abandoned_after_long_thinking_costs_no_more_than_was_reserved(
    store: AccountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeroconf_ai.routing.pricing.billing._THINKING_SPEED", 1e9)  # as if the first word came after minutes
    amount = 700_000
    async with spending(store, Cloud(), amount=amount) as engine:
        request = Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "stream": True, "max_tokens": 60})
        async with engine.run(request, CALLER) as reply:
            words = 0
            async for _ in reply.chunks():
                words += 1
                if words == 40:
                    break
        assert 400_000 < await spent(store) <= amount


class Late(Cloud):
    """Takes too long, and bills the whole answer all the same."""

    @override
    async def send(self, request: Request) -> Answer:
        await super().send(request)
        raise UpstreamTimeoutError("took the request and said nothing")


def named(cloud: Cloud, name: str, priority: int) -> Cloud:
    cloud.described = BackendInfo(name, name.title(), cost=Cost.METERED, priority=priority)
    return cloud


@pytest.mark.parametrize(("amount", "answered"), [(CENT, False), (3 * CENT, True)])
async def test_budget_failover_after_a_late_answer_stays_within_the_reservation(
    store: AccountingStore, amount: int, answered: bool
) -> None:
    """Both upstreams bill; each one's own budget is charged with its part."""
    late, other = named(Late(), "late", 1), named(Cloud(), "other", 2)
    for backend_id in ("late", "other"):
        await store.budgets.set(Scope.BACKEND, backend_id, NANO, Period.MONTH)
    async with spending(store, late, other, amount=amount) as engine:
        engine.policy = Policy(retry_metered_timeouts=True)
        for member in engine.pool:
            member.terms = Terms(prices={"*": PRICES})
        body = {"model": "m", "messages": HI, "max_tokens": 600, "stream": False}
        found = await asyncio.gather(complete(engine, Request.parse(Kind.CHAT, body)), return_exceptions=True)
        assert isinstance(found[0], str) is answered
        assert len(other.sent) == (1 if answered else 0)
        total = await spent(store)
        assert late.billed - 100_000 <= total - other.billed <= late.billed
        assert late.billed + other.billed <= amount
        assert store.budgets.state("backend:other:month").spent == other.billed
        assert store.budgets.state("backend:late:month").spent == total - other.billed
