"""The database: an SQLite file or a PostgreSQL, spoken to from one thread of its own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from enum import StrEnum
from hashlib import sha256
from importlib.util import find_spec
import logging
import os
from pathlib import Path
import sqlite3
from typing import Any, Self, override

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError

from . import loss, migrate, sqlite
from .loss import Loss
from .rescue import NOTHING_RESCUED, Rescued, rescue
from .tables import metadata

_LOGGER = logging.getLogger(__name__)

_CONNECT_SECONDS = 10
_STORE_ID = f"SELECT value FROM counters WHERE name = '{loss.STORE_ID}'"  # noqa: S608
_READS = "zeroconf_ai_reads"
"""The execution option of a connection that changes nothing, and so needs no lock."""


class DatabaseError(Exception):
    """The database cannot be used, or did not do what it was asked. Its text names no password."""

    def __init__(self, message: str, *, passing: bool = False, damage: bool = False) -> None:
        """`passing`: the same may succeed later, when a server is back or a disk has room.

        `damage`: what is stored is damaged.
        """
        super().__init__(message)
        self.passing = passing
        self.damage = damage


class FileChange(StrEnum):
    """What happened to the file of a database that is in use."""

    RESTORED = "restored"
    """It was gone, or another file was in its place; it was written again."""
    REPLACED = "replaced"
    """Another copy of the same database is in its place, and is used from now on."""


class Database:
    """An opened database. Its methods belong to one event loop; what they are given to do runs in the database's own thread."""

    def __init__(self, url: URL) -> None:
        """Nothing is opened yet: `open` is the way in."""
        self._url = url
        self._thread = ThreadPoolExecutor(1, "zeroconf_ai_database")
        self._engine: Engine | None = None
        self._closed = False
        self._identity: tuple[int, int] | None = None
        self.id = ""
        """A random number that tells this database from all others, also after a restart."""
        self.loss: Loss | None = None
        """What became of a former database that was damaged or is gone, where that was noticed when this one was opened."""

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
        """Open a database and bring it up to date.

        `url` is `sqlite:///FILE`, `postgresql://…` or a file's path. `known_id`: the id of the database that was opened there
        before; with `used_before`, there was one whose id is not known. `is_damaged`: set an SQLite file aside although it looks
        sound. Raises DatabaseError, saying what to do.
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
        """The address without its password, for people."""
        return _name(self._url)

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

    async def follow_file(self) -> FileChange | None:
        """See whether the file was deleted or replaced while it is in use, and mend that; None where it is as it was.

        Raises DatabaseError where it cannot be mended.
        """
        return await self._do(self._follow_file)

    def _open(self, *, set_damaged_aside: bool, known_id: str | None, used_before: bool, is_damaged: bool) -> None:
        """In the thread."""
        try:
            aside: Path | None = None
            if self._file is not None:
                used_before = used_before or sqlite.has_traces(self._file)
                aside = sqlite.prepare(self._file, set_damaged_aside=set_damaged_aside)
                if aside is None and is_damaged:
                    aside = sqlite.begin_anew(self._file)
            created = self._make_tables()
            if aside is None and self._file is not None and (missing := self._missing_tables()):
                if not set_damaged_aside:
                    raise DatabaseError(f"The database {self.name} cannot be used: it has no table {missing}.", damage=True)
                self._dispose()
                aside = sqlite.begin_anew(self._file)
                created = self._make_tables()
            rescued = self._rescue(aside) if aside is not None else NOTHING_RESCUED
            self.id = self._store_id()
            if aside is not None or (created and used_before) or known_id not in (None, self.id):
                self.loss = Loss(aside, rescued)
                self._transaction(loss.mark, reads=False)
            if self.loss is not None:
                _LOGGER.error("%s", self._told(self.loss))
            if self._file is not None:
                self._identity = sqlite.identity(self._file)
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

    def _make_tables(self) -> bool:
        """Open the database and bring its tables up to date. Whether it had none before."""
        self._engine = _engine(self._url)
        if self._file is not None and (names := inspect(self._engine).get_table_names()) and migrate.VERSION_TABLE not in names:
            raise DatabaseError(f"The database {self.name} holds the tables of another program. Use another file.")
        created = migrate.upgrade(self._engine, before=self._before_upgrade)
        if self._file is not None:
            self._write_ahead()
        return created

    def _rescue(self, damaged: Path) -> Rescued:
        assert self._file is not None
        first_page = sqlite.first_page(self._file)
        return self._transaction(lambda connection: rescue(damaged, connection, first_page), reads=False)

    def _store_id(self) -> str:
        """Written only where there is none yet: another process may hold the database."""
        found = self._transaction(loss.store_id, reads=True)
        if found is None:
            self._transaction(loss.choose_store_id, reads=False)
            found = self._transaction(loss.store_id, reads=True)
        assert found is not None
        return found

    def _missing_tables(self) -> str:
        """The name of a table that should be there and is not."""
        assert self._engine is not None
        return next(iter(sorted(metadata.tables.keys() - set(inspect(self._engine).get_table_names()))), "")

    def _told(self, lost: Loss) -> str:
        """What became of the former database, for the log."""
        if lost.damaged is None:
            return f"The database {self.name} that was used before is gone, with its keys and budgets; a new one was begun"
        rescued = lost.rescued
        return (
            f"The database {self.name} was damaged. It is {lost.damaged} now. A new one was begun with what could be read of it: "
            f"{rescued.keys} keys, {rescued.budgets} budgets, {rescued.usage} sums of days"
        )

    def _follow_file(self) -> FileChange | None:
        """In the thread."""
        file = self._file
        if file is None or self._identity is None or sqlite.identity(file) == self._identity:
            return None
        try:
            with sqlite.alone(file):  # other processes that use the file notice the same
                return self._mend_file(file)
        except OSError as err:
            raise DatabaseError(f"The database {file} is gone and cannot be written again: {err.strerror or err}.") from None
        except sqlite3.Error as err:
            raise DatabaseError(f"The database {file} is gone and cannot be written again: {err}.") from None
        except SQLAlchemyError as err:
            raise self._translated(err, f"The database {file} is gone and cannot be written again: ") from None

    def _mend_file(self, file: Path) -> FileChange:
        """Use the copy of the database that is there, or else write one. Raises OSError, sqlite3.Error, SQLAlchemyError."""
        assert self._engine is not None
        if str(sqlite.value_in(file, _STORE_ID)) == self.id and sqlite.is_sound(file):
            self._dispose()
            change = FileChange.REPLACED
            _LOGGER.warning("The database %s was replaced by another copy of it while it was in use; that is used now", file)
        else:
            with closing(self._engine.raw_connection()) as pooled:
                copy = sqlite.write_copy(pooled.driver_connection, file, check=(_STORE_ID, self.id))
            other = sqlite.move_aside(file, "replaced") if os.path.lexists(file) else None
            sqlite.put_in_place(copy, file)
            self._dispose()
            change = FileChange.RESTORED
            happened = "deleted" if other is None else f"replaced by another file, which is {other} now,"
            _LOGGER.error("The database %s was %s while it was in use; it was written again, nothing is lost", file, happened)
        self._engine = _engine(self._url)
        self._write_ahead()
        self._identity = sqlite.identity(file)
        return change

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
        # Where tables are changed, one that is missing is the change's fault.
        is_damage = sqlite.is_damage if prefix else sqlite.is_unreadable
        damage = self._file is not None and isinstance(error, DBAPIError) and is_damage(error.orig)
        return DatabaseError(f"{prefix}{told}", passing=passing, damage=damage)


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


def address_digest(url: str | Path) -> str:
    """What an address is remembered by: the same for all ways to write a file's path, and nothing that is to be kept secret.

    Raises DatabaseError for what is no address.
    """
    parsed = parse_url(url)
    name = str(Path(parsed.database or "").absolute()) if parsed.get_backend_name() == "sqlite" else _name(parsed)
    return sha256(name.encode()).hexdigest()[:32]


def _name(url: URL) -> str:
    return url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


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
