"""Detection of a lost accounting store, and the owner's confirmation of the loss.

Both are stored as rows of the new store, so that every process sees them, also after a restart.
"""

from dataclasses import dataclass
from pathlib import Path
from secrets import randbelow

from sqlalchemy import Connection, delete, select

from .rescue import NOTHING_RESCUED, Rescued
from .statements import insert_into
from .tables import counters

STORE_ID = "store_id"
UNCONFIRMED = "loss_unconfirmed"


@dataclass(frozen=True, slots=True)
class Loss:
    """What happened to the former store."""

    damaged: Path | None = None
    """The new path of the damaged file; None if the file was missing."""
    rescued: Rescued = NOTHING_RESCUED


def store_id(connection: Connection) -> str | None:
    """The random number that identifies a store; None for a new store."""
    found = connection.execute(select(counters.c.value).where(counters.c.name == STORE_ID)).scalar_one_or_none()
    return None if found is None else str(found)


def choose_store_id(connection: Connection) -> None:
    """Assign the id unless another process did."""
    _put(connection, STORE_ID, 1 + randbelow(2**63 - 1))


def is_unconfirmed(connection: Connection) -> bool:
    """Whether the owner has yet to confirm a loss."""
    return connection.execute(select(counters.c.value).where(counters.c.name == UNCONFIRMED)).first() is not None


def mark(connection: Connection) -> None:
    """Record that the store before this one was lost."""
    _put(connection, UNCONFIRMED, 1)


def confirm(connection: Connection) -> None:
    """Record that the owner knows of the loss."""
    connection.execute(delete(counters).where(counters.c.name == UNCONFIRMED))


def _put(connection: Connection, name: str, value: int) -> None:
    connection.execute(insert_into(connection, counters).on_conflict_do_nothing(), [{"name": name, "value": value}])
