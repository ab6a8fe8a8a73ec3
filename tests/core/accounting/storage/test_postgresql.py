"""A PostgreSQL server that hangs, is gone, or takes too long."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
import os
import signal
import socket
import threading
import time
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.support.postgres import Server
from tests.support.waiting import AT_ONCE, until
from zeroconf_ai.accounting.storage import database as database_module, postgresql
from zeroconf_ai.accounting.storage.database import Database, DatabaseError


@pytest.fixture
def url(postgresql: Server) -> Iterator[str]:
    with postgresql.database() as name:
        yield postgresql.url(name)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    opened = await Database.open(url)
    yield opened
    await opened.close()


def value(statement: str) -> Any:
    return lambda connection: connection.execute(text(statement)).scalar_one()


@contextmanager
def halted(process: int) -> Iterator[None]:
    """A server process that does nothing, as with a stalled disk; its kernel still confirms what arrives."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


async def test_connection_to_a_server_that_hangs_is_closed_and_the_next_one_works(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "HANG_SECONDS", 0.3)
    monkeypatch.setattr(database_module, "_QUIET_SECONDS", 0.1)
    backend = await database.read(value("SELECT pg_backend_pid()"))
    with halted(backend):
        started = time.monotonic()
        waiting = [asyncio.create_task(database.read(value("SELECT 1"))) for _ in range(20)]
        ends = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), AT_ONCE)
        assert {type(end) for end in ends} == {DatabaseError}
        assert all(isinstance(end, DatabaseError) and end.passing for end in ends)
        assert time.monotonic() - started < 5
    await asyncio.sleep(0.15)
    assert await database.read(value("SELECT 2")) == 2
    assert await database.read(value("SELECT pg_backend_pid()")) != backend


async def test_long_statement_is_ended_by_the_server(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "STATEMENT_SECONDS", 0.2)
    database = await Database.open(url)
    try:
        with pytest.raises(DatabaseError) as caught:
            await database.read(value("SELECT pg_sleep(60)"))
        assert caught.value.passing
        assert await database.read(value("SELECT 2")) == 2
    finally:
        await database.close()


async def test_transaction_of_a_gateway_that_is_gone_does_not_hold_its_rows(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "STATEMENT_SECONDS", 0.3)
    gone, other = await Database.open(url), await Database.open(url)
    begun, over = threading.Event(), threading.Event()

    def hang(connection: Connection) -> None:
        connection.execute(text("UPDATE counters SET value = value"))
        begun.set()
        over.wait(60)

    try:
        hanging = asyncio.create_task(gone.write(hang))
        await until(begun.is_set)

        async def change() -> None:
            while True:
                try:
                    await other.write(lambda connection: connection.execute(text("UPDATE counters SET value = value")))
                except DatabaseError:
                    continue
                return

        started = time.monotonic()
        await change()
        assert time.monotonic() - started < AT_ONCE
        over.set()
        with pytest.raises(DatabaseError):
            await hanging
    finally:
        over.set()
        await gone.close()
        await other.close()


async def test_connection_has_keepalive_and_a_user_timeout(database: Database) -> None:
    def parameters(connection: Connection) -> dict[str, str]:
        driver: Any = connection.connection.driver_connection
        found: dict[str, str] = driver.info.get_parameters()
        return found

    found = await database.read(parameters)
    assert {name: found.get(name) for name in ("keepalives_idle", "keepalives_interval", "keepalives_count")} == {
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
    }
    assert found["tcp_user_timeout"] == "15000"


async def test_parameters_of_the_url_are_kept(url: str) -> None:
    database = await Database.open(f"{url}&keepalives_idle=7&connect_timeout=3")
    try:
        found = await database.read(lambda connection: connection.connection.driver_connection.info.get_parameters())  # type: ignore[union-attr]
        assert (found["keepalives_idle"], found["connect_timeout"], found["keepalives_count"]) == ("7", "3", "3")
    finally:
        await database.close()


async def test_server_that_accepts_but_never_answers_fails_all_who_wait_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "_QUIET_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = database_module.parse_url(f"postgresql://u@127.0.0.1:{mute.getsockname()[1]}/x?connect_timeout=2")
        database = Database(url)
        monkeypatch.setattr(database, "_engine", database_module.make_engine(url))  # `open` fails without a server
        try:
            started = time.monotonic()
            ends = await asyncio.gather(*(database.read(value("SELECT 1")) for _ in range(30)), return_exceptions=True)
            assert {type(end) for end in ends} == {DatabaseError}
            assert time.monotonic() - started < 5
        finally:
            await database.close()
