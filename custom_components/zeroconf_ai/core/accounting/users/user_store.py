"""`UserStore`: the people who have signed in to the portal, and their sessions."""

import asyncio
from collections.abc import Callable, Iterator
import secrets
import time

from sqlalchemy import Connection

from ...protocol.key_proof import digest
from ...protocol.values import clean
from .. import audit
from ..audit import AuditEvent
from ..storage.database import Database
from . import statements
from .user import Identity, User

SESSION_SECONDS = 12 * 3600.0
"""The lifetime of a session, however much it is used."""
SESSIONS_OF_USER = 20
"""Sessions of one person at a time; the oldest ends if there are more."""
MAX_SUBJECT = 255
"""Characters of `sub` (OpenID Connect Core, section 2)."""
_TEXT = 200
_GROUPS = 1000


class UserStore:
    """All users, cached in memory; sessions are read when they are used. All calls come from one event loop."""

    def __init__(self, database: Database) -> None:
        """Empty until `refresh` is called."""
        self._database = database
        self._changing = asyncio.Lock()
        self._users: dict[str, User] = {}
        self._version = -1

    def __iter__(self) -> Iterator[User]:
        """All users, the oldest first."""
        return iter(list(self._users.values()))

    def get(self, user_id: str) -> User | None:
        """The user with an id."""
        return self._users.get(user_id)

    def name(self, user_id: str) -> str | None:
        """The name of a user; None if the id is unknown."""
        user = self._users.get(user_id)
        return None if user is None else user.identity.name

    async def is_blocked(self, user_id: str) -> bool:
        """Whether an administrator has blocked the user with an id; False for an unknown id."""
        user = self._users.get(user_id)
        return user is not None and user.blocked

    async def refresh(self) -> None:
        """Reload users that other processes changed. Raises DatabaseError."""
        async with self._changing:
            known = self._version

            def load(connection: Connection) -> tuple[int, list[User]] | None:
                # The version first: a change in between is then read the next time.
                version = statements.version(connection)
                return None if version == known else (version, list(statements.load(connection)))

            if (loaded := await self._database.read(load)) is not None:
                self._version = loaded[0]
                self._users = {user.id: user for user in loaded[1]}

    def invalidate(self) -> None:
        """Make the next `refresh` read all users even if their version is unchanged."""
        self._version = -1

    async def sign_in(self, identity: Identity, *, allowed: bool) -> User | None:
        """Store what the OpenID provider says of a person who has signed in; returns the user.

        A person who is not `allowed` is not added; if they are known, the description is updated all the same, so that their
        keys follow the groups that they have left. Returns None for an unknown person. Raises DatabaseError.
        """
        described = Identity(
            identity.issuer,
            identity.subject,
            clean(identity.name, _TEXT) or identity.subject,
            identity.email,
            identity.groups[:_GROUPS],
        )
        return await self._write(lambda connection: statements.put(connection, described, time.time(), add=allowed))

    async def block(self, user_id: str, *, blocked: bool, actor: str = "") -> User:
        """Block a user, or end that. The user's sessions go on, so that the page says what has happened.

        Raises KeyError for an unknown user, DatabaseError.
        """
        act = AuditEvent(time.time(), actor, "user.block" if blocked else "user.unblock", user_id)

        def change(connection: Connection) -> bool:
            audit.add(connection, act)
            return statements.set_blocked(connection, user_id, blocked=blocked)

        if not await self._write(change):
            raise KeyError(user_id)
        return self._users[user_id]

    async def remove(self, user_id: str) -> None:
        """Delete a user with all sessions. The user's keys are left alone. Raises DatabaseError."""
        await self._write(lambda connection: statements.remove(connection, user_id))

    async def open_session(self, user_id: str) -> str:
        """Begin a session; returns its token, of which only a hash is stored. Raises DatabaseError."""
        token = secrets.token_urlsafe(32)
        key, expires = digest(token), time.time() + SESSION_SECONDS
        await self._database.write(
            lambda connection: statements.open_session(connection, key, user_id, expires, most=SESSIONS_OF_USER)
        )
        return token

    async def user_of_session(self, token: str) -> User | None:
        """The user of a session; None if it has ended or never begun. Raises DatabaseError."""
        key = digest(token)
        user_id = await self._database.read(lambda connection: statements.session_user(connection, key))
        if user_id is not None and user_id not in self._users:
            await self.refresh()  # another process has just added the user
        return None if user_id is None else self._users.get(user_id)

    async def close_session(self, token: str) -> None:
        """End a session. Raises DatabaseError."""
        key = digest(token)
        await self._database.write(lambda connection: statements.close_session(connection, key))

    async def tidy(self) -> None:
        """Delete expired sessions. Raises DatabaseError."""
        await self._database.write(statements.prune_sessions)

    async def _write[T](self, work: Callable[[Connection], T]) -> T:
        """Run `work`, increment the version, and read the users again. Raises DatabaseError."""

        def counted(connection: Connection) -> T:
            statements.count_change(connection)
            return work(connection)

        result = await self._database.write(counted)
        await self.refresh()
        return result
