"""Token buckets and permits of gateways that share a database."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
import logging
import time
from typing import override

from sqlalchemy import Connection

from ..storage.database import Database, DatabaseError
from ..storage.leases import Leases, held, hold_permit, release
from ..storage.settlements import SettlementQueue
from ..storage.write_queue import QueuedWriter, Write, WriteQueue
from . import shared_statements
from .token_buckets import MAX_BUCKETS, MINUTE, BucketDraw, BucketShortfall, Permits, TokenBuckets

_LOGGER = logging.getLogger(__name__)

_UPKEEP_SECONDS = 60.0
_KEEP_SECONDS = 2 * MINUTE


class _NotEnough(Exception):
    """Rolls back the transaction, so that no bucket is changed."""

    def __init__(self, short: BucketShortfall) -> None:
        super().__init__(short.draw.name)
        self.short = short


class SharedTokenBuckets(TokenBuckets, QueuedWriter):
    """Token buckets as rows: one atomic statement for each bucket, one transaction for each request."""

    def __init__(self, database: Database, batches: WriteQueue) -> None:
        """Returned amounts are written with the next batch."""
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
            raise  # the database completes the transaction anyway
        except BaseException:
            self._give_again(given)
            raise

    @override
    def give(self, amounts: Mapping[str, float]) -> None:
        self._give_again(amounts)
        self._batches.request_flush()

    def take_given(self, names: Iterable[str]) -> Mapping[str, float]:
        """Remove and return the amounts that wait to be put into these buckets. The caller puts them there or gives them back."""
        return {name: self._given.pop(name) for name in names if name in self._given}

    @override
    async def level(self, name: str, capacity: int) -> float:
        return await self._database.read(lambda connection: shared_statements.level_of(connection, name, capacity))

    @override
    async def upkeep(self) -> None:
        if time.monotonic() - self._pruned >= _UPKEEP_SECONDS:
            self._pruned = time.monotonic()
            await self._database.write(lambda connection: shared_statements.prune_buckets(connection, _KEEP_SECONDS))

    @override
    def collect(self, *, last: bool) -> Write | None:
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
    """A permit is a lease: the permit of a gateway that was killed is free again when its lease expires."""

    def __init__(self, database: Database, leases: Leases) -> None:
        """The owner of `leases` renews them."""
        self._database = database
        self._leases = leases
        self._queue = SettlementQueue(database, release, self._released, self._lose)

    async def catch_up(self) -> None:
        """Write the pending releases before a permit is acquired. Raises DatabaseError."""
        await self._queue.catch_up()

    @override
    async def acquire(self, name: str, limit: int) -> str | None:
        await self.catch_up()
        lease = self._leases.begin()
        is_held = False
        try:
            is_held = await self._database.write(lambda connection: hold_permit(connection, lease, name, limit))
        except asyncio.CancelledError:
            self._queue.add(lease)  # the database completes the transaction anyway
            raise
        finally:
            if not is_held:
                self._leases.end([lease])
        return lease if is_held else None

    @override
    def release(self, permit: str) -> None:
        self._queue.add(permit)

    @override
    async def in_use(self, name: str) -> int:
        return await self._database.read(lambda connection: held(connection, name))

    @override
    async def flush(self) -> None:
        await self._queue.flush()

    @override
    async def close(self) -> None:
        await self._queue.close()

    def _released(self, leases: Sequence[str], _: None) -> None:
        self._leases.end(leases)

    def _lose(self, leases: Sequence[str], error: DatabaseError | None) -> None:
        self._leases.end(leases)
        reason = error or "the database cannot be written"
        _LOGGER.warning("%d permits are released only when their leases expire: %s", len(leases), reason)


def _draw(connection: Connection, draw: BucketDraw) -> float:
    level = shared_statements.draw(connection, *draw)
    if level is None:
        missing = min(draw.amount, draw.capacity) - shared_statements.level_of(connection, draw.name, draw.capacity)
        raise _NotEnough(BucketShortfall(draw, max(0.0, missing) * MINUTE / draw.capacity))
    return level
