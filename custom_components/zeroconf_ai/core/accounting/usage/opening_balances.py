"""`OpeningBalances`: what a total of a backend had reached before the accounting store began to count it.

Older versions of the integration counted in memory and restored the counts from Home Assistant's saved states. Such a count
continues as an opening balance to which the ledger's total is added. It is no usage: neither budgets nor reports include it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, override

from sqlalchemy import Connection, Row, select

from ..storage.database import Database
from ..storage.statements import bounded, clamp_int64, upsert
from ..storage.tables import opening_balances
from ..storage.write_queue import QueuedWriter, Write, WriteQueue


class OpeningBalance(NamedTuple):
    """An amount to add to the ledger's total: a count, or nano-units of money in a currency. It may be negative."""

    amount: int
    currency: str = ""
    """Empty for counts."""


class OpeningBalances(QueuedWriter):
    """The opening balances by backend and measure. Not thread-safe: all calls come from one event loop."""

    def __init__(self, database: Database, write_queue: WriteQueue) -> None:
        """Empty until `load`."""
        self._database = database
        self._write_queue = write_queue
        self._known: dict[tuple[str, str], OpeningBalance] = {}
        self._pending: set[tuple[str, str]] = set()
        self._in_flight: set[tuple[str, str]] = set()
        write_queue.add(self)

    async def load(self) -> None:
        """Read what is stored. Raises DatabaseError."""

        def work(connection: Connection) -> Sequence[Row[Any]]:
            return connection.execute(select(opening_balances)).all()

        for row in await self._database.read(work):
            key = row.backend_id, row.measure
            if key not in self._pending | self._in_flight:
                self._known[key] = OpeningBalance(row.amount, row.currency)

    def get(self, backend_id: str, measure: str) -> OpeningBalance | None:
        """The opening balance; None if none was recorded."""
        return self._known.get((backend_id, measure))

    def put(self, backend_id: str, measure: str, balance: OpeningBalance) -> None:
        """Record or replace an opening balance. It is written soon."""
        key = bounded(backend_id), measure
        balance = balance._replace(amount=clamp_int64(balance.amount))
        if self._known.get(key) != balance:
            self._known[key] = balance
            self._pending.add(key)
            self._write_queue.request_flush()

    def continue_from(self, backend_id: str, measure: str, shown: int | None, total: int, currency: str = "") -> OpeningBalance:
        """The opening balance with which the ledger's `total` continues the value `shown` before (None: unknown) without a drop.

        It is recorded once. Later it is only raised, if a part of the ledger was lost.
        """
        known = self.get(backend_id, measure)
        if known is not None and (shown is None or known.currency != currency or known.amount + total >= shown):
            return known
        balance = OpeningBalance(0 if shown is None else shown - total, currency)
        self.put(backend_id, measure, balance)
        return balance

    @override
    def collect(self, *, last: bool) -> Write | None:
        if not self._pending:
            return None
        self._in_flight, self._pending = self._pending, set()
        rows = [
            {"backend_id": backend_id, "measure": measure, **self._known[backend_id, measure]._asdict()}
            for backend_id, measure in sorted(self._in_flight)
        ]
        return lambda connection: upsert(connection, opening_balances, rows)

    @override
    def done(self, *, written: bool, again: bool) -> None:
        if again:
            self._pending |= self._in_flight
        self._in_flight = set()
