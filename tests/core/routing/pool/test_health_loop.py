"""`HealthLoop`: all members are checked periodically and independently."""

import asyncio
from typing import override

from tests.support.fakes.upstream import StubBackend
from tests.support.waiting import advance_loop_time, until
from zeroconf_ai.protocol.errors import UpstreamConnectionError
from zeroconf_ai.protocol.status import Health
from zeroconf_ai.routing.policy import Terms
from zeroconf_ai.routing.pool.health import HealthChecker
from zeroconf_ai.routing.pool.health_loop import HealthLoop
from zeroconf_ai.routing.pool.member import Member
from zeroconf_ai.routing.pool.pool import Pool


async def test_health_loop_hanging_backend_delays_nothing_and_recovery_is_noticed() -> None:
    pool = Pool()
    checker = HealthChecker(pool)
    hanging, attic = StubBackend("hanging"), StubBackend("attic")
    hanging.well = asyncio.Event()
    attic.well = UpstreamConnectionError("gone")
    for backend in (hanging, attic):
        pool.add(Member(backend))
    watch = HealthLoop(pool, checker, interval=0.02)
    watch.start()
    member = pool.get("attic")
    assert member is not None
    await until(lambda: attic.asked["health"] >= 4 and not member.online)
    attic.well = StubBackend("x").well
    assert await member.wait_online(60)
    assert hanging.asked["health"] == 1
    await watch.close()
    await checker.close()
    asked = attic.asked["health"]
    await advance_loop_time(1)
    assert attic.asked["health"] == asked
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("zeroconf_ai")]


async def test_health_loop_uses_each_interval_and_only_enabled_backends() -> None:
    pool = Pool()
    checker = HealthChecker(pool)
    often, rarely, off, others = (StubBackend(name) for name in ("often", "rarely", "off", "others"))
    pool.add(Member(often, Terms(check_every=0.01)))
    pool.add(Member(rarely, Terms(check_every=600.0)))
    pool.add(Member(off, enabled=False))
    pool.add(Member(others))
    watch = HealthLoop(pool, checker, interval=300.0, only=lambda member: member.id != "others")
    watch.start()
    await until(lambda: often.asked["health"] >= 5)
    await watch.close()
    await checker.close()
    assert [backend.asked["health"] for backend in (rarely, off, others)] == [1, 0, 0]


async def test_health_loop_checks_of_many_backends_begin_over_several_turns_of_the_loop() -> None:
    pool = Pool()
    checker = HealthChecker(pool)
    begun: dict[int, int] = {}
    turn = 0

    async def count_turns() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    class Counted(StubBackend):
        @override
        async def health(self) -> Health:
            begun[turn] = begun.get(turn, 0) + 1
            return await super().health()

    for number in range(500):
        pool.add(Member(Counted(f"b{number}")))
    turning = asyncio.create_task(count_turns())
    watch = HealthLoop(pool, checker, interval=0.02)
    watch.start()
    await until(lambda: sum(begun.values()) >= 500)
    turning.cancel()
    await watch.close()
    await checker.close()
    assert max(begun.values()) <= 64
