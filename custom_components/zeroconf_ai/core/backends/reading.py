"""Reading a stream until a deadline that moves with it, and how far it moves."""

import asyncio

import aiohttp

_MOST_BYTES = 256 * 1024
"""Read at a time: what is made of it is work that nothing interrupts."""
_TURN_SECONDS = 0.02
"""How often at most the event loop gets a turn that the stream does not give it."""
_LOOK_SECONDS = 1.0
"""How old the last known token of a stream may be before the next is looked for."""


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
        self._turned = self._loop.time()
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
        now = self._loop.time()
        if now >= self._deadline and not self._content.is_eof():
            if self._overdue:
                raise TimeoutError
            self._overdue = True  # what came in time is there, and is read now
        if now - self._turned >= _TURN_SECONDS:
            self._turned = now
            await asyncio.sleep(0)
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._ring)
        self._waits = True
        try:
            return await self._content.read(_MOST_BYTES)
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


class Pace:
    """How long a stream that has begun is waited for: `between` seconds for any sign of life, `silence` seconds for a token.

    The time that a caller takes for what it is given does not count.
    """

    def __init__(self, between: float, silence: float) -> None:
        """Not begun."""
        self._loop = asyncio.get_running_loop()
        self._between = between
        self._silence = silence
        self._spoke: float | None = None

    @property
    def begun(self) -> bool:
        """Whether a token came."""
        return self._spoke is not None

    @property
    def wants_token(self) -> bool:
        """Whether a token would change anything now: chunks of a stream that flows need not be parsed to look for one."""
        return self._spoke is None or self._loop.time() - self._spoke >= _LOOK_SECONDS

    def token(self) -> None:
        """Note a token."""
        self._spoke = self._loop.time()

    def deadline(self, taken: float = 0.0) -> float:
        """The loop's time by which the next bytes must come, after a caller has `taken` so many seconds."""
        assert self._spoke is not None
        self._spoke += taken
        return min(self._loop.time() + self._between, self._spoke + self._silence)
