"""What a command that owns its process sets for all of it: the event loop and the garbage collector."""

import asyncio
from collections.abc import Callable, Coroutine
import gc
from typing import Any

from ..server.garbage_collection import raise_threshold


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run to the end: on uvloop's event loop where that is installed (`zeroconf-ai[speed]`), else on asyncio's."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main)


def freeze_heap() -> None:
    """Take what is alive now, at the end of the start-up, out of all later garbage collections.

    Modules and schemas live as long as the process: visiting them takes tens of milliseconds in which no request goes on.
    """
    gc.collect()
    gc.freeze()
    raise_threshold()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - an extra, and not for Windows
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
