"""SIGINT and SIGTERM: the first signal stops `serve` gracefully, the second one at once."""

import asyncio
from collections.abc import Callable
import signal
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Counts the received stop signals."""

    def __init__(self) -> None:
        """Belongs to the running loop."""
        self._requested = asyncio.Event()
        self._at_once = False
        self._interrupt: Callable[[], None] | None = None

    def listen(self) -> None:
        """Handle the signals. The third one has the system's default effect: it ends the process."""
        if sys.platform == "win32":  # no signal handlers in the event loop, and Ctrl-C raises KeyboardInterrupt
            return
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._received)

    async def wait(self) -> None:
        """Wait for the first signal."""
        await self._requested.wait()

    def on_second(self, interrupt: Callable[[], None]) -> None:
        """Call `interrupt` at the second signal, or now if that has arrived."""
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
