"""Helpers for all tables: bounded values, and statements that differ between SQLite and PostgreSQL."""

from collections.abc import Collection, Sequence
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Double,
    Select,
    Table,
    case,
    cast,
    delete,
    extract,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

TEXT_LIMIT = 512
"""Maximum characters of a text from outside, such as a model name."""
CURRENCY_LIMIT = 8
"""Characters of a currency's name."""
DELETE_ROWS = 1_000
"""Rows deleted by one transaction, so that other writers wait a few milliseconds only."""
_LARGEST = 2**63 - 1
_MONEY = frozenset({"cost", "energy_cost", "budget_cost"})
_MOST_MONEY = 8 * 10**18
"""The maximum sum of money: eight billion, which leaves room for one more request in 64 bits."""


def bounded(text: str, limit: int = TEXT_LIMIT) -> str:
    """Truncate `text` to `limit` characters and remove what a database rejects.

    PostgreSQL does not allow NUL, and UTF-8 cannot encode lone surrogates.
    """
    kept = text[:limit]
    if not kept.isascii():
        kept = kept.encode(errors="replace").decode()
    return kept.replace("\0", "")


def bounded_or_none(text: str | None) -> str | None:
    """`bounded` for optional texts."""
    return None if text is None else bounded(text)


def clamp_int64(number: int) -> int:
    """Limit `number` to the range of 64 bits."""
    return max(-_LARGEST, min(number, _LARGEST))


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]], *, kept: Collection[str] = ()) -> None:
    """Insert rows, replacing those with the same primary key, except for the values of the columns `kept`."""
    statement = insert_into(connection, table)
    keys = list(table.primary_key.columns)
    left = {*(column.name for column in keys), *kept}
    values = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in left}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), rows)


def add_up(connection: Connection, table: Table, rows: Sequence[dict[str, Any]], *, latest: Collection[str]) -> None:
    """Insert rows, adding their numbers to existing rows with the same primary key.

    `latest` names columns that take the newest known value instead of a sum.
    """
    statement = insert_into(connection, table)
    connection.execute(_adding(statement, table, latest), rows)


def add_up_from(connection: Connection, table: Table, found: Select[Any], *, latest: Collection[str]) -> None:
    """`add_up` with the rows of a query whose columns are named like the table's."""
    connection.execute(_adding(insert_into(connection, table).from_select(found.selected_columns.keys(), found), table, latest))


type _Insert = postgresql.Insert | sqlite.Insert


def insert_into(connection: Connection, table: Table) -> "_Insert":
    """An INSERT that may say what to do where a row exists. PostgreSQL's dialect takes 3 MB: only who uses it loads it."""
    if connection.dialect.name == "postgresql":  # dialect spot; of one shape
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415

        return insert(table)
    return sqlite.insert(table)


def _adding(statement: "_Insert", table: Table, latest: Collection[str]) -> "_Insert":
    keys = list(table.primary_key.columns)
    values: dict[str, ColumnElement[Any]] = {}
    for column in table.columns:
        added = statement.excluded[column.name]
        if column.name in latest:
            values[column.name] = func.coalesce(added, column)
        elif column not in set(keys):
            total = column + added
            values[column.name] = case((total > _MOST_MONEY, _MOST_MONEY), else_=total) if column.name in _MONEY else total
    return statement.on_conflict_do_update(index_elements=keys, set_=values)


def delete_oldest(connection: Connection, key: Column[Any], time: Column[float], until: float) -> int:
    """Delete at most `DELETE_ROWS` rows whose `time` is at most `until`; returns their number."""
    oldest = select(key).where(time <= until).order_by(time).limit(DELETE_ROWS)
    return connection.execute(delete(key.table).where(key.in_(oldest))).rowcount


def delete_some(connection: Connection, key: Column[Any], condition: ColumnElement[bool]) -> int:
    """Delete at most `DELETE_ROWS` rows that match a condition; returns their number."""
    some = select(key).where(condition).limit(DELETE_ROWS)
    return connection.execute(delete(key.table).where(key.in_(some))).rowcount


def now(connection: Connection) -> float:
    """The time of the database server, since the clocks of several gateways differ."""
    if connection.dialect.name == "postgresql":  # dialect spot
        return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
    return time.time()


def clock(connection: Connection) -> ColumnElement[float]:
    """`now` as a part of a statement, which saves a round trip; the same for all of the statement."""
    if connection.dialect.name == "postgresql":  # dialect spot
        return cast(extract("epoch", func.statement_timestamp()), Double)
    return literal(time.time())
