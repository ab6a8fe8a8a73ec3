"""The keys by which clients are known: hashes in the database, checked in memory."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
import hmac
import secrets
import time
from typing import Any, override
from uuid import uuid4

from sqlalchemy import Connection

from ...protocol import key_proof
from ...protocol.errors import AuthenticationError, PermissionDeniedError
from ...protocol.values import clean
from .. import audit
from ..audit import Act
from ..storage.database import Database, DatabaseError
from ..storage.write_queue import QueuedWriter, Write, WriteQueue
from . import statements
from .client_key import ClientKey

SECRET_LIMIT = 256
"""Characters; a longer one is not looked at."""
PREFIX_LENGTH = 8
"""Characters of a secret that are shown, so that people can tell keys apart."""
_ASKING = ("models", "chat", "completions", "embeddings", "responses", "messages", "audio")
SCOPES = (*_ASKING, "status", "generation", "usage", "metrics")
"""The groups of paths that a key may be limited to: all that a `server.dispatch.Route.scope` may say."""
LARGEST_RATE = 1_000_000_000
DAY = 86_400.0
_NAME_LIMIT = 100
_NOTE_SECONDS = 60.0
"""How often at most it is written when a key was used last."""
_RATES = ("requests_per_minute", "tokens_per_minute", "parallel")
_CHANGEABLE = frozenset({"name", "user_id", "device", "models", "endpoints", "background", "enabled", "expires", *_RATES})


def new_secret() -> str:
    """A secret nobody has had before: `zai_` and 192 random bits."""
    return f"zai_{secrets.token_urlsafe(24)}"


def _rate(limit: int | None) -> int | None:
    """Raises ValueError for what is no limit."""
    if limit is not None and not 1 <= limit <= LARGEST_RATE:
        raise ValueError(f"A limit is a whole number from 1 to {LARGEST_RATE}, or none.")
    return limit


class KeyStore(QueuedWriter):
    """All keys, in memory for the check and in the database for good. Lives on one event loop."""

    def __init__(self, database: Database, batches: WriteQueue) -> None:
        """Empty until `refresh` is called."""
        self._database = database
        self._batches = batches
        self._changing = asyncio.Lock()
        self._keys: dict[str, ClientKey] = {}
        self._by_digest: dict[bytes, tuple[str, float | None]] = {}
        """The id of a key by its hash, and until when that hash is good (None: as long as the key is)."""
        self._version = -1
        """Of the table, as it was read last."""
        self._revoked: set[str] = set()
        """Keys that the database has not forgotten yet."""
        self._used: dict[str, float] = {}
        self._noted: dict[str, float] = {}
        """What the database says of `_used`, or is about to."""
        self._taken: Mapping[str, float] = {}
        self._taken_revoked: frozenset[str] = frozenset()
        self._listeners: list[Callable[[], None]] = []
        batches.add(self)

    def __iter__(self) -> Iterator[ClientKey]:
        """All keys, the oldest first."""
        return iter([self._told(key) for key in self._keys.values()])

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, key_id: str) -> ClientKey | None:
        """The key with an id, or None."""
        key = self._keys.get(key_id)
        return None if key is None else self._told(key)

    def verify(self, secret: str) -> ClientKey:
        """The key of a secret. In memory, and noted as its last use; `last_used` of what is returned may be an earlier one.

        Raises AuthenticationError for an unknown one, PermissionDeniedError for one that is disabled or expired.
        """
        found = self._by_digest.get(key_proof.digest(secret)) if len(secret) <= SECRET_LIMIT else None
        now = time.time()
        if found is None or (found[1] is not None and now >= found[1]):
            raise AuthenticationError("This key is not known here.")
        key = self._keys[found[0]]
        if not key.enabled:
            raise PermissionDeniedError("This key is disabled. Enable it, or use another.", code="key_disabled")
        if key.expires is not None and now >= key.expires:
            raise PermissionDeniedError("This key has expired. Use another.", code="key_expired")
        self._used[key.id] = now
        if now - self._noted.get(key.id, 0.0) >= _NOTE_SECONDS:
            self._batches.tell()
        return key

    def proof_digest(self, kid: bytes) -> bytes | None:
        """The digest of the secret with that public id (`key_proof.key_id`), where it is good now and was generated.

        All are looked at, so that how long it takes tells nothing.
        """
        now, found = time.time(), None
        for known, (key_id, until) in self._by_digest.items():
            key = self._keys[key_id]
            good = key.enabled and not any(end is not None and now >= end for end in (until, key.expires))
            matches = hmac.compare_digest(key_proof.key_id(known), kid)
            if matches and good and key.prefix.startswith(key_proof.GENERATED_PREFIX):
                found = known
        return found

    async def create(
        self,
        name: str,
        *,
        user_id: str | None = None,
        device: str | None = None,
        models: tuple[str, ...] = (),
        endpoints: tuple[str, ...] = (),
        background: bool = False,
        expires: float | None = None,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        parallel: int | None = None,
        actor: str = "",
    ) -> tuple[ClientKey, str]:
        """A new key and its secret, which is kept nowhere: this is the one time to show it.

        `actor` is who makes it, for the log of acts (`audit.Act`). Raises ValueError for a limit below 1, DatabaseError.
        """
        secret = new_secret()
        key = await self.adopt(
            name,
            key_proof.digest(secret),
            secret[:PREFIX_LENGTH],
            user_id=user_id,
            device=device,
            models=models,
            endpoints=endpoints,
            background=background,
            expires=expires,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            parallel=parallel,
            actor=actor,
        )
        return key, secret

    async def adopt(
        self,
        name: str,
        digest: bytes,
        prefix: str,
        *,
        user_id: str | None = None,
        device: str | None = None,
        models: tuple[str, ...] = (),
        endpoints: tuple[str, ...] = (),
        background: bool = False,
        expires: float | None = None,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        parallel: int | None = None,
        actor: str = "",
    ) -> ClientKey:
        """A new key whose secret was made elsewhere, known by its `digest` alone; the key of that digest where there is one.

        Raises ValueError for a limit below 1, DatabaseError.
        """
        async with self._changing:
            if (known := self._by_digest.get(digest)) is not None:
                return self._told(self._keys[known[0]])
            key = ClientKey(
                id=uuid4().hex,
                name=clean(name, _NAME_LIMIT),
                prefix=clean(prefix, PREFIX_LENGTH),
                created=time.time(),
                user_id=user_id,
                device=device,
                models=tuple(models),
                endpoints=tuple(endpoints),
                background=background,
                expires=expires,
                requests_per_minute=_rate(requests_per_minute),
                tokens_per_minute=_rate(tokens_per_minute),
                parallel=_rate(parallel),
            )
            await self._write(lambda connection: statements.add(connection, key, digest), _act(actor, "key.create", key.id))
            self._keys[key.id] = key
            self._by_digest[digest] = (key.id, None)
        self._announce()
        return key

    async def update(self, key_id: str, *, actor: str = "", **changes: Any) -> ClientKey:
        """Change a key's name, user_id, device, models, endpoints, background, enabled, expires or limits.

        Raises KeyError without it, TypeError for anything else to change, ValueError for a limit below 1, DatabaseError.
        """
        if unknown := changes.keys() - _CHANGEABLE:
            raise TypeError(f"A key has no {', '.join(sorted(unknown))} to change")
        changes |= {name: tuple(changes[name]) for name in ("models", "endpoints") if name in changes}
        changes |= {name: _rate(changes[name]) for name in _RATES if name in changes}
        if "name" in changes:
            changes["name"] = clean(changes["name"], _NAME_LIMIT)
        async with self._changing:
            replace(self._keys[key_id], **changes)
            act = _act(actor, "key.update", key_id)
            await self._write(lambda connection: statements.change(connection, key_id, changes), act)
            # Read again: it may have been revoked meanwhile.
            key = self._keys[key_id] = replace(self._keys[key_id], **changes)
        self._announce()
        return self._told(key)

    async def revoke(self, key_id: str, *, actor: str = "") -> None:
        """Take a key out of use for good. From the call on it is not known here, and when this returns, nowhere.

        Raises KeyError without it. Raises DatabaseError where the database did not take it: it stays revoked here, and the
        database is told again until it does.
        """
        del self._keys[key_id]
        self._by_digest = {digest: found for digest, found in self._by_digest.items() if found[0] != key_id}
        self._revoked.add(key_id)
        self._used.pop(key_id, None)
        self._noted.pop(key_id, None)
        self._announce()
        async with self._changing:
            try:
                act = _act(actor, "key.revoke", key_id)
                await self._write(lambda connection: statements.remove(connection, [key_id]), act)
            except DatabaseError:
                self._batches.tell()
                raise
            self._revoked.discard(key_id)

    async def rotate(self, key_id: str, overlap: float = DAY, *, actor: str = "") -> tuple[ClientKey, str]:
        """Give a key a new secret, and return it; the former one is good for `overlap` more seconds, an earlier one no more.

        Raises KeyError without the key, DatabaseError.
        """
        secret = new_secret()
        until = time.time() + overlap if overlap > 0 else None
        new, prefix = key_proof.digest(secret), secret[:PREFIX_LENGTH]
        async with self._changing:
            _ = self._keys[key_id]
            act = _act(actor, "key.rotate", key_id)
            former = await self._write(lambda connection: statements.rotate(connection, key_id, new, prefix, until), act)
            key = self._keys[key_id] = replace(self._keys[key_id], prefix=prefix, former_until=until)
            self._by_digest = {digest: found for digest, found in self._by_digest.items() if found[0] != key_id}
            self._by_digest[new] = (key_id, None)
            if until is not None:
                self._by_digest[former] = (key_id, until)
        self._announce()
        return self._told(key), secret

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever a key was made, changed or revoked, here or by another process; returns what ends it."""
        self._listeners.append(callback)

        def stop() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return stop

    def read_again(self) -> None:
        """Have the next `refresh` read all keys, although nobody counted a change."""
        self._version = -1

    async def refresh(self) -> None:
        """See what other processes did to the keys. Raises DatabaseError."""
        async with self._changing:
            version = self._version
            loaded = await self._database.read(lambda connection: statements.load(connection, other_than=version))
            if loaded is None:
                return
            self._version = loaded.version
            self._keys = {row["id"]: ClientKey(**row) for row in loaded.rows if row["id"] not in self._revoked}
            self._by_digest = {digest: found for digest, found in loaded.by_digest.items() if found[0] in self._keys}
            self._used = {key_id: used for key_id, used in self._used.items() if key_id in self._keys}
            self._noted = {key.id: key.last_used for key in self._keys.values() if key.last_used is not None}
        self._announce()

    async def _write[T](self, work: Callable[[Connection], T], act: Act) -> T:
        """Do it, note the act and count the change.

        Where others changed something since, the next `refresh` sees that it has to read all.
        """

        def counted(connection: Connection) -> tuple[T, int]:
            # First, as the transaction of another process waits for the counter's row.
            version = statements.count_change(connection)
            audit.add(connection, act)
            return work(connection), version

        result, version = await self._database.write(counted)
        if version == self._version + 1:
            self._version = version
        return result

    def _told(self, key: ClientKey) -> ClientKey:
        used = self._used.get(key.id)
        return key if used is None or (key.last_used or 0.0) >= used else replace(key, last_used=used)

    def _announce(self) -> None:
        for callback in list(self._listeners):
            callback()

    @override
    def take(self, *, last: bool) -> Write | None:
        now = time.time()
        used = self._taken = {
            key_id: used
            for key_id, used in self._used.items()
            if (noted := self._noted.get(key_id, 0.0)) != used and (last or now - noted >= _NOTE_SECONDS)
        }
        revoked = self._taken_revoked = frozenset(self._revoked)
        if not used and not revoked:
            return None
        self._noted.update(used)

        def write(connection: Connection) -> None:
            if revoked:
                statements.count_change(connection)
                statements.remove(connection, sorted(revoked))
                audit.add(connection, *(_act("", "key.revoke", key_id) for key_id in sorted(revoked)))
            if used:
                statements.note(connection, used)

        return write

    @override
    def done(self, *, written: bool, again: bool) -> None:
        if written:
            self._revoked -= self._taken_revoked
        else:
            for key_id in self._taken:
                self._noted.pop(key_id, None)
        self._taken, self._taken_revoked = {}, frozenset()


def _act(actor: str, act: str, key_id: str) -> Act:
    return Act(time.time(), actor, act, key_id)
