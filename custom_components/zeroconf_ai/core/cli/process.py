"""Process-wide settings of a command: the event loop and the garbage collector."""

import asyncio
from collections.abc import Callable, Coroutine
import gc
from typing import Any

from ..server.garbage_collection import raise_threshold


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` to completion, on uvloop if it is installed (`zeroconf-ai[speed]`), else on asyncio's event loop."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main)


def freeze_heap() -> None:
    """Exclude all current objects from later garbage collections. Call it at the end of the start-up.

    Modules and schemas live as long as the process; visiting them would block every request for tens of milliseconds.
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
