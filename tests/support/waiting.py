"""Waiting in tests: for a condition, for pending tasks, and intentional pauses of fakes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
import inspect
import time
from typing import Any, NoReturn

GIVE_UP_SECONDS = 60.0
"""Timeout of a condition, much longer than a slow machine needs: a wait ends as soon as its condition is true."""
AT_ONCE = 10.0
"""Timeout of an immediate event; less than 15 s, after which a ping would have the same effect."""
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
        await next_turn()


async def next_turn() -> None:
    """Let the event loop run once, as a real server's input and output would."""
    await asyncio.sleep(0)


async def pause_fake(seconds: float) -> None:
    """The pause of an intentionally slow fake: no test may depend on its exact length."""
    await asyncio.sleep(seconds)


async def never_answer() -> NoReturn:
    """Wait until it is cancelled: for a fake that accepts a request and does not answer it."""
    await asyncio.Event().wait()
    raise AssertionError("nothing sets this event")


async def observe(seconds: float) -> None:
    """Wait for the time in which an event that must not happen would happen."""
    await asyncio.sleep(seconds)


async def advance_loop_time(seconds: float) -> None:
    """Make the event loop's timers of the next `seconds` due, and run the tasks that wait for them."""
    loop = asyncio.get_running_loop()
    current = loop.time
    loop.time = lambda: current() + seconds  # type: ignore[method-assign]
    await run_pending_tasks()


@contextmanager
def stopped_loop_clock() -> Iterator[None]:
    """Stop the event loop's clock inside the block, so that no timeout can end what runs there."""
    loop = asyncio.get_running_loop()
    current, stopped_at = loop.time, loop.time()
    loop.time = lambda: stopped_at  # type: ignore[method-assign]
    try:
        yield
    finally:
        loop.time = current  # type: ignore[method-assign]


async def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end, however it ends."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
