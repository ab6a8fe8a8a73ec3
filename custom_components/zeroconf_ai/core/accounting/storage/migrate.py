"""Brings a database's tables to the version of this code, and back."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

FOLDER = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"
_ALONE = Lock()
"""Alembic's scripts reach their connection through the module `alembic.op`, of which a process has one."""
_POSTGRESQL_LOCK = 0x7A65726F
"""Any number that others do not use: gateways that start together upgrade one after the other."""


class NewerDatabaseError(Exception):
    """The tables are of a later version than this code."""


def upgrade(engine: Engine, *, before: Callable[[str], object]) -> bool:
    """Bring the tables to the newest version, in one transaction: all of it or nothing. Whether there were none before.

    `before` is called with the version to come where there are tables of an earlier one. Raises NewerDatabaseError.
    """
    with engine.connect() as connection:
        current = _version(connection)
    newest = head()
    if current == newest:
        return False
    if current is not None:
        if current not in revisions():
            raise NewerDatabaseError(current)
        before(newest)
    with engine.begin() as connection:
        _lock(connection)
        _run(command.upgrade, connection, "head")
    return current is None


def downgrade(engine: Engine, revision: str) -> None:
    """Take the tables back to an earlier version, or with "base" away."""
    with engine.begin() as connection:
        _lock(connection)
        _run(command.downgrade, connection, revision)


def head() -> str:
    """The newest version."""
    return revisions()[-1]


def revisions() -> list[str]:
    """All versions, the oldest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]


def _version(connection: Connection) -> str | None:
    """None where there are no tables yet. Read as Alembic keeps it: asking Alembic would log two lines at every start."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    version = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if version is None else str(version)


def _config() -> Config:
    config = Config()
    # By its path, as the package goes by more than one name. Alembic takes a `%` for the beginning of a variable.
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def _run(do: Callable[[Config, str], None], connection: Connection, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    with _ALONE:
        do(config, revision)


def _lock(connection: Connection) -> None:
    """SQLite is locked by the transaction itself (`Database`)."""
    if connection.dialect.name == "postgresql":  # dialect spot
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _POSTGRESQL_LOCK})
