"""Sessions of the page: they begin with an administrator's key, and end with it, after 12 hours, or when somebody logs out.

A server without keys, the demo, prints a link instead, whose secret logs in once.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
import hmac
import secrets
import time

from ...accounting.keys.key_store import KeyStore
from ...protocol.errors import AuthenticationError, PermissionDeniedError, RateLimitError
from ...protocol.key_proof import digest
from ..access.auth_throttle import AuthThrottle

LIFETIME = 12 * 3600.0
"""Seconds."""
MAX_SESSIONS = 100
"""Maximum number of sessions of all administrators together. A further one ends the oldest."""


@dataclass(slots=True)
class Session:
    """One browser that is logged in."""

    name: str
    """The name of the key."""
    key_id: str | None
    """None for the only key of a server without a database, a link that logs in once, and the user who runs the server."""
    origin: str
    """The origin of the page, such as `http://gpu.local:8000`."""
    until: float
    """When it ends, on the clock of `Sessions`."""
    streams: int = 0
    """Open streams of the live state."""
    listeners: list[Callable[[], None]] = field(default_factory=list)
    """Called when the session ends."""


class Sessions:
    """The sessions in memory, by the hash of their tokens: a restart ends them all."""

    def __init__(self, keys: KeyStore | None, key: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        """`keys`: its keys with the permission `admin` log in. Without it, `key` does. `close` must be called."""
        self._keys = keys
        self._digest = digest(key) if key and keys is None else None
        self._link: tuple[bytes, Callable[[], None]] | None = None
        self._local: bytes | None = None
        self._clock = clock
        self._throttle = AuthThrottle(clock, "failed to log in")
        self._sessions: dict[bytes, Session] = {}
        self._unsubscribe = None if keys is None else keys.listen(self._end_invalid)
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """End all sessions."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        for token in list(self._sessions):
            self._end(token)

    def make_link(self, used: Callable[[], None]) -> str:
        """The secret of a link that logs in once; the former link ends. `used` is called when somebody has logged in with it."""
        secret = secrets.token_urlsafe(32)
        self._link = digest(secret), used
        return secret

    def make_local_secret(self) -> str:
        """Create a reusable login secret for programs of the user who runs the server; the previous secret becomes invalid."""
        secret = secrets.token_urlsafe(32)
        self._local = digest(secret)
        return secret

    def log_in(self, secret: str, address: str | None, origin: str) -> str:
        """Begin a session; returns its token.

        Raises AuthenticationError for an unknown key, PermissionDeniedError for a key that is no administrator's, is disabled or
        has expired, RateLimitError for an address that failed too often: the key is then not even looked at.
        """
        if wait := self._throttle.wait(address):
            raise _too_many(wait)
        try:
            name, key_id = self._identify(secret)
        except (AuthenticationError, PermissionDeniedError):
            if wait := self._throttle.failed(address):
                raise _too_many(wait) from None
            raise
        self._end_invalid()
        if len(self._sessions) >= MAX_SESSIONS:
            self._end(next(iter(self._sessions)))
        token = secrets.token_urlsafe(32)
        self._sessions[digest(token)] = Session(name, key_id, origin, self._clock() + LIFETIME)
        self._schedule()
        return token

    def find(self, token: str | None) -> Session:
        """The session of a token. Raises AuthenticationError for an unknown token or an ended session."""
        known = digest(token or "")
        session = self._sessions.get(known)
        if session is not None and self._valid(session):
            return session
        self._end(known)
        raise AuthenticationError("Log in with the key of an administrator.", code="no_session")

    def log_out(self, token: str | None) -> None:
        """End the session of a token."""
        self._end(digest(token or ""))

    def _identify(self, secret: str) -> tuple[str, str | None]:
        """The name and id of the administrator's key. Raises AuthenticationError or PermissionDeniedError."""
        if self._link is not None and hmac.compare_digest(digest(secret), self._link[0]):
            used, self._link = self._link[1], None
            used()
            return "", None
        if self._local is not None and hmac.compare_digest(digest(secret), self._local):
            return "", None
        if self._keys is None:
            if self._digest is None or not hmac.compare_digest(digest(secret), self._digest):
                raise AuthenticationError("Invalid API key.")
            return "", None
        key = self._keys.verify(secret)
        if not key.admin:
            message = "This is no key of an administrator. Create one: zeroconf-ai keys create NAME --endpoint admin"
            raise PermissionDeniedError(message, code="no_admin_key")
        return key.name, key.id

    def _valid(self, session: Session) -> bool:
        if self._clock() >= session.until:
            return False
        if self._keys is None or session.key_id is None:
            return True
        key = self._keys.get(session.key_id)
        return key is not None and key.admin and key.valid_at(time.time())

    def _end_invalid(self) -> None:
        for token, session in list(self._sessions.items()):
            if not self._valid(session):
                self._end(token)

    def _end(self, token: bytes) -> None:
        session = self._sessions.pop(token, None)
        if session is None:
            return
        for callback in session.listeners:
            callback()
        self._schedule()

    def _schedule(self) -> None:
        """Look again soon while there is a session: keys expire and sessions end without an event."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._sessions:
            self._timer = asyncio.get_running_loop().call_later(CHECK_SECONDS, self._check)

    def _check(self) -> None:
        self._timer = None
        self._end_invalid()
        if self._timer is None:
            self._schedule()


CHECK_SECONDS = 5.0
"""How soon an open stream ends after its key expired."""


def _too_many(wait: float) -> RateLimitError:
    message = f"Too many wrong keys were sent from this address. Try again in {max(1, round(wait))} s."
    return RateLimitError(message, code="too_many_wrong_keys", retry_after=wait)
