"""The accounts of gateways that share a database: every reservation is the database's word, and none is forgotten by all."""

import asyncio
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
import logging
import time
from typing import override
from uuid import uuid4

from sqlalchemy import Connection

from ..budget import EXCEEDED, Balance, BudgetEvent
from ..storage.database import Database, DatabaseError
from . import shared_statements, statements
from .balances import Balances, BudgetWindow, Reservation
from .reservations import Decision
from .shared_statements import LEASE_SECONDS, Reached, Settlement
from .statements import BalanceKey

_LOGGER = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
FLUSH_SECONDS = 5.0
"""So long is waited for a database that does not take what it is given."""
PENDING_LIMIT = 20_000
_RENEW_SECONDS = LEASE_SECONDS / 3


class SharedBalances(Balances):
    """What is spent is written as soon as it is known; what the database does not take at once is tried again."""

    def __init__(self, database: Database, tell: Callable[[BudgetEvent], None]) -> None:
        """Knows nothing until it is asked."""
        super().__init__(tell)
        self._database = database
        self._pending: list[Settlement] = []
        self._settling: asyncio.Task[None] | None = None
        self._live: set[str] = set()
        """The reservations of requests that are being answered here."""
        self._known: dict[BalanceKey, Balance] = {}
        self._renewed = time.monotonic()
        self._closing = asyncio.Event()
        self._lost = False

    @override
    async def reserve(
        self, dues: Sequence[BudgetWindow], worst_costs: Mapping[str, int], ample_costs: Mapping[str, int] | None = None
    ) -> Reservation:
        reservation = uuid4().hex
        self._live.add(reservation)
        task = asyncio.ensure_future(self._reserve(reservation, dues, worst_costs, ample_costs))
        try:
            decision = await asyncio.shield(task)
        except asyncio.CancelledError:
            # The database does it to the end all the same: what it set aside is let go of behind it.
            self._settle(Settlement(reservation, ()))
            raise
        except BaseException:
            self._live.discard(reservation)
            raise
        if not decision.held:
            self._live.discard(reservation)
            return Reservation(decision)
        return Reservation(decision, reservation)

    @override
    def settle(self, reserved: Reservation, dues: Sequence[BudgetWindow], cost: int) -> None:
        if reserved.id or (cost and dues):
            self._settle(Settlement(reserved.id, tuple((*due, cost) for due in dues if cost)))

    async def hold_place(self, name: str, limit: int) -> str | None:
        """Take one of so many places that all gateways have together; what `leave_place` is to be given, None without one.

        Raises DatabaseError.
        """
        await self._catch_up()
        reservation = uuid4().hex
        self._live.add(reservation)
        held = False
        try:
            held = await self._database.write(
                lambda connection: shared_statements.hold_permit(connection, reservation, name, limit)
            )
        except asyncio.CancelledError:
            self._settle(Settlement(reservation, ()))
            raise
        finally:
            if not held:
                self._live.discard(reservation)
        return reservation if held else None

    def leave_place(self, reservation: str) -> None:
        """Let go of a place. Never blocks and never raises."""
        self._settle(Settlement(reservation, ()))

    @override
    def known(self, due: BudgetWindow) -> Balance | None:
        return self._known.get(due.key)

    @override
    async def look(self, dues: Sequence[BudgetWindow]) -> list[Balance]:
        keys = [due.key for due in dues]
        found = await self._database.read(lambda connection: statements.look(connection, keys))
        return [found.get(key, Balance()) for key in keys]

    @override
    async def changed(self, due: BudgetWindow, count: Callable[[Connection], int], write: Callable[[Connection], None]) -> int:
        def work(connection: Connection) -> int:
            version = count(connection)
            write(connection)
            return version

        version = await self._database.write(work)
        self._known.pop(due.key, None)
        return version

    @override
    async def refresh(self, dues: Sequence[BudgetWindow]) -> None:
        keys = [due.key for due in dues]
        if keys:
            found = await self._database.read(lambda connection: statements.look(connection, keys))
            self._known = {key: found.get(key, Balance()) for key in keys}

    @override
    def tell_reached(self, due: BudgetWindow) -> None:
        self._settle(Settlement("", ((*due, 0),)))

    @override
    async def upkeep(self, alive: Container[str]) -> None:
        """Renew the reservations of requests that are being answered here, and let go of those of gateways that are gone."""
        if time.monotonic() - self._renewed < _RENEW_SECONDS:
            return
        self._renewed = time.monotonic()
        if self._live:
            live = sorted(self._live)
            await self._database.write(lambda connection: shared_statements.renew(connection, live))
        await self._database.write(shared_statements.expire)

    @override
    async def flush(self) -> None:
        if self._settling is not None:
            await asyncio.wait([self._settling], timeout=FLUSH_SECONDS)

    @override
    async def close(self) -> None:
        self._closing.set()
        if self._settling is not None:
            await self._settling

    async def _reserve(
        self,
        reservation: str,
        dues: Sequence[BudgetWindow],
        worst_costs: Mapping[str, int],
        ample_costs: Mapping[str, int] | None,
    ) -> Decision:
        await self._catch_up()
        decision, exceeded = await self._database.write(
            lambda connection: shared_statements.reserve(connection, reservation, dues, worst_costs, ample_costs)
        )
        for one in exceeded:
            due = BudgetWindow(one.budget, one.window)
            if (known := self._known.get(due.key)) is not None:
                known.warned = EXCEEDED
            self._tell_exceeded(due, one.account.spent)
        return decision

    async def _catch_up(self) -> None:
        """Tell the database what has ended here, before it is asked for anything: that must not stand in the way.

        In a transaction of its own, so that two gateways never wait for each other's accounts. Raises DatabaseError.
        """
        if not self._pending:
            return
        taken, self._pending = self._pending, []
        try:
            self._settled(taken, await self._database.write(lambda connection: shared_statements.settle(connection, taken)))
        except DatabaseError:
            for settlement in taken:
                self._settle(settlement)
            raise

    def _settle(self, settlement: Settlement) -> None:
        if len(self._pending) >= PENDING_LIMIT:
            if not self._lost:
                _LOGGER.error("The database takes nothing: what is spent from now on is not charged to any budget until it does")
            self._lost = True
            return
        self._pending.append(settlement)
        if self._settling is None:
            # Eager: the database is told before this gateway asks it for the next request.
            task = asyncio.create_task(self._settle_all(), name="zeroconf_ai budgets", eager_start=True)
            # Where the database's thread was quicker than this one, it is over already.
            self._settling = None if task.done() else task

    async def _settle_all(self) -> None:
        try:
            while self._pending:
                taken, self._pending = self._pending, []
                if not await self._settle_now(taken) and self._closing.is_set():
                    _LOGGER.error("What %d requests cost could not be charged to their budgets", len(self._pending))
                    return
        finally:
            self._settling = None

    async def _settle_now(self, taken: Sequence[Settlement]) -> bool:
        """Whether they are written; where they may be later, they wait again."""
        try:
            reached = await self._database.write(lambda connection: shared_statements.settle(connection, taken))
        except DatabaseError as err:
            if not err.passing:
                _LOGGER.error("What %d requests cost could not be charged to their budgets: %s", len(taken), err)
                self._live.difference_update(one.reservation for one in taken)
                return True
            self._pending = [*taken, *self._pending]
            if not self._closing.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), RETRY_SECONDS)
            return False
        self._settled(taken, reached)
        return True

    def _settled(self, taken: Sequence[Settlement], reached: Sequence[Reached]) -> None:
        self._lost = False
        self._live.difference_update(one.reservation for one in taken)
        for one in reached:
            self._tell_all(one)

    def _tell_all(self, reached: Reached) -> None:
        self._tell_reached(BudgetWindow(reached.budget, reached.window), reached.levels, reached.spent)
