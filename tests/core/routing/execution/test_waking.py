"""Sleeping backends: woken once for all requests, with a maximum wait."""

import asyncio
import time

import pytest

from tests.core.routing.conftest import Add, backend_of, route_and_close, sent
from tests.support.fakes.upstream import chat
from tests.support.waiting import AT_ONCE, until
from zeroconf_ai.protocol.errors import ApiError, UpstreamConnectionError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.status import Health, ProviderState
from zeroconf_ai.routing.execution.router import Router
from zeroconf_ai.routing.pool.member import Member, Wake
from zeroconf_ai.routing.pool.pool import Pool

pytestmark = pytest.mark.usefixtures("nothing_is_left_open")


class Sleeper:
    """A machine that is online shortly after its wake-up action, or never."""

    def __init__(self, member: Member, pool: Pool, *, after: float | None = 0.03, wait: float = 2.0) -> None:
        self.member = member
        self.ran = 0
        self._after = after
        backend_of(member).well = UpstreamConnectionError("refused")
        member.wake = Wake(self.run, wait)
        member.models = backend_of(member).listed
        pool.record_goodbye(member)

    @property
    def checks(self) -> int:
        """The number of its health checks."""
        return backend_of(self.member).asked["health"]

    async def run(self) -> None:
        self.ran += 1
        if self._after is not None:
            asyncio.get_running_loop().call_later(self._after, self._up)

    def _up(self) -> None:
        backend_of(self.member).well = Health()


async def test_wake_of_a_sleeping_backend_runs_once_and_the_backend_answers(router: Router, pool: Pool, add: Add) -> None:
    sleeper = Sleeper(add("a", priority=1), pool)
    other = add("b", priority=2)
    reply = await router.route(chat())
    await reply.close()
    assert (reply.backend_id, sleeper.ran, sent(other)) == ("a", 1, [0])
    await route_and_close(router)
    assert sleeper.ran == 1


async def test_wake_for_auto_selects_the_model_afterwards(router: Router, pool: Pool, add: Add) -> None:
    sleeper = Sleeper(add("a"), pool)
    sleeper.member.models = ()
    reply = await router.route(chat(model="auto"))
    await reply.close()
    assert (reply.backend_id, reply.model, sleeper.ran) == ("a", "m", 1)


async def test_wake_backend_without_a_suitable_model_is_skipped(router: Router, pool: Pool, add: Add) -> None:
    sleeper = Sleeper(add("a", priority=1), pool)
    sleeper.member.models = ()
    backend_of(sleeper.member).listed = (ModelInfo("text-embedding"),)
    add("b", priority=2)
    reply = await router.route(chat(model="auto"))
    await reply.close()
    assert reply.backend_id == "b"
    assert "no model that can do this" in reply.attempts[0].failure


async def test_wake_for_many_requests_runs_once(router: Router, pool: Pool, add: Add) -> None:
    sleeper = Sleeper(add("a"), pool, after=0.1)
    replies = await asyncio.gather(*(router.route(chat()) for _ in range(10)))
    for reply in replies:
        await reply.close()
    assert sleeper.ran == 1
    assert sent(sleeper.member) == [10]


async def test_wake_too_slow_uses_the_next_backend(router: Router, pool: Pool, add: Add) -> None:
    sleeper = Sleeper(add("a", priority=1), pool, after=None, wait=0.1)
    add("b", priority=2)
    started = time.perf_counter()
    reply = await router.route(chat())
    await reply.close()
    assert reply.backend_id == "b"
    assert reply.attempts[0].failure == "A did not wake up within 0.1 s"
    assert 0.09 < time.perf_counter() - started < AT_ONCE
    assert sent(sleeper.member) == [0]


async def test_wake_action_too_slow_uses_the_next_backend(router: Router, pool: Pool, add: Add) -> None:
    sleeper = Sleeper(add("a", priority=1), pool)
    hanging = asyncio.Event()

    async def run() -> None:
        await hanging.wait()

    sleeper.member.wake = Wake(run, 0.1)
    add("b", priority=2)
    reply = await asyncio.wait_for(router.route(chat()), AT_ONCE)
    await reply.close()
    assert reply.backend_id == "b"


async def test_wake_action_failure_uses_the_next_backend(
    router: Router, pool: Pool, add: Add, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        raise RuntimeError("no such script")

    sleeper = Sleeper(add("a", priority=1), pool, wait=60)
    sleeper.member.wake = Wake(run, 60)
    add("b", priority=2)
    reply = await asyncio.wait_for(router.route(chat()), AT_ONCE)
    await reply.close()
    assert reply.backend_id == "b"
    assert "no such script" in caplog.text


async def test_wake_ends_when_the_backend_is_online(router: Router, pool: Pool, add: Add) -> None:
    sleeper = Sleeper(add("a"), pool, after=None, wait=60)
    routing = asyncio.create_task(router.route(chat()))
    await until(lambda: sleeper.checks >= 2)
    pool.record_success(sleeper.member)
    await (await asyncio.wait_for(routing, AT_ONCE)).close()


async def test_wake_is_not_used_for_a_refused_key(router: Router, pool: Pool, add: Add) -> None:
    sleeper = Sleeper(add("a"), pool)
    sleeper.member.state = ProviderState.UNAUTHORIZED
    await route_and_close(router)
    assert sleeper.ran == 0


async def test_wake_cancelled_by_one_request_continues_for_others(router: Router, pool: Pool, add: Add) -> None:
    sleeper = Sleeper(add("a"), pool, after=0.1)
    impatient, patient = (asyncio.create_task(router.route(chat())) for _ in range(2))
    await until(lambda: sleeper.checks >= 1)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    await (await asyncio.wait_for(patient, AT_ONCE)).close()
    assert sleeper.ran == 1


async def test_wake_ends_with_close(router: Router, pool: Pool, add: Add) -> None:
    sleeper = Sleeper(add("a"), pool, after=None, wait=60)
    routing = asyncio.create_task(router.route(chat()))
    await until(lambda: sleeper.checks >= 2)
    await router.close("another")
    assert not routing.done()
    await router.close()
    with pytest.raises(ApiError):
        await asyncio.wait_for(routing, AT_ONCE)
