"""Enrols this client with a provider, which then knows it by a certificate (docs/protocol.md, section 4), and renews that.

Nothing secret is sent before the provider's own certificate is proven: a typed code is never sent at all (SPAKE2 over the code
and both sides' keys), and without a code a person compares the digits on both screens.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
import hashlib
import logging
import time
from typing import Any, Final
from urllib.parse import quote, urlsplit

import aiohttp
from cryptography.hazmat.primitives.asymmetric import ec

from ..backends.base import Endpoint
from ..backends.client_tls import pin_digest, pinned_context, unverified_context
from ..backends.enrolments import Enrolment, EnrolmentStore, is_usable_id
from ..backends.http import HttpUpstream
from ..protocol.errors import (
    CertificateError,
    NotFoundError,
    PermissionDeniedError,
    UpstreamConnectionError,
    UpstreamTimeoutError,
)
from ..protocol.hand_over import fingerprint_of
from ..protocol.key_proof import encode
from ..protocol.pairing import (
    MESSAGE_BYTES,
    NONCE_BYTES,
    PROOF_BYTES,
    Pairing,
    PairingError,
    WrongCodeError,
    commitment,
    comparison_digits,
    new_nonce,
    read_code,
)
from ..protocol.reasons import connection_reason
from ..protocol.status import Health
from .enrolment_wire import (
    MAX_BYTES,
    PATH,
    CodeRefusedError,
    EnrolmentError,
    PinChangedError,
    RefusedByOwnerError,
    RequestOverError,
    bytes_of,
    object_of,
    post,
    text_of,
)
from .signing import identity_of, issued, make_csr

_LOGGER = logging.getLogger(__name__)

_CONNECT_SECONDS: Final = 10.0
_MAX_NAME: Final = 64
_POLL_SECONDS: Final = (1.0, 30.0)
"""Limits of the interval that the provider asks for."""
_PENDING_SECONDS: Final = 900.0
"""How long the owner's decision is waited for, at most: a request ends after ten minutes."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider that is to be enrolled with, and the certificate that it presents, which all following connections require."""

    id: str
    name: str
    base_url: str
    certificate: bytes = field(repr=False)
    """DER."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its certificate, base64url."""
        return fingerprint_of(self.certificate)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A new enrolment, which is not stored yet, with the private key and the certificate (PEM)."""

    enrolment: Enrolment
    certificate: bytes = field(repr=False)

    def save(self, store: EnrolmentStore) -> None:
        """Store it. Blocking. Raises OSError."""
        store.save(self.enrolment, self.certificate)


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that waits for the owner's decision."""

    id: str
    ticket: str = field(repr=False)
    digits: str
    """Six digits, which the provider's page must show too: else another machine is in between."""
    poll_seconds: float


async def look_at(session: aiohttp.ClientSession, base_url: str, *, name: str | None = None, pin: str | None = None) -> Provider:
    """The provider at an https address. Nothing secret is sent.

    `name`: as errors name it (None: by its address). `pin`: the fingerprint that its certificate must have.

    Raises PinChangedError for another certificate, EnrolmentError for a server that gives no certificates, ApiError if it does
    not answer.
    """
    certificate = await presented_certificate(base_url)
    if pin is not None and pin_digest(pin) != hashlib.sha256(certificate).digest():
        raise PinChangedError(
            f"{_host(base_url)} presents another certificate than the pinned one: it was made anew, or another machine answers."
            " Nothing was sent to it. Compare the fingerprint on the machine itself"
        )
    context = pinned_context(fingerprint_of(certificate))
    upstream = HttpUpstream(session, Endpoint(base_url, ssl=context), name=_host(base_url))
    health = Health.parse(await upstream.get_json("/health", secret=False))
    if health.id is None or not is_usable_id(health.id):
        raise EnrolmentError(f"{_host(base_url)} is not a provider that gives certificates to clients")
    return Provider(health.id, name or _host(base_url), base_url, certificate)


async def presented_certificate(base_url: str) -> bytes:
    """The certificate (DER) that the server at an https address presents. Raises UpstreamConnectionError."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(
                host, parts.port or 443, ssl=unverified_context(), server_hostname=host, limit=MAX_BYTES
            )
    except TimeoutError:
        raise UpstreamTimeoutError(f"{_host(base_url)} did not accept the connection within {_CONNECT_SECONDS:g} s") from None
    except OSError as err:
        raise UpstreamConnectionError(f"{_host(base_url)} could not be reached: {connection_reason(err)}") from None
    try:
        found: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.transport.abort()
    if not found:
        raise UpstreamConnectionError(f"{_host(base_url)} presents no certificate")
    return found


class Enroller:
    """Asks one provider for a certificate. Belongs to one attempt of one client, whose private key it makes."""

    def __init__(self, session: aiohttp.ClientSession, provider: Provider, name: str) -> None:
        """`name` says what this client is, for the provider's owner."""
        self._provider = provider
        self._name = name.strip()[:_MAX_NAME]
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._upstream = _upstream(session, provider)

    async def with_code(self, code: str) -> Enrolled:
        """Enrol by the one-time code that the provider's owner has made. The code is not sent.

        Raises CodeError for a text that cannot be a code, CodeRefusedError, EnrolmentError, ApiError.
        """
        read_code(code)
        own, peer = await asyncio.to_thread(self._identities)
        pairing = await asyncio.to_thread(Pairing.client, code, own, peer)
        begun = await self._send({"csr": self._csr(), "name": self._name, "pake": encode(pairing.message)})
        try:
            session = text_of(begun, "session")
            await asyncio.to_thread(pairing.finish, bytes_of(begun, "pake", MESSAGE_BYTES))
            pairing.check(bytes_of(begun, "proof", PROOF_BYTES))
        except WrongCodeError:
            raise CodeRefusedError(
                f"{self._provider.name} does not know this one-time code: it was mistyped or has ended, or another machine"
                " answers in its place. The code was not sent"
            ) from None
        except PairingError:
            raise EnrolmentError(f"{self._provider.name} answered with something that is no pairing") from None
        return await self._enrolled(await self._send({"session": session, "proof": encode(pairing.proof)}))

    async def ask_owner(self) -> Pending:
        """Ask the provider's owner, who sees the name of this client and the same digits. Raises EnrolmentError, ApiError."""
        nonce = new_nonce()
        begun = await self._send({"csr": self._csr(), "name": self._name, "commitment": encode(commitment(nonce))})
        ticket, others = text_of(begun, "ticket"), bytes_of(begun, "nonce", NONCE_BYTES)
        own, peer = await asyncio.to_thread(self._identities)
        request = text_of(begun, "request")
        shown = await self._send({"request": request, "nonce": encode(nonce)}, ticket=ticket)
        wait = shown.get("poll_after_seconds")
        seconds = wait if isinstance(wait, int | float) else 0
        # Those of the answer are not shown: another machine may be in between.
        digits = comparison_digits(nonce, others, own, peer)
        return Pending(request, ticket, digits, min(max(_POLL_SECONDS[0], seconds), _POLL_SECONDS[1]))

    async def decision(self, pending: Pending) -> Enrolled | None:
        """The certificate if the owner has agreed; None while the request waits.

        A person must have compared the digits before it is used. Raises RefusedByOwnerError, RequestOverError, ApiError.
        """
        path = f"{PATH}/{quote(pending.id, safe='')}"
        try:
            status, body = await self._upstream.exchange("GET", path, headers=self._headers(pending.ticket), limit=MAX_BYTES)
        except PermissionDeniedError:
            raise RefusedByOwnerError(f"The owner of {self._provider.name} has refused the request") from None
        except NotFoundError:
            raise RequestOverError(f"The request to {self._provider.name} has ended without an answer") from None
        return None if status == 202 else await self._enrolled(object_of(body, self._provider.name))

    async def wait(self, pending: Pending) -> Enrolled:
        """Wait for the owner's decision. Raises as `decision` does, and RequestOverError after 15 minutes."""
        deadline = time.monotonic() + _PENDING_SECONDS
        while time.monotonic() < deadline:
            try:
                found = await self.decision(pending)
            except (UpstreamConnectionError, UpstreamTimeoutError) as err:
                if isinstance(err, CertificateError):
                    raise
                _LOGGER.debug("The decision is asked for again: %s", err)
                found = None
            if found is not None:
                return found
            await asyncio.sleep(pending.poll_seconds)
        raise RequestOverError(f"The request to {self._provider.name} has ended without an answer")

    def _identities(self) -> tuple[bytes, bytes]:
        """SHA-256 of this client's public key, and of the provider's certificate."""
        return identity_of(self._key.public_key()), hashlib.sha256(self._provider.certificate).digest()

    def _csr(self) -> str:
        return make_csr(self._key)

    def _headers(self, ticket: str | None) -> dict[str, str]:
        found = self._upstream.headers(secret=False)
        return found if ticket is None else found | {"Authorization": f"Bearer {ticket}"}

    async def _send(self, body: Mapping[str, str], *, ticket: str | None = None) -> Mapping[str, Any]:
        return await post(self._upstream, body, self._headers(ticket))

    async def _enrolled(self, answer: Mapping[str, Any]) -> Enrolled:
        provider = self._provider
        found = await asyncio.to_thread(issued, answer, self._key, provider.name)
        leaf = found.leaf
        enrolment = Enrolment(
            provider.id,
            provider.name,
            provider.base_url,
            provider.fingerprint,
            found.authority,
            leaf.not_valid_before_utc,
            leaf.not_valid_after_utc,
        )
        return Enrolled(enrolment, found.certificate)


def _upstream(session: aiohttp.ClientSession, provider: Provider) -> HttpUpstream:
    endpoint = Endpoint(provider.base_url, ssl=pinned_context(provider.fingerprint))
    return HttpUpstream(session, endpoint, name=provider.name)


def _host(base_url: str) -> str:
    """Host and port of an address, for errors."""
    return urlsplit(base_url).netloc or base_url
