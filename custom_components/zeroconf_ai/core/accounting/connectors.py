"""`ConnectorStore`: the connectors that a server was paired with over the relay."""

from dataclasses import dataclass
import time
from typing import Any
import uuid

from sqlalchemy import Connection, delete, func, insert, select, update

from ..protocol.errors import InvalidRequestError, NotFoundError
from ..protocol.values import clean
from .audit import Audit
from .one_time_codes import OneTimeCode
from .storage.database import Database
from .storage.statements import bounded
from .storage.tables import relay_connectors

MAX_CONNECTORS = 256
MAX_NAME = 63


@dataclass(frozen=True, slots=True)
class PairedConnector:
    """A connector that was paired with a house. Times are seconds since the epoch."""

    id: str
    name: str
    key: bytes
    """Its Ed25519 public key, 32 bytes."""
    created: float
    enabled: bool = True
    last_seen: float | None = None
    """When its link was opened or closed last."""


class ConnectorStore:
    """Stores connectors. Processes that share the database share them."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    async def list(self) -> tuple[PairedConnector, ...]:
        """All connectors, oldest first. Raises DatabaseError."""

        def work(connection: Connection) -> tuple[PairedConnector, ...]:
            found = select(*_COLUMNS).order_by(relay_connectors.c.created, relay_connectors.c.id)
            return tuple(PairedConnector(*row) for row in connection.execute(found))

        return await self._database.read(work)

    async def find(self, key: bytes) -> PairedConnector | None:
        """The connector with a public key. Raises DatabaseError."""
        return await self._database.read(lambda connection: _first(connection, relay_connectors.c.key == key))

    async def add(self, key: bytes, name: str, code: OneTimeCode) -> PairedConnector:
        """Store a new connector; one with this key again keeps its id, and is enabled.

        `code`: the one-time code that it was paired by. Raises InvalidRequestError if there are MAX_CONNECTORS, DatabaseError.
        """
        now = time.time()

        def work(connection: Connection) -> PairedConnector:
            known = _first(connection, relay_connectors.c.key == key)
            if known is not None:
                changed = update(relay_connectors).where(relay_connectors.c.id == known.id)
                connection.execute(changed.values(name=bounded(name), enabled=True, last_seen=now))
                return PairedConnector(known.id, name, key, known.created, True, now)
            if (connection.scalar(select(func.count()).select_from(relay_connectors)) or 0) >= MAX_CONNECTORS:
                raise InvalidRequestError(f"There are {MAX_CONNECTORS} connectors already. Remove some of them.")
            made = PairedConnector(uuid.uuid4().hex, name, key, now, True, now)
            row = {"id": made.id, "name": bounded(name), "key": key, "created": now, "enabled": True, "last_seen": now}
            connection.execute(insert(relay_connectors), row)
            return made

        made = await self._database.write(work)
        self._audit.record(code.actor, "connector.pair", made.id)
        return made

    async def seen(self, connector_id: str) -> None:
        """Record that the link of a connector was opened or closed now. Raises DatabaseError."""
        changed = update(relay_connectors).where(relay_connectors.c.id == connector_id).values(last_seen=time.time())
        await self._database.write(lambda connection: connection.execute(changed))

    async def update(
        self, connector_id: str, *, name: str | None = None, enabled: bool | None = None, actor: str = ""
    ) -> PairedConnector:
        """Rename, enable or disable a connector. Raises NotFoundError, InvalidRequestError for an empty name, DatabaseError."""
        values: dict[str, Any] = {}
        if name is not None:
            values["name"] = clean(name, MAX_NAME)
            if not values["name"]:
                raise InvalidRequestError("A connector needs a name.", param="name")
        if enabled is not None:
            values["enabled"] = enabled

        def work(connection: Connection) -> PairedConnector:
            if values:
                connection.execute(update(relay_connectors).where(relay_connectors.c.id == connector_id).values(values))
            found = _first(connection, relay_connectors.c.id == connector_id)
            if found is None:
                raise _unknown()
            return found

        found = await self._database.write(work)
        act = "connector.update" if enabled is None else "connector.enable" if enabled else "connector.disable"
        self._audit.record(actor, act, connector_id)
        return found

    async def remove(self, connector_id: str, *, actor: str = "") -> None:
        """Forget a connector, which must be paired again. Raises NotFoundError, DatabaseError."""
        gone = delete(relay_connectors).where(relay_connectors.c.id == connector_id)
        if not await self._database.write(lambda connection: connection.execute(gone).rowcount):
            raise _unknown()
        self._audit.record(actor, "connector.remove", connector_id)


_COLUMNS = tuple(relay_connectors.c[name] for name in PairedConnector.__dataclass_fields__)


def _first(connection: Connection, condition: Any) -> PairedConnector | None:
    row = connection.execute(select(*_COLUMNS).where(condition)).first()
    return None if row is None else PairedConnector(*row)


def _unknown() -> NotFoundError:
    return NotFoundError("There is no such connector.", code="connector_not_found")
