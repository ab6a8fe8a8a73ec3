"""SQL statements for shared reservations and balances. A reservation is a lease (`storage.leases`)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, update

from ..budget import EXCEEDED, Balance, Budget
from ..periods import Window
from ..storage import leases
from ..storage.statements import clamp_int64
from ..storage.tables import accounts
from . import statements
from .reservations import BudgetBalance, Reservation, decide, exceeded_by
from .statements import BalanceKey

_WRITE = (
    update(accounts)
    .where(accounts.c.budget_id == bindparam("of"), accounts.c.label == bindparam("within"))
    .values(spent=bindparam("now_spent"), reserved=bindparam("held"), warned=bindparam("told"))
)


@dataclass(frozen=True, slots=True)
class Settlement:
    """The reservation to release and the amounts to charge for one request."""

    reservation: str
    charges: tuple[tuple[Budget, Window, int], ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """The thresholds of a budget that a settlement was the first to reach."""

    budget: Budget
    window: Window
    levels: tuple[int, ...]
    spent: int


def reserve(
    connection: Connection,
    lease: str,
    dues: Sequence[tuple[Budget, Window]],
    worst_costs: Mapping[str, int],
    ample_costs: Mapping[str, int] | None = None,
) -> tuple[Reservation, list[BudgetBalance]]:
    """Reserve the maximum cost of a request from all budgets or from none, under the id `lease`.

    Also returns the budgets that are too small for a request for the first time.
    """
    locked = _lock(connection, [(budget.id, window.label) for budget, window in dues])
    concerned = [BudgetBalance(budget, window, locked[budget.id, window.label]) for budget, window in dues]
    reservation = decide(worst_costs, concerned, ample_costs)
    exceeded = exceeded_by(worst_costs, concerned)
    for one in exceeded:
        statements.record_warning(connection, (one.budget.id, one.window.label), EXCEEDED)
    if reservation.amounts:
        amounts = {(amount.budget.id, amount.window.label): amount.amount for amount in reservation.amounts}
        leases.hold(connection, lease, amounts)
    return reservation, exceeded


def reconcile(connection: Connection, settlements: Iterable[Settlement]) -> list[Reached]:
    """Release reservations, charge actual costs, and return the thresholds that were reached for the first time."""
    settlements = list(settlements)
    released = leases.delete_leases_of(connection, (one.reservation for one in settlements))
    charged: dict[BalanceKey, int] = {}
    named: dict[BalanceKey, tuple[Budget, Window]] = {}
    for budget, window, cost in (charge for one in settlements for charge in one.charges):
        key = budget.id, window.label
        charged[key] = charged.get(key, 0) + cost
        named[key] = budget, window
    keys = released.keys() | charged.keys()
    locked = _lock(connection, keys)
    reached = []
    rows = []
    for key in sorted(keys):
        balance = locked[key]
        balance.spent = clamp_int64(balance.spent + charged.get(key, 0))
        balance.reserved = max(0, balance.reserved - released.get(key, 0))
        if key in named:
            budget, window = named[key]
            if levels := balance.newly_reached(budget):
                reached.append(Reached(budget, window, tuple(levels), balance.spent))
        rows.append(
            {"of": key[0], "within": key[1], "now_spent": balance.spent, "held": balance.reserved, "told": balance.warned}
        )
    if rows:
        connection.execute(_WRITE, rows)
    return reached


def _lock(connection: Connection, keys: Iterable[BalanceKey]) -> dict[BalanceKey, Balance]:
    return {key: Balance(*row) for key, row in leases.lock(connection, keys).items()}
