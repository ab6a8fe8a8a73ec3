"""`BodyMemory`: the memory that the bodies of all requests of a server may take together."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from ..protocol.errors import RequestTooLargeError, UnavailableError

MIB = 1024 * 1024
LARGE_BYTES = 288 * MIB
"""For large bodies: two or three of the maximum size at a time. No body may take more."""
SMALL_BYTES = 128 * MIB
"""For small bodies, which therefore never wait for large ones: a thousand prompts of 30 kB."""
SMALL = 3 * MIB
"""A body that takes more memory is a large one."""
COPIES = 3
"""How often a body is in memory: as received, parsed, and as sent to the provider."""
CONTAINER_BYTES = 192
"""For each object or list in a JSON text: an object with one member has 184 bytes (CPython 3.14)."""
VALUE_BYTES = 96
"""For each further value."""
ROOM = MIB // 4
"""Reserved for the values of a JSON text before they are counted."""
WAIT_SECONDS = 10.0
"""How long a body waits until others have ended, before its request is refused."""


def json_bytes(raw: bytes | bytearray) -> int:
    """The maximum bytes that a JSON text takes in memory. Characters in strings count as structure, so nothing is parsed."""
    containers = raw.count(b"{") + raw.count(b"[")
    return COPIES * len(raw) + CONTAINER_BYTES * containers + VALUE_BYTES * raw.count(b",")


@dataclass(eq=False, slots=True)
class _Waiter:
    holder: str
    size: int
    granted: asyncio.Future[None]


class _Pool:
    """A number of bytes. Waiting holders get theirs in turn, those that hold least first."""

    def __init__(self, size: int) -> None:
        self.free = size
        self._held: Counter[str] = Counter()
        self._waiters: list[_Waiter] = []

    def take(self, holder: str, size: int, *, more: bool = False) -> bool:
        """Take bytes at once. False if they are not free, or if others wait; `more` for a holder goes before those."""
        if size > self.free or (self._waiters and not more):
            return False
        self._take(holder, size)
        return True

    async def wait(self, holder: str, size: int, seconds: float) -> None:
        """Take bytes as soon as they are free. Raises TimeoutError."""
        waiter = _Waiter(holder, size, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                await waiter.granted
        except BaseException:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
                self._grant()
            else:  # it was granted while it gave up
                self.give(holder, size)
            raise

    def give(self, holder: str, size: int) -> None:
        """Return bytes."""
        self.free += size
        self._held[holder] -= size
        if not self._held[holder]:
            del self._held[holder]
        self._grant()

    def _take(self, holder: str, size: int) -> None:
        self.free -= size
        self._held[holder] += size

    def _grant(self) -> None:
        while waiting := [waiter for waiter in self._waiters if not waiter.granted.cancelled()]:
            first = min(waiting, key=lambda waiter: self._held[waiter.holder])
            if first.size > self.free:
                return
            self._waiters.remove(first)
            self._take(first.holder, first.size)
            first.granted.set_result(None)


class BodyMemory:
    """The memory for bodies, in a part for small ones and a part for large ones."""

    def __init__(self, *, large: int = LARGE_BYTES, small: int = SMALL_BYTES, wait_seconds: float = WAIT_SECONDS) -> None:
        """`large` and `small` in bytes; `wait_seconds`: how long a body waits for memory."""
        self.large = _Pool(large)
        self.small = _Pool(small)
        self.maximum = large
        self.wait_seconds = wait_seconds

    @property
    def free(self) -> int:
        """Bytes that no body takes."""
        return self.large.free + self.small.free


class BodyShare:
    """The memory of one request's body, until `release`."""

    __slots__ = ("_holder", "_memory", "_pool", "_size")

    def __init__(self, memory: BodyMemory, holder: str) -> None:
        """`holder` names the caller: one who holds much waits behind those who hold less."""
        self._memory = memory
        self._holder = holder
        self._pool: _Pool | None = None
        self._size = 0

    async def resize(self, size: int) -> None:
        """Hold `size` bytes from now on. A body that needs more first waits for others to end.

        Small bodies may wait for the memory of large ones, which wait only before they hold any: nobody waits for each other.
        Raises RequestTooLargeError, or UnavailableError if the memory is not free in time.
        """
        memory = self._memory
        if self._pool is not None and size <= self._size:
            self._pool.give(self._holder, self._size - size)
            self._size = size
            return
        if size > memory.maximum:
            message = f"The body would take more than {memory.maximum // MIB} MiB of memory. Send fewer or shorter values."
            raise RequestTooLargeError(message)
        if self._pool in (None, memory.small) and size <= SMALL and memory.small.take(self._holder, size - self._size, more=True):
            self._pool, self._size = memory.small, size
            return
        if self._pool is memory.large:
            if not memory.large.take(self._holder, size - self._size, more=True):
                raise self._busy()
            self._size = size
            return
        if not memory.large.take(self._holder, size):
            try:
                await memory.large.wait(self._holder, size, memory.wait_seconds)
            except TimeoutError:
                raise self._busy() from None
        self.release()
        self._pool, self._size = memory.large, size

    def release(self) -> None:
        """Return all memory."""
        if self._pool is not None:
            self._pool.give(self._holder, self._size)
            self._pool, self._size = None, 0

    def _busy(self) -> UnavailableError:
        message = "The requests in progress take all memory for request bodies. Try again in a moment."
        return UnavailableError(message, code="too_many_large_requests", retry_after=self._memory.wait_seconds)
