"""SQL statements for budgets and balances; they run in the database thread within a transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, case, delete, insert, select, update

from ..budget import Action, Balance, Budget, Scope
from ..periods import Period
from ..storage.statements import clamp_int64, insert_into, upsert
from ..storage.tables import accounts, budgets, counters, reservations

_COUNTER = "budgets"
KEEP_DAYS = 400
"""How long balances of past periods are stored."""

type BalanceKey = tuple[str, str]
"""A budget's id, and the label of one of its periods."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """All budgets."""

    version: int
    budgets: Sequence[Budget]


def count_change(connection: Connection) -> int:
    """Increment and return the version of the budgets, so that other processes reload them."""
    connection.execute(update(counters).where(counters.c.name == _COUNTER).values(value=counters.c.value + 1))
    return _count(connection)


def load(connection: Connection, *, other_than: int) -> Loaded | None:
    """Read all budgets; None if their version is still `other_than`."""
    # The version first: a change by another process in between is then read the next time, never missed.
    version = _count(connection)
    if version == other_than:
        return None
    found = []
    for row in connection.execute(select(budgets).order_by(budgets.c.id)).mappings():
        enums = {"scope": Scope(row["scope"]), "period": Period(row["period"]), "action": Action(row["action"])}
        found.append(Budget(**{**row, **enums, "thresholds": tuple(row["thresholds"])}))
    return Loaded(version, found)


def save(connection: Connection, budget: Budget) -> bool:
    """Insert or update a budget; returns whether it is new."""
    new = connection.execute(select(budgets.c.id).where(budgets.c.id == budget.id)).first() is None
    values = {**asdict(budget), "thresholds": list(budget.thresholds)}
    upsert(connection, budgets, [{name: str(value) if name in _WORDS else value for name, value in values.items()}])
    return new


_WORDS = frozenset({"scope", "period", "action"})


def remove(connection: Connection, budget_id: str) -> None:
    """Delete a budget, its balances and reservations."""
    for column in (reservations.c.budget_id, accounts.c.budget_id, budgets.c.id):
        connection.execute(delete(column.table).where(column == budget_id))


def reset(connection: Connection, budget_id: str) -> None:
    """Set the spent amounts to 0. Reservations stay: those requests are still in progress."""
    connection.execute(update(accounts).where(accounts.c.budget_id == budget_id).values(spent=0, warned=0))


def read_balance(connection: Connection, key: BalanceKey) -> Balance:
    """Read the balance of a budget within one period."""
    found = select(accounts.c.spent, accounts.c.reserved, accounts.c.warned)
    row = connection.execute(found.where(accounts.c.budget_id == key[0], accounts.c.label == key[1])).first()
    return Balance() if row is None else Balance(*row)


def read_balances(connection: Connection, keys: Iterable[BalanceKey]) -> dict[BalanceKey, Balance]:
    """Read several balances."""
    labels = {label for _, label in keys}
    found = select(accounts).where(accounts.c.label.in_(labels))
    return {(row.budget_id, row.label): Balance(row.spent, row.reserved, row.warned) for row in connection.execute(found)}


def add(connection: Connection, charges: Mapping[BalanceKey, tuple[int, int]]) -> None:
    """Add spent amounts and record notified thresholds: (nano-units, per cent) by balance."""
    statement = insert_into(connection, accounts)
    statement = statement.on_conflict_do_update(
        index_elements=[accounts.c.budget_id, accounts.c.label],
        set_={
            "spent": accounts.c.spent + statement.excluded.spent,
            "warned": case((accounts.c.warned > statement.excluded.warned, accounts.c.warned), else_=statement.excluded.warned),
        },
    )
    rows = [
        {"budget_id": key[0], "label": key[1], "spent": clamp_int64(spent), "reserved": 0, "warned": warned}
        for key, (spent, warned) in sorted(charges.items())
    ]
    connection.execute(statement, rows)


def record_warning(connection: Connection, key: BalanceKey, warned: int) -> None:
    """Record the highest notified threshold."""
    statement = update(accounts).where(accounts.c.budget_id == key[0], accounts.c.label == key[1])
    connection.execute(statement.values(warned=warned))


def prune(connection: Connection, until: str) -> None:
    """Delete balances of periods before a day (ISO 8601)."""
    connection.execute(delete(accounts).where(accounts.c.label < until, accounts.c.reserved == 0))


def start_balance(connection: Connection, key: BalanceKey, spent: int) -> None:
    """Initialize the balance of a new budget with the amount that was spent before."""
    connection.execute(delete(accounts).where(accounts.c.budget_id == key[0], accounts.c.label == key[1]))
    values = {"budget_id": key[0], "label": key[1], "spent": clamp_int64(spent), "reserved": 0, "warned": 0}
    connection.execute(insert(accounts).values(**values))


def _count(connection: Connection) -> int:
    return int(connection.execute(select(counters.c.value).where(counters.c.name == _COUNTER)).scalar_one())
