"""Authentication of requests (docs/protocol.md, section 4)."""

from abc import ABC, abstractmethod
import hmac
from typing import override

from aiohttp import web

from ...engine import Caller, Source
from ...protocol.errors import AuthenticationError
from ...protocol.key_proof import digest
from ...protocol.presented_key import presented_key
from ...protocol.record import Auth


class Access(ABC):
    """Authenticates every request to a route that is not public."""

    @property
    @abstractmethod
    def required(self) -> bool:
        """Whether requests need a key or a client certificate."""

    @abstractmethod
    async def admit(self, request: web.Request, scope: str) -> Caller:
        """The caller of a request to a route with that scope (`dispatch.Route.scope`).

        Raises AuthenticationError for a missing or invalid key, PermissionDeniedError for a key without this permission or an
        address outside the allowed networks, RateLimitError for an address that sent too many invalid keys,
        UnsupportedMediaTypeError for a body that any web page could send.
        """

    @property
    def mode(self) -> Auth:
        """What is advertised as `auth`."""
        return Auth.TOKEN if self.required else Auth.NONE

    def check_page(self, request: web.Request) -> None:  # noqa: B027 - without a guard, all are accepted
        """Raise PermissionDeniedError or UnsupportedMediaTypeError for a request that a web page of another site sends."""

    def check_network(self, request: web.Request) -> None:  # noqa: B027 - as above
        """Raise PermissionDeniedError for an address outside the networks that are allowed without an API key."""

    def client_address(self, request: web.Request) -> str | None:
        """The address of a client, also behind a reverse proxy that is trusted."""
        return request.remote

    def masked(self, key_id: str) -> str | None:
        """The start of the key with that id, by which people recognize it; None for an unknown id."""
        return None

    def proof_digest(self, kid: bytes) -> bytes | None:
        """The SHA-256 of the generated key with that public id (`key_proof.key_id`); None if the key is unknown or not valid."""
        return None


class KeyCheck(Access):
    """One key for all clients, or no key in a trusted network."""

    def __init__(self, key: str | None) -> None:
        """`key` None accepts every client. Only a hash of the key is kept."""
        self._digest = digest(key) if key else None

    @property
    @override
    def required(self) -> bool:
        return self._digest is not None

    @override
    async def admit(self, request: web.Request, scope: str) -> Caller:
        if self._digest is not None:
            # Hashes of equal length, compared in constant time: the response time reveals nothing about the key.
            if not hmac.compare_digest(digest(required_key(request)), self._digest):
                raise AuthenticationError("Invalid API key.")
        return Caller(Source.HTTP, request.remote or "", address=request.remote)


def required_key(request: web.Request) -> str:
    """The key of a request. Raises AuthenticationError if the request has no key.

    A key in the URL (`?key=`, as older clients of Google send it) is not accepted: URLs end up in logs of proxies and browsers.
    """
    key = presented_key(request.headers)
    if key is None:
        if "key" in request.query:
            message = "API keys in the URL are not accepted, because URLs end up in logs. Send it as 'x-goog-api-key: KEY'."
            raise AuthenticationError(message, code="missing_api_key")
        message = "No API key was sent. Send it as 'Authorization: Bearer KEY', 'x-api-key: KEY' or 'api-key: KEY'."
        raise AuthenticationError(message, code="missing_api_key")
    return key
