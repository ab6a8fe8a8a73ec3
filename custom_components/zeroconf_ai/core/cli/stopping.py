"""What the signals SIGINT and SIGTERM ask of `serve`: the first one to stop, the second one to stop at once."""

import asyncio
from collections.abc import Callable
import signal
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """The signals to stop that have come."""

    def __init__(self) -> None:
        """Belongs to the running loop."""
        self._requested = asyncio.Event()
        self._at_once = False
        self._interrupt: Callable[[], None] | None = None

    def listen(self) -> None:
        """Listen to the signals. The third one ends the process as if nobody listened."""
        if sys.platform == "win32":  # its event loop has no signal handlers, and Ctrl-C raises KeyboardInterrupt
            return
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._received)

    async def wait(self) -> None:
        """Wait for the first signal."""
        await self._requested.wait()

    def on_second(self, interrupt: Callable[[], None]) -> None:
        """Call `interrupt` at the second signal, or now if it has come."""
        self._interrupt = interrupt
        if self._at_once:
            interrupt()

    def _received(self) -> None:
        if not self._requested.is_set():
            self._requested.set()
            return
        self._at_once = True
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        if self._interrupt is not None:
            self._interrupt()
