"""`KeyChanges`: creates, changes, rotates and revokes API keys, in the database and in memory."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
import time
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from ...protocol import key_proof
from ...protocol.errors import InvalidRequestError, PermissionDeniedError
from ...protocol.hosted_tools import checked_grants
from ...protocol.values import clean
from .. import audit
from ..audit import AuditEvent
from ..storage.database import Database, DatabaseError
from ..storage.write_queue import WriteQueue
from . import statements
from .client_key import LARGEST_RATE, ClientKey
from .key_secret import PREFIX_LENGTH, new_secret
from .known_keys import KnownKeys
from .labels import checked_labels
from .llm_apis import check_owner, checked_llm_apis

DAY = 86_400.0
_NAME_LIMIT = 100
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


class KeyChanges(KnownKeys):
    """The keys with what changes them. An audit event is stored with each change."""

    def __init__(self, database: Database, write_queue: WriteQueue) -> None:
        """Without keys."""
        super().__init__(write_queue)
        self._database = database
        self._changing = asyncio.Lock()
        self._version = -1
        """The version of the table at the last read."""
        self._revoked: set[str] = set()
        """Revoked keys that the database still contains."""

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

            await self._write(add, audit_event(actor, "key.create", key.id))
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
            act = audit_event(actor, "key.update", key_id)
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
                act = audit_event(actor, "key.revoke", key_id)
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
            act = audit_event(actor, "key.rotate", key_id)
            former = await self._write(lambda connection: statements.rotate(connection, key_id, new, prefix, until), act)
            key = self._keys[key_id] = replace(self._keys[key_id], prefix=prefix, former_until=until)
            self._by_digest = {digest: found for digest, found in self._by_digest.items() if found[0] != key_id}
            self._by_digest[new] = (key_id, None)
            if until is not None:
                self._by_digest[former] = (key_id, until)
        self._notify_listeners()
        return self._with_last_use(key), secret

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


def _checked_rate(limit: int | None) -> int | None:
    """Raises ValueError for an invalid limit."""
    if limit is not None and not 1 <= limit <= LARGEST_RATE:
        raise ValueError(f"A limit must be a whole number from 1 to {LARGEST_RATE}, or none.")
    return limit


def audit_event(actor: str, act: str, key_id: str) -> AuditEvent:
    """The event of a change now. `act`: such as `key.create`."""
    return AuditEvent(time.time(), actor, act, key_id)
