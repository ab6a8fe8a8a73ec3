"""`DeadlineReader`: reads a stream until a deadline that may be moved, with a single timer."""

import asyncio

import aiohttp

_MAX_READ_BYTES = 256 * 1024
"""Maximum size of a read: processing it is not interrupted."""
_READS_IN_A_ROW = 8
"""Number of reads after which other tasks may run, even if the stream always has data."""
LOOK_SECONDS = 1.0
"""Age of the last known token after which chunks are parsed to find another one."""


class DeadlineReader:
    """Reads the bytes of a stream as they arrive, until `deadline`.

    A stream has hundreds of small pieces: a timer for each would cost more than reading them. This timer is set once, and again
    only if the deadline was moved when it fires.
    """

    def __init__(self, content: aiohttp.StreamReader, deadline: float) -> None:
        """`deadline` is the loop's time."""
        self._content = content
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = False
        self._remaining = memoryview(b"")
        """Data that exceeded one read."""
        self._reads = 0
        self._overdue = False
        """Whether one read after the deadline has happened."""

    @property
    def deadline(self) -> float:
        """May be set between reads, also to an earlier time."""
        return self._deadline

    @deadline.setter
    def deadline(self, deadline: float) -> None:
        if deadline < self._deadline:
            self.close()
        self._deadline = deadline
        self._overdue = False

    async def peek(self) -> bytes:
        """Data at the beginning of the stream, at least one byte that is not white space, which `read` returns again.

        b"" for an empty stream. Raises TimeoutError as `read` does.
        """
        data = b""
        while not data.strip() and (more := await self.read()):
            data = more if data.isspace() else data + more
        self._remaining = memoryview(data + self._remaining)
        return data

    def take(self) -> bytes:
        """The data that was read ahead, which `read` does not return any more."""
        data, self._remaining = bytes(self._remaining), memoryview(b"")
        return data

    async def read(self) -> bytes:
        """The available or next data; b"" at the end. Raises TimeoutError, after which nothing can be read."""
        # The timer only ends a waiting read. A stream that always has data (a small compressed one expands to any size) never
        # waits: the clock ends it, and `sleep(0)` lets other tasks run.
        if self._loop.time() >= self._deadline and (self._remaining or not self._content.is_eof()):
            if self._overdue:
                raise TimeoutError
            self._overdue = True  # data that arrived in time is still read
        self._reads += 1
        if self._remaining or not self._reads % _READS_IN_A_ROW:
            await asyncio.sleep(0)
        if self._remaining:
            data, self._remaining = bytes(self._remaining[:_MAX_READ_BYTES]), self._remaining[_MAX_READ_BYTES:]
            return data
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._on_timer)
        self._waiting = True
        try:
            data = await self._content.readany()
        finally:
            self._waiting = False
        return data if len(data) <= _MAX_READ_BYTES else self._first_of(data)

    def _first_of(self, data: bytes) -> bytes:
        self._remaining = memoryview(data)[_MAX_READ_BYTES:]
        return data[:_MAX_READ_BYTES]

    def close(self) -> None:
        """Cancel the timer; must be called when reading has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        """Time out a waiting read, unless the deadline was moved."""
        self._timer = None
        if self._waiting:
            if self._loop.time() < self._deadline:
                self._timer = self._loop.call_at(self._deadline, self._on_timer)
            else:
                self._content.set_exception(TimeoutError())
