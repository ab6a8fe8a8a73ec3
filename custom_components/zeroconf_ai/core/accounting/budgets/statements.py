"""Budgets as rows: what is done in the database's thread, each within a transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, case, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ..budget import Action, Balance, Budget, Scope
from ..periods import Period
from ..storage.statements import upsert, whole
from ..storage.tables import accounts, budgets, counters, reservations

_COUNTER = "budgets"
KEEP_DAYS = 400
"""For so long it is kept what was spent of a budget."""

type BalanceKey = tuple[str, str]
"""A budget's id, and the label of one of its periods."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """All budgets."""

    version: int
    budgets: Sequence[Budget]


def count_change(connection: Connection) -> int:
    """Let other processes know that the budgets are no longer what they were; the count from now on."""
    connection.execute(update(counters).where(counters.c.name == _COUNTER).values(value=counters.c.value + 1))
    return _count(connection)


def load(connection: Connection, *, other_than: int) -> Loaded | None:
    """All budgets, or None where their count is still the one given."""
    # The count first: what another process changes in between is then seen the next time, never missed.
    version = _count(connection)
    if version == other_than:
        return None
    found = []
    for row in connection.execute(select(budgets).order_by(budgets.c.id)).mappings():
        enums = {"scope": Scope(row["scope"]), "period": Period(row["period"]), "action": Action(row["action"])}
        found.append(Budget(**{**row, **enums, "thresholds": tuple(row["thresholds"])}))
    return Loaded(version, found)


def put(connection: Connection, budget: Budget) -> bool:
    """Insert a budget, or change the one of its id. Whether it is new."""
    new = connection.execute(select(budgets.c.id).where(budgets.c.id == budget.id)).first() is None
    values = {**asdict(budget), "thresholds": list(budget.thresholds)}
    upsert(connection, budgets, [{name: str(value) if name in _WORDS else value for name, value in values.items()}])
    return new


_WORDS = frozenset({"scope", "period", "action"})


def remove(connection: Connection, budget_id: str) -> None:
    """Delete a budget and what was spent of it."""
    for column in (reservations.c.budget_id, accounts.c.budget_id, budgets.c.id):
        connection.execute(delete(column.table).where(column == budget_id))


def reset(connection: Connection, budget_id: str) -> None:
    """Let nothing be spent of a budget. What is set aside stays so: those requests are still to be charged."""
    connection.execute(update(accounts).where(accounts.c.budget_id == budget_id).values(spent=0, warned=0))


def account(connection: Connection, key: BalanceKey) -> Balance:
    """What became of a budget within one period."""
    found = select(accounts.c.spent, accounts.c.reserved, accounts.c.warned)
    row = connection.execute(found.where(accounts.c.budget_id == key[0], accounts.c.label == key[1])).first()
    return Balance() if row is None else Balance(*row)


def look(connection: Connection, keys: Iterable[BalanceKey]) -> dict[BalanceKey, Balance]:
    """What became of budgets within their periods."""
    labels = {label for _, label in keys}
    found = select(accounts).where(accounts.c.label.in_(labels))
    return {(row.budget_id, row.label): Balance(row.spent, row.reserved, row.warned) for row in connection.execute(found)}


def add(connection: Connection, charges: Mapping[BalanceKey, tuple[int, int]]) -> None:
    """Add to what is spent, and note which threshold was told: (nano-units, per cent) of each account."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert  # dialect spot; of one shape
    statement = make(accounts)
    statement = statement.on_conflict_do_update(
        index_elements=[accounts.c.budget_id, accounts.c.label],
        set_={
            "spent": accounts.c.spent + statement.excluded.spent,
            "warned": case((accounts.c.warned > statement.excluded.warned, accounts.c.warned), else_=statement.excluded.warned),
        },
    )
    rows = [
        {"budget_id": key[0], "label": key[1], "spent": whole(spent), "reserved": 0, "warned": warned}
        for key, (spent, warned) in sorted(charges.items())
    ]
    connection.execute(statement, rows)


def warn(connection: Connection, key: BalanceKey, warned: int) -> None:
    """Note which threshold was told."""
    statement = update(accounts).where(accounts.c.budget_id == key[0], accounts.c.label == key[1])
    connection.execute(statement.values(warned=warned))


def prune(connection: Connection, until: str) -> None:
    """Forget periods of before a day (ISO 8601)."""
    connection.execute(delete(accounts).where(accounts.c.label < until, accounts.c.reserved == 0))


def begin(connection: Connection, key: BalanceKey, spent: int) -> None:
    """What was spent already when a budget is set."""
    connection.execute(delete(accounts).where(accounts.c.budget_id == key[0], accounts.c.label == key[1]))
    values = {"budget_id": key[0], "label": key[1], "spent": whole(spent), "reserved": 0, "warned": 0}
    connection.execute(insert(accounts).values(**values))


def _count(connection: Connection) -> int:
    return int(connection.execute(select(counters.c.value).where(counters.c.name == _COUNTER)).scalar_one())
