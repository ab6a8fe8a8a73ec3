"""What there is to do about a database that is one SQLite file: its mode, its health, its copies."""

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

from sqlalchemy import Connection

if sys.platform != "win32":
    import fcntl

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
    return begin_anew(file)


def begin_anew(file: Path) -> Path:
    """Set a damaged file aside and make an empty one in its place; the path of the damaged one. Raises OSError."""
    aside = move_aside(file, "corrupt")
    _make(file)
    return aside


def has_traces(file: Path) -> bool:
    """Whether there was a database in a file that is missing or empty: a copy of it, a damaged one or its log is still there."""
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
def alone(file: Path) -> Iterator[None]:
    """Be the only process inside such a block for the files of a folder, which is made where it is missing. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":  # a file that is in use is not deleted there
        yield
        return
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def value_in(file: Path, statement: str) -> object:
    """The first value of a statement's result in a sound database, read without changing it; None where there is none."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", timeout=BUSY_SECONDS, uri=True)) as connection:
            row = connection.execute(statement).fetchone()
    except sqlite3.Error:
        return None
    return None if row is None else row[0]


def write_copy(connection: Any, file: Path, *, check: tuple[str, str]) -> Path:
    """Write all that an open DBAPI connection reads to a new file beside `file`, also where `file` itself was deleted.

    `check`: a statement, and the text that it finds in the copy of what was there. Raises OSError, sqlite3.Error.
    """
    copy = file.with_name(f"{file.name}.restoring")
    copy.unlink(missing_ok=True)
    _make(copy)
    try:
        with closing(sqlite3.connect(copy)) as target:
            connection.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # no log of the copy is left behind
            [found] = target.execute(check[0]).fetchone()
            if str(found) != check[1]:
                raise sqlite3.DatabaseError("what it held cannot be read any more")
    except BaseException:
        copy.unlink(missing_ok=True)
        raise
    return copy


def first_page(file: Path) -> bytes:
    """The first page of a sound database, with all that its log says. Raises OSError, sqlite3.Error."""
    with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [size] = connection.execute("PRAGMA page_size").fetchone()
    with file.open("rb") as opened:
        return opened.read(size)


def put_in_place(copy: Path, file: Path) -> None:
    """Give a copy the name of the database. A log that belongs to a former file of that name must not be applied to it."""
    for suffix in _COMPANIONS:
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    copy.replace(file)


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite says that the file is no database, or no sound one."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _DAMAGED  # the low byte is the kind, the rest says where it was seen


def is_sound(file: Path) -> bool:
    """Whether no damage is seen."""
    try:
        _check(file)
    except sqlite3.DatabaseError:
        return False
    return True


def is_unreadable(error: BaseException | None) -> bool:
    """Whether what is stored is damaged: the file, its tables, or a text in them."""
    if is_damage(error):
        return True
    if not isinstance(error, sqlite3.OperationalError):
        return False
    words = str(error)
    return words.startswith(("no such table", "no such column", "Could not decode"))


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
    """SQLite gives its companion files the mode of the file itself. Raises OSError, also for what is no regular file."""
    if file.exists() and not file.is_file():
        raise OSError(errno.EINVAL, "It is not a regular file")
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


def move_aside(file: Path, reason: str) -> Path:
    """Rename a file and its companions to `FILE.REASON-TIME`; its new path. Raises OSError."""
    aside = file.with_name(f"{file.name}.{reason}-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
    file.rename(aside)
    for suffix in _COMPANIONS:
        companion = file.with_name(file.name + suffix)
        if companion.exists():
            companion.rename(aside.with_name(aside.name + suffix))
    return aside
