"""Tasks that begin at once."""

import asyncio

import pytest

from zeroconf_ai.protocol.tasks import start_eagerly


async def test_start_eagerly_without_a_wait_is_done_at_once() -> None:
    async def answer() -> int:
        return 42

    task = start_eagerly(answer())
    assert task.done()
    assert await task == 42


async def test_start_eagerly_cancelled_at_once_has_begun_and_cleans_up() -> None:
    steps: list[str] = []

    async def work() -> None:
        steps.append("begun")
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            steps.append("cleaned up")

    task = start_eagerly(work(), "zeroconf_ai work")
    assert steps == ["begun"]
    assert task.get_name() == "zeroconf_ai work"
    assert task in asyncio.all_tasks()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["begun", "cleaned up"]
