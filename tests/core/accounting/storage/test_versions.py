"""The version of a database's tables, and the way back to an earlier one."""

import pytest
from sqlalchemy import text

from zeroconf_ai.accounting.storage.database import Database, DatabaseError, make_engine, parse_url
from zeroconf_ai.accounting.storage.versions import downgrade_tables, table_versions
from zeroconf_ai.accounting.store import AccountingStore

from ..conftest import FreshDatabase


async def test_tables_of_each_database_return_to_an_earlier_version(fresh_database: FreshDatabase) -> None:
    store = await AccountingStore.open(fresh_database.url)
    await store.keys.create("Laptop")
    await store.close()
    downgrade_tables(fresh_database.url, "0003")
    assert table_versions(fresh_database.url).current == "0003"
    database = await Database.open(fresh_database.url)
    assert await database.read(lambda connection: connection.scalar(text("SELECT name FROM keys"))) == "Laptop"
    await database.close()


async def test_tables_of_a_later_version_are_left_alone(fresh_database: FreshDatabase) -> None:
    await (await Database.open(fresh_database.url)).close()
    engine = make_engine(parse_url(fresh_database.url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9000'"))
    engine.dispose()
    with pytest.raises(DatabaseError, match="a later version of ZeroConf AI must downgrade"):
        downgrade_tables(fresh_database.url, "0001")
    assert table_versions(fresh_database.url).current == "9000"
