"""Who may ask: one key for all, or none at all where the network is trusted (docs/protocol.md, section 4)."""

from collections.abc import Mapping
import hashlib
import hmac

from ..protocol.errors import AuthenticationError


class KeyCheck:
    """Compares the key that a request carries with the one that is right."""

    def __init__(self, key: str | None) -> None:
        """None lets everybody in. Only a hash of the key is kept."""
        self._digest = _digest(key) if key else None

    @property
    def required(self) -> bool:
        """Whether a key is needed at all."""
        return self._digest is not None

    def check(self, headers: Mapping[str, str]) -> None:
        """Raises AuthenticationError for a request without the right key."""
        if self._digest is None:
            return
        key = presented_key(headers)
        if key is None:
            message = "No key was sent. Send it as 'Authorization: Bearer KEY' or as 'x-api-key: KEY'."
            raise AuthenticationError(message, code="missing_api_key")
        # Hashes of equal length, compared in constant time: the answer's delay tells nothing about the key.
        if not hmac.compare_digest(_digest(key), self._digest):
            raise AuthenticationError("This key is not known here.")


def presented_key(headers: Mapping[str, str]) -> str | None:
    """The key of `Authorization: Bearer KEY`, of a bare `Authorization: KEY`, or of Anthropic's `x-api-key: KEY`; else None."""
    value = headers.get("Authorization", "").strip()
    scheme, _, rest = value.partition(" ")
    if scheme.casefold() == "bearer":
        value = rest.strip()
    return value or headers.get("x-api-key", "").strip() or None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()
