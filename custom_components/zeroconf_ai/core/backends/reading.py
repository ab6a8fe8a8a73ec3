"""`PatientReader`: reads what a stream brings until a deadline that moves with it, at the price of one timer for all of it."""

import asyncio

import aiohttp


class PatientReader:
    """A stream's bytes as they come, each awaited no longer than to `deadline`.

    A model that speaks sends hundreds of small pieces: a timer set and cancelled for each would cost more than reading them.
    This one is set once, and again only when it goes off before its time.
    """

    def __init__(self, content: aiohttp.StreamReader, deadline: float) -> None:
        """`deadline` is the loop's time."""
        self._content = content
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._waits = False

    @property
    def deadline(self) -> float:
        """May be set between two reads, to an earlier time too."""
        return self._deadline

    @deadline.setter
    def deadline(self, deadline: float) -> None:
        if deadline < self._deadline:
            self.close()
        self._deadline = deadline

    async def read(self) -> bytes:
        """What is there, else what comes next; b"" at the end. Raises TimeoutError, after which nothing more can be read."""
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._ring)
        self._waits = True
        try:
            return await self._content.readany()
        finally:
            self._waits = False

    def close(self) -> None:
        """Let go of the timer; to be called when no more is read."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        """Time may be up: for a reader that waits, if nothing came that moved the deadline."""
        self._timer = None
        if self._waits:
            if self._loop.time() < self._deadline:
                self._timer = self._loop.call_at(self._deadline, self._ring)
            else:
                self._content.set_exception(TimeoutError())
