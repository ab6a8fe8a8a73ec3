"""Connections to PostgreSQL that notice a server that is gone, hangs, or takes too long."""

from collections.abc import Mapping
from contextlib import suppress
import os
import socket
import time
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 20.0
"""The server ends a longer statement, and a transaction that was idle for so long: others wait for the rows of its gateway."""
HANG_SECONDS = 30.0
"""A connection is closed if the server does not answer a statement for so long, not even by ending it."""
_PING_AFTER_SECONDS = 1.0
"""A connection that was used since is not pinged before it is used again."""
_NETWORK: Mapping[str, int] = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""libpq's parameters: a server that is gone is noticed within 25 s while a statement runs, and in 15 s when one is sent."""
_SOCKET, _USED = "zeroconf_ai_socket", "zeroconf_ai_used"


class Watchdog:
    """Closes a connection whose server hangs. The database thread reports what it does; `check` runs in another thread."""

    def __init__(self) -> None:
        """Watches nothing yet."""
        self._socket: socket.socket | None = None
        self._since: float | None = None

    def watch(self, connection: socket.socket | None) -> None:
        """A transaction begins on this connection; None: it ended."""
        self._socket = connection
        self._since = None if connection is None else time.monotonic()

    def step(self) -> None:
        """The transaction makes progress."""
        self._since = time.monotonic()

    def check(self) -> None:
        """Close the connection if there was no progress for HANG_SECONDS. Its statement then fails in the database thread."""
        connection, since = self._socket, self._since
        if connection is not None and since is not None and time.monotonic() - since > HANG_SECONDS:
            with suppress(OSError):  # the statement ended meanwhile
                connection.shutdown(socket.SHUT_RDWR)


def make_engine(url: URL, watchdog: Watchdog | None) -> Engine:
    """An engine with one connection. Without a watchdog, statements may take any time, as an upgrade of the tables does."""
    network = {name: value for name, value in _NETWORK.items() if name not in url.query}
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=1,
        max_overflow=0,
        connect_args={"application_name": "zeroconf-ai", **network},
    )

    @event.listens_for(engine, "checkout")
    def ping(connection: Any, record: Any, _: object) -> None:
        if time.monotonic() - record.info.get(_USED, 0.0) >= _PING_AFTER_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as err:
                raise DisconnectionError from err  # the pool then connects again

    @event.listens_for(engine, "checkin")
    def used(_: object, record: Any) -> None:
        record.info[_USED] = time.monotonic()

    if watchdog is not None:
        _watch(engine, watchdog)
    return engine


def _watch(engine: Engine, watchdog: Watchdog) -> None:
    milliseconds = round(STATEMENT_SECONDS * 1000)
    limits = f"SET statement_timeout = {milliseconds}; SET idle_in_transaction_session_timeout = {milliseconds}"

    @event.listens_for(engine, "connect")
    def limit(connection: Any, record: Any) -> None:
        record.info[_SOCKET] = socket.socket(fileno=os.dup(connection.pgconn.socket))
        connection.execute(limits)
        connection.commit()

    @event.listens_for(engine, "close")
    def forget(_: object, record: Any) -> None:
        record.info.pop(_SOCKET).close()

    @event.listens_for(engine, "checkout", insert=True)
    def begin(_: object, record: Any, __: object) -> None:
        watchdog.watch(record.info[_SOCKET])

    @event.listens_for(engine, "checkin")
    def end(_: object, __: object) -> None:
        watchdog.watch(None)

    @event.listens_for(engine, "before_cursor_execute")
    def step(*_: object) -> None:
        watchdog.step()
