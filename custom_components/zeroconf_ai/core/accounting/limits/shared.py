"""Buckets and places that gateways have together, in the database that they share."""

import asyncio
from collections.abc import Mapping, Sequence
import logging
import time
from typing import override

from sqlalchemy import Connection

from ..budgets import statements
from ..budgets.shared_balances import SharedBalances
from ..storage.database import Database
from ..storage.write_queue import QueuedWriter, Write, WriteQueue
from . import shared_statements
from .token_buckets import MAX_BUCKETS, MINUTE, BucketDraw, BucketShortfall, Permits, TokenBuckets

_LOGGER = logging.getLogger(__name__)

_UPKEEP_SECONDS = 60.0
_KEEP_SECONDS = 2 * MINUTE


class _NotEnough(Exception):
    """Ends a transaction, so that nothing is taken."""

    def __init__(self, short: BucketShortfall) -> None:
        super().__init__(short.draw.name)
        self.short = short


class SharedTokenBuckets(TokenBuckets, QueuedWriter):
    """One atomic statement for each bucket, all of a request in one transaction."""

    def __init__(self, database: Database, batches: WriteQueue) -> None:
        """What is given back is written with the next batch."""
        self._database = database
        self._batches = batches
        self._given: dict[str, float] = {}
        self._taken: Mapping[str, float] = {}
        self._pruned = time.monotonic()
        batches.add(self)

    @override
    async def draw(self, draws: Sequence[BucketDraw]) -> BucketShortfall | Mapping[str, float]:
        given, self._given = self._given, {}

        def work(connection: Connection) -> Mapping[str, float]:
            if given:
                shared_statements.give(connection, given)
            return {draw.name: _draw(connection, draw) for draw in sorted(draws)}

        try:
            return await self._database.write(work)
        except _NotEnough as err:
            self._give_again(given)
            return err.short
        except asyncio.CancelledError:
            raise  # the database does it to the end all the same
        except BaseException:
            self._give_again(given)
            raise

    @override
    def give(self, amounts: Mapping[str, float]) -> None:
        self._give_again(amounts)
        self._batches.tell()

    @override
    async def level(self, name: str, capacity: int) -> float:
        return await self._database.read(lambda connection: shared_statements.level_of(connection, name, capacity))

    @override
    async def upkeep(self) -> None:
        if time.monotonic() - self._pruned >= _UPKEEP_SECONDS:
            self._pruned = time.monotonic()
            await self._database.write(lambda connection: shared_statements.prune_buckets(connection, _KEEP_SECONDS))

    @override
    def take(self, *, last: bool) -> Write | None:
        if not self._given:
            return None
        taken = self._taken = self._given
        self._given = {}
        return lambda connection: shared_statements.give(connection, taken)

    @override
    def done(self, *, written: bool, again: bool) -> None:
        if again:
            self._give_again(self._taken)
        self._taken = {}

    def _give_again(self, amounts: Mapping[str, float]) -> None:
        for name, amount in amounts.items():
            if name in self._given or len(self._given) < MAX_BUCKETS:
                self._given[name] = self._given.get(name, 0.0) + amount


class SharedPermits(Permits):
    """A place is a reservation: that of a gateway that died is free again when its lease is over."""

    def __init__(self, database: Database, accounts: SharedBalances) -> None:
        """`accounts` renew the leases and let go of them."""
        self._database = database
        self._accounts = accounts

    @override
    async def take(self, name: str, limit: int) -> str | None:
        return await self._accounts.hold_place(name, limit)

    @override
    def leave(self, place: str) -> None:
        self._accounts.leave_place(place)

    @override
    async def taken(self, name: str) -> int:
        account = await self._database.read(lambda connection: statements.account(connection, (name, "")))
        return account.reserved


def _draw(connection: Connection, draw: BucketDraw) -> float:
    level = shared_statements.draw(connection, *draw)
    if level is None:
        missing = min(draw.amount, draw.capacity) - shared_statements.level_of(connection, draw.name, draw.capacity)
        raise _NotEnough(BucketShortfall(draw, max(0.0, missing) * MINUTE / draw.capacity))
    return level
