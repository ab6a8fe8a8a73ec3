"""Who may ask, and as whom (docs/protocol.md, section 4)."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
import hmac
from typing import override

from aiohttp import web

from ...engine import Caller, Source
from ...protocol.errors import AuthenticationError
from ...protocol.key_proof import digest


class Access(ABC):
    """Decides of every request that is not public."""

    @property
    @abstractmethod
    def required(self) -> bool:
        """Whether a key is needed at all: what is advertised as `auth`."""

    @abstractmethod
    async def admit(self, request: web.Request, scope: str) -> Caller:
        """Who asks for a route of that scope (`dispatch.Route.scope`).

        Raises AuthenticationError without a good key, PermissionDeniedError for one that may not do this or a network that is
        not let in, RateLimitError for an address that tried too many wrong keys, UnsupportedMediaTypeError for a body that any
        web page could send.
        """

    def masked(self, key_id: str) -> str | None:
        """The key of that id as people know it again, without being told it; None where it is not known."""
        return None

    def proof_digest(self, kid: bytes) -> bytes | None:
        """The SHA-256 of the generated key with that public id (`key_proof.key_id`); None where it is not good for anything."""
        return None


class KeyCheck(Access):
    """One key for all, or none at all where the network is trusted."""

    def __init__(self, key: str | None) -> None:
        """None lets everybody in. Only a hash of the key is kept."""
        self._digest = digest(key) if key else None

    @property
    @override
    def required(self) -> bool:
        return self._digest is not None

    @override
    async def admit(self, request: web.Request, scope: str) -> Caller:
        if self._digest is not None:
            # Hashes of equal length, compared in constant time: the answer's delay tells nothing about the key.
            if not hmac.compare_digest(digest(needed_key(request.headers)), self._digest):
                raise AuthenticationError("Invalid API key.")
        return Caller(Source.HTTP, request.remote or "", address=request.remote)


def needed_key(headers: Mapping[str, str]) -> str:
    """The key that a request carries. Raises AuthenticationError where it carries none."""
    key = presented_key(headers)
    if key is None:
        message = "No key was sent. Send it as 'Authorization: Bearer KEY' or as 'x-api-key: KEY'."
        raise AuthenticationError(message, code="missing_api_key")
    return key


def presented_key(headers: Mapping[str, str]) -> str | None:
    """The key of `Authorization: Bearer KEY`, of a bare `Authorization: KEY`, or of Anthropic's `x-api-key: KEY`; else None."""
    value = headers.get("Authorization", "").strip()
    scheme, _, rest = value.partition(" ")
    if scheme.casefold() == "bearer":
        value = rest.strip()
    return value or headers.get("x-api-key", "").strip() or None
