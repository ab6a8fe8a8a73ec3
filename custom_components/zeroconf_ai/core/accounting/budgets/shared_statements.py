"""Reservations, accounts and buckets of gateways that share a database, as rows.

Rows are always locked in the same order (buckets, accounts, each by its name), so that no two transactions wait for each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ..budget import EXCEEDED, Balance, Budget
from ..periods import Window
from ..storage.statements import DELETE_ROWS, now, whole
from ..storage.tables import accounts, reservations
from . import statements
from .reservations import BudgetBalance, Decision, decide, exceeded_by
from .statements import BalanceKey

LEASE_SECONDS = 90.0
"""How long a reservation is good unless it is renewed: that of a gateway that died is free again after that."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is to be let go of and to be charged for one request."""

    reservation: str
    charges: tuple[tuple[Budget, Window, int], ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """Thresholds of a budget that this settlement was the first to reach."""

    budget: Budget
    window: Window
    levels: tuple[int, ...]
    spent: int


def reserve(
    connection: Connection,
    reservation: str,
    dues: Sequence[tuple[Budget, Window]],
    worst_costs: Mapping[str, int],
    ample_costs: Mapping[str, int] | None = None,
) -> tuple[Decision, list[BudgetBalance]]:
    """Set aside what a request may cost, all of it or nothing; and the budgets that are the first time too small for it."""
    locked = _lock(connection, [(budget.id, window.label) for budget, window in dues])
    concerned = [BudgetBalance(budget, window, locked[budget.id, window.label]) for budget, window in dues]
    decision = decide(worst_costs, concerned, ample_costs)
    exceeded = exceeded_by(worst_costs, concerned)
    for one in exceeded:
        statements.warn(connection, (one.budget.id, one.window.label), EXCEEDED)
    if decision.held:
        expires = now(connection) + LEASE_SECONDS
        _hold(connection, reservation, {(held.budget.id, held.window.label): held.amount for held in decision.held}, expires)
    return decision, exceeded


def hold_permit(connection: Connection, reservation: str, name: str, limit: int) -> bool:
    """Take one of so many places that go by a name; whether there was one. Let go of by `settle`."""
    taken = _lock(connection, [(name, "")])[name, ""].reserved
    if taken < limit:
        _hold(connection, reservation, {(name, ""): 1}, now(connection) + LEASE_SECONDS)
    return taken < limit


def settle(connection: Connection, settlements: Iterable[Settlement]) -> list[Reached]:
    """Let go of reservations, charge what was spent, and note which thresholds that reached first."""
    settlements = list(settlements)
    released = _take_back(connection, reservations.c.id.in_([one.reservation for one in settlements]))
    charged: dict[BalanceKey, int] = {}
    named: dict[BalanceKey, tuple[Budget, Window]] = {}
    for budget, window, cost in (charge for one in settlements for charge in one.charges):
        key = budget.id, window.label
        charged[key] = charged.get(key, 0) + cost
        named[key] = budget, window
    keys = released.keys() | charged.keys()
    locked = _lock(connection, keys)
    reached = []
    for key in sorted(keys):
        account = locked[key]
        account.spent = whole(account.spent + charged.get(key, 0))
        account.reserved = max(0, account.reserved - released.get(key, 0))
        if key in named:
            budget, window = named[key]
            if levels := account.newly_reached(budget):
                reached.append(Reached(budget, window, tuple(levels), account.spent))
        _write(connection, key, account)
    return reached


def renew(connection: Connection, ids: Sequence[str]) -> None:
    """Keep reservations good: their requests are still being answered."""
    expires = now(connection) + LEASE_SECONDS
    connection.execute(update(reservations).where(reservations.c.id.in_(ids)).values(expires=expires))


def expire(connection: Connection) -> None:
    """Let go of reservations that nobody renewed."""
    old = select(reservations.c.id).where(reservations.c.expires < now(connection)).limit(DELETE_ROWS)
    released = _take_back(connection, reservations.c.id.in_(old))
    locked = _lock(connection, released)
    for key in sorted(released):
        account = locked[key]
        account.reserved = max(0, account.reserved - released[key])
        _write(connection, key, account)


def tell_reached(connection: Connection, budget: Budget, window: Window) -> Reached | None:
    """Note the thresholds that are reached and were not told."""
    key = budget.id, window.label
    account = _lock(connection, [key])[key]
    levels = account.newly_reached(budget)
    if not levels:
        return None
    _write(connection, key, account)
    return Reached(budget, window, tuple(levels), account.spent)


def _hold(connection: Connection, reservation: str, amounts: Mapping[BalanceKey, int], expires: float) -> None:
    for key, amount in sorted(amounts.items()):
        where = accounts.c.budget_id == key[0], accounts.c.label == key[1]
        connection.execute(update(accounts).where(*where).values(reserved=accounts.c.reserved + amount))
    rows = [
        {"id": reservation, "budget_id": key[0], "label": key[1], "amount": amount, "expires": expires}
        for key, amount in amounts.items()
    ]
    connection.execute(insert(reservations), rows)


def _lock(connection: Connection, keys: Iterable[BalanceKey]) -> dict[BalanceKey, Balance]:
    """The accounts, made where there are none, and nobody else's until the transaction ends."""
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
        found[key] = Balance(*row)
    return found


def _write(connection: Connection, key: BalanceKey, account: Balance) -> None:
    where = accounts.c.budget_id == key[0], accounts.c.label == key[1]
    values = {"spent": account.spent, "reserved": account.reserved, "warned": account.warned}
    connection.execute(update(accounts).where(*where).values(**values))


def _take_back(connection: Connection, which: ColumnElement[bool]) -> dict[BalanceKey, int]:
    """Delete reservations; what they held of each account."""
    statement = delete(reservations).where(which).returning(reservations.c.budget_id, reservations.c.label, reservations.c.amount)
    released: dict[BalanceKey, int] = {}
    for row in connection.execute(statement):
        key = row.budget_id, row.label
        released[key] = released.get(key, 0) + row.amount
    return released
