"""`BrokerLinks`: which broker has a link of which connector, among brokers that share a database."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from .storage.database import Database
from .storage.statements import upsert
from .storage.tables import broker_links


@dataclass(frozen=True, slots=True)
class BrokerLink:
    """A broker has a link of a connector."""

    connector_id: str
    url: str
    """The address at which other brokers reach the broker, and which identifies it."""
    beat: int
    """Changes while the broker runs. If it stays the same, the broker is gone."""


class BrokerLinks:
    """The stored links."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def exchange(self, url: str, beat: int, connector_ids: Collection[str]) -> Sequence[BrokerLink]:
        """Store which links a broker has now; returns those of all others. Raises DatabaseError."""
        row = broker_links.c
        own = [{"connector_id": one, "url": url, "beat": beat} for one in sorted(connector_ids)]

        def work(connection: Connection) -> list[BrokerLink]:
            if own:
                upsert(connection, broker_links, own)
            connection.execute(delete(broker_links).where(row.url == url, row.connector_id.not_in(connector_ids)))
            return [BrokerLink(*found) for found in connection.execute(select(broker_links).where(row.url != url))]

        return await self._database.write(work)

    async def forget(self, url: str) -> None:
        """A broker is gone. Raises DatabaseError."""
        gone = delete(broker_links).where(broker_links.c.url == url)
        await self._database.write(lambda connection: connection.execute(gone))
