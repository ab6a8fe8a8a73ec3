"""`Enrolment`: gives clients their certificates, by a one-time code, by the owner's approval, or over the certificate before."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import hashlib
import logging
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from ...accounting.keys.certificates import certificate_digest
from ...accounting.keys.client_key import ClientKey
from ...accounting.one_time_codes import InvalidCodeError, OneTimeCode, OneTimeCodes, Purpose
from ...protocol.errors import InvalidRequestError, NotFoundError, RateLimitError
from ...protocol.pairing import Pairing, PairingError, WrongCodeError
from ..access.auth_throttle import AuthThrottle
from .pending import EnrolmentRequest, PendingRequests, State

if TYPE_CHECKING:
    from ...accounting.store import AccountingStore
    from ..tls.client_authority import ClientAuthority

_LOGGER = logging.getLogger(__name__)

PAIRING_SECONDS: Final = 60.0
"""Maximum time from the server's proof until the client's proof."""
NO_FIELDS: Final[Mapping[str, Any]] = {}
_KEY: Final = "key_id"
"""The name in the details of a code for the id of the key whose client enrols again."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an enrolled client gets."""

    key: ClientKey
    pem: str
    authority_pem: str

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the protocol."""
        return {
            "id": self.key.id,
            "certificate": self.pem,
            "authority": self.authority_pem,
            "expires_at": self.key.certificate_expires,
        }


@dataclass(slots=True)
class _Session:
    """A pairing whose client has not proved the code yet."""

    pairing: Pairing
    code: OneTimeCode
    public_key: Any
    name: str
    ends: float


@dataclass(frozen=True, slots=True)
class Begun:
    """What the client needs to check the code and to prove it."""

    session: str = field(repr=False)
    message: bytes
    proof: bytes


class Enrolment:
    """The enrolment of one server. Belongs to its event loop."""

    def __init__(
        self,
        store: "AccountingStore",
        authority: "ClientAuthority",
        own_fingerprint: Callable[[], bytes],
        codes: OneTimeCodes | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`own_fingerprint`: SHA-256 of the server's certificate. `codes`: those of the process, which other purposes use too."""
        self._keys = store.keys
        self._audit = store.audit
        self._authority = authority
        self._own_fingerprint = own_fingerprint
        self._clock = clock
        self.codes = codes or OneTimeCodes(clock)
        self.pending = PendingRequests(clock)
        self._sessions: dict[str, _Session] = {}
        self._throttle = AuthThrottle(clock, "tried to enrol")
        self._listeners: list[Callable[[], None]] = []
        self._stop_listening = self.codes.listen(self._notify)

    def close(self) -> None:
        """End. The codes stay open for other purposes."""
        self._stop_listening()
        self.codes.close(Purpose.ENROLL)

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when a client asks or is decided on, or a code is made or used; returns what unsubscribes."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def make_code(self, fields: Mapping[str, Any] = NO_FIELDS, *, actor: str = "") -> OneTimeCode:
        """Make a one-time code; the former one ends. `fields`: those of its client's key (`KeyStore.create`)."""
        self._audit.record(actor, "enroll.code", "")
        return self.codes.make(Purpose.ENROLL, dict(fields), actor=actor)

    def make_code_for(self, key_id: str, *, actor: str = "") -> OneTimeCode:
        """Make a one-time code for the client of a key, which enrols again and keeps limits, budgets and records.

        Raises NotFoundError if no client certificate has that key.
        """
        key = self._keys.get(key_id)
        if key is None or not key.certificate:
            raise NotFoundError("There is no such client certificate.")
        self._audit.record(actor, "enroll.code", key_id)
        return self.codes.make(Purpose.ENROLL, {_KEY: key_id}, actor=actor)

    def close_code(self) -> None:
        """End the open code."""
        self.codes.close(Purpose.ENROLL)

    async def by_code(self, address: str | None, name: str, csr: object, code: str) -> Certificate:
        """The certificate of a client that sends the code itself, because it has checked this server's certificate.

        Raises InvalidRequestError, InvalidCodeError, RateLimitError, DatabaseError.
        """
        self._admit(address)
        public_key = await self._read(address, csr)
        try:
            found = self.codes.redeem(Purpose.ENROLL, code)
        except InvalidCodeError:
            self._failed(address)
            raise
        return await self._issue_by(found, public_key, name)

    async def begin_pairing(self, address: str | None, name: str, csr: object, message: bytes) -> Begun:
        """Begin the pairing with a client that has a code and does not send it. It takes a try. Raises as `by_code` does."""
        self._admit(address)
        public_key = await self._read(address, csr)
        identity, own = _identity(public_key), self._own_fingerprint()
        try:
            code = self.codes.begin(Purpose.ENROLL)
        except InvalidCodeError:
            self._failed(address)
            raise
        try:
            pairing, proof = await asyncio.to_thread(_pair, code.code, own, identity, message)
        except PairingError as err:
            raise InvalidRequestError(f"'pake': {err}.", param="pake", code="invalid_pake") from None
        now = self._clock()
        self._sessions = {one: found for one, found in self._sessions.items() if found.ends > now}
        session = secrets.token_urlsafe(24)
        self._sessions[session] = _Session(pairing, code, public_key, name, now + PAIRING_SECONDS)
        return Begun(session, pairing.message, proof)

    async def finish_pairing(self, address: str | None, session: str, proof: bytes) -> Certificate:
        """The certificate of a client that has proved the code. Raises as `by_code` does."""
        self._admit(address)
        found = self._sessions.pop(session, None)
        try:
            if found is None or self._clock() >= found.ends:
                raise InvalidCodeError
            found.pairing.check(proof)
            self.codes.complete(found.code)
        except (InvalidCodeError, WrongCodeError):
            self._failed(address)
            raise InvalidCodeError from None
        return await self._issue_by(found.code, found.public_key, found.name)

    async def ask(self, address: str | None, name: str, csr: object, committed: bytes) -> tuple[EnrolmentRequest, str]:
        """Add a client that waits for the owner's approval; returns its request and its ticket. Raises as `by_code` does."""
        self._admit(address)
        public_key = await self._read(address, csr)
        return self.pending.add(name, address or "", public_key, _identity(public_key), self._own_fingerprint(), committed)

    def reveal(self, request_id: str, ticket: str, nonce: bytes) -> EnrolmentRequest:
        """Show a waiting client to the owner, once. Raises as `PendingRequests.reveal` does."""
        shown = self.pending.find(request_id, ticket).check is not None
        found = self.pending.reveal(request_id, ticket, nonce)
        if shown:  # the client sends it again because the answer was lost
            return found
        text = "%r at %s asks for a client certificate. Approve it only if it shows the digits %s"
        _LOGGER.warning(text, found.name, found.address, found.check)
        self._notify()
        return found

    async def approve(self, request_id: str, fields: Mapping[str, Any] = NO_FIELDS, *, actor: str = "") -> ClientKey:
        """Give a waiting client its certificate. `fields`: those of its key (`KeyStore.create`), such as another name.

        Raises NotFoundError, DatabaseError, and what `KeyStore.create` does.
        """
        request = self.pending.get(request_id)
        self.pending.decide(request, State.APPROVED)
        try:
            made = await self._issue(request.public_key, {"name": request.name, **fields}, actor)
        except BaseException:
            self.pending.decide(request, State.PENDING)
            raise
        self.pending.decide(request, State.APPROVED, made)
        self._notify()
        return made.key

    def refuse(self, request_id: str, *, actor: str = "") -> None:
        """Refuse a waiting client. Raises NotFoundError."""
        request = self.pending.get(request_id)
        self.pending.decide(request, State.REFUSED)
        self._audit.record(actor, "enroll.refuse", f"{request.name} ({request.address})")
        self._notify()

    async def renew(self, address: str | None, presented: bytes, csr: object) -> Certificate:
        """A new certificate for a client, over a connection with the certificate whose hash is `presented`.

        Raises InvalidRequestError, as `KeyStore.check_certificate` does, RateLimitError after too many renewals from `address`,
        DatabaseError.
        """
        self._keys.check_certificate(presented)
        self._count(address)
        public_key = await self._read(address, csr)
        made = await asyncio.to_thread(self._authority.issue, public_key)
        key = await self._keys.renew(presented, certificate_digest(made.der), made.prefix, made.expires)
        return Certificate(key, made.pem, made.authority_pem)

    async def replace_authority(self, *, actor: str = "") -> None:
        """Replace the CA that signs clients, and end all certificates. Raises TlsError, DatabaseError."""
        await asyncio.to_thread(self._authority.replace)
        await self._keys.end_certificates(actor=actor)

    async def _issue_by(self, code: OneTimeCode, public_key: Any, name: str) -> Certificate:
        """The certificate for a code, which is open again if it cannot be stored."""
        try:
            return await self._issue(public_key, {"name": name, **(code.details or NO_FIELDS)}, code.actor)
        except BaseException:
            self.codes.give_back(code)
            raise

    async def _issue(self, public_key: Any, fields: Mapping[str, Any], actor: str) -> Certificate:
        made = await asyncio.to_thread(self._authority.issue, public_key)
        digest = certificate_digest(made.der)
        if _KEY in fields:
            try:
                key = await self._keys.replace_certificate(fields[_KEY], digest, made.prefix, made.expires, actor=actor)
            except KeyError:
                raise NotFoundError("The client was revoked. Ask the owner for another code.") from None
        else:
            key = await self._keys.adopt(
                digest=digest, prefix=made.prefix, certificate_expires=made.expires, actor=actor, **fields
            )
        return Certificate(key, made.pem, made.authority_pem)

    async def _read(self, address: str | None, csr: object) -> Any:
        """The public key of a CSR. An invalid one counts as a failed try. Raises InvalidRequestError, RateLimitError."""
        from ..tls.signing_request import read_request  # noqa: PLC0415 - only servers with TLS need `cryptography`

        try:
            return await asyncio.to_thread(read_request, csr)
        except InvalidRequestError:
            self._count(address)
            raise

    def _admit(self, address: str | None) -> None:
        """Raise RateLimitError for an address that failed too often."""
        if wait := self._throttle.wait(address):
            raise _too_often(address, wait)

    def _failed(self, address: str | None) -> None:
        """Record a failed try. Raises RateLimitError after too many."""
        if self.codes.current(Purpose.ENROLL) is None:
            _LOGGER.warning("%s tried to enrol with a wrong one-time code, or without an open one", address)
        self._count(address)

    def _count(self, address: str | None) -> None:
        """Count a try. Raises RateLimitError after too many."""
        if wait := self._throttle.failed(address):
            raise _too_often(address, wait)

    def _notify(self) -> None:
        for callback in tuple(self._listeners):
            callback()


def _pair(code: str, own: bytes, peer: bytes, message: bytes) -> tuple[Pairing, bytes]:
    """The server's side of a pairing, and its proof. Takes some milliseconds of CPU. Raises PairingError."""
    pairing = Pairing.server(code, own, peer)
    pairing.finish(message)
    return pairing, pairing.proof


def _identity(public_key: Any) -> bytes:
    """What a client is bound to: SHA-256 of its public key."""
    from ..tls.signing_request import public_der  # noqa: PLC0415 - as above

    return hashlib.sha256(public_der(public_key)).digest()


def _too_often(address: str | None, wait: float) -> RateLimitError:
    message = f"{address} tried to enrol too often. Try again in {wait:.0f} s."
    return RateLimitError(message, code="too_many_enrollments", retry_after=wait)
