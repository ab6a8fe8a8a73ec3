"""What every table needs: values that any database takes, and statements that SQL has no common words for."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

TEXT_LIMIT = 512
"""Characters kept of a text that somebody else chose, such as a model's name."""
DELETE_ROWS = 1_000
"""Rows deleted by one transaction: what waits behind it waits for some milliseconds."""
_LARGEST = 2**63 - 1


def bounded(text: str) -> str:
    """`text` as every database takes it: PostgreSQL knows no NUL, and no encoding knows a half of a surrogate pair."""
    return text[:TEXT_LIMIT].encode(errors="replace").decode().replace("\0", "")


def maybe(text: str | None) -> str | None:
    """`bounded`, where there is a text."""
    return None if text is None else bounded(text)


def whole(number: int) -> int:
    """`number` as 64 bits hold it."""
    return max(-_LARGEST, min(number, _LARGEST))


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, each in the place of one with its primary key."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert  # dialect spot; of one shape
    statement = insert(table)
    keys = list(table.primary_key.columns)
    values = {column.name: statement.excluded[column.name] for column in table.columns if column not in set(keys)}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), rows)


def delete_oldest(connection: Connection, key: Column[Any], time: Column[float], until: float) -> int:
    """Delete at most `DELETE_ROWS` rows whose `time` is `until` or before; how many those were."""
    oldest = select(key).where(time <= until).order_by(time).limit(DELETE_ROWS)
    return connection.execute(delete(key.table).where(key.in_(oldest))).rowcount
