"""The state of each backend in the pool."""

import asyncio
import time

import pytest

from tests.core.routing.conftest import Add
from tests.support.fakes.upstream import StubBackend
from tests.support.waiting import AT_ONCE, next_turn, run_pending_tasks
from zeroconf_ai.protocol.errors import (
    ApiError,
    AuthenticationError,
    IdentityChangedError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    UnavailableError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)
from zeroconf_ai.protocol.status import Health, ProviderState
from zeroconf_ai.routing.pool.events import EventKind, RoutingEvent
from zeroconf_ai.routing.pool.member import Member
from zeroconf_ai.routing.pool.pool import DEFAULT_REST, LONGEST_REST, Pool
from zeroconf_ai.routing.selection.eligibility import not_now

DOWN = UpstreamConnectionError("refused")


def test_pool_three_consecutive_failures_are_one_offline_event(pool: Pool, add: Add, events: list[RoutingEvent]) -> None:
    member = add("attic")
    states = []
    for _ in range(5):
        pool.record_failure(member, DOWN)
        states.append(member.state)
    assert states == [ProviderState.HEALTHY] * 2 + [ProviderState.OFFLINE] * 3
    assert events == [RoutingEvent(EventKind.OFFLINE, "attic", "refused")]
    assert member.last_error == "refused"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UpstreamError("Not found"), "Attic: Not found"),
        (AuthenticationError("Unauthorized"), "Attic: Unauthorized"),
        (UpstreamTimeoutError("Attic did not answer within 5 s"), "Attic did not answer within 5 s"),
    ],
)
def test_pool_reason_of_a_failure_names_the_member(pool: Pool, add: Add, error: ApiError, reason: str) -> None:
    member = add("attic")
    pool.record_failure(member, error)
    assert member.last_reason == reason


def test_pool_first_success_is_one_recovered_event(pool: Pool, add: Add, events: list[RoutingEvent]) -> None:
    member = add("attic")
    pool.record_goodbye(member)
    pool.record_success(member)
    pool.record_success(member)
    assert member.state is ProviderState.HEALTHY
    assert [event.kind for event in events] == [EventKind.OFFLINE, EventKind.RECOVERED]


def test_pool_failures_with_successes_between_do_not_add_up(pool: Pool, add: Add) -> None:
    member = add("attic")
    for _ in range(3):
        pool.record_failure(member, DOWN)
        pool.record_failure(member, UpstreamTimeoutError("slow"))
        pool.record_success(member)
    assert member.state is ProviderState.HEALTHY


def test_pool_goodbye_is_offline_immediately(pool: Pool, add: Add, events: list[RoutingEvent]) -> None:
    member = add("attic")
    pool.record_goodbye(member)
    pool.record_goodbye(member)
    assert member.state is ProviderState.OFFLINE
    assert [event.kind for event in events] == [EventKind.OFFLINE]


def test_pool_another_provider_at_the_address_is_offline_immediately(pool: Pool, add: Add) -> None:
    member = add("attic")
    pool.record_failure(member, IdentityChangedError("another one answers"))
    assert member.state is ProviderState.OFFLINE


@pytest.mark.parametrize("error", [AuthenticationError("no"), PermissionDeniedError("no")])
def test_pool_refused_key_is_unauthorized_until_a_success(
    pool: Pool, add: Add, events: list[RoutingEvent], error: ApiError
) -> None:
    member = add("attic")
    pool.record_failure(member, error)
    pool.record_failure(member, error)
    assert (member.state, member.online) == (ProviderState.UNAUTHORIZED, False)
    pool.record_success(member)
    assert member.state is ProviderState.HEALTHY
    assert [event.kind for event in events] == [EventKind.OFFLINE, EventKind.RECOVERED]


def test_pool_unknown_member_is_offline_after_one_failure_without_event(pool: Pool, events: list[RoutingEvent]) -> None:
    member = Member(StubBackend("attic"))
    pool.add(member)
    pool.record_failure(member, DOWN)
    assert member.state is ProviderState.OFFLINE
    assert events == []


@pytest.mark.parametrize("error_class", [RateLimitError, QuotaError, UnavailableError])
@pytest.mark.parametrize(("retry_after", "rest"), [(7.0, 7.0), (None, DEFAULT_REST), (1e9, LONGEST_REST)])
def test_pool_member_with_retry_after_is_paused_and_online(
    pool: Pool, add: Add, error_class: type[ApiError], retry_after: float | None, rest: float
) -> None:
    member = add("attic")
    for _ in range(5):
        pool.record_failure(member, error_class("busy", retry_after=retry_after))
    assert member.state is ProviderState.HEALTHY
    assert member.resting_until - time.monotonic() == pytest.approx(rest, abs=1)
    assert member.resting()
    assert not member.resting(time.monotonic() + rest + 1)


@pytest.mark.parametrize("step", [-86_400.0, 86_400.0])
def test_pool_pause_is_not_changed_by_a_step_of_the_wall_clock(
    pool: Pool, add: Add, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    member, now = add("attic"), time.time()
    pool.record_failure(member, RateLimitError("busy", retry_after=7.0))
    monkeypatch.setattr("time.time", lambda: now + step)
    assert member.resting()
    assert not member.resting(time.monotonic() + 8)
    assert (not_now(member) or "").endswith("a pause of 7 s")


def test_pool_success_does_not_end_a_pause(pool: Pool, add: Add) -> None:
    """A successful health check must not send requests to a backend that requested a pause."""
    member = add("attic")
    pool.record_failure(member, RateLimitError("busy", retry_after=60))
    pool.record_success(member, latency=0.1)
    assert member.resting()


@pytest.mark.parametrize(
    ("latency", "health", "state"),
    [
        (0.1, Health(), ProviderState.HEALTHY),
        (4.9, Health(), ProviderState.HEALTHY),
        (5.1, Health(), ProviderState.DEGRADED),
        (0.1, Health("degraded"), ProviderState.DEGRADED),
        (0.1, Health("unavailable"), ProviderState.DEGRADED),
    ],
)
def test_pool_slow_or_unwell_member_is_degraded_and_online(
    pool: Pool, add: Add, latency: float, health: Health, state: ProviderState
) -> None:
    member = add("attic")
    member.health = health
    pool.record_success(member, latency=latency)
    assert (member.state, member.online) == (state, True)


def test_pool_id_is_unique(pool: Pool, add: Add) -> None:
    member = add("attic")
    with pytest.raises(ValueError, match="attic"):
        add("attic")
    assert pool.remove("attic") is member
    assert pool.remove("attic") is None
    assert "attic" not in pool
    add("attic")
    assert "attic" in pool


def test_pool_listeners_of_one_or_all_members_are_notified_until_they_stop(pool: Pool, add: Add) -> None:
    one, other = add("one"), add("other")
    heard: dict[str, int] = {"one": 0, "all": 0}

    def count(key: str) -> None:
        heard[key] += 1

    stop = pool.listen(lambda _: count("one"), "one")
    pool.listen(lambda _: count("all"))
    pool.record_success(one, latency=0.1)
    pool.record_success(other, latency=0.1)
    stop()
    stop()
    pool.record_success(one, latency=0.1)
    assert heard == {"one": 1, "all": 3}


def test_pool_requests_that_succeed_notify_no_change_of_state(pool: Pool, add: Add) -> None:
    member = add("attic")
    heard: list[RoutingEvent | None] = []
    pool.record_success(member)
    pool.listen(heard.append)
    for _ in range(3):
        pool.record_success(member)
    assert heard == []
    pool.record_request_failure(member, AuthenticationError("no"))
    pool.record_success(member)
    assert len(heard) == 2  # its key is refused, and accepted again


async def test_pool_load_changes_of_one_turn_are_notified_together(pool: Pool, add: Add) -> None:
    one, other = add("one"), add("other")
    heard: list[str] = []
    stop = pool.listen_load(lambda: heard.append("one"), one.id)
    pool.listen_load(lambda: heard.append("all"))
    for _ in range(3):
        pool.notify_load(one.id)
    pool.record_success(one)
    assert heard == []
    await next_turn()
    assert heard == ["one", "all"]
    pool.notify_load(other.id)
    await next_turn()
    assert heard == ["one", "all", "all"]
    stop()
    pool.notify_load(one.id)
    await next_turn()
    assert heard == ["one", "all", "all", "all"]


async def test_pool_load_listener_that_fails_is_logged(pool: Pool, add: Add, caplog: pytest.LogCaptureFixture) -> None:
    member = add("attic")
    heard: list[None] = []

    def fail() -> None:
        raise RuntimeError("a listener's mistake")

    pool.listen_load(fail)
    pool.listen_load(lambda: heard.append(None))
    pool.notify_load(member.id)
    await next_turn()
    assert heard == [None]
    assert "a listener's mistake" in caplog.text


def test_pool_failing_listener_does_not_affect_others(pool: Pool, add: Add, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: RoutingEvent | None) -> None:
        raise RuntimeError("a listener's mistake")

    member = add("attic")
    heard: list[RoutingEvent | None] = []
    pool.listen(fail)
    pool.listen(heard.append)
    pool.record_success(member, latency=0.1)
    assert heard == [None]
    assert "a listener's mistake" in caplog.text


def test_pool_members_may_be_removed_during_iteration(pool: Pool, add: Add) -> None:
    add("one")
    add("two")
    assert [pool.remove(member.id) is member for member in pool] == [True, True]


async def test_pool_wait_for_a_recovery_ends_with_the_first_success(pool: Pool, add: Add) -> None:
    member = add("attic")
    pool.record_goodbye(member)
    waiting = [asyncio.create_task(member.wait_online(5)) for _ in range(2)]
    await next_turn()
    pool.record_failure(member, DOWN)
    pool.record_failure(member, AuthenticationError("no"))
    await run_pending_tasks()
    assert not any(task.done() for task in waiting)
    pool.record_success(member)
    assert await asyncio.wait_for(asyncio.gather(*waiting), AT_ONCE) == [True, True]
    pool.record_goodbye(member)
    assert not await member.wait_online(0.01)


def test_pool_priority_override_precedes_the_providers_priority(pool: Pool, add: Add) -> None:
    member = add("attic", priority=7)
    assert member.priority == 7
    member.priority_override = 0
    assert member.priority == 0


def test_pool_server_error_counts_as_a_failure(pool: Pool, add: Add) -> None:
    member = add("attic")
    pool.record_failure(member, UpstreamError("500"))
    assert member.failures == 1


def test_pool_timeouts_are_degraded_before_offline(pool: Pool, add: Add) -> None:
    member = add("a")
    pool.record_success(member)
    states = []
    for _ in range(3):
        pool.record_failure(member, UpstreamTimeoutError("5 s"))
        states.append(member.state)
    assert states == [ProviderState.DEGRADED, ProviderState.DEGRADED, ProviderState.OFFLINE]
