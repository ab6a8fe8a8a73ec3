"""SQL statements for API keys; they run in the database thread within a transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from ..storage.tables import counters, keys
from . import labels
from .client_key import ClientKey

_COUNTER = "keys"


@dataclass(frozen=True, slots=True)
class Loaded:
    """All rows of the table."""

    version: int
    rows: Sequence[Mapping[str, Any]]
    """The fields of each `ClientKey`, oldest first."""
    by_digest: Mapping[bytes, tuple[str, float | None]]
    """Key id and expiry of the secret by its hash."""


def count_change(connection: Connection) -> int:
    """Increment and return the version of the keys, so that other processes reload them."""
    connection.execute(update(counters).where(counters.c.name == _COUNTER).values(value=counters.c.value + 1))
    return int(connection.execute(select(counters.c.value).where(counters.c.name == _COUNTER)).scalar_one())


def load(connection: Connection, *, other_than: int) -> Loaded | None:
    """Read all keys; None if their version is still `other_than`."""
    # The version first: a change by another process in between is then read the next time, never missed.
    version = int(connection.execute(select(counters.c.value).where(counters.c.name == _COUNTER)).scalar_one())
    if version == other_than:
        return None
    rows: list[Mapping[str, Any]] = []
    by_digest: dict[bytes, tuple[str, float | None]] = {}
    labels_of = labels.read(connection)
    for row in connection.execute(select(keys).order_by(keys.c.created, keys.c.id)).mappings():
        values = dict(row)
        current, former = values.pop("digest"), values.pop("former_digest")
        if former is not None:
            by_digest[bytes(former)] = (row["id"], row["former_until"])
        by_digest[bytes(current)] = (row["id"], None)
        lists = {name: tuple(values[name] or ()) for name in ("models", "endpoints", "llm_apis", "hosted_tools")}
        rows.append(values | lists | {"labels": labels_of.get(row["id"], ())})
    return Loaded(version, rows, by_digest)


def add(connection: Connection, key: ClientKey, digest: bytes) -> None:
    """Insert a new key."""
    values = asdict(key)
    labels.write(connection, key.id, values.pop("labels"))
    connection.execute(insert(keys).values(**_values(values), digest=digest))


def count_of_user(connection: Connection, user_id: str | None) -> int:
    """How many keys a user has."""
    return int(connection.execute(select(func.count()).select_from(keys).where(keys.c.user_id == user_id)).scalar_one())


def change(connection: Connection, key_id: str, changes: Mapping[str, Any]) -> None:
    """Update columns of a key. Raises KeyError if it was revoked."""
    values = dict(changes)
    changed = values.pop("labels", None)
    if values and not connection.execute(update(keys).where(keys.c.id == key_id).values(**_values(values))).rowcount:
        raise KeyError(key_id)
    if changed is not None:
        if connection.execute(select(keys.c.id).where(keys.c.id == key_id)).first() is None:
            raise KeyError(key_id)
        labels.write(connection, key_id, changed)


def rotate(connection: Connection, key_id: str, digest: bytes, prefix: str, former_until: float | None) -> bytes:
    """Replace the hash of a key; returns the former one, stored until `former_until` if that is given. Raises KeyError."""
    former = connection.execute(select(keys.c.digest).where(keys.c.id == key_id)).scalar_one_or_none()
    if former is None:
        raise KeyError(key_id)
    values = {"digest": digest, "prefix": prefix, "former_until": former_until}
    values["former_digest"] = None if former_until is None else former
    connection.execute(update(keys).where(keys.c.id == key_id).values(**values))
    return bytes(former)


def renew(
    connection: Connection, key_id: str, digest: bytes, former: tuple[bytes, float | None] | None, values: Mapping[str, Any]
) -> None:
    """Replace the hash of a client certificate. `former`: the hash that stays valid, and until when; None. Raises KeyError."""
    former_digest, former_until = (None, None) if former is None else former
    changed = {"digest": digest, "former_digest": former_digest, "former_until": former_until, **values}
    if not connection.execute(update(keys).where(keys.c.id == key_id).values(**changed)).rowcount:
        raise KeyError(key_id)


def end_certificates(connection: Connection, now: float) -> None:
    """Make all client certificates expire now."""
    values = {"certificate_expires": now, "former_digest": None, "former_until": None}
    connection.execute(update(keys).where(keys.c.certificate_expires > now).values(**values))


def remove(connection: Connection, key_ids: Sequence[str]) -> None:
    """Delete keys; missing ones are ignored."""
    connection.execute(delete(keys).where(keys.c.id == bindparam("key_id")), [{"key_id": key_id} for key_id in key_ids])


def record_use(connection: Connection, used: Mapping[str, float]) -> None:
    """Store the last use of keys unless a later one is stored."""
    statement = (
        update(keys)
        .where(keys.c.id == bindparam("key_id"), (keys.c.last_used.is_(None)) | (keys.c.last_used < bindparam("used")))
        .values(last_used=bindparam("used"))
    )
    connection.execute(statement, [{"key_id": key_id, "used": time} for key_id, time in used.items()])


def _values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
