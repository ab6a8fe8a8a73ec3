"""A PostgreSQL server for the tests: on a socket in a temporary folder, removed when they end."""

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import pwd
import shutil
import signal
import subprocess
import tempfile
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql

from .waiting import until_in_thread

_DEBIAN = Path("/usr/lib/postgresql")
# Its data need not survive a crash, so writes are not flushed to the disk.
_SETTINGS = ("listen_addresses=", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB")


class Server:
    """A running server."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds its socket."""
        self._folder = folder

    def url(self, database: str) -> str:
        """The database URL for an `AccountingStore`."""
        return f"postgresql://tests@/{database}?host={self._folder}"

    def run(self, database: str, statement: str | sql.Composed) -> list[tuple[Any, ...]]:
        """The rows of a statement, which is committed."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description is not None else []

    @contextmanager
    def database(self) -> Iterator[str]:
        """The name of a new database."""
        name = f"test_{uuid4().hex}"
        self.run("postgres", sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield name
        finally:
            self.run("postgres", sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def started() -> Iterator[Server]:
    """A server while the block runs. PostgreSQL refuses to run as root: then it runs as Debian's user `postgres`."""
    folder = Path(tempfile.mkdtemp(prefix="zeroconf-ai-postgresql-"))
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data = folder / "data"
    # Variables such as PGDATA would change the server's configuration.
    options: dict[str, Any] = {"env": {"PATH": os.environ["PATH"]}, "cwd": folder, **who}
    try:
        making = [program("initdb"), "-D", str(data), "-U", "tests", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(making, check=True, capture_output=True, timeout=120, **options)
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        with (folder / "log").open("wb") as log:
            running = [program("postgres"), "-D", str(data), "-k", str(folder), *settings]
            process: subprocess.Popen[bytes] = subprocess.Popen(running, stdout=log, stderr=log, **options)
        try:
            server = Server(folder)
            _wait(server, process, folder / "log")
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # PostgreSQL's "fast" shutdown, which closes open connections
            process.wait(30)
    finally:
        shutil.rmtree(folder)


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs. Debian's server programs are not on PATH."""
    found = [Path(path)] if (path := shutil.which(name)) else sorted(_DEBIAN.glob(f"*/bin/{name}"))
    assert found, f"PostgreSQL's {name} is not here: run scripts/setup"
    return str(found[-1])


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    def answers() -> bool:
        try:
            server.run("postgres", "SELECT 1")
        except psycopg.OperationalError:
            assert process.poll() is None, log.read_text()
            return False
        return True

    until_in_thread(answers)
