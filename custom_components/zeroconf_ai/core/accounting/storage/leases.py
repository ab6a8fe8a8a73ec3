"""Leases: amounts that a gateway reserves in a database shared with other gateways, as long as it renews them.

A lease reserves amounts of budgets' balances, or permits of a limit. The leases of a gateway that was killed expire.
The functions run in the database's thread, each within a transaction. Rows are always locked in the same order, so that no two
transactions wait for each other.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
import time
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, tuple_, update

from .database import Database
from .statements import DELETE_ROWS, clock, insert_into, now
from .tables import accounts, reservations

LEASE_SECONDS = 80.0
"""How long a lease is valid unless it is renewed."""
RENEW_SECONDS = LEASE_SECONDS / 3
EXPIRE_SECONDS = 5.0
"""How often expired leases are released: what a killed gateway held is free within 90 s, also while the database is slow."""

_KEY_COLUMNS = accounts.c.budget_id, accounts.c.label
_KEY = tuple_(*_KEY_COLUMNS)
_RESERVE = (
    update(accounts)
    .where(accounts.c.budget_id == bindparam("of"), accounts.c.label == bindparam("within"))
    .values(reserved=accounts.c.reserved + bindparam("amount"))
)

type LeasedKey = tuple[str, str]
"""The name of a budget or limit, and the label of a budget's period (empty for limits)."""


class LeasedRow(NamedTuple):
    """A row of `accounts`."""

    spent: int
    reserved: int
    warned: int


class Leases:
    """The leases of requests that run in this process. Lives on one event loop."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts without leases. `clock` returns seconds."""
        self._database = database
        self._clock = clock
        self._live: set[str] = set()
        self._renewed = clock()

    def begin(self) -> str:
        """Create the id of a new lease, which is renewed from now on."""
        lease = uuid4().hex
        self._live.add(lease)
        return lease

    def end(self, leases: Iterable[str]) -> None:
        """Stop renewing these leases."""
        self._live.difference_update(leases)

    async def upkeep(self) -> None:
        """Release expired leases and, every `RENEW_SECONDS`, renew those of this process before.

        Due every `EXPIRE_SECONDS`. Raises DatabaseError.
        """
        if self._clock() - self._renewed >= RENEW_SECONDS:
            if self._live:
                live = sorted(self._live)
                await self._database.write(lambda connection: renew(connection, live))
            self._renewed = self._clock()
        await self._database.write(expire)


def lock(connection: Connection, keys: Iterable[LeasedKey]) -> dict[LeasedKey, LeasedRow]:
    """Lock the rows until the transaction ends, creating missing ones; returns them by key."""
    wanted = sorted(keys)
    if not wanted:
        return {}
    found = _lock_existing(connection, wanted)
    if len(found) < len(wanted):
        blank = [{"budget_id": key[0], "label": key[1], "spent": 0, "reserved": 0, "warned": 0} for key in wanted]
        connection.execute(insert_into(connection, accounts).on_conflict_do_nothing(), blank)
        found = _lock_existing(connection, wanted)
    return found


def _lock_existing(connection: Connection, wanted: Sequence[LeasedKey]) -> dict[LeasedKey, LeasedRow]:
    """One statement, which locks the rows in the order of their keys."""
    statement = select(accounts).where(_KEY.in_(wanted)).order_by(*_KEY_COLUMNS).with_for_update()
    return {(row.budget_id, row.label): LeasedRow(row.spent, row.reserved, row.warned) for row in connection.execute(statement)}


def hold(connection: Connection, lease: str, amounts: Mapping[LeasedKey, int]) -> None:
    """Create a lease of these amounts, whose rows must be locked."""
    rows = [{"of": key[0], "within": key[1], "amount": amount} for key, amount in sorted(amounts.items())]
    connection.execute(_RESERVE, rows)
    values = {
        "id": lease,
        "budget_id": bindparam("of"),
        "label": bindparam("within"),
        "amount": bindparam("amount"),
        "expires": clock(connection) + LEASE_SECONDS,
    }
    connection.execute(insert(reservations).values(values), rows)


def hold_permit(connection: Connection, lease: str, name: str, limit: int) -> bool:
    """Create a lease of one of `limit` permits; returns whether one was free."""
    key = (name, "")
    in_use = lock(connection, [key])[key].reserved
    if in_use < limit:
        hold(connection, lease, {key: 1})
    return in_use < limit


def held(connection: Connection, name: str) -> int:
    """The number of permits in use."""
    found = select(accounts.c.reserved).where(accounts.c.budget_id == name, accounts.c.label == "")
    return connection.execute(found).scalar_one_or_none() or 0


def delete_leases_of(connection: Connection, leases: Iterable[str]) -> dict[LeasedKey, int]:
    """Delete leases; returns their amounts, which the caller subtracts from the rows."""
    return _delete(connection, reservations.c.id.in_(list(leases)))


def release(connection: Connection, leases: Iterable[str]) -> None:
    """Delete leases and subtract their amounts from the rows."""
    _subtract_reserved(connection, delete_leases_of(connection, leases))


def renew(connection: Connection, leases: Sequence[str]) -> None:
    """Extend leases by `LEASE_SECONDS`."""
    expires = now(connection) + LEASE_SECONDS
    connection.execute(update(reservations).where(reservations.c.id.in_(leases)).values(expires=expires))


def expire(connection: Connection) -> None:
    """Release expired leases."""
    old = select(reservations.c.id).where(reservations.c.expires < now(connection)).limit(DELETE_ROWS)
    _subtract_reserved(connection, _delete(connection, reservations.c.id.in_(old)))


def _subtract_reserved(connection: Connection, released: Mapping[LeasedKey, int]) -> None:
    locked = lock(connection, released)
    rows = [
        {"of": key[0], "within": key[1], "amount": -min(amount, locked[key].reserved)} for key, amount in sorted(released.items())
    ]
    if rows:
        connection.execute(_RESERVE, rows)


def _delete(connection: Connection, which: ColumnElement[bool]) -> dict[LeasedKey, int]:
    """Delete leases; returns their amounts by row."""
    statement = delete(reservations).where(which).returning(reservations.c.budget_id, reservations.c.label, reservations.c.amount)
    released: dict[LeasedKey, int] = {}
    for row in connection.execute(statement):
        key = row.budget_id, row.label
        released[key] = released.get(key, 0) + row.amount
    return released
