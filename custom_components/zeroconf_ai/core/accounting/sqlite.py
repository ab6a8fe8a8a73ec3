"""What there is to do about a database that is one SQLite file: its mode, its health, its copies."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
import os
from pathlib import Path
import sqlite3
import time
from typing import Any

from sqlalchemy import Connection

_CHECK_SECONDS = 5.0
"""How long a file is looked through for damage: a start must not wait for gigabytes."""
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_COMPANIONS = ("-wal", "-shm")
_INCREMENTAL = 2
_SPARE_PAGES = 256
_STEP_PAGES = 512
"""Two megabytes: some milliseconds."""
_LOG_BYTES = 16 * 1024 * 1024
BUSY_SECONDS = 5.0
"""How long a writer waits for another process's."""


def prepare(file: Path, *, set_damaged_aside: bool) -> Path | None:
    """See to it that there is a sound file that only its owner reads; where a damaged one went to, or None.

    Raises OSError where the file cannot be used, sqlite3.DatabaseError for a damaged one that is to be left where it is.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    _make(file)
    try:
        _check(file)
    except sqlite3.DatabaseError as err:
        if not set_damaged_aside or not is_damage(err):
            raise
    else:
        return None
    aside = _set_aside(file)
    _make(file)
    return aside


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite says that the file is no database, or no sound one."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _DAMAGED  # the low byte is the kind, the rest says where it was seen


def configure(connection: Any) -> None:
    """Set what SQLite keeps for the time of a connection, a DBAPI one.

    Transactions are begun by `Database`: the driver's own way begins none before a change of tables.
    """
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    connection.execute("PRAGMA synchronous = NORMAL")  # with WAL: a power cut may cost the last commits, never the file


def settle(connection: Any) -> None:
    """Set what SQLite keeps in the file, through a DBAPI connection without a transaction."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    if cursor.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL:
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
        with suppress(sqlite3.OperationalError):  # a full disk, or another process that writes: the next start does it
            cursor.execute("VACUUM")


def shrink(connection: Connection) -> bool:
    """Give some free pages back to the disk; whether there are more to give. A fifth of the file is left for new rows."""
    pages, free = (int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()) for name in ("page_count", "freelist_count"))
    spare = free - max(_SPARE_PAGES, pages // 5)
    if spare <= 0:
        return False
    # By the driver itself: each row that is read, though it has no columns, is a page given back.
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA incremental_vacuum({min(spare, _STEP_PAGES)})")
    cursor.fetchall()
    return spare > _STEP_PAGES


def backup(file: Path, name: str) -> Path:
    """Copy the database, as it is now, next to itself as `FILE.NAME`, in the place of an earlier copy of that name."""
    copy = file.with_name(f"{file.name}.{name}")
    copy.unlink(missing_ok=True)
    _make(copy)
    with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def _make(file: Path) -> None:
    """SQLite gives its companion files the mode of the file itself."""
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    if file.stat().st_mode & 0o077:
        file.chmod(0o600)


def _check(file: Path) -> None:
    """Raises sqlite3.DatabaseError where damage is seen."""
    with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as connection, _at_most(connection, _CHECK_SECONDS):
        [(found,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
        if found != "ok":
            error = sqlite3.DatabaseError(str(found))
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error


@contextmanager
def _at_most(connection: sqlite3.Connection, seconds: float) -> Iterator[None]:
    """End a statement that takes longer, and take that for no error."""
    deadline = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    try:
        yield
    except sqlite3.OperationalError as err:
        if err.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
    finally:
        connection.set_progress_handler(None, 0)


def _set_aside(file: Path) -> Path:
    aside = file.with_name(f"{file.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
    file.rename(aside)
    for suffix in _COMPANIONS:
        companion = file.with_name(file.name + suffix)
        if companion.exists():
            companion.rename(aside.with_name(aside.name + suffix))
    return aside
