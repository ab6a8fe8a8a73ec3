"""The error of a request whose budget or rate limit excludes backends that could answer, while no other can be reached."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.engine import Engine
from zeroconf_ai.protocol.errors import (
    ApiError,
    QuotaError,
    RateLimitError,
    UnavailableError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)
from zeroconf_ai.protocol.record import Cost
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.routing.policy import Terms

from ....support.engine import complete
from ....support.fakes.billing import CENT, HI, Cloud
from ....support.fakes.upstream import StubBackend

REFUSED = UpstreamConnectionError("Attic refuses connections")


@asynccontextmanager
async def engine_with(
    store: AccountingStore, cloud: Cloud, *others: StubBackend, terms: Terms | None = None
) -> AsyncIterator[Engine]:
    """An engine with a cloud whose models are known, and others, none of which has ever been reached."""
    engine = Engine()
    await engine.attach(Accounting.of(store))
    member = engine.add(cloud, terms)
    await engine.checker.check(member, models=True)
    for other in others:
        engine.add(other)
    try:
        yield engine
    finally:
        await engine.close()


async def error_of(engine: Engine, *, stream: bool = False) -> ApiError:
    with pytest.raises(ApiError) as raised:
        await complete(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "stream": stream, "max_tokens": 50}))
    return raised.value


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_spent_budget_is_its_error_if_no_other_backend_can_be_reached(store: AccountingStore, stream: bool) -> None:
    await store.budgets.set(Scope.HOUSEHOLD, None, 0, Period.MONTH)
    attic = StubBackend("attic", REFUSED)
    unrelated = StubBackend("cellar", models=["another"])
    async with engine_with(store, cloud := Cloud(), attic, unrelated) as engine:
        await engine.checker.check(next(member for member in engine.pool if member.id == "cellar"), models=True)
        found = await error_of(engine, stream=stream)
    assert isinstance(found, QuotaError)
    assert (found.status, found.code) == (429, "budget_exceeded")
    assert found.retry_after is not None
    assert "Retry-After" in found.headers()
    assert found.message.startswith("The budget of this household for the month is spent")
    assert "Attic: Attic refuses connections" in found.details
    assert any("Cloud" in detail and "budget" in detail for detail in found.details)
    assert (len(cloud.sent), len(attic.sent), len(unrelated.sent)) == (0, 1, 0)


async def test_monthly_limit_of_a_backend_is_its_error_if_no_other_backend_can_be_reached(store: AccountingStore) -> None:
    async with engine_with(store, Cloud(), StubBackend("attic", REFUSED), terms=Terms(monthly_limit=0)) as engine:
        found = await error_of(engine)
    assert isinstance(found, QuotaError)
    assert "budget of this backend for the month" in found.message


async def test_budget_too_small_for_the_request_is_its_error_if_no_other_backend_can_be_reached(store: AccountingStore) -> None:
    await store.budgets.set(Scope.HOUSEHOLD, None, CENT // 100, Period.MONTH)
    async with engine_with(store, Cloud(), StubBackend("attic", REFUSED)) as engine:
        found = await error_of(engine)
    assert isinstance(found, QuotaError)
    assert "max_tokens below 50" in found.message


async def test_rate_limit_of_a_backend_is_its_error_if_no_other_backend_can_be_reached(store: AccountingStore) -> None:
    terms = Terms(requests_per_minute=1)
    async with engine_with(store, Cloud(), StubBackend("attic", REFUSED), terms=terms) as engine:
        await complete(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "max_tokens": 5}))
        found = await error_of(engine)
    assert isinstance(found, RateLimitError)
    assert found.retry_after is not None


async def test_lost_budgets_are_the_error_if_no_other_backend_can_be_reached(store: AccountingStore) -> None:
    store.admission_control.loss_unconfirmed = True
    async with engine_with(store, Cloud(), StubBackend("attic", REFUSED)) as engine:
        found = await error_of(engine)
    assert isinstance(found, UnavailableError)
    assert found.code == "budgets_lost"


@pytest.mark.parametrize("failure", [UpstreamError("Attic fails"), UpstreamTimeoutError("Attic does not answer")], ids=str)
async def test_failure_of_a_backend_that_was_reached_is_the_error_despite_a_spent_budget(
    store: AccountingStore, failure: ApiError
) -> None:
    await store.budgets.set(Scope.HOUSEHOLD, None, 0, Period.MONTH)
    async with engine_with(store, Cloud(), StubBackend("attic", failure, cost=Cost.FREE)) as engine:
        found = await error_of(engine)
    assert not isinstance(found, QuotaError)
    assert found.status in (502, 504)


async def test_connection_failure_without_a_budget_is_its_own_error(store: AccountingStore) -> None:
    engine = Engine()
    await engine.attach(Accounting.of(store))
    engine.add(StubBackend("attic", REFUSED))
    found = await error_of(engine)
    await engine.close()
    assert (found.status, found.code) == (502, "provider_error")
