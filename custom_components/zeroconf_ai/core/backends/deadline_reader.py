"""`DeadlineReader`: reads what a stream brings until a deadline that moves with it, at the price of one timer for all of it."""

import asyncio

import aiohttp

_MOST_BYTES = 256 * 1024
"""Read at a time: what is made of it is work that nothing interrupts."""
_READS_IN_A_ROW = 8
"""So many reads, and then the event loop gets a turn even if the stream would not give it one."""
LOOK_SECONDS = 1.0
"""How old the last known token of a stream may be before another is looked for in its chunks, which costs parsing them."""


class DeadlineReader:
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
        self._rest = memoryview(b"")
        """What was too much for one read."""
        self._reads = 0
        self._overdue = False
        """Whether something was read after the deadline already."""

    @property
    def deadline(self) -> float:
        """May be set between two reads, to an earlier time too."""
        return self._deadline

    @deadline.setter
    def deadline(self, deadline: float) -> None:
        if deadline < self._deadline:
            self.close()
        self._deadline = deadline
        self._overdue = False

    async def read(self) -> bytes:
        """What is there, else what comes next; b"" at the end. Raises TimeoutError, after which nothing more can be read."""
        # The timer is only for silence. A stream that always brings something (a small compressed one unpacks to any size) is
        # never waited for: the clock ends it, and the event loop gets its turn.
        if self._loop.time() >= self._deadline and (self._rest or not self._content.is_eof()):
            if self._overdue:
                raise TimeoutError
            self._overdue = True  # what came in time is there, and is read now
        self._reads += 1
        if self._rest or not self._reads % _READS_IN_A_ROW:
            await asyncio.sleep(0)
        if self._rest:
            data, self._rest = bytes(self._rest[:_MOST_BYTES]), self._rest[_MOST_BYTES:]
            return data
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._ring)
        self._waits = True
        try:
            data = await self._content.readany()
        finally:
            self._waits = False
        return data if len(data) <= _MOST_BYTES else self._first_of(data)

    def _first_of(self, data: bytes) -> bytes:
        self._rest = memoryview(data)[_MOST_BYTES:]
        return data[:_MOST_BYTES]

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
