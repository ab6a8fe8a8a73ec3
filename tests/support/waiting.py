"""Waits of tests: for a condition, for the tasks that can run, and the pauses that a fake makes on purpose."""

import asyncio
from collections.abc import Awaitable, Callable
import inspect
import time

GIVE_UP_SECONDS = 60.0
"""When a condition has failed. Much longer than the slowest machine needs: a wait ends as soon as its condition is true."""
_POLL_SECONDS = 0.002


async def until(condition: Callable[[], object | Awaitable[object]], *, seconds: float = GIVE_UP_SECONDS) -> None:
    """Return as soon as `condition` is true. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return
            await asyncio.sleep(_POLL_SECONDS)


def until_in_thread(condition: Callable[[], object], *, seconds: float = GIVE_UP_SECONDS) -> None:
    """Return as soon as `condition` is true, for tests without an event loop. Raises TimeoutError."""
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError
        time.sleep(_POLL_SECONDS)


async def run_pending_tasks(turns: int = 20) -> None:
    """Let every task run until it waits for something other than the event loop."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def delay_answer(seconds: float) -> None:
    """The delay of a fake that answers late on purpose."""
    await asyncio.sleep(seconds)


async def never_answer() -> None:
    """The silence of a fake that takes a request and does not answer before it is cancelled."""
    await asyncio.Event().wait()


async def observe(seconds: float) -> None:
    """Give something that must not happen the time in which it would, where no event tells that it did not."""
    await asyncio.sleep(seconds)
