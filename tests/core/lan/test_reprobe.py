"""`Reprober`: a provider that is advertised before it listens is probed until it answers."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import pytest

from zeroconf_ai.lan.reprobe import MAX_TARGETS, PARALLEL, RATE, Reprober
from zeroconf_ai.protocol.record import Load, ServiceRecord

from ...support.fakes.lan import Clock, advert

MINUTE = 60.0
DAY = 86400.0


class Asked:
    """A reprober with a fake clock, its probes with their times, and the providers that answer."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.times: dict[str, list[float]] = {}
        self.started: list[float] = []
        self.answering: set[str] = set()
        self.overdue: list[str] = []
        self.takes = 0.0
        self.running = 0
        self.most_running = 0
        self.reprober = Reprober(
            self._ask, lambda record: self.overdue.append(record.id), clock=self.clock, sleep=self.clock.sleep
        )

    async def _ask(self, record: ServiceRecord) -> bool:
        self.times.setdefault(record.id, []).append(self.clock.now)
        self.started.append(self.clock.now)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if self.takes:
                await self.clock.sleep(self.takes)
        finally:
            self.running -= 1
        return record.id in self.answering


@pytest.fixture
async def asked() -> AsyncIterator[Asked]:
    found = Asked()
    yield found
    await found.reprober.close()


async def test_reprober_unanswered_provider_is_probed_at_most_two_seconds_apart_in_the_first_minute(asked: Asked) -> None:
    asked.reprober.add(advert(1))
    await asked.clock.run(MINUTE)
    times = asked.times["id-1"]
    assert times[0] == 1000.0
    assert max(after - before for before, after in pairwise([*times, 1000.0 + MINUTE])) <= 2.0
    assert len(times) < 60


@pytest.mark.parametrize("seconds", [0.1, 1, 5, 30, 59])
async def test_reprober_provider_that_starts_listening_is_found_within_two_seconds(asked: Asked, seconds: float) -> None:
    asked.reprober.add(advert(1))
    await asked.clock.run(seconds)
    asked.answering.add("id-1")
    await asked.clock.run(2.0)
    assert "id-1" not in asked.reprober
    count = len(asked.times["id-1"])
    await asked.clock.run(DAY)
    assert len(asked.times["id-1"]) == count, "one that has answered is not asked again"


async def test_reprober_unanswered_provider_is_probed_with_backoff_while_it_is_advertised(asked: Asked) -> None:
    asked.reprober.add(advert(1))
    await asked.clock.run(DAY)
    later = [time for time in asked.times["id-1"] if time > 1000.0 + MINUTE]
    pauses = [after - before for before, after in pairwise(later)]
    assert max(pauses) <= 300
    assert len(later) < 450
    asked.reprober.discard("id-1")
    count = len(asked.times["id-1"])
    await asked.clock.run(DAY)
    assert len(asked.times["id-1"]) == count


async def test_reprober_overdue_provider_is_reported_once_after_a_minute(asked: Asked) -> None:
    asked.reprober.add(advert(1))
    await asked.clock.run(MINUTE - 1)
    assert asked.overdue == []
    await asked.clock.run(4)
    assert asked.overdue == ["id-1"]
    await asked.clock.run(DAY)
    assert asked.overdue == ["id-1"]


async def test_reprober_provider_advertised_elsewhere_is_probed_there_immediately(asked: Asked) -> None:
    asked.reprober.add(advert(1))
    await asked.clock.run(DAY)
    count = len(asked.times["id-1"])
    asked.reprober.add(advert(1, load=Load.IDLE))
    asked.reprober.add(advert(1, port=8001))
    await asked.clock.run(0)
    assert len(asked.times["id-1"]) == count + 1
    await asked.clock.run(MINUTE)
    assert len(asked.times["id-1"]) > count + 25


async def test_reprober_repeated_advertisement_starts_another_minute(asked: Asked) -> None:
    asked.reprober.add(advert(1))
    await asked.clock.run(DAY)
    asked.answering.add("id-1")
    asked.reprober.add(advert(1))
    await asked.clock.run(1)
    assert "id-1" not in asked.reprober


async def test_reprober_record_changed_during_a_probe_is_probed_again(asked: Asked) -> None:
    asked.takes = 5
    asked.answering.add("id-1")
    asked.reprober.add(advert(1))
    await asked.clock.run(1)
    asked.reprober.add(advert(1, port=8001))
    await asked.clock.run(5)
    assert len(asked.times["id-1"]) == 2
    await asked.clock.run(5)
    assert "id-1" not in asked.reprober


async def test_reprober_first_attempt_can_be_awaited(asked: Asked) -> None:
    asked.takes = 3
    asked.reprober.add(advert(1))
    asked.reprober.add(advert(2))
    waiting = [asyncio.create_task(asked.reprober.attempted(f"id-{number}")) for number in (1, 2, 3)]
    await asked.clock.run(1)
    assert [task.done() for task in waiting] == [False, False, True]
    asked.reprober.discard("id-2")
    await asked.clock.run(1)
    assert [task.done() for task in waiting] == [False, True, True]
    await asked.clock.run(1)
    assert all(task.done() for task in waiting)


async def test_reprober_flood_is_bounded_and_does_not_delay_a_new_provider(asked: Asked) -> None:
    asked.takes = 5  # hosts that do not exist
    for number in range(2000):
        asked.reprober.add(advert(number))
    await asked.clock.run(MINUTE)
    assert sum(f"id-{number}" in asked.reprober for number in range(2000)) == MAX_TARGETS
    assert asked.most_running <= PARALLEL
    asked.answering.add("real")
    asked.reprober.add(advert(3000, id="real"))
    await asked.clock.run(11)  # the end of an attempt, and one attempt
    assert "real" not in asked.reprober


async def test_reprober_refusing_providers_are_probed_at_a_bounded_rate(asked: Asked) -> None:
    for number in range(MAX_TARGETS):
        asked.reprober.add(advert(number))
    await asked.clock.run(MINUTE)
    assert len(asked.started) <= RATE * MINUTE + RATE
    for begin in range(60):
        within = [time for time in asked.started if begin <= time - 1000.0 < begin + 1]
        assert len(within) <= 2 * RATE + 1


async def test_reprober_unexpected_error_is_logged_and_retried(asked: Asked, caplog: pytest.LogCaptureFixture) -> None:
    calls = 0

    async def fail(_: ServiceRecord) -> bool:
        nonlocal calls
        calls += 1
        raise RuntimeError("example")

    reprober = Reprober(fail, lambda _: None, clock=asked.clock, sleep=asked.clock.sleep)
    reprober.add(advert(1))
    await asked.clock.run(5)
    await reprober.close()
    assert calls > 2
    assert "Probing P1 failed" in caplog.text


async def test_reprober_closed_leaves_no_task_behind(asked: Asked) -> None:
    asked.takes = 5
    asked.reprober.add(advert(1))
    asked.reprober.add(replace(advert(1), port=8001))
    await asked.clock.run(1)
    await asked.reprober.close()
    left = {task.get_name() for task in asyncio.all_tasks() if "zeroconf_ai" in task.get_name()}
    assert left == set()
