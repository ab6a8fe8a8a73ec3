"""`KnownKeys`: verifies API keys and client certificates in memory."""

from collections.abc import Callable, Iterator
from dataclasses import replace
import hmac
import time

from ...protocol import key_proof
from ...protocol.errors import AuthenticationError
from ..admission import RateLimits
from ..storage.write_queue import WriteQueue
from .certificates import ExpiredCertificateError, UnknownCertificateError
from .client_key import ClientKey
from .key_secret import SECRET_LIMIT

LAST_USED_SECONDS = 60.0
"""The minimum interval between two writes of a key's last use."""


class KnownKeys:
    """The keys by the hashes of their secrets or certificates, and their last use. Used on one event loop."""

    def __init__(self, write_queue: WriteQueue) -> None:
        """Without keys. `write_queue` writes their last use."""
        self._write_queue = write_queue
        self._keys: dict[str, ClientKey] = {}
        self._by_digest: dict[bytes, tuple[str, float | None]] = {}
        """Key id and expiry of the secret by its hash (None: valid as long as the key)."""
        self._used: dict[str, float] = {}
        self._recorded_use: dict[str, float] = {}
        """The values of `_used` that the database has or is about to get."""
        self._listeners: list[Callable[[], None]] = []

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

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when this or another process changes a key; returns a function that unsubscribes."""
        self._listeners.append(callback)

        def stop() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return stop

    def _record_use(self, key_id: str, now: float) -> None:
        self._used[key_id] = now
        if now - self._recorded_use.get(key_id, 0.0) >= LAST_USED_SECONDS:
            self._write_queue.request_flush()

    def _with_last_use(self, key: ClientKey) -> ClientKey:
        used = self._used.get(key.id)
        return key if used is None or (key.last_used or 0.0) >= used else replace(key, last_used=used)

    def _notify_listeners(self) -> None:
        for callback in list(self._listeners):
            callback()
