"""SQL statements for shared token buckets; they run in the database thread within a transaction."""

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, delete, func, select, update

from ..storage.statements import clock, insert_into, now
from ..storage.tables import buckets

_GIVE = update(buckets).where(buckets.c.name == bindparam("of")).values(level=buckets.c.level + bindparam("amount"))


def draw(connection: Connection, name: str, capacity: int, amount: float) -> float | None:
    """Take from a bucket that fills to `capacity` within a minute; returns its new level, or None if it does not contain enough.

    An amount above the capacity is taken from a full bucket, which is then overdrawn. Each statement is atomic.
    """
    moment = clock(connection)
    least = func.least if connection.dialect.name == "postgresql" else func.min  # dialect spot
    most = func.greatest if connection.dialect.name == "postgresql" else func.max  # dialect spot
    level = least(float(capacity), buckets.c.level + most(0.0, moment - buckets.c.at) * (capacity / 60.0))
    enough, rest = level >= min(amount, capacity), {"level": level - amount, "at": most(buckets.c.at, moment)}
    # Most buckets exist, and SQLAlchemy compiles an insert that may be an update again every time.
    found = connection.execute(
        update(buckets).where(buckets.c.name == name, enough).values(rest).returning(buckets.c.level)
    ).scalar_one_or_none()
    if found is not None:
        return float(found)
    statement = (
        insert_into(connection, buckets)
        .values(name=name, level=capacity - amount, at=moment)
        .on_conflict_do_update(index_elements=[buckets.c.name], set_=rest, where=enough)
        .returning(buckets.c.level)
    )
    found = connection.execute(statement).scalar_one_or_none()
    return None if found is None else float(found)


def level_of(connection: Connection, name: str, capacity: int) -> float:
    """The level of a bucket."""
    row = connection.execute(select(buckets.c.level, buckets.c.at).where(buckets.c.name == name)).first()
    if row is None:
        return float(capacity)
    return min(float(capacity), float(row.level) + max(0.0, now(connection) - float(row.at)) * capacity / 60.0)


def give(connection: Connection, amounts: Mapping[str, float]) -> None:
    """Put amounts into buckets; negative amounts are taken, whatever the level."""
    rows = [{"of": name, "amount": amount} for name, amount in sorted(amounts.items())]
    connection.execute(_GIVE, rows)


def prune_buckets(connection: Connection, seconds: float) -> None:
    """Delete token buckets that were unused for `seconds`: they are full."""
    connection.execute(delete(buckets).where(buckets.c.at < now(connection) - seconds))
