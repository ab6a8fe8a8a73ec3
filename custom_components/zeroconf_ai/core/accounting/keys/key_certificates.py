"""`KeyCertificates`: renews, replaces and ends the client certificates among the keys."""

from dataclasses import replace
import time
from typing import Any

from ...protocol.errors import InvalidRequestError
from . import statements
from .client_key import ClientKey
from .key_changes import KeyChanges, audit_event


class KeyCertificates(KeyChanges):
    """The keys with what changes their client certificates."""

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
            act = audit_event(key.id, "key.renew", key.id)
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
            act = audit_event(actor, "key.enroll_again", key_id)
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
            act = audit_event(actor, "key.end_certificates", "")
            await self._write(lambda connection: statements.end_certificates(connection, now), act)
            ended = {key.id: key for key in self._keys.values() if (key.certificate_expires or 0.0) > now}
            self._keys |= {key_id: replace(key, certificate_expires=now, former_until=None) for key_id, key in ended.items()}
            self._by_digest = {known: one for known, one in self._by_digest.items() if one[1] is None or one[0] not in ended}
        self._notify_listeners()
