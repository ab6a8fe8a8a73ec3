"""Whether an accounting store is the one that was there before, and whether its owner has confirmed that it is not.

Both are rows of the store itself: every process that uses it knows, also after a restart.
"""

from dataclasses import dataclass
from pathlib import Path
from secrets import randbelow

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from .rescue import NOTHING_RESCUED, Rescued
from .tables import counters

STORE_ID = "store_id"
UNCONFIRMED = "loss_unconfirmed"


@dataclass(frozen=True, slots=True)
class Loss:
    """The store that was there before is gone: what became of it."""

    damaged: Path | None = None
    """Where the damaged file is now; None where there is no file any more."""
    rescued: Rescued = NOTHING_RESCUED


def store_id(connection: Connection) -> str | None:
    """The random number that tells a store from all others; None for one that has none yet."""
    found = connection.execute(select(counters.c.value).where(counters.c.name == STORE_ID)).scalar_one_or_none()
    return None if found is None else str(found)


def choose_store_id(connection: Connection) -> None:
    """Give a store its number, unless another process did."""
    _put(connection, STORE_ID, 1 + randbelow(2**63 - 1))


def is_unconfirmed(connection: Connection) -> bool:
    """Whether a loss is not confirmed yet."""
    return connection.execute(select(counters.c.value).where(counters.c.name == UNCONFIRMED)).first() is not None


def mark(connection: Connection) -> None:
    """Record that the store before this one was lost."""
    _put(connection, UNCONFIRMED, 1)


def confirm(connection: Connection) -> None:
    """Record that the owner knows of the loss."""
    connection.execute(delete(counters).where(counters.c.name == UNCONFIRMED))


def _put(connection: Connection, name: str, value: int) -> None:
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert  # dialect spot; of one shape
    connection.execute(make(counters).on_conflict_do_nothing(), [{"name": name, "value": value}])
