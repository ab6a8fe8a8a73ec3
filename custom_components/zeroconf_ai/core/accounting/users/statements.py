"""SQL statements for users and their sessions; they run in the database thread within a transaction."""

from collections.abc import Sequence
import time
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, delete, insert, select, update

from ..storage.tables import counters, portal_sessions, portal_users
from .user import Identity, User

_COUNTER = "users"


def version(connection: Connection) -> int:
    """The version of the users, which every change increments."""
    return int(connection.execute(select(counters.c.value).where(counters.c.name == _COUNTER)).scalar_one())


def count_change(connection: Connection) -> int:
    """Increment and return the version of the users, so that other processes reload them. Its row lock serializes the changes."""
    connection.execute(update(counters).where(counters.c.name == _COUNTER).values(value=counters.c.value + 1))
    return version(connection)


def load(connection: Connection) -> Sequence[User]:
    """All users, the oldest first."""
    found = select(portal_users).order_by(portal_users.c.created, portal_users.c.id)
    return [_user(row) for row in connection.execute(found)]


def put(connection: Connection, identity: Identity, now: float, *, add: bool) -> User | None:
    """Store who signed in at `now`; returns the user. None: the user is unknown, and `add` is False."""
    row = portal_users.c
    whose = (row.issuer == identity.issuer) & (row.subject == identity.subject)
    values = {
        "name": identity.name,
        "email": identity.email,
        "groups": list(identity.groups),
        **({"signed_in": now} if add else {}),
    }
    changed = connection.execute(update(portal_users).where(whose).values(**values)).rowcount
    if not changed:
        if not add:
            return None
        given = {"id": uuid4().hex, "issuer": identity.issuer, "subject": identity.subject, "created": now, "blocked": False}
        connection.execute(insert(portal_users).values(**given, **values))
    return _user(connection.execute(select(portal_users).where(whose)).one())


def set_blocked(connection: Connection, user_id: str, *, blocked: bool) -> bool:
    """Block or unblock a user; returns whether the user exists."""
    return bool(connection.execute(update(portal_users).where(portal_users.c.id == user_id).values(blocked=blocked)).rowcount)


def remove(connection: Connection, user_id: str) -> None:
    """Delete a user with all sessions."""
    connection.execute(delete(portal_sessions).where(portal_sessions.c.user_id == user_id))
    connection.execute(delete(portal_users).where(portal_users.c.id == user_id))


def open_session(connection: Connection, digest: bytes, user_id: str, expires: float, *, most: int) -> None:
    """Store a session until `expires`; the oldest ones of the user beyond `most` end."""
    row = portal_sessions.c
    connection.execute(insert(portal_sessions).values(digest=digest, user_id=user_id, expires=expires))
    beyond = select(row.digest).where(row.user_id == user_id).order_by(row.expires.desc(), row.digest).offset(most)
    for (old,) in connection.execute(beyond).all():
        connection.execute(delete(portal_sessions).where(row.digest == old))


def session_user(connection: Connection, digest: bytes) -> str | None:
    """The id of the user of a session; None for an unknown or expired one."""
    row = portal_sessions.c
    found = connection.execute(select(row.user_id).where(row.digest == digest, row.expires > time.time())).scalar_one_or_none()
    return None if found is None else str(found)


def close_session(connection: Connection, digest: bytes) -> None:
    """End a session."""
    connection.execute(delete(portal_sessions).where(portal_sessions.c.digest == digest))


def prune_sessions(connection: Connection) -> None:
    """Delete expired sessions."""
    connection.execute(delete(portal_sessions).where(portal_sessions.c.expires <= time.time()))


def _user(row: Row[Any]) -> User:
    values = row._mapping
    return User(
        values["id"],
        Identity(values["issuer"], values["subject"], values["name"], values["email"], tuple(values["groups"])),
        values["created"],
        values["signed_in"],
        values["blocked"],
    )
