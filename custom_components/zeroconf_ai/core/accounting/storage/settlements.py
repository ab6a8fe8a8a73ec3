"""`SettlementQueue`: writes the results of finished requests at once, and retries failed writes."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy import Connection

from ...protocol.tasks import start_eagerly
from .database import Database, DatabaseError

RETRY_SECONDS = 1.0
FLUSH_SECONDS = 5.0
"""How long `flush` waits for a database that cannot be written."""
PENDING_LIMIT = 20_000


class SettlementQueue[Item, Result]:
    """Pending items and the task that writes them. Lives on one event loop."""

    def __init__(
        self,
        database: Database,
        write: Callable[[Connection, Sequence[Item]], Result],
        written: Callable[[Sequence[Item], Result], None],
        lost: Callable[[Sequence[Item], DatabaseError | None], None],
    ) -> None:
        """`write` runs in the database's thread, `written` after it; `lost` gets items that are never written.

        Its error is that of the items themselves; None if the database could not be written for too long.
        """
        self._database = database
        self._write = write
        self._written = written
        self._lost = lost
        self._pending: list[Item] = []
        self._settling: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def add(self, item: Item) -> None:
        """Queue an item. Never blocks and never raises."""
        if len(self._pending) >= PENDING_LIMIT:
            self._lost([item], None)
            return
        self._pending.append(item)
        if self._settling is None:
            # Eager: the write is queued before the reads of the next request.
            task = start_eagerly(self._settle_all(), "zeroconf_ai settlements")
            # The task may have finished already, if the database thread was faster than this one.
            self._settling = None if task.done() else task

    async def catch_up(self) -> None:
        """Write the pending items before a new reservation, which must not fail because of them.

        Uses its own transaction, so that two gateways never wait for each other's rows. Raises DatabaseError.
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
        """Wait until all items are written, at most `FLUSH_SECONDS`."""
        if self._settling is not None:
            await asyncio.wait([self._settling], timeout=FLUSH_SECONDS)

    async def close(self) -> None:
        """Write the pending items; those that fail are lost."""
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
        """Write items; returns False if the database cannot be written now and they are pending again."""
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
