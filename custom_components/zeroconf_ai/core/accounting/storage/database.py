"""`Database`: an SQLite file or a PostgreSQL database, accessed from a dedicated thread."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from enum import StrEnum
from hashlib import sha256
from importlib.util import find_spec
import logging
import os
from pathlib import Path
import sqlite3
import time
from typing import Any, Self, override

from sqlalchemy import URL, Connection, Engine, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError

from . import loss, migrate, postgresql, sqlite
from .loss import Loss
from .rescue import NOTHING_RESCUED, Rescued, rescue
from .tables import metadata

_LOGGER = logging.getLogger(__name__)

_QUIET_SECONDS = 2.0
"""After a failure that took longer, such as a connection to a server that does not answer, all transactions fail at once for so
long: they would wait in line, each for its own failure."""
_STORE_ID = f"SELECT value FROM counters WHERE name = '{loss.STORE_ID}'"  # noqa: S608


class DatabaseError(Exception):
    """The database cannot be used, or an operation failed. The message never contains the password."""

    def __init__(self, message: str, *, passing: bool = False, damage: bool = False) -> None:
        """`passing`: a retry may succeed, for example when the server is back or the disk has space.

        `damage`: the stored data is corrupt.
        """
        super().__init__(message)
        self.passing = passing
        self.damage = damage


class FileChange(StrEnum):
    """What happened to the database file while in use."""

    RESTORED = "restored"
    """The file was deleted or replaced by another file, and was written again."""
    REPLACED = "replaced"
    """The file was replaced by another copy of the same database, which is now used."""


class Database:
    """An open database. Methods are called on one event loop; the work runs in the database thread."""

    def __init__(self, url: URL) -> None:
        """Use `open` instead: this opens no connection."""
        self._url = url
        self._thread = ThreadPoolExecutor(1, "zeroconf_ai_database")
        self._engine: Engine | None = None
        self._closed = False
        self._identity: tuple[int, int] | None = None
        self._watchdog = postgresql.Watchdog()
        self._latest: Future[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._failing: tuple[float, DatabaseError] | None = None
        """Until when transactions fail at once, by the monotonic clock, and with which error."""
        self.id = ""
        """A random number stored in the database, which identifies it."""
        self.loss: Loss | None = None
        """Set if `open` found the former database damaged or missing."""

    @classmethod
    async def open(
        cls,
        url: str | Path,
        *,
        set_damaged_aside: bool = True,
        known_id: str | None = None,
        used_before: bool = False,
        is_damaged: bool = False,
    ) -> Self:
        """Open a database and upgrade its tables.

        `url` is `sqlite:///FILE`, `postgresql://…` or a file path. `known_id` is the id of the database opened there before;
        `used_before`: there was one with an unknown id. `is_damaged`: set an SQLite file aside even if it passes the check.
        Raises DatabaseError with a message that says what to do.
        """
        database = cls(parse_url(url))
        try:
            await database._do(
                lambda: database._open(
                    set_damaged_aside=set_damaged_aside, known_id=known_id, used_before=used_before, is_damaged=is_damaged
                )
            )
        except BaseException:
            await database.close()
            raise
        return database

    @property
    def name(self) -> str:
        """The address without its password, for messages."""
        return shown_name(self._url)

    @property
    def shared(self) -> bool:
        """Whether other gateways may use the same database."""
        return self._file is None

    def default_folder(self, name: str) -> Path | None:
        """The folder `name` beside an SQLite file; None with a server."""
        return None if self._file is None else self._file.parent / name

    @property
    def is_postgresql(self) -> bool:
        """Whether it is on a PostgreSQL server."""
        return self._file is None

    @override
    def __repr__(self) -> str:
        return f"<Database {self.name}>"

    @property
    def _file(self) -> Path | None:
        is_file = self._url.get_backend_name() == "sqlite"
        return Path(self._url.database or "") if is_file else None

    async def read[T](self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a read-only transaction and return its result. Raises DatabaseError."""
        return await self._do(lambda: self._transaction(work, reads=True))

    async def write[T](self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and return its result. Raises DatabaseError, in which case nothing is changed.

        The work completes even if the caller is cancelled.
        """
        return await self._do(lambda: self._transaction(work, reads=False))

    async def write_statement[T](self, work: Callable[[Connection], T]) -> T:
        """Run `work`, which executes one statement on a PostgreSQL server, without a transaction around it: one round trip.

        Like `write` otherwise. Raises DatabaseError.
        """
        return await self._do(lambda: self._transaction(work, reads=False, isolation_level="AUTOCOMMIT"))

    async def shrink(self) -> bool:
        """Return some free pages to the disk; returns whether more remain. Raises DatabaseError."""
        return await self.write(sqlite.shrink) if self._file is not None else False  # dialect spot; PostgreSQL does so itself

    async def close(self) -> None:
        """Finish pending work and close all connections. May be called more than once."""
        if not self._closed:
            self._closed = True
            await self._do(self._dispose)
            self._thread.shutdown()
            if self._timer is not None:
                self._timer.cancel()

    async def _do[T](self, work: Callable[[], T]) -> T:
        try:
            future = self._thread.submit(work)
        except RuntimeError:
            raise DatabaseError("The database is closed.") from None
        if self.shared:
            self._latest = future
            if self._timer is None:
                self._watch()
        return await asyncio.shield(asyncio.wrap_future(future))

    def _watch(self) -> None:
        """Look after the server until all work is done."""
        if self._latest is None or self._latest.done():
            self._timer = self._latest = None
            return
        self._watchdog.check()
        self._timer = asyncio.get_running_loop().call_later(_QUIET_SECONDS, self._watch)

    async def follow_file(self) -> FileChange | None:
        """Detect and repair a deleted or replaced database file; None if the file is unchanged.

        Raises DatabaseError if the repair fails.
        """
        return await self._do(self._follow_file)

    def _open(self, *, set_damaged_aside: bool, known_id: str | None, used_before: bool, is_damaged: bool) -> None:
        """Runs in the database thread."""
        try:
            aside: Path | None = None
            if self._file is not None:
                used_before = used_before or sqlite.has_traces(self._file)
                aside = sqlite.prepare(self._file, set_damaged_aside=set_damaged_aside)
                if aside is None and is_damaged:
                    aside = sqlite.replace_damaged(self._file)
            created = self._make_tables()
            if aside is None and self._file is not None and (missing := self._missing_tables()):
                if not set_damaged_aside:
                    message = f"The database {self.name} cannot be used: the table {missing} is missing."
                    raise DatabaseError(message, damage=True)
                self._dispose()
                aside = sqlite.replace_damaged(self._file)
                created = self._make_tables()
            rescued = self._rescue(aside) if aside is not None else NOTHING_RESCUED
            self.id = self._store_id()
            if aside is not None or (created and used_before) or known_id not in (None, self.id):
                self.loss = Loss(aside, rescued)
                self._transaction(loss.mark, reads=False)
            if self.loss is not None:
                _LOGGER.error("%s", self._loss_message(self.loss))
            if self._file is not None:
                self._identity = sqlite.identity(self._file)
        except migrate.NewerDatabaseError as err:
            message = f"{self.name} was created by a later version of ZeroConf AI ({err}). Install it or use another database."
            raise DatabaseError(message) from None
        except OSError as err:
            raise DatabaseError(f"The database {self.name} cannot be used: {err.strerror or err}.") from None
        except sqlite3.DatabaseError as err:
            hint = "Start the gateway, which replaces the file by a new database." if sqlite.is_damage(err) else "Try again."
            raise DatabaseError(f"The database {self.name} cannot be used: {err}. {hint}") from None
        except SQLAlchemyError as err:
            raise self._translated(err, f"The database {self.name} cannot be used: ") from None

    def _make_tables(self) -> bool:
        """Connect and upgrade the tables; returns whether they were created."""
        self._engine = make_engine(self._url)
        if self._file is not None and (names := inspect(self._engine).get_table_names()) and migrate.VERSION_TABLE not in names:
            raise DatabaseError(f"The database {self.name} contains the tables of another program. Use another file.")
        created = migrate.upgrade(self._engine, before=self._before_upgrade)
        if self._file is not None:
            self._write_ahead()
        else:
            self._dispose()
            self._engine = make_engine(self._url, self._watchdog)
        return created

    def _rescue(self, damaged: Path) -> Rescued:
        assert self._file is not None
        first_page = sqlite.first_page(self._file)
        return self._transaction(lambda connection: rescue(damaged, connection, first_page), reads=False)

    def _store_id(self) -> str:
        """Return the id; write one only if missing, since another process may hold the write lock."""
        found = self._transaction(loss.store_id, reads=True)
        if found is None:
            self._transaction(loss.choose_store_id, reads=False)
            found = self._transaction(loss.store_id, reads=True)
        assert found is not None
        return found

    def _missing_tables(self) -> str:
        """The name of the first missing table; empty if all tables exist."""
        assert self._engine is not None
        return next(iter(sorted(metadata.tables.keys() - set(inspect(self._engine).get_table_names()))), "")

    def _loss_message(self, lost: Loss) -> str:
        """The log message for a lost database."""
        if lost.damaged is None:
            return f"The database {self.name} was deleted, with its keys and budgets; a new one was created"
        rescued = lost.rescued
        return (
            f"The database {self.name} was damaged and moved to {lost.damaged}. A new one was created with the recovered rows: "
            f"{rescued.keys} keys, {rescued.budgets} budgets, {rescued.usage} daily usage rows"
        )

    def _follow_file(self) -> FileChange | None:
        """Runs in the database thread."""
        file = self._file
        if file is None or self._identity is None or sqlite.identity(file) == self._identity:
            return None
        try:
            with sqlite.exclusive_access(file):  # other processes that use the file detect the change too
                return self._mend_file(file)
        except OSError as err:
            raise DatabaseError(f"The database {file} was deleted and cannot be written again: {err.strerror or err}.") from None
        except sqlite3.Error as err:
            raise DatabaseError(f"The database {file} was deleted and cannot be written again: {err}.") from None
        except SQLAlchemyError as err:
            raise self._translated(err, f"The database {file} was deleted and cannot be written again: ") from None

    def _mend_file(self, file: Path) -> FileChange:
        """Switch to the copy that replaced the file, or write the file again. Raises OSError, sqlite3.Error, SQLAlchemyError."""
        assert self._engine is not None
        if str(sqlite.query_value(file, _STORE_ID)) == self.id and sqlite.is_sound(file):
            self._dispose()
            change = FileChange.REPLACED
            _LOGGER.warning("The database %s was replaced by another copy while in use; the copy is now used", file)
        else:
            with closing(self._engine.raw_connection()) as pooled:
                copy = sqlite.write_copy(pooled.driver_connection, file, check=(_STORE_ID, self.id))
            other = sqlite.move_aside(file, "replaced") if os.path.lexists(file) else None
            sqlite.put_in_place(copy, file)
            self._dispose()
            change = FileChange.RESTORED
            happened = "deleted" if other is None else f"replaced by another file, now {other},"
            _LOGGER.error("The database %s was %s while in use; it was written again without loss", file, happened)
        self._engine = make_engine(self._url, self._watchdog)
        self._write_ahead()
        self._identity = sqlite.identity(file)
        return change

    def _before_upgrade(self, version: str) -> None:
        if self._file is not None:
            copy = sqlite.backup(self._file, f"before-{version}")
            _LOGGER.info("Upgrading the database %s; a backup is at %s", self._file, copy)

    def _write_ahead(self) -> None:
        """Set SQLite's write-ahead log and incremental vacuum (dialect spot).

        Uses the driver directly, since no transaction may be open. The setting is stored in the file, so it is made only after
        the check that the tables are not from a later version.
        """
        assert self._engine is not None
        connection = self._engine.raw_connection()
        try:
            sqlite.configure_file(connection)
        finally:
            connection.close()

    def _transaction[T](self, work: Callable[[Connection], T], *, reads: bool, **options: str) -> T:
        """Runs in the database thread. `options` are SQLAlchemy's options of the connection."""
        assert self._engine is not None
        started = time.monotonic()
        if self._failing is not None and started < self._failing[0]:
            raise self._failing[1]
        try:
            with self._engine.connect().execution_options(**{sqlite.READS: reads}, **options) as connection, connection.begin():
                return work(connection)
        except SQLAlchemyError as err:
            error = self._translated(err)
            ended = time.monotonic()
            if self.shared and error.passing and ended - started > _QUIET_SECONDS:
                self._failing = ended + _QUIET_SECONDS, error
            raise error from None

    def _dispose(self) -> None:
        """Runs in the database thread."""
        if self._engine is not None:
            self._engine.dispose()

    def _translated(self, error: SQLAlchemyError, prefix: str = "") -> DatabaseError:
        """Only the first line of the driver's message: the others repeat statements and values."""
        message = str(error.orig if isinstance(error, DBAPIError) and error.orig else error).partition("\n")[0]
        if isinstance(self._url.password, str) and self._url.password:
            message = message.replace(self._url.password, "***")
        passing = isinstance(error, OperationalError) or (isinstance(error, DBAPIError) and error.connection_invalidated)
        # During an upgrade, a missing table is a fault of the migration, not damage.
        is_damage = sqlite.is_damage if prefix else sqlite.is_unreadable
        damage = self._file is not None and isinstance(error, DBAPIError) and is_damage(error.orig)
        return DatabaseError(f"{prefix}{message}", passing=passing, damage=damage)


def parse_url(url: str | Path) -> URL:
    """Parse an SQLite URL, a PostgreSQL URL or a file path. Raises DatabaseError for anything else."""
    if isinstance(url, Path) or "://" not in url:
        return URL.create("sqlite", database=str(url))
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseError("Invalid database URL. Write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME.") from None
    kind = parsed.drivername.partition("+")[0]
    if kind == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise DatabaseError("The database URL names no file. Write sqlite:///FILE.")
        return URL.create("sqlite", database=parsed.database)
    if kind in ("postgresql", "postgres"):
        if find_spec("psycopg") is None:
            raise DatabaseError("PostgreSQL needs a driver. Install it with: pip install 'zeroconf-ai[postgresql]'")
        return parsed.set(drivername="postgresql+psycopg")
    raise DatabaseError("Only SQLite and PostgreSQL are supported. Write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME.")


def address_digest(url: str | Path) -> str:
    """A hash that identifies an address without its password; the same for all spellings of a file path.

    Raises DatabaseError for an invalid address.
    """
    parsed = parse_url(url)
    name = str(Path(parsed.database or "").absolute()) if parsed.get_backend_name() == "sqlite" else shown_name(parsed)
    return sha256(name.encode()).hexdigest()[:32]


def shown_name(url: URL) -> str:
    """The file of an SQLite database, or the URL of a server without its password."""
    return url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


def make_engine(url: URL, watchdog: postgresql.Watchdog | None = None) -> Engine:
    """An engine with one connection. Without a watchdog, statements may take any time, as an upgrade of the tables does."""
    return sqlite.make_engine(url) if url.get_backend_name() == "sqlite" else postgresql.make_engine(url, watchdog)
