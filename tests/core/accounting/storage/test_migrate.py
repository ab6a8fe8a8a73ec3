"""The tables' way up and down, from every version there was."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
import shutil
import sqlite3

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
import pytest
from sqlalchemy import Engine, MetaData, inspect, text

from zeroconf_ai.accounting.storage import migrate, tables
from zeroconf_ai.accounting.storage.database import DatabaseError, make_engine, parse_url
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.usage import Usage

from ..conftest import FreshDatabase, Make

NEXT = '''
"""A step that may come one day."""

from alembic import op
import sqlalchemy as sa

revision = "9000"
down_revision = "{before}"


def upgrade() -> None:
    """Add a column, and fail at the given point."""
    with op.batch_alter_table("keys") as keys:
        keys.add_column(sa.Column("colour", sa.Text, nullable=False, server_default="red"))
    if {fails}:
        op.execute("SELECT nonsense FROM nowhere")


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("keys") as keys:
        keys.drop_column("colour")
'''


@pytest.fixture
def engine(fresh_database: FreshDatabase) -> Iterator[Engine]:
    engine = make_engine(parse_url(fresh_database.url))
    yield engine
    engine.dispose()


def nothing(_version: str) -> None:
    """What is done before an upgrade."""


def different(engine: Engine) -> list[object]:
    """How the tables differ from those that the code knows."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, tables.metadata))


def with_next(folder: Path, monkeypatch: pytest.MonkeyPatch, *, fails: bool) -> None:
    """Let there be a later version."""
    before = migrate.head()
    shutil.copytree(migrate.FOLDER, folder)
    (folder / "versions" / "v9000_next.py").write_text(NEXT.format(before=before, fails=fails))
    monkeypatch.setattr(migrate, "FOLDER", folder)


def migrated(engine: Engine) -> None:
    """Let the migrations make the tables from nothing."""
    with engine.begin() as connection:
        migrate.run("upgrade", connection, "head")


def made(engine: Engine) -> tuple[object, object]:
    """All that the database knows of its tables, without the order of the columns; and the rows."""
    inspector = inspect(engine)
    known = {
        name: (
            {found["name"]: {**found, "type": str(found["type"])} for found in inspector.get_columns(name)},
            inspector.get_pk_constraint(name)["constrained_columns"],
            inspector.get_foreign_keys(name),
            sorted(map(str, inspector.get_indexes(name))),
            sorted(map(str, inspector.get_unique_constraints(name))),
            inspector.get_check_constraints(name),
        )
        for name in inspector.get_table_names()
    }
    with engine.connect() as connection:
        rows = {name: sorted(map(tuple, connection.execute(text(f"SELECT * FROM {name}")))) for name in known}  # noqa: S608
    return known, rows


def test_database_newest_migration_equals_the_tables(engine: Engine) -> None:
    migrated(engine)
    assert different(engine) == []


def test_database_created_at_once_equals_that_of_the_migrations(engine: Engine) -> None:
    migrate.upgrade(engine, before=nothing)
    at_once = made(engine)
    migrate.downgrade(engine, "base")
    migrated(engine)
    assert at_once == made(engine)
    assert at_once[1] != {}


@pytest.mark.parametrize("revision", [*migrate.revisions()[:-1], "base"])
def test_database_migrations_of_each_version_upgrade_and_downgrade(engine: Engine, revision: str) -> None:
    migrated(engine)
    migrate.downgrade(engine, revision)
    migrated(engine)
    assert different(engine) == []
    migrate.downgrade(engine, "base")
    left = MetaData()
    left.reflect(engine)
    assert set(left.tables) == {"alembic_version"}


def test_database_data_of_an_earlier_version_survives_upgrade_and_downgrade(
    engine: Engine, fresh_database: FreshDatabase
) -> None:
    migrate.upgrade(engine, before=nothing)
    migrate.downgrade(engine, "0001")
    counts = "0, 1, 2, 3, 4, 5"
    names = "prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, cache_write_tokens, cache_write_1h_tokens"
    with engine.begin() as connection:
        connection.execute(
            text(
                f"INSERT INTO generations (id, created, source, kind, requested_model, outcome, attempts, stream, {names},"  # noqa: S608
                f" estimated, duration, caller) VALUES ('gen_1', 1, 'http', 'chat', 'm', 'ok', 1, true, {counts}, false, 1, 'P')"
            )
        )
    migrate.upgrade(engine, before=nothing)
    assert fresh_database.run("SELECT id, completion_tokens, cost_source, currency FROM generations") == [
        ("gen_1", 1, None, "USD")
    ]
    migrate.downgrade(engine, "0001")
    assert fresh_database.run("SELECT id, completion_tokens FROM generations") == [("gen_1", 1)]


async def test_usage_months_of_an_earlier_version_are_computed(engine: Engine, fresh_database: FreshDatabase, make: Make) -> None:
    store = await AccountingStore.open(fresh_database.url, zone=UTC)
    for at, (month, day) in enumerate(((1, 31), (2, 1), (2, 28), (12, 31), (12, 1), (12, 1))):
        created = datetime(2026, month, day, 12, tzinfo=UTC).timestamp()
        for key, user in (("k", None), ("k", "u"), (None, "u")):
            named = {"key_id": key, "user_id": user, "caller": "Phone", "currency": "EUR" if at % 2 else "USD"}
            usage = Usage(5 + at, 7, 1, 2, None, 3, 4)
            record = make("gen", created=created, model=f"m{at}", usage=usage, cost=11, duration=2.0, first_token=0.5, **named)
            store.ledger.record(record)
    await store.close()
    statement = "SELECT * FROM key_months ORDER BY month, key_id, user_id, currency"
    written = fresh_database.run(statement)
    assert len(written) == 3 * 5
    migrate.downgrade(engine, "0003")
    migrate.upgrade(engine, before=nothing)
    assert fresh_database.run(statement) == written


async def test_database_upgrade_keeps_data_and_a_copy(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await AccountingStore.open(file)
    key, secret = await store.keys.create("Phone")
    await store.close()
    head = migrate.head()
    with_next(tmp_path / "100% migrations", monkeypatch, fails=False)
    store = await AccountingStore.open(file)
    assert store.keys.verify(secret).id == key.id
    await store.close()
    copy = file.with_name(f"{file.name}.before-9000")
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT name FROM keys").fetchall() == [("Phone",)]
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(head,)]
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT name, colour FROM keys").fetchall() == [("Phone", "red")]
    engine = make_engine(parse_url(file))
    migrate.downgrade(engine, head)
    assert different(engine) == []
    engine.dispose()


async def test_database_failed_upgrade_changes_nothing(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await AccountingStore.open(file)
    _, secret = await store.keys.create("Phone")
    await store.close()
    with monkeypatch.context() as patched:
        with_next(tmp_path / "migrations", patched, fails=True)
        with pytest.raises(DatabaseError, match="nowhere"):
            await AccountingStore.open(file)
    store = await AccountingStore.open(file)
    assert store.keys.verify(secret).name == "Phone"
    await store.close()
