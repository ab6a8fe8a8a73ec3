"""Maintenance of an SQLite file: permissions, integrity checks, backups and repair."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
import errno
import glob
import os
from pathlib import Path
import sqlite3
import stat
import sys
import time
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

if sys.platform != "win32":
    import fcntl

_CHECK_SECONDS = 5.0
"""The time limit of the integrity check, so that large files do not delay the start."""
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_COMPANIONS = ("-wal", "-shm")
_INCREMENTAL = 2
_SPARE_PAGES = 256
_STEP_PAGES = 512
"""Two megabytes, which take a few milliseconds."""
_LOG_BYTES = 16 * 1024 * 1024
BUSY_SECONDS = 5.0
"""How long a writer waits for the lock of another process."""
READS = "zeroconf_ai_reads"
"""The execution option of a read-only connection, which needs no write lock."""


def make_engine(url: URL) -> Engine:
    """An engine with one connection."""
    engine = create_engine(url, hide_parameters=True, pool_size=1, max_overflow=0, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        configure(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer locks at once: a transaction that began by reading cannot wait for another writer.
        reads = connection.get_execution_options().get(READS)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def prepare(file: Path, *, set_damaged_aside: bool) -> Path | None:
    """Ensure that an intact file exists that only its owner can read; returns the new path of a damaged one, or None.

    Raises OSError if the file cannot be used, sqlite3.DatabaseError for a damaged file without `set_damaged_aside`.
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
    return replace_damaged(file)


def replace_damaged(file: Path) -> Path:
    """Move a damaged file aside and create an empty one; returns the new path of the damaged file. Raises OSError."""
    aside = move_aside(file, "corrupt")
    _make(file)
    return aside


def has_traces(file: Path) -> bool:
    """Whether the file is missing or empty although a backup, a damaged copy or a WAL of it exists."""
    missing = not file.exists() or file.stat().st_size == 0
    return missing and (
        any(file.parent.glob(f"{glob.escape(file.name)}.corrupt-*"))
        or any(file.parent.glob(f"{glob.escape(file.name)}.before-*"))
        or file.with_name(f"{file.name}-wal").exists()
    )


def identity(file: Path) -> tuple[int, int] | None:
    """Device and inode of a file; None where there is no regular file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


@contextmanager
def exclusive_access(file: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file's folder, which is created if missing. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":  # Windows does not delete files in use
        yield
        return
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def query_value(file: Path, statement: str) -> object:
    """The first value of a query on a database opened read-only; None without a result or on an error."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", timeout=BUSY_SECONDS, uri=True)) as connection:
            row = connection.execute(statement).fetchone()
    except sqlite3.Error:
        return None
    return None if row is None else row[0]


def write_copy(connection: Any, file: Path, *, check: tuple[str, str]) -> Path:
    """Copy the database of an open DBAPI connection to a new file beside `file`, even if `file` was deleted.

    `check`: a query and its expected result in the copy. Raises OSError, sqlite3.Error.
    """
    copy = file.with_name(f"{file.name}.restoring")
    copy.unlink(missing_ok=True)
    _make(copy)
    try:
        with closing(sqlite3.connect(copy)) as target:
            connection.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # leaves no WAL of the copy behind
            [found] = target.execute(check[0]).fetchone()
            if str(found) != check[1]:
                raise sqlite3.DatabaseError("its former contents cannot be read any more")
    except BaseException:
        copy.unlink(missing_ok=True)
        raise
    return copy


def first_page(file: Path) -> bytes:
    """The first page of an intact database after a checkpoint of its WAL. Raises OSError, sqlite3.Error."""
    with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [size] = connection.execute("PRAGMA page_size").fetchone()
    with file.open("rb") as opened:
        return opened.read(size)


def put_in_place(copy: Path, file: Path) -> None:
    """Rename a copy to the database's name, and delete the WAL of the former file, which must not be applied to it."""
    for suffix in _COMPANIONS:
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    copy.replace(file)


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite reports that the file is corrupt or not a database."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _DAMAGED  # the low byte of an extended code is the primary code


def is_sound(file: Path) -> bool:
    """Whether the integrity check finds no damage."""
    try:
        _check(file)
    except sqlite3.DatabaseError:
        return False
    return True


def is_unreadable(error: BaseException | None) -> bool:
    """Whether the stored data is damaged: the file, its tables, or texts in them."""
    if is_damage(error):
        return True
    if not isinstance(error, sqlite3.OperationalError):
        return False
    words = str(error)
    return words.startswith(("no such table", "no such column", "Could not decode"))


def configure(connection: Any) -> None:
    """Configure a DBAPI connection.

    `Database` begins transactions itself, since the driver begins none before DDL statements.
    """
    connection.isolation_level = None
    # SQLite's own function changes ASCII letters only.
    connection.create_function("lower", 1, _lower, deterministic=True)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    connection.execute("PRAGMA synchronous = NORMAL")  # with WAL, a power failure may lose commits but not damage the file


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def configure_file(connection: Any) -> None:
    """Configure the settings stored in the file, through a DBAPI connection without a transaction."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    if cursor.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL:
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
        with suppress(sqlite3.OperationalError):  # disk full, or locked: retried later
            cursor.execute("VACUUM")


def shrink(connection: Connection) -> bool:
    """Return some free pages to the disk; returns whether more remain. A fifth of the file stays reserved for new rows."""
    pages, free = (int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()) for name in ("page_count", "freelist_count"))
    spare = free - max(_SPARE_PAGES, pages // 5)
    if spare <= 0:
        return False
    # With the driver's cursor: each fetched row, though without columns, frees one page.
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA incremental_vacuum({min(spare, _STEP_PAGES)})")
    cursor.fetchall()
    return spare > _STEP_PAGES


def backup(file: Path, name: str) -> Path:
    """Copy the database to `FILE.NAME`, replacing an earlier copy."""
    copy = file.with_name(f"{file.name}.{name}")
    copy.unlink(missing_ok=True)
    _make(copy)
    with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def _make(file: Path) -> None:
    """Create the file with mode 0600, which SQLite copies to the WAL. Raises OSError, also if it is not a regular file."""
    if file.exists() and not file.is_file():
        raise OSError(errno.EINVAL, "It is not a regular file")
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    if file.stat().st_mode & 0o077:
        file.chmod(0o600)


def _check(file: Path) -> None:
    """Raises sqlite3.DatabaseError if the file is damaged."""
    with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as connection, _at_most(connection, _CHECK_SECONDS):
        [(found,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
        if found != "ok":
            error = sqlite3.DatabaseError(str(found))
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error


@contextmanager
def _at_most(connection: sqlite3.Connection, seconds: float) -> Iterator[None]:
    """Interrupt statements after a time limit, without an error."""
    deadline = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    try:
        yield
    except sqlite3.OperationalError as err:
        if err.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
    finally:
        connection.set_progress_handler(None, 0)


def move_aside(file: Path, reason: str) -> Path:
    """Rename a file and its WAL to `FILE.REASON-TIME`; returns the new path. Raises OSError."""
    aside = file.with_name(f"{file.name}.{reason}-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
    file.rename(aside)
    for suffix in _COMPANIONS:
        companion = file.with_name(file.name + suffix)
        if companion.exists():
            companion.rename(aside.with_name(aside.name + suffix))
    return aside
