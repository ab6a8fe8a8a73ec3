"""Creates the tables, and upgrades and downgrades them with Alembic, which takes 0.2 s and 10 MB and is loaded only for that."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, insert, inspect, text

from .tables import counters, metadata

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"
VERSIONED_COUNTERS = ("keys", "budgets", "users")
"""The counters that every change of API keys, budgets or users of the portal increases."""
_ALONE = Lock()
"""Alembic scripts use the process-wide module `alembic.op`, so only one may run at a time."""
_POSTGRESQL_LOCK = 0x7A65726F
"""An arbitrary advisory lock id: gateways that start together upgrade one after the other."""


class NewerDatabaseError(Exception):
    """The tables are from a later version of this code."""


def upgrade(engine: Engine, *, before: Callable[[str], object]) -> bool:
    """Upgrade the tables to the newest version in one transaction; returns whether they were created.

    `before` is called with the new version before existing tables are changed. Raises NewerDatabaseError.
    """
    found = current(engine)
    newest = head()
    if found == newest:
        return False
    if found is not None:
        if found not in revisions():
            raise NewerDatabaseError(found)
        before(newest)
    with engine.begin() as connection:
        _lock(connection)
        # Another gateway may have created the tables in the meantime.
        if _version(connection) is None:
            _create(connection, newest)
        else:
            run("upgrade", connection, "head")
    return found is None


def downgrade(engine: Engine, revision: str) -> None:
    """Downgrade the tables to an earlier version; "base" removes them."""
    with engine.begin() as connection:
        _lock(connection)
        run("downgrade", connection, revision)


def current(engine: Engine) -> str | None:
    """The version of a database; None without tables."""
    with engine.connect() as connection:
        return _version(connection)


def head() -> str:
    """The newest version, by the names of the scripts: every start asks for it."""
    return max(script.name for script in (FOLDER / "versions").glob("v*.py")).removeprefix("v").partition("_")[0]


def revisions() -> list[str]:
    """All versions, oldest first."""
    return [name for name, _ in described()]


def described() -> tuple[tuple[str, str], ...]:
    """All versions with what each added, oldest first."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    scripts = ScriptDirectory.from_config(_config()).walk_revisions()
    return tuple((script.revision, script.doc.partition("\n")[0]) for script in scripts)[::-1]


def run(action: Literal["upgrade", "downgrade"], connection: Connection, revision: str) -> None:
    """Run the migrations up or down to a version."""
    from alembic import command  # noqa: PLC0415

    config = _config()
    config.attributes["connection"] = connection
    with _ALONE:
        getattr(command, action)(config, revision)


def _create(connection: Connection, version: str) -> None:
    """Create the tables of the newest version at once. A test compares them with the tables that the migrations create."""
    metadata.create_all(connection, checkfirst=False)
    connection.execute(insert(counters), [{"name": name, "value": 0} for name in VERSIONED_COUNTERS])
    versions = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32), primary_key=True))
    versions.create(connection, checkfirst=True)
    connection.execute(insert(versions), {"version_num": version})


def _version(connection: Connection) -> str | None:
    """The stored version; None without tables. Read directly, since Alembic would log two lines at every start."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    version = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if version is None else str(version)


def _config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    # A path, since the package has two import names. Alembic would interpolate `%`.
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def _lock(connection: Connection) -> None:
    """SQLite is locked by the transaction itself (`Database`)."""
    if connection.dialect.name == "postgresql":  # dialect spot
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _POSTGRESQL_LOCK})
