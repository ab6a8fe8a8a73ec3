"""`KeyStore`: API keys and client certificates, stored as hashes and verified in memory."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
import hmac
import math
import secrets
import string
import time
from typing import Any, override
from uuid import uuid4

from sqlalchemy import Connection

from ...protocol import key_proof
from ...protocol.errors import AuthenticationError, InvalidRequestError, PermissionDeniedError
from ...protocol.hosted_tools import checked_grants
from ...protocol.values import clean
from .. import audit
from ..admission import RateLimits
from ..audit import AuditEvent
from ..storage.database import Database, DatabaseError
from ..storage.write_queue import QueuedWriter, Write, WriteQueue
from . import statements
from .certificates import ExpiredCertificateError, UnknownCertificateError
from .client_key import ClientKey
from .labels import checked_labels
from .llm_apis import check_owner, checked_llm_apis

SECRET_LIMIT = 256
"""Characters; longer secrets are rejected without hashing."""
PREFIX_LENGTH = 8
"""Characters of a secret shown to distinguish keys."""
_REQUEST_SCOPES = ("models", "chat", "completions", "embeddings", "responses", "messages", "audio", "images")
SCOPES = (*_REQUEST_SCOPES, "status", "generation", "usage", "metrics")
"""The groups of paths that a key can be limited to: all values of `server.dispatch.Route.scope`."""
LARGEST_RATE = 1_000_000_000
DAY = 86_400.0
_NAME_LIMIT = 100
_BASE62 = string.digits + string.ascii_letters
_RANDOM_LENGTH = 32
_LOOK_UP_SECONDS = 0.25
"""The minimum interval between two reads of the keys because of unknown secrets, from all callers together."""
_LAST_USED_SECONDS = 60.0
"""The minimum interval between two writes of a key's last use."""
_RATES = ("requests_per_minute", "tokens_per_minute", "parallel")
_CHANGEABLE = frozenset(
    {
        "name", "user_id", "device", "models", "endpoints", "background", "home_only", "enabled", "expires", "labels", "llm_apis",
        "hosted_tools", *_RATES,
    }
)  # fmt: skip


class KeyLimitError(PermissionDeniedError):
    """A user has as many API keys as the owner allows."""

    default_code = "too_many_keys"

    def __init__(self, limit: int) -> None:
        """`limit` is how many keys the user may have."""
        super().__init__(f"You have {limit} API key{'s' if limit != 1 else ''}, and may have no more. Revoke one first.")


def new_secret() -> str:
    """Generate a secret: `zai_` and 190 random bits as 32 letters and digits, all of which a double click selects."""
    return key_proof.GENERATED_PREFIX + "".join(secrets.choice(_BASE62) for _ in range(_RANDOM_LENGTH))


def _checked_rate(limit: int | None) -> int | None:
    """Raises ValueError for an invalid limit."""
    if limit is not None and not 1 <= limit <= LARGEST_RATE:
        raise ValueError(f"A limit must be a whole number from 1 to {LARGEST_RATE}, or none.")
    return limit


class KeyStore(QueuedWriter):
    """All API keys, cached in memory. Not thread-safe: all calls come from one event loop."""

    def __init__(self, database: Database, write_queue: WriteQueue) -> None:
        """Empty until `refresh` is called."""
        self._database = database
        self._write_queue = write_queue
        self._changing = asyncio.Lock()
        self._looking_up = asyncio.Lock()
        self._looked_up = -math.inf
        self._keys: dict[str, ClientKey] = {}
        self._by_digest: dict[bytes, tuple[str, float | None]] = {}
        """Key id and expiry of the secret by its hash (None: valid as long as the key)."""
        self._version = -1
        """The version of the table at the last read."""
        self._revoked: set[str] = set()
        """Revoked keys that the database still contains."""
        self._used: dict[str, float] = {}
        self._recorded_use: dict[str, float] = {}
        """The values of `_used` that the database has or is about to get."""
        self._in_flight: Mapping[str, float] = {}
        self._revocations_in_flight: frozenset[str] = frozenset()
        self._listeners: list[Callable[[], None]] = []
        write_queue.add(self)

    def __iter__(self) -> Iterator[ClientKey]:
        """All keys, the oldest first."""
        return iter([self._with_last_use(key) for key in self._keys.values()])

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, key_id: str) -> ClientKey | None:
        """The key with an id, or None."""
        key = self._keys.get(key_id)
        return None if key is None else self._with_last_use(key)

    def rates(self, key_id: str) -> RateLimits | None:
        """The rate limits of the key with an id; None for an unknown key. Called for each request: cheaper than `get`."""
        key = self._keys.get(key_id)
        return None if key is None else key.rates

    def verify(self, secret: str) -> ClientKey:
        """Return the key of a secret and record its use. `last_used` of the returned key may be out of date.

        Raises AuthenticationError for an unknown secret, PermissionDeniedError for a disabled or expired key.
        """
        now = time.time()
        if (key := self.find(secret)) is None:
            raise AuthenticationError("Invalid API key.")
        key.check(now)
        self._record_use(key.id, now)
        return key

    def find(self, secret: str) -> ClientKey | None:
        """The key of a secret, valid or not, without recording its use; None for an unknown secret."""
        found = self._by_digest.get(key_proof.digest(secret)) if len(secret) <= SECRET_LIMIT else None
        return None if found is None or (found[1] is not None and time.time() >= found[1]) else self._keys[found[0]]

    def knows_certificate(self, digest: bytes) -> bool:
        """Whether a client certificate with that hash (`certificate_digest`) is stored, valid or not."""
        found = self._by_digest.get(digest)
        return found is not None and self._keys[found[0]].certificate

    def check_certificate(self, digest: bytes) -> ClientKey:
        """Return the key of a client certificate, without recording its use.

        Raises UnknownCertificateError, ExpiredCertificateError, PermissionDeniedError for a disabled or expired key.
        """
        now = time.time()
        if not self.knows_certificate(digest):
            raise UnknownCertificateError
        key_id, until = self._by_digest[digest]
        key = self._keys[key_id]
        ends = key.certificate_expires if until is None else until
        if ends is None or now >= ends:
            raise ExpiredCertificateError
        key.check(now)
        return key

    def verify_certificate(self, digest: bytes) -> ClientKey:
        """Return the key of a client certificate and record its use. Raises as `check_certificate` does."""
        key = self.check_certificate(digest)
        self._record_use(key.id, time.time())
        return key

    async def look_up(self, secret: str) -> None:
        """Before a secret is refused: read the keys if it is unknown, and may be one that another process has just created.

        They are read at most four times a second for all secrets together, so that guesses cost nothing.
        """
        if not key_proof.is_generated(secret):
            return
        async with self._looking_up:  # who comes during a read waits for it
            now = time.monotonic()
            if self.find(secret) is None and now - self._looked_up >= _LOOK_UP_SECONDS:
                self._looked_up = now
                with suppress(DatabaseError):  # `refresh` is also called regularly, which reports it
                    await self.refresh()

    def proof_digest(self, kid: bytes) -> bytes | None:
        """The hash of the generated, currently valid secret with a public id (`key_proof.key_id`); None if no such secret exists.

        Compares all keys, so that the duration reveals nothing.
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
        home_only: bool = False,
        expires: float | None = None,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        parallel: int | None = None,
        labels: tuple[str, ...] = (),
        llm_apis: tuple[str, ...] = (),
        hosted_tools: tuple[str, ...] = (),
        most_of_user: int | None = None,
        actor: str = "",
    ) -> tuple[ClientKey, str]:
        """Create a key; returns it with its secret, which is not stored and cannot be shown again.

        `most_of_user` is how many keys the user may have, also if several processes create them at once. `actor` goes into the
        audit log. Raises ValueError for a limit below 1, InvalidRequestError for invalid labels, LLM APIs or hosted tools,
        KeyLimitError, DatabaseError.
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
            home_only=home_only,
            expires=expires,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            parallel=parallel,
            labels=labels,
            llm_apis=llm_apis,
            hosted_tools=hosted_tools,
            most_of_user=most_of_user,
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
        home_only: bool = False,
        expires: float | None = None,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        parallel: int | None = None,
        labels: tuple[str, ...] = (),
        llm_apis: tuple[str, ...] = (),
        hosted_tools: tuple[str, ...] = (),
        certificate_expires: float | None = None,
        most_of_user: int | None = None,
        actor: str = "",
    ) -> ClientKey:
        """Create a key for the hash of an existing secret or client certificate; returns the existing key if the hash is known.

        Raises as `create` does.
        """
        async with self._changing:
            if (known := self._by_digest.get(digest)) is not None:
                return self._with_last_use(self._keys[known[0]])
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
                home_only=home_only,
                expires=expires,
                requests_per_minute=_checked_rate(requests_per_minute),
                tokens_per_minute=_checked_rate(tokens_per_minute),
                parallel=_checked_rate(parallel),
                labels=checked_labels(labels),
                llm_apis=checked_llm_apis(llm_apis),
                hosted_tools=checked_grants(hosted_tools),
                certificate_expires=certificate_expires,
            )
            check_owner(key.llm_apis, key.user_id)

            def add(connection: Connection) -> None:
                # In the transaction that adds the key: `_write` lets one process after the other do so.
                if most_of_user is not None and statements.count_of_user(connection, user_id) >= most_of_user:
                    raise KeyLimitError(most_of_user)
                statements.add(connection, key, digest)

            await self._write(add, _audit_event(actor, "key.create", key.id))
            self._keys[key.id] = key
            self._by_digest[digest] = (key.id, None)
        self._notify_listeners()
        return key

    async def update(self, key_id: str, *, actor: str = "", **changes: Any) -> ClientKey:
        """Change fields of a key: all but its id, its secret and the times of its creation and use.

        Raises KeyError for an unknown key, TypeError for other fields, ValueError for a limit below 1, InvalidRequestError for
        invalid labels, LLM APIs or hosted tools, DatabaseError.
        """
        if unknown := changes.keys() - _CHANGEABLE:
            raise TypeError(f"These fields of a key cannot be changed: {', '.join(sorted(unknown))}")
        changes |= {name: tuple(changes[name]) for name in ("models", "endpoints") if name in changes}
        changes |= {name: _checked_rate(changes[name]) for name in _RATES if name in changes}
        if "name" in changes:
            changes["name"] = clean(changes["name"], _NAME_LIMIT)
        if "labels" in changes:
            changes["labels"] = checked_labels(changes["labels"])
        if "llm_apis" in changes:
            changes["llm_apis"] = checked_llm_apis(changes["llm_apis"])
        if "hosted_tools" in changes:
            changes["hosted_tools"] = checked_grants(changes["hosted_tools"])
        async with self._changing:
            if changes.get("enabled", self._keys[key_id].enabled) is not self._keys[key_id].enabled:
                changes["disabled_by"] = None if changes["enabled"] else actor
            changed = replace(self._keys[key_id], **changes)
            check_owner(changed.llm_apis, changed.user_id)
            act = _audit_event(actor, "key.update", key_id)
            await self._write(lambda connection: statements.change(connection, key_id, changes), act)
            # Look it up again: it may have been revoked in the meantime.
            key = self._keys[key_id] = replace(self._keys[key_id], **changes)
        self._notify_listeners()
        return self._with_last_use(key)

    async def revoke(self, key_id: str, *, actor: str = "") -> None:
        """Delete a key. It is rejected by this process at once, and by all others once the call returns.

        Raises KeyError for an unknown key. Raises DatabaseError if the write fails: the key stays revoked here, and the write
        is retried.
        """
        del self._keys[key_id]
        self._by_digest = {digest: found for digest, found in self._by_digest.items() if found[0] != key_id}
        self._revoked.add(key_id)
        self._used.pop(key_id, None)
        self._recorded_use.pop(key_id, None)
        self._notify_listeners()
        async with self._changing:
            try:
                act = _audit_event(actor, "key.revoke", key_id)
                await self._write(lambda connection: statements.remove(connection, [key_id]), act)
            except DatabaseError:
                self._write_queue.request_flush()
                raise
            self._revoked.discard(key_id)

    async def rotate(self, key_id: str, overlap: float = DAY, *, actor: str = "") -> tuple[ClientKey, str]:
        """Replace the secret of a key. The former secret stays valid for `overlap` seconds; older ones become invalid.

        Raises KeyError for an unknown key, InvalidRequestError for a client certificate, DatabaseError.
        """
        if self._keys[key_id].certificate:
            message = "A client certificate has no secret. Its client renews it; to end it, disable or revoke it."
            raise InvalidRequestError(message, code="no_secret")
        secret = new_secret()
        until = time.time() + overlap if overlap > 0 else None
        new, prefix = key_proof.digest(secret), secret[:PREFIX_LENGTH]
        async with self._changing:
            _ = self._keys[key_id]  # it may have been revoked in the meantime
            act = _audit_event(actor, "key.rotate", key_id)
            former = await self._write(lambda connection: statements.rotate(connection, key_id, new, prefix, until), act)
            key = self._keys[key_id] = replace(self._keys[key_id], prefix=prefix, former_until=until)
            self._by_digest = {digest: found for digest, found in self._by_digest.items() if found[0] != key_id}
            self._by_digest[new] = (key_id, None)
            if until is not None:
                self._by_digest[former] = (key_id, until)
        self._notify_listeners()
        return self._with_last_use(key), secret

    async def renew(self, presented: bytes, digest: bytes, prefix: str, expires: float) -> ClientKey:
        """Replace a client certificate by another one, over a connection with the certificate whose hash is `presented`.

        That one stays valid until it expires, because the client may not get the new one; a third one becomes invalid. `digest`,
        `prefix` and `expires` (seconds since the epoch) belong to the new one.

        Raises as `check_certificate` does, DatabaseError.
        """
        async with self._changing:
            key = self.check_certificate(presented)
            former = (presented, self._by_digest[presented][1] or key.certificate_expires)
            values: dict[str, Any] = {"prefix": prefix, "certificate_expires": expires}
            act = _audit_event(key.id, "key.renew", key.id)
            await self._write(lambda connection: statements.renew(connection, key.id, digest, former, values), act)
            changed = self._keys[key.id] = replace(self._keys[key.id], former_until=former[1], **values)
            self._by_digest = {known: found for known, found in self._by_digest.items() if found[0] != key.id}
            self._by_digest |= {digest: (key.id, None), presented: (key.id, former[1])}
        self._notify_listeners()
        return self._with_last_use(changed)

    async def replace_certificate(self, key_id: str, digest: bytes, prefix: str, expires: float, *, actor: str = "") -> ClientKey:
        """Give the key of a client certificate another one, because its client enrols again. Former ones become invalid.

        Raises KeyError for an unknown key, InvalidRequestError for a key with a secret, DatabaseError.
        """
        if not self._keys[key_id].certificate:
            raise InvalidRequestError("This API key has a secret and no client certificate.", code="no_certificate")
        async with self._changing:
            _ = self._keys[key_id]  # it may have been revoked in the meantime
            values: dict[str, Any] = {"prefix": prefix, "certificate_expires": expires}
            act = _audit_event(actor, "key.enroll_again", key_id)
            await self._write(lambda connection: statements.renew(connection, key_id, digest, None, values), act)
            changed = self._keys[key_id] = replace(self._keys[key_id], former_until=None, **values)
            self._by_digest = {known: found for known, found in self._by_digest.items() if found[0] != key_id}
            self._by_digest[digest] = (key_id, None)
        self._notify_listeners()
        return self._with_last_use(changed)

    async def end_certificates(self, *, actor: str = "") -> None:
        """Make all client certificates expire now: their clients have to enrol again. Raises DatabaseError."""
        now = time.time()
        async with self._changing:
            act = _audit_event(actor, "key.end_certificates", "")
            await self._write(lambda connection: statements.end_certificates(connection, now), act)
            ended = {key.id: key for key in self._keys.values() if (key.certificate_expires or 0.0) > now}
            self._keys |= {key_id: replace(key, certificate_expires=now, former_until=None) for key_id, key in ended.items()}
            self._by_digest = {known: one for known, one in self._by_digest.items() if one[1] is None or one[0] not in ended}
        self._notify_listeners()

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when this or another process changes a key; returns a function that unsubscribes."""
        self._listeners.append(callback)

        def stop() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return stop

    def invalidate(self) -> None:
        """Make the next `refresh` read all keys even if their version is unchanged."""
        self._version = -1

    async def refresh(self) -> None:
        """Reload keys that other processes changed. Raises DatabaseError."""
        async with self._changing:
            version = self._version
            loaded = await self._database.read(lambda connection: statements.load(connection, other_than=version))
            if loaded is None:
                return
            self._version = loaded.version
            self._keys = {row["id"]: ClientKey(**row) for row in loaded.rows if row["id"] not in self._revoked}
            self._by_digest = {digest: found for digest, found in loaded.by_digest.items() if found[0] in self._keys}
            self._used = {key_id: used for key_id, used in self._used.items() if key_id in self._keys}
            self._recorded_use = {key.id: key.last_used for key in self._keys.values() if key.last_used is not None}
        self._notify_listeners()

    async def _write[T](self, work: Callable[[Connection], T], act: AuditEvent) -> T:
        """Run `work`, record the audit event and increment the version.

        If another process changed something too, the next `refresh` reads all keys.
        """

        def counted(connection: Connection) -> tuple[T, int]:
            # First: its row lock serializes the transactions of several processes.
            version = statements.count_change(connection)
            audit.add(connection, act)
            return work(connection), version

        result, version = await self._database.write(counted)
        if version == self._version + 1:
            self._version = version
        return result

    def _record_use(self, key_id: str, now: float) -> None:
        self._used[key_id] = now
        if now - self._recorded_use.get(key_id, 0.0) >= _LAST_USED_SECONDS:
            self._write_queue.request_flush()

    def _with_last_use(self, key: ClientKey) -> ClientKey:
        used = self._used.get(key.id)
        return key if used is None or (key.last_used or 0.0) >= used else replace(key, last_used=used)

    def _notify_listeners(self) -> None:
        for callback in list(self._listeners):
            callback()

    @override
    def collect(self, *, last: bool) -> Write | None:
        now = time.time()
        used = self._in_flight = {
            key_id: used
            for key_id, used in self._used.items()
            if (recorded := self._recorded_use.get(key_id, 0.0)) != used and (last or now - recorded >= _LAST_USED_SECONDS)
        }
        revoked = self._revocations_in_flight = frozenset(self._revoked)
        if not used and not revoked:
            return None
        self._recorded_use.update(used)

        def write(connection: Connection) -> None:
            if revoked:
                statements.count_change(connection)
                statements.remove(connection, sorted(revoked))
                audit.add(connection, *(_audit_event("", "key.revoke", key_id) for key_id in sorted(revoked)))
            if used:
                statements.record_use(connection, used)

        return write

    @override
    def done(self, *, written: bool, again: bool) -> None:
        if written:
            self._revoked -= self._revocations_in_flight
        else:
            for key_id in self._in_flight:
                self._recorded_use.pop(key_id, None)
        self._in_flight, self._revocations_in_flight = {}, frozenset()


def _audit_event(actor: str, act: str, key_id: str) -> AuditEvent:
    return AuditEvent(time.time(), actor, act, key_id)
