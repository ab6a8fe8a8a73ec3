"""Copies keys, budgets and usage sums from a damaged SQLite file into a new store, row by row.

Only rows that the tables still refer to are read. A search of all pages would also find deleted rows, and a revoked key must not
be valid again.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
import math
from pathlib import Path
import shutil
import sqlite3
import time
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Connection, Date, Double, Integer, LargeBinary, String, Table, func, select
from sqlalchemy.dialects import sqlite

from ...protocol import json
from ..budget import make_budget
from .statements import TEXT_LIMIT
from .tables import accounts, audit, budgets, key_labels, key_months, key_rollups, keys, portal_users, relay_connectors, rollups

_SECONDS = 20.0
"""How long rows are searched for."""
_ROWS = 500_000
"""The maximum number of rows copied from a table."""
_BATCH = 500
_DIGEST_BYTES = 32
_MAGIC = b"SQLite format 3\0"
_PAGE_BYTES = 4096
_HEADER_BYTES = 100
_TABLES = (keys, key_labels, portal_users, budgets, accounts, rollups, key_rollups, key_months, audit, relay_connectors)
"""Without opening balances: recorded anew, they make up for the usage rows that are lost."""


@dataclass(frozen=True, slots=True)
class Rescued:
    """How many rows were copied."""

    keys: int = 0
    budgets: int = 0
    usage: int = 0
    """Daily usage rows."""


NOTHING_RESCUED = Rescued()


class _Unreadable(Exception):
    """A row has invalid values."""


def rescue(damaged: Path, target: Connection, first_page: bytes) -> Rescued:
    """Copy the readable rows of a damaged file into empty tables.

    `first_page` is the first page of an intact file with the same tables, used if the file's own is damaged. Raises
    sqlalchemy.exc.SQLAlchemyError if the target cannot be written.
    """
    counts = dict.fromkeys((table.name for table in _TABLES), 0)
    deadline = time.monotonic() + _SECONDS
    for beginning in (b"", _header(damaged), _with_pages(first_page, damaged)):
        with suppress(OSError, sqlite3.Error), _opened(damaged, beginning) as source:  # no space for a copy, or unreadable
            for table in _TABLES:
                counts[table.name] += _copy(source, target, table, deadline)
        if any(counts.values()):
            break
    _complete_months(target)
    return Rescued(counts["keys"], counts["budgets"], counts["rollups"])


@contextmanager
def _opened(damaged: Path, beginning: bytes) -> Iterator[sqlite3.Connection]:
    """Open the file, or a copy whose first bytes are replaced by `beginning`."""
    if not beginning:
        with closing(_connect(damaged)) as connection:
            yield connection
        return
    copy = damaged.with_name(f"{damaged.name}.copy")
    copy.touch(0o600)
    try:
        shutil.copyfile(damaged, copy)
        with copy.open("r+b") as file:
            file.write(beginning)
        with closing(_connect(copy)) as connection:
            yield connection
    finally:
        copy.unlink()


def _with_pages(first_page: bytes, damaged: Path) -> bytes:
    """The first page of the intact file, adapted to the size of the damaged file and to the absence of a WAL."""
    pages = damaged.stat().st_size // _PAGE_BYTES
    return first_page[:18] + bytes((1, 1)) + first_page[20:28] + pages.to_bytes(4) + first_page[32:]


def _header(damaged: Path) -> bytes:
    """The first bytes of an SQLite file (https://www.sqlite.org/fileformat.html, section 1.3) with the defaults of our files."""
    pages = damaged.stat().st_size // _PAGE_BYTES
    fields = bytearray(_HEADER_BYTES)
    fields[:16] = _MAGIC
    fields[16:24] = _PAGE_BYTES.to_bytes(2) + bytes((1, 1, 0, 64, 32, 32))
    fields[24:28] = fields[40:44] = fields[92:96] = (1).to_bytes(4)
    fields[28:32] = pages.to_bytes(4)
    fields[44:48] = (4).to_bytes(4)
    fields[56:60] = (1).to_bytes(4)
    fields[96:100] = sqlite3.sqlite_version_info[0].to_bytes(4)
    return bytes(fields)


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    connection.text_factory = bytes  # invalid UTF-8 then costs one row, not the table
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA writable_schema = ON")  # reads files that are shorter than their header says
    return connection


def _copy(source: sqlite3.Connection, target: Connection, table: Table, deadline: float) -> int:
    """Copy the readable rows of a table; returns their number."""
    before = target.scalar(select(func.count()).select_from(table)) or 0
    statement = sqlite.insert(table).on_conflict_do_nothing()
    batch: list[dict[str, Any]] = []
    for number, row in enumerate(_rows(source, table, deadline)):
        try:
            batch.append(_checked(table, row))
        except _Unreadable:
            continue
        if len(batch) >= _BATCH:
            target.execute(statement, batch)
            batch = []
        if number >= _ROWS:
            break
    if batch:
        target.execute(statement, batch)
    return int(target.scalar(select(func.count()).select_from(table)) or 0) - before


def _rows(source: sqlite3.Connection, table: Table, deadline: float) -> Iterator[Mapping[str, Any]]:
    """Yield the rows before, after and between damaged pages. Rows may be repeated."""
    order = "rowid" if table is not key_months else ", ".join(column.name for column in table.primary_key.columns)
    edges: dict[str, int | None] = {}
    for direction in ("ASC", "DESC"):
        terms = ", ".join(f"{term.strip()} {direction}" for term in order.split(","))
        last = None
        try:
            chosen = "rowid AS _rowid, *" if order == "rowid" else "*"
            for row in _select(source, f"SELECT {chosen} FROM {table.name} ORDER BY {terms}"):  # noqa: S608
                if time.monotonic() > deadline:
                    return
                last = row.pop("_rowid", None)
                yield row
        except sqlite3.Error:
            edges[direction] = last
        else:
            return
    first, last = edges["ASC"], edges["DESC"]
    if order != "rowid" or last is None:
        return
    for rowid in range((first or 0) + 1, last):
        if time.monotonic() > deadline:
            return
        try:
            yield from _select(source, f"SELECT * FROM {table.name} WHERE rowid = {rowid}")  # noqa: S608
        except sqlite3.Error:
            continue


def _select(source: sqlite3.Connection, statement: str) -> Iterator[dict[str, Any]]:
    cursor = source.execute(statement)
    names = [part[0] for part in cursor.description]
    for row in cursor:
        yield dict(zip(names, row, strict=True))


def _checked(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Validate the values of a row against the column types. Raises _Unreadable."""
    values = {
        column.name: _value(column, row[column.name])
        for column in table.columns
        if column.name in row and column.name != "row_id"
    }
    if missing := [column.name for column in table.columns if column.name not in values and _is_needed(column)]:
        raise _Unreadable(missing)
    if any(isinstance(value, int) and value < 0 for value in values.values()):
        raise _Unreadable(table.name)
    if table is budgets:
        _check_budget(values)
    if table is keys and any(len(values.get(name) or bytes(_DIGEST_BYTES)) != _DIGEST_BYTES for name in _DIGESTS):
        raise _Unreadable(table.name)
    return values | ({"reserved": 0} if table is accounts else {})


_DIGESTS = ("digest", "former_digest")


def _is_needed(column: Column[Any]) -> bool:
    return not column.nullable and column.server_default is None and column.name != "row_id"


def _check_budget(values: Mapping[str, Any]) -> None:
    try:
        budget = make_budget(
            values["scope"],
            values["subject"],
            values["amount"],
            values["period"],
            values["action"],
            values["thresholds"],
        )
    except (ValueError, TypeError) as err:
        raise _Unreadable from err
    if budget.id != values["id"]:
        raise _Unreadable


def _value(column: Column[Any], raw: Any) -> Any:
    """Convert a raw value (texts are bytes) to the column's type. Raises _Unreadable."""
    if raw is None:
        if column.nullable:
            return None
        raise _Unreadable(column.name)
    try:
        match column.type:
            case Boolean() if raw in (0, 1):
                return bool(raw)
            case Integer() if isinstance(raw, int):
                return raw
            case Double() if isinstance(raw, int | float) and math.isfinite(raw):
                return float(raw)
            case Date() if isinstance(raw, bytes):
                return date.fromisoformat(raw.decode("ascii"))
            case JSON() if isinstance(raw, bytes) and isinstance(listed := json.loads(raw), list):
                return listed
            case LargeBinary() if isinstance(raw, bytes):
                return raw
            case String() if isinstance(raw, bytes) and len(text := raw.decode()) <= TEXT_LIMIT and "\0" not in text:
                return text
    except ValueError as err:
        raise _Unreadable(column.name) from err
    raise _Unreadable(column.name)


def _complete_months(target: Connection) -> None:
    """Compute the missing monthly rows from the daily rows."""
    month = func.date(key_rollups.c.day, "start of month")
    owners: Sequence[str] = ("key_id", "currency", "user_id")
    numbers = [column.name for column in key_months.columns if column.name not in ("month", "key_name", *owners)]
    summed = (
        select(
            month,
            *(key_rollups.c[name] for name in owners),
            func.max(key_rollups.c.key_name),
            *(func.sum(key_rollups.c[name]) for name in numbers),
        )
        .where(key_rollups.c.day.is_not(None))
        .group_by(month, *(key_rollups.c[name] for name in owners))
    )
    statement = sqlite.insert(key_months).from_select(["month", *owners, "key_name", *numbers], summed)
    target.execute(statement.on_conflict_do_nothing())
