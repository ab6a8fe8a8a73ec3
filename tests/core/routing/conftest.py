"""A pool and its router, without the pauses."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.support.fakes.upstream import StubBackend, chat
from zeroconf_ai.protocol.request import Request
from zeroconf_ai.routing.execution import router as router_module, waking as waking_module
from zeroconf_ai.routing.execution.reply import Reply
from zeroconf_ai.routing.execution.router import Router
from zeroconf_ai.routing.pool.events import RoutingEvent
from zeroconf_ai.routing.pool.health import HealthChecker
from zeroconf_ai.routing.pool.member import Member
from zeroconf_ai.routing.pool.pool import Pool

type Add = Callable[..., Member]


def backend_of(member: Member) -> StubBackend:
    assert isinstance(member.backend, StubBackend)
    return member.backend


def sent(*members: Member) -> list[int]:
    """The number of requests that each backend got."""
    return [len(backend_of(member).sent) for member in members]


async def route_and_close(router: Router, request: Request | None = None) -> Reply:
    """Route a request (by default, a small chat) and close its reply at once. Returns the reply."""
    reply = await router.route(request or chat())
    await reply.close()
    return reply


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture
def add(pool: Pool) -> Add:
    """Adds a stub backend that is known, with its models."""

    def add(name: str | StubBackend, *outcomes: Any, **info: Any) -> Member:
        backend = name if isinstance(name, StubBackend) else StubBackend(name, *outcomes, **info)
        member = Member(backend, known=True, models=backend.listed, lists_models=bool(backend.listed))
        pool.add(member)
        return member

    return add


@pytest.fixture
def events(pool: Pool) -> list[RoutingEvent]:
    """All events of the pool, in order."""
    heard: list[RoutingEvent] = []
    pool.listen(lambda event: heard.append(event) if event is not None else None)
    return heard


@pytest.fixture
async def checker(pool: Pool) -> AsyncIterator[HealthChecker]:
    checker = HealthChecker(pool)
    yield checker
    await checker.close()


@pytest.fixture
async def router(pool: Pool, checker: HealthChecker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Router]:
    assert router_module.RETRY_SECONDS == 1  # PROTOCOL 3, rule 6
    monkeypatch.setattr(router_module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(router_module, "SESSION_SECONDS", 0.3)
    monkeypatch.setattr(waking_module, "KNOCK_SECONDS", 0.01)
    router = Router(pool, checker)
    yield router
    await router.close()


@pytest.fixture
def nothing_is_left_open(pool: Pool) -> Iterator[None]:
    """Check after each test that no answer is open and no request active."""
    yield
    for member in pool:
        assert (backend_of(member).open, member.active) == (0, 0), member.name
