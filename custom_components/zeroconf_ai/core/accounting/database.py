"""The database: an SQLite file or a PostgreSQL, spoken to from one thread of its own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
import logging
from pathlib import Path
import sqlite3
from typing import Any, Self, override

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError

from . import migrate, sqlite

_LOGGER = logging.getLogger(__name__)

_CONNECT_SECONDS = 10
_READS = "zeroconf_ai_reads"
"""The execution option of a connection that changes nothing, and so needs no lock."""


class DatabaseError(Exception):
    """The database cannot be used, or did not do what it was asked. Its text names no password."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        """`passing`: the same may succeed later, when a server is back or a disk has room."""
        super().__init__(message)
        self.passing = passing


class Database:
    """An opened database. Its methods belong to one event loop; what they are given to do runs in the database's own thread."""

    def __init__(self, url: URL) -> None:
        """Nothing is opened yet: `open` is the way in."""
        self._url = url
        self._thread = ThreadPoolExecutor(1, "zeroconf_ai_database")
        self._engine: Engine | None = None
        self._closed = False
        self.set_aside: Path | None = None
        """Where a damaged file was put when this one was opened."""

    @classmethod
    async def open(cls, url: str | Path, *, set_damaged_aside: bool = True) -> Self:
        """Open a database and bring it up to date.

        `url` is `sqlite:///FILE`, `postgresql://…` or a file's path. Raises DatabaseError, saying what to do.
        """
        database = cls(parse_url(url))
        try:
            await database._do(lambda: database._open(set_damaged_aside=set_damaged_aside))
        except BaseException:
            await database.close()
            raise
        return database

    @property
    def name(self) -> str:
        """The address without its password, for people."""
        return self._url.database or "" if self._file else self._url.render_as_string(hide_password=True)

    @property
    def shared(self) -> bool:
        """Whether other gateways may be writing to it too."""
        return self._file is None

    @override
    def __repr__(self) -> str:
        return f"<Database {self.name}>"

    @property
    def _file(self) -> Path | None:
        is_file = self._url.get_backend_name() == "sqlite"
        return Path(self._url.database or "") if is_file else None

    async def read[T](self, work: Callable[[Connection], T]) -> T:
        """What `work` makes of the database, without changing it. Raises DatabaseError."""
        return await self._do(lambda: self._transaction(work, reads=True))

    async def write[T](self, work: Callable[[Connection], T]) -> T:
        """Have `work` done in one transaction. Raises DatabaseError, and then nothing was changed.

        It is done to the end even where the one who waits for it is cancelled.
        """
        return await self._do(lambda: self._transaction(work, reads=False))

    async def shrink(self) -> bool:
        """Give some of the room of deleted rows back to the disk; whether there is more. Raises DatabaseError."""
        return await self.write(sqlite.shrink) if self._file is not None else False  # dialect spot; a server does so by itself

    async def close(self) -> None:
        """Let the file or the server go, after all that was asked for. Does nothing the second time."""
        if not self._closed:
            self._closed = True
            await self._do(self._dispose)
            self._thread.shutdown()

    async def _do[T](self, work: Callable[[], T]) -> T:
        try:
            future = self._thread.submit(work)
        except RuntimeError:
            raise DatabaseError("The database is closed.") from None
        return await asyncio.shield(asyncio.wrap_future(future))

    def _open(self, *, set_damaged_aside: bool) -> None:
        """In the thread."""
        try:
            if self._file is not None:
                self.set_aside = sqlite.prepare(self._file, set_damaged_aside=set_damaged_aside)
                if self.set_aside is not None:
                    _LOGGER.error("The database %s was damaged; it is %s now, and a new one begun", self._file, self.set_aside)
            self._engine = _engine(self._url)
            migrate.upgrade(self._engine, before=self._before_upgrade)
            if self._file is not None:
                self._write_ahead()
        except migrate.NewerDatabaseError as err:
            message = f"{self.name} was made by a later version of ZeroConf AI ({err}). Install that, or use another database."
            raise DatabaseError(message) from None
        except OSError as err:
            raise DatabaseError(f"The database {self.name} cannot be used: {err.strerror or err}.") from None
        except sqlite3.DatabaseError as err:
            hint = "Start the gateway, which sets it aside and begins a new one." if sqlite.is_damage(err) else "Try again."
            raise DatabaseError(f"The database {self.name} cannot be used: {err}. {hint}") from None
        except SQLAlchemyError as err:
            raise self._translated(err, f"The database {self.name} cannot be used: ") from None

    def _before_upgrade(self, version: str) -> None:
        if self._file is not None:
            copy = sqlite.backup(self._file, f"before-{version}")
            _LOGGER.info("Upgrading the database %s; it was copied to %s", self._file, copy)

    def _write_ahead(self) -> None:
        """Have SQLite keep a log beside the file, and be able to shrink that (dialect spot).

        Said to the driver itself, as no transaction may be open. The file keeps it; so it is said only now, when it is known that
        the tables are not a later version's.
        """
        assert self._engine is not None
        connection = self._engine.raw_connection()
        try:
            sqlite.settle(connection)
        finally:
            connection.close()

    def _transaction[T](self, work: Callable[[Connection], T], *, reads: bool) -> T:
        """In the thread."""
        assert self._engine is not None
        try:
            with self._engine.connect().execution_options(**{_READS: reads}) as connection, connection.begin():
                return work(connection)
        except SQLAlchemyError as err:
            raise self._translated(err) from None

    def _dispose(self) -> None:
        """In the thread."""
        if self._engine is not None:
            self._engine.dispose()

    def _translated(self, error: SQLAlchemyError, prefix: str = "") -> DatabaseError:
        """The driver's first line alone: the others repeat statements and values."""
        told = str(error.orig if isinstance(error, DBAPIError) and error.orig else error).partition("\n")[0]
        if isinstance(self._url.password, str) and self._url.password:
            told = told.replace(self._url.password, "***")
        passing = isinstance(error, OperationalError) or (isinstance(error, DBAPIError) and error.connection_invalidated)
        return DatabaseError(f"{prefix}{told}", passing=passing)


def parse_url(url: str | Path) -> URL:
    """The database that `url` names: an URL of SQLite or PostgreSQL, or a file's path. Raises DatabaseError for another."""
    if isinstance(url, Path) or "://" not in url:
        return URL.create("sqlite", database=str(url))
    try:
        parsed = make_url(url)
    except ArgumentError, ValueError:
        raise DatabaseError("This is no database URL. Write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME.") from None
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


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        arguments = {"connect_timeout": _CONNECT_SECONDS, "application_name": "zeroconf-ai"}
        return create_engine(url, hide_parameters=True, pool_size=1, max_overflow=0, pool_pre_ping=True, connect_args=arguments)
    # dialect spot: everything in this branch is SQLite's
    engine = create_engine(url, hide_parameters=True, pool_size=1, max_overflow=0, connect_args={"timeout": sqlite.BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        sqlite.configure(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the lock at once: one that began by reading could not wait for another writer.
        reads = connection.get_execution_options().get(_READS)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine
