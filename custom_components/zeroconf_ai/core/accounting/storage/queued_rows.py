"""`QueuedRows`: rows that wait to be written, for stores that the owner can switch off."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import override

from sqlalchemy import Connection

from .write_queue import QueuedWriter, Write, WriteQueue


class QueuedRows[Row](QueuedWriter):
    """At most `limit` rows wait; beyond it the oldest ones are dropped. Nothing is written while storing is disabled."""

    def __init__(self, write_queue: WriteQueue, limit: int) -> None:
        """Registers itself with the queue."""
        self._write_queue = write_queue
        self._limit = limit
        self._pending: list[Row] = []
        self._in_flight: Sequence[Row] = ()
        write_queue.add(self)

    @abstractmethod
    def stores(self) -> bool:
        """Whether storing is enabled now."""

    @abstractmethod
    def write(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Write rows. Runs in the database thread."""

    def put(self, row: Row) -> None:
        """Queue a row if storing is enabled."""
        if self.stores():
            self._pending.append(row)
            self._bound()
            self._write_queue.request_flush()

    @override
    def collect(self, *, last: bool) -> Write | None:
        if not self.stores():
            self._pending = []
        if not self._pending:
            return None
        taken = self._in_flight = self._pending
        self._pending = []
        return lambda connection: self.write(connection, taken)

    @override
    def done(self, *, written: bool, again: bool) -> None:
        if again:
            self._pending = [*self._in_flight, *self._pending]
            self._bound()
        self._in_flight = ()

    def _bound(self) -> None:
        del self._pending[: -self._limit]
