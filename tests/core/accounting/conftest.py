"""A separate database for each test: a real SQLite file, or a database of a real PostgreSQL server."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
import sqlite3
import time
from typing import Any

import pytest

from zeroconf_ai.accounting.storage import leases
from zeroconf_ai.accounting.storage.database import Database
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Generation, Outcome

from ...support import postgres

type Make = Callable[..., Generation]


@dataclass(frozen=True)
class FreshDatabase:
    """A database, and a way to look into it from aside."""

    url: str
    run: Callable[[str], list[tuple[Any, ...]]]
    """What a statement returns."""

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return int(self.run(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where an SQLite database is to be."""
    return tmp_path / "gateway.db"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Server]:
    """The server."""
    with postgres.started() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh_database(request: pytest.FixtureRequest, file: Path) -> Iterator[FreshDatabase]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield FreshDatabase(f"sqlite:///{file}", lambda statement: run(file, statement))
        return
    server: postgres.Server = request.getfixturevalue("postgresql")
    with server.database() as name:
        yield FreshDatabase(server.url(name), lambda statement: server.run(name, statement))


def content(fresh_database: FreshDatabase, *tables: str) -> str:
    """All that tables hold, as text; bytes in hexadecimal."""
    cells = (cell for table in tables for row in fresh_database.run(f"SELECT * FROM {table}") for cell in row)  # noqa: S608
    return "\n".join(cell.hex() if isinstance(cell, bytes) else str(cell) for cell in cells)


def run(file: Path, statement: str) -> list[tuple[Any, ...]]:
    """What a statement returns of an SQLite database; it is committed."""
    with closing(sqlite3.connect(file)) as connection, connection:
        return connection.execute(statement).fetchall()


@pytest.fixture
async def store(fresh_database: FreshDatabase) -> AsyncIterator[AccountingStore]:
    """The opened database."""
    store = await AccountingStore.open(fresh_database.url)
    yield store
    await store.close()


async def expire_leases(fresh_database: FreshDatabase) -> None:
    """Do what each gateway does from time to time: release what those hold whose leases have expired."""
    database = await Database.open(fresh_database.url)
    await database.write(leases.expire)
    await database.close()


@pytest.fixture
def make() -> Make:
    """A record of a request with the given fields."""

    def make(generation_id: str, **fields: Any) -> Generation:
        given = {"created": time.time(), "source": "http", "kind": "chat", "requested_model": "auto", "outcome": Outcome.OK}
        return Generation(generation_id, **{**given, **fields})

    return make
