"""Health checks: shared by callers, independent of each other, and ended by `close`."""

import asyncio
from typing import override

import pytest

from tests.core.routing.conftest import Add
from tests.support.fakes.upstream import StubBackend
from tests.support.waiting import AT_ONCE, run_pending_tasks
from zeroconf_ai.protocol.errors import (
    AuthenticationError,
    RateLimitError,
    UnavailableError,
    UpstreamConnectionError,
    UpstreamError,
)
from zeroconf_ai.protocol.status import Health, ProviderState, ProviderStatus, Queue
from zeroconf_ai.routing.pool import health as health_module
from zeroconf_ai.routing.pool.events import RoutingEvent
from zeroconf_ai.routing.pool.health import HealthChecker
from zeroconf_ai.routing.pool.member import Member
from zeroconf_ai.routing.pool.pool import Pool


@pytest.fixture
def backend() -> StubBackend:
    return StubBackend("attic", models=["a", "b"])


@pytest.fixture
def member(pool: Pool, backend: StubBackend) -> Member:
    member = Member(backend)
    pool.add(member)
    return member


def tasks() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("zeroconf_ai")]


async def test_health_check_updates_health_status_and_models(
    checker: HealthChecker, member: Member, backend: StubBackend
) -> None:
    backend.well = Health("ok", version="1.2")
    backend.says = ProviderStatus(queue=Queue(3, 1, 4))
    await checker.check(member)
    assert member.state is ProviderState.HEALTHY
    assert [model.id for model in member.models] == ["a", "b"]
    assert member.health == backend.well
    assert member.status == backend.says
    assert member.latency is not None
    assert 0 <= member.latency < 1
    assert member.last_seen is not None


async def test_health_check_updates_models_if_stale_forced_or_after_a_failure(
    checker: HealthChecker, member: Member, backend: StubBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await checker.check(member)
    assert backend.asked["models"] == 1
    await checker.check(member, models=True)
    assert backend.asked["models"] == 2
    checker.forget_models(member)
    await checker.check(member)
    assert backend.asked["models"] == 3
    backend.well = UpstreamConnectionError("down")
    for _ in range(3):
        await checker.check(member)
    backend.well = Health()
    await checker.check(member)
    assert backend.asked["models"] == 4
    monkeypatch.setattr(health_module, "MODELS_SECONDS", 0.0)
    await checker.check(member)
    assert backend.asked["models"] == 5


async def test_health_check_is_shared_by_concurrent_callers(checker: HealthChecker, member: Member, backend: StubBackend) -> None:
    await asyncio.gather(*(checker.check(member) for _ in range(10)))
    assert backend.asked["health"] == 1
    await checker.check(member)
    assert backend.asked["health"] == 2


async def test_health_check_forced_refresh_during_a_check_is_kept(
    checker: HealthChecker, member: Member, backend: StubBackend
) -> None:
    backend.well = asyncio.Event()
    first = asyncio.create_task(checker.check(member))
    await run_pending_tasks()
    forced = [asyncio.create_task(checker.check(member, models=True)) for _ in range(2)]
    await run_pending_tasks()
    backend.well.set()
    await asyncio.gather(first, *forced)
    assert backend.asked["models"] == 2


async def test_health_check_without_answer_does_not_delay_others(
    pool: Pool, checker: HealthChecker, member: Member, backend: StubBackend
) -> None:
    backend.well = asyncio.Event()
    other = Member(StubBackend("cellar"))
    pool.add(other)
    stuck = asyncio.create_task(checker.check(member))
    await run_pending_tasks()
    await asyncio.wait_for(checker.check(other), AT_ONCE)
    assert other.known
    assert not stuck.done()
    backend.well.set()
    await stuck


async def test_health_check_cancelled_by_one_caller_continues_for_others(
    checker: HealthChecker, member: Member, backend: StubBackend
) -> None:
    backend.well = asyncio.Event()
    impatient, patient = (asyncio.create_task(checker.check(member)) for _ in range(2))
    await run_pending_tasks()
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    backend.well.set()
    await asyncio.wait_for(patient, AT_ONCE)
    assert member.known


async def test_health_checks_end_with_close(checker: HealthChecker, member: Member, backend: StubBackend) -> None:
    backend.well = asyncio.Event()
    waiting = asyncio.create_task(checker.check(member))
    await run_pending_tasks()
    assert tasks() == ["zeroconf_ai health attic"]
    await checker.close("cellar")
    assert tasks() == ["zeroconf_ai health attic"]
    await checker.close("attic")
    assert tasks() == []
    await asyncio.wait_for(waiting, AT_ONCE)


async def test_health_check_of_a_member_added_again_is_new(
    pool: Pool, checker: HealthChecker, member: Member, backend: StubBackend
) -> None:
    backend.well = asyncio.Event()
    waiting = asyncio.create_task(checker.check(member))
    await run_pending_tasks()
    await checker.close(member.id)
    pool.remove(member.id)
    again = Member(StubBackend("attic"))
    pool.add(again)
    await checker.check(again)
    assert again.known
    await waiting


async def test_health_is_offline_after_three_failures_and_healthy_after_a_success(
    checker: HealthChecker, member: Member, backend: StubBackend, events: list[RoutingEvent]
) -> None:
    states = []
    errors = (UpstreamConnectionError("down"), UpstreamError("500"), UnavailableError("cannot serve", retry_after=1))
    for backend.well in (Health(), *errors, Health()):
        await checker.check(member)
        states.append(member.state)
    assert states == ["healthy", "healthy", "healthy", "offline", "healthy"]
    assert [event.kind for event in events] == ["offline", "recovered"]


async def test_health_goodbye_during_a_check_is_kept(
    checker: HealthChecker, pool: Pool, member: Member, backend: StubBackend
) -> None:
    backend.well = asyncio.Event()
    checking = asyncio.create_task(checker.check(member))
    await run_pending_tasks()
    pool.record_goodbye(member)
    backend.well.set()
    await checking
    offline_after_it = member.state
    await checker.check(member)
    assert [offline_after_it, member.state] == ["offline", "healthy"]


async def test_health_refused_key_is_unauthorized(checker: HealthChecker, member: Member, backend: StubBackend) -> None:
    backend.models_error = AuthenticationError("no key")
    for _ in range(2):
        await checker.check(member)
        assert member.state is ProviderState.UNAUTHORIZED
    backend.models_error = None
    await checker.check(member)
    assert member.state is ProviderState.HEALTHY


async def test_health_check_that_is_rate_limited_leaves_the_backend_online(
    checker: HealthChecker, member: Member, backend: StubBackend
) -> None:
    await checker.check(member)
    backend.well = RateLimitError("slow down", retry_after=60)
    for _ in range(5):
        await checker.check(member)
    assert member.online
    assert member.resting()


async def test_health_is_unchanged_if_the_status_request_fails(
    checker: HealthChecker, member: Member, backend: StubBackend
) -> None:
    backend.says = UpstreamError("no status")
    for _ in range(4):
        await checker.check(member)
    assert member.state is ProviderState.HEALTHY
    assert member.last_error == "no status"


async def test_health_check_internal_error_is_raised(checker: HealthChecker, add: Add) -> None:
    class Broken(StubBackend):
        @override
        async def health(self) -> Health:
            raise LookupError("a mistake in the program")

    with pytest.raises(LookupError):
        await checker.check(add(Broken("attic")))


async def test_health_answer_after_a_goodbye_during_a_check_is_not_a_recovery(
    checker: HealthChecker, member: Member, backend: StubBackend, pool: Pool
) -> None:
    await checker.check(member)
    backend.well = asyncio.Event()
    running = asyncio.create_task(checker.check(member))
    await run_pending_tasks()
    pool.record_goodbye(member)
    backend.well.set()
    await running
    states = [member.state]
    await checker.check(member)
    states.append(member.state)
    assert states == [ProviderState.OFFLINE, ProviderState.HEALTHY]


async def test_health_status_refusing_the_key_is_unauthorized(
    checker: HealthChecker, member: Member, backend: StubBackend
) -> None:
    backend.says = AuthenticationError("no such key")
    await checker.check(member)
    assert member.state is ProviderState.UNAUTHORIZED
