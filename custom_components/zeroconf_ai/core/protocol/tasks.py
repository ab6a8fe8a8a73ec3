"""Tasks that begin at once."""

import asyncio
from collections.abc import Coroutine
from typing import Any


def start_eagerly[T](coroutine: Coroutine[Any, Any, T], name: str | None = None) -> asyncio.Task[T]:
    """A task that has run to its first wait when this returns, and is done if it never waits.

    `asyncio.create_task` takes `eager_start` only from Python 3.14 on, a task itself from 3.12 on. The loop's task factory is not
    asked.
    """
    return asyncio.Task(coroutine, loop=asyncio.get_running_loop(), name=name, eager_start=True)
