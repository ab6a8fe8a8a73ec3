"""Keys as rows: what `keys.py` has done in the database's thread, each within a transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from ..storage.tables import counters, keys
from .client_key import ClientKey

_COUNTER = "keys"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The whole table."""

    version: int
    rows: Sequence[Mapping[str, Any]]
    """What a `ClientKey` is made of, the oldest first."""
    by_digest: Mapping[bytes, tuple[str, float | None]]
    """The id of a key by its hash, and until when that hash is good."""


def count_change(connection: Connection) -> int:
    """Let other processes know that the keys are no longer what they were; the count from now on."""
    connection.execute(update(counters).where(counters.c.name == _COUNTER).values(value=counters.c.value + 1))
    return int(connection.execute(select(counters.c.value).where(counters.c.name == _COUNTER)).scalar_one())


def load(connection: Connection, *, other_than: int) -> Loaded | None:
    """All keys, or None where their count is still the one given."""
    # The count first: what another process changes in between is then seen the next time, never missed.
    version = int(connection.execute(select(counters.c.value).where(counters.c.name == _COUNTER)).scalar_one())
    if version == other_than:
        return None
    rows: list[Mapping[str, Any]] = []
    by_digest: dict[bytes, tuple[str, float | None]] = {}
    for row in connection.execute(select(keys).order_by(keys.c.created, keys.c.id)).mappings():
        values = dict(row)
        current, former = values.pop("digest"), values.pop("former_digest")
        if former is not None:
            by_digest[bytes(former)] = (row["id"], row["former_until"])
        by_digest[bytes(current)] = (row["id"], None)
        rows.append(values | {name: tuple(values[name]) for name in ("models", "endpoints")})
    return Loaded(version, rows, by_digest)


def add(connection: Connection, key: ClientKey, digest: bytes) -> None:
    """Insert a new key."""
    connection.execute(insert(keys).values(**_values(asdict(key)), digest=digest))


def change(connection: Connection, key_id: str, changes: Mapping[str, Any]) -> None:
    """Write some columns of a key. Raises KeyError where it was revoked."""
    if changes and not connection.execute(update(keys).where(keys.c.id == key_id).values(**_values(changes))).rowcount:
        raise KeyError(key_id)


def rotate(connection: Connection, key_id: str, digest: bytes, prefix: str, former_until: float | None) -> bytes:
    """Put a new hash in the place of a key's; the former one, kept until a time or (None) not at all. Raises KeyError."""
    former = connection.execute(select(keys.c.digest).where(keys.c.id == key_id)).scalar_one_or_none()
    if former is None:
        raise KeyError(key_id)
    values = {"digest": digest, "prefix": prefix, "former_until": former_until}
    values["former_digest"] = None if former_until is None else former
    connection.execute(update(keys).where(keys.c.id == key_id).values(**values))
    return bytes(former)


def remove(connection: Connection, key_ids: Sequence[str]) -> None:
    """Delete keys; those that are gone already are no error."""
    connection.execute(delete(keys).where(keys.c.id == bindparam("key_id")), [{"key_id": key_id} for key_id in key_ids])


def note(connection: Connection, used: Mapping[str, float]) -> None:
    """Write when keys were used last; never an earlier time than another process wrote."""
    statement = (
        update(keys)
        .where(keys.c.id == bindparam("key_id"), (keys.c.last_used.is_(None)) | (keys.c.last_used < bindparam("used")))
        .values(last_used=bindparam("used"))
    )
    connection.execute(statement, [{"key_id": key_id, "used": time} for key_id, time in used.items()])


def _values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
