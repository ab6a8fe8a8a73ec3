"""Cancels a coroutine at a chosen await point, so that a test can go through all of them."""

import asyncio
from collections.abc import Coroutine, Generator
from enum import StrEnum
from functools import partial
import types
from typing import Any


class Moment(StrEnum):
    """When a task is cancelled."""

    WAITING = "while it waits"
    READY = "when its result is there"
    """The event loop has not resumed the task yet."""


class CancelledAt:
    """Runs coroutines and cancels them at one of their await points; `reached`: whether that point exists."""

    def __init__(self, point: int, moment: Moment, *, again: bool = False) -> None:
        """`point` counts from 0; `again`: cancel the clean-up at its first await point too."""
        self._points = {point, point + 1} if again else {point}
        self._moment = moment
        self.reached = False

    async def run[T](self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await `coroutine`, which must be all that the current task does. Raises what it raises."""
        result: T = await self._drive(coroutine)
        return result

    @types.coroutine
    def _drive(self, coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task is not None
        resume = partial(coroutine.send, None)
        point = 0
        while True:
            try:
                awaited = resume()
            except StopIteration as ended:
                return ended.value
            if point in self._points:
                self.reached = True
                if self._moment is Moment.WAITING or awaited is None:
                    task.cancel()
                else:
                    awaited.add_done_callback(lambda _: task.cancel())
            point += 1
            try:
                yield awaited
            except BaseException as err:  # noqa: BLE001 - a cancellation is raised where the coroutine waits
                resume = partial(coroutine.throw, err)
            else:
                resume = partial(coroutine.send, None)
