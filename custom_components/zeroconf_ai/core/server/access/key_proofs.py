"""Key proofs at `/v1/health` (docs/protocol.md, section 1), which show clients that this server knows their key."""

from collections.abc import Callable
import hmac
import secrets
import time

from aiohttp import web

from ...protocol import key_proof
from ...protocol.errors import InvalidRequestError, RateLimitError
from .auth import Access
from .auth_throttle import AuthThrottle

KEY_ID, CHALLENGE = "kid", "challenge"
_SIZES = {KEY_ID: key_proof.KEY_ID_BYTES, CHALLENGE: key_proof.CHALLENGE_BYTES}


class KeyProofs:
    """Calculates the key proofs of one server."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._throttle = AuthThrottle(clock, "requested a key proof")
        self._secret = secrets.token_bytes(32)
        """Derives a substitute digest for an unknown or invalid key: constant for a key id, as a real digest is."""

    def answer(self, request: web.Request, provider_id: str, access: Access) -> str | None:
        """The requested proof; None if the request contains no challenge or did not come over IP.

        An unknown or invalid key also gets a proof, which only the holder of a key can distinguish from a valid one. Raises
        InvalidRequestError for malformed parameters, RateLimitError for an address that requests too many proofs.
        """
        query = request.query
        if not any(name in query for name in _SIZES):
            return None
        kid, challenge = (_read(query.getall(name, []), name) for name in _SIZES)
        if wait := self._throttle.failed(request.remote):
            message = f"Too many key proofs were requested from {request.remote}. Try again in {wait:.0f} s."
            raise RateLimitError(message, code="too_many_proofs", retry_after=wait)
        own = request.transport.get_extra_info("sockname") if request.transport is not None else None
        if not isinstance(own, tuple):
            return None
        substitute = hmac.digest(self._secret, kid, "sha256")
        digest = access.proof_digest(kid) or substitute
        return key_proof.encode(key_proof.prove(digest, challenge, provider_id, own[0], own[1]))


def _read(values: list[str], name: str) -> bytes:
    """The decoded value of a parameter. Raises InvalidRequestError if it is missing, repeated or malformed."""
    try:
        (value,) = values
        return key_proof.decode(value, _SIZES[name])
    except ValueError:
        message = f"{name!r} must be given once, as {_SIZES[name]} bytes in base64url without padding."
        raise InvalidRequestError(message, param=name) from None
