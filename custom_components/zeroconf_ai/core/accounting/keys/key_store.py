"""`KeyStore`: API keys and client certificates, stored as hashes and verified in memory."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
import math
import time
from typing import override

from sqlalchemy import Connection

from ...protocol import key_proof
from .. import audit
from ..storage.database import Database, DatabaseError
from ..storage.write_queue import QueuedWriter, Write, WriteQueue
from . import statements
from .client_key import ClientKey
from .key_certificates import KeyCertificates
from .key_changes import audit_event
from .known_keys import LAST_USED_SECONDS

_LOOK_UP_SECONDS = 0.25
"""The minimum interval between two reads of the keys because of unknown secrets, from all callers together."""


class KeyStore(KeyCertificates, QueuedWriter):
    """All API keys, cached in memory. Not thread-safe: all calls come from one event loop."""

    def __init__(self, database: Database, write_queue: WriteQueue) -> None:
        """Empty until `refresh` is called."""
        super().__init__(database, write_queue)
        self._looking_up = asyncio.Lock()
        self._looked_up = -math.inf
        self._in_flight: Mapping[str, float] = {}
        self._revocations_in_flight: frozenset[str] = frozenset()
        write_queue.add(self)

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

    @override
    def collect(self, *, last: bool) -> Write | None:
        now = time.time()
        used = self._in_flight = {
            key_id: used
            for key_id, used in self._used.items()
            if (recorded := self._recorded_use.get(key_id, 0.0)) != used and (last or now - recorded >= LAST_USED_SECONDS)
        }
        revoked = self._revocations_in_flight = frozenset(self._revoked)
        if not used and not revoked:
            return None
        self._recorded_use.update(used)

        def write(connection: Connection) -> None:
            if revoked:
                statements.count_change(connection)
                statements.remove(connection, sorted(revoked))
                audit.add(connection, *(audit_event("", "key.revoke", key_id) for key_id in sorted(revoked)))
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
