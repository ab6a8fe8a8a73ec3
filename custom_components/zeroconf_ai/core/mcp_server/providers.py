"""`Providers`: the client of a server that runs for days, while providers come and go."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ..client.client import Client


@dataclass
class _Shared:
    """A client and the number of its users: running calls, and `Providers`, which keeps it for the next call."""

    client: Client
    users: int = 1

    async def release(self) -> None:
        self.users -= 1
        if self.users == 0:
            await self.client.close()


class Providers:
    """Opens a client when it is needed, and a new one when providers must be searched for again."""

    def __init__(self, make: Callable[[], Client]) -> None:
        """`make` returns a new client that is not open."""
        self._make = make
        self._current: _Shared | None = None
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def use(self, *, search: bool = False) -> AsyncIterator[Client]:
        """A client that stays open inside the block. `search`: look for providers now, not only if none is known to answer.

        Raises NoProviderError if no provider can be used.
        """
        async with self._lock:
            if search or self._current is None or not any(found.online for found in self._current.client.providers):
                client = self._make()
                await client.open()
                former, self._current = self._current, _Shared(client)
                if former is not None:
                    await former.release()
            shared = self._current
            shared.users += 1
        try:
            yield shared.client
        finally:
            await shared.release()

    async def close(self) -> None:
        """Close the client when its last call ends."""
        former, self._current = self._current, None
        if former is not None:
            await former.release()
