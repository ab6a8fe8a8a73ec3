"""`SettlementQueue`: what has ended is written at once; what the database does not take then is tried again."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy import Connection

from .database import Database, DatabaseError

RETRY_SECONDS = 1.0
FLUSH_SECONDS = 5.0
"""How long `flush` waits for a database that does not take what it is given."""
PENDING_LIMIT = 20_000


class SettlementQueue[Item, Result]:
    """Lives on one event loop."""

    def __init__(
        self,
        database: Database,
        write: Callable[[Connection, Sequence[Item]], Result],
        written: Callable[[Sequence[Item], Result], None],
        lost: Callable[[Sequence[Item], DatabaseError | None], None],
    ) -> None:
        """`write` runs in the database's thread, `written` after it; `lost` gets what is never written.

        That is because of an error of the items themselves; without one, the database took nothing for too long.
        """
        self._database = database
        self._write = write
        self._written = written
        self._lost = lost
        self._pending: list[Item] = []
        self._settling: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def add(self, item: Item) -> None:
        """Have an item written. Never blocks and never raises."""
        if len(self._pending) >= PENDING_LIMIT:
            self._lost([item], None)
            return
        self._pending.append(item)
        if self._settling is None:
            # Eager: the database is told before this gateway asks it for the next request.
            task = asyncio.create_task(self._settle_all(), name="zeroconf_ai settlements", eager_start=True)
            # Where the database's thread was quicker than this one, it is over already.
            self._settling = None if task.done() else task

    async def catch_up(self) -> None:
        """Write what waits, before the database is asked for anything: that must not stand in the way.

        In a transaction of its own, so that two gateways never wait for each other's rows. Raises DatabaseError.
        """
        if not self._pending:
            return
        taken, self._pending = self._pending, []
        try:
            self._written(taken, await self._database.write(lambda connection: self._write(connection, taken)))
        except DatabaseError:
            for item in taken:
                self.add(item)
            raise

    async def flush(self) -> None:
        """Wait a while until all is written."""
        if self._settling is not None:
            await asyncio.wait([self._settling], timeout=FLUSH_SECONDS)

    async def close(self) -> None:
        """Write what waits; what the database does not take now is lost."""
        self._closing.set()
        if self._settling is not None:
            await self._settling

    async def _settle_all(self) -> None:
        try:
            while self._pending:
                taken, self._pending = self._pending, []
                if not await self._settle(taken) and self._closing.is_set():
                    lost, self._pending = self._pending, []
                    self._lost(lost, None)
        finally:
            self._settling = None

    async def _settle(self, taken: Sequence[Item]) -> bool:
        """Whether they are written or lost; where they may be written later, they wait again."""
        try:
            result = await self._database.write(lambda connection: self._write(connection, taken))
        except DatabaseError as err:
            if not err.passing:
                self._lost(taken, err)
                return True
            self._pending = [*taken, *self._pending]
            if not self._closing.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), RETRY_SECONDS)
            return False
        self._written(taken, result)
        return True
