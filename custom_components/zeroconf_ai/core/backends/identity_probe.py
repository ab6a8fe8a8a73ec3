"""`IdentityProbe`: checks which provider answers at an address, and whether it can prove the key. Never sends the key."""

import asyncio
import hmac
import logging
import secrets
from typing import Any, TypedDict, override
from urllib.parse import quote

import aiohttp
from aiohttp.connector import Connection

from ..lan.identity import Reply, Target
from ..protocol import hand_over, key_proof
from ..protocol.errors import ApiError, AuthenticationError
from ..protocol.status import Health
from .base import Endpoint, Ssl
from .http import HttpUpstream
from .zeroconfai import fingerprint_ssl, probe

_LOGGER = logging.getLogger(__name__)


class ConfirmedKey(TypedDict):
    """The fields of `identity.Confirmed` about a key."""

    keyed: bool
    provable: bool


def confirmed_key(key: str | None) -> ConfirmedKey:
    """The fields for a key; None: the provider has no key."""
    return {"keyed": key is not None, "provable": key is not None and key_proof.is_generated(key)}


class IdentityProbe:
    """An `identity.Probe` for one provider."""

    def __init__(self, session: aiohttp.ClientSession, name: str, provider_id: str, key: str | None = None) -> None:
        """`session` is shared and stays open; `name` is what log lines call the provider."""
        self._session = session
        self._name = name
        self._id = provider_id
        self._key = key if key is not None and key_proof.is_generated(key) else None

    async def __call__(self, target: Target) -> Reply:
        """Which provider answers at `target`."""
        try:
            ssl: Ssl = fingerprint_ssl(target.fingerprint) if target.fingerprint else target.verify
        except ValueError:
            _LOGGER.warning("The certificate fingerprint of %s is invalid", self._name)
            return Reply.SILENT
        endpoint = Endpoint(target.base_url, ssl=ssl, public_only=target.public_only)
        if target.handed_over_by is not None:
            return await self._handed_over(endpoint, target.handed_over_by, target.fingerprint or "")
        try:
            health = await probe(self._session, endpoint, self._name)
        except AuthenticationError:
            return Reply.WANTS_KEY
        except ApiError as err:
            _LOGGER.debug("%s does not answer at %s: %s", self._name, target.base_url, err)
            return Reply.SILENT
        if health.id is None:
            return Reply.UNNAMED
        if health.id != self._id:
            return Reply.OTHER
        if target.prove and self._key is not None and await proves_key(endpoint, self._name, self._id, self._key):
            return Reply.PROVEN
        return Reply.KNOWN

    async def _handed_over(self, endpoint: Endpoint, pinned: str, presented: str) -> Reply:
        """HANDED_OVER if the server at `endpoint`, which presents `presented`, has the signature of the certificate `pinned`."""
        upstream = HttpUpstream(self._session, endpoint, name=self._name)
        try:
            health = Health.parse(await upstream.get_json(f"/health?handover={quote(pinned)}", secret=False))
        except ApiError as err:
            _LOGGER.debug("%s hands over no certificate at %s: %s", self._name, endpoint.base_url, err)
            return Reply.SILENT
        if health.id != self._id:
            return Reply.OTHER
        signed = await asyncio.to_thread(hand_over.is_handed_over, self._id, pinned, presented, health.handover)
        return Reply.HANDED_OVER if signed else Reply.KNOWN


async def proves_key(endpoint: Endpoint, name: str, provider_id: str, key: str) -> bool:
    """Whether the server at `endpoint` proves that it is `provider_id` and knows `key`, which is not sent.

    `key` must be a generated one. The proof is checked against the address and port that this connection really has.
    """
    digest, challenge = key_proof.digest(key), secrets.token_bytes(key_proof.CHALLENGE_BYTES)
    query = f"kid={key_proof.encode(key_proof.key_id(digest))}&challenge={key_proof.encode(challenge)}"
    connector = _PeerConnector()
    async with aiohttp.ClientSession(connector=connector) as session:
        upstream = HttpUpstream(session, Endpoint(endpoint.base_url, ssl=endpoint.ssl), name=name)
        try:
            proof = Health.parse(await upstream.get_json(f"/health?{query}", secret=False)).proof
        except ApiError as err:
            _LOGGER.debug("%s gives no proof at %s: %s", name, endpoint.base_url, err)
            return False
    if proof is None or connector.peer is None:
        return False
    address, port = connector.peer
    expected = key_proof.encode(key_proof.prove(digest, challenge, provider_id, address, port))
    return hmac.compare_digest(proof.encode(), expected.encode())


class _PeerConnector(aiohttp.TCPConnector):
    """Opens the single connection of a proof and keeps its peer address.

    The response cannot provide it: the connection of a small complete response is already released.
    """

    def __init__(self) -> None:
        super().__init__(force_close=True)
        self.peer: tuple[str, int] | None = None

    @override
    async def connect(self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout) -> Connection:
        connection = await super().connect(req, traces, timeout)
        peer = connection.transport.get_extra_info("peername") if connection.transport is not None else None
        self.peer = (str(peer[0]), int(peer[1])) if isinstance(peer, tuple) else None
        return connection
