"""Leases: what a gateway holds in a database that others use too, for as long as it says so again and again.

A lease holds amounts of counted things: of budgets' accounts, or of the permits of a limit. That of a gateway that died expires.
The functions run in the database's thread, each within a transaction. Rows are always locked in the same order, so that no two
transactions wait for each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from .database import Database
from .statements import DELETE_ROWS, now
from .tables import accounts, reservations

LEASE_SECONDS = 90.0
"""How long a lease is good unless it is renewed."""
RENEW_SECONDS = LEASE_SECONDS / 3

type LeasedKey = tuple[str, str]
"""What is counted, by its name, and by the label of a period where it has any."""


class LeasedRow(NamedTuple):
    """A row of `accounts`."""

    spent: int
    reserved: int
    warned: int


class Leases:
    """The leases of requests that run in this process. Lives on one event loop."""

    def __init__(self, database: Database) -> None:
        """Without any."""
        self._database = database
        self._live: set[str] = set()

    def begin(self) -> str:
        """The id of a new lease, which is renewed from now on."""
        lease = uuid4().hex
        self._live.add(lease)
        return lease

    def end(self, leases: Iterable[str]) -> None:
        """Renew these no longer."""
        self._live.difference_update(leases)

    async def upkeep(self) -> None:
        """Renew what is held here, and release what nobody renewed; due every `RENEW_SECONDS`. Raises DatabaseError."""
        if self._live:
            live = sorted(self._live)
            await self._database.write(lambda connection: renew(connection, live))
        await self._database.write(expire)


def lock(connection: Connection, keys: Iterable[LeasedKey]) -> dict[LeasedKey, LeasedRow]:
    """The rows, made where there are none, and nobody else's until the transaction ends."""
    wanted = sorted(keys)
    if not wanted:
        return {}
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert  # dialect spot; of one shape
    blank = [{"budget_id": key[0], "label": key[1], "spent": 0, "reserved": 0, "warned": 0} for key in wanted]
    connection.execute(make(accounts).on_conflict_do_nothing(), blank)
    found = {}
    for key in wanted:
        columns = select(accounts.c.spent, accounts.c.reserved, accounts.c.warned).with_for_update()
        row = connection.execute(columns.where(accounts.c.budget_id == key[0], accounts.c.label == key[1])).one()
        found[key] = LeasedRow(*row)
    return found


def hold(connection: Connection, lease: str, amounts: Mapping[LeasedKey, int]) -> None:
    """Begin a lease of these amounts; their rows are locked."""
    expires = now(connection) + LEASE_SECONDS
    for key, amount in sorted(amounts.items()):
        where = accounts.c.budget_id == key[0], accounts.c.label == key[1]
        connection.execute(update(accounts).where(*where).values(reserved=accounts.c.reserved + amount))
    rows = [
        {"id": lease, "budget_id": key[0], "label": key[1], "amount": amount, "expires": expires}
        for key, amount in amounts.items()
    ]
    connection.execute(insert(reservations), rows)


def hold_permit(connection: Connection, lease: str, name: str, limit: int) -> bool:
    """Begin a lease of one of `limit` permits; whether there was one."""
    key = (name, "")
    taken = lock(connection, [key])[key].reserved
    if taken < limit:
        hold(connection, lease, {key: 1})
    return taken < limit


def held(connection: Connection, name: str) -> int:
    """How many permits are held."""
    found = select(accounts.c.reserved).where(accounts.c.budget_id == name, accounts.c.label == "")
    return connection.execute(found).scalar_one_or_none() or 0


def take_back(connection: Connection, leases: Iterable[str]) -> dict[LeasedKey, int]:
    """End leases; the amounts that they held, which the caller takes off the rows."""
    return _delete(connection, reservations.c.id.in_(list(leases)))


def release(connection: Connection, leases: Iterable[str]) -> None:
    """End leases."""
    _take_off(connection, take_back(connection, leases))


def renew(connection: Connection, leases: Sequence[str]) -> None:
    """Keep leases good."""
    expires = now(connection) + LEASE_SECONDS
    connection.execute(update(reservations).where(reservations.c.id.in_(leases)).values(expires=expires))


def expire(connection: Connection) -> None:
    """End the leases that nobody renewed."""
    old = select(reservations.c.id).where(reservations.c.expires < now(connection)).limit(DELETE_ROWS)
    _take_off(connection, _delete(connection, reservations.c.id.in_(old)))


def _take_off(connection: Connection, released: Mapping[LeasedKey, int]) -> None:
    locked = lock(connection, released)
    for key, amount in sorted(released.items()):
        where = accounts.c.budget_id == key[0], accounts.c.label == key[1]
        connection.execute(update(accounts).where(*where).values(reserved=max(0, locked[key].reserved - amount)))


def _delete(connection: Connection, which: ColumnElement[bool]) -> dict[LeasedKey, int]:
    """Delete leases; what they held of each row."""
    statement = delete(reservations).where(which).returning(reservations.c.budget_id, reservations.c.label, reservations.c.amount)
    released: dict[LeasedKey, int] = {}
    for row in connection.execute(statement):
        key = row.budget_id, row.label
        released[key] = released.get(key, 0) + row.amount
    return released
