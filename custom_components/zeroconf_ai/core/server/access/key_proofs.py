"""Answers the proof of the key at `/v1/health` (docs/protocol.md, section 1): shows clients that this server knows their key."""

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
    """Makes the proofs of one server."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds."""
        self._throttle = AuthThrottle(clock, "asked for a proof")
        self._secret = secrets.token_bytes(32)
        """Makes what stands in for the digest of a key that must not answer: always the same for one key id, as a key's is."""

    def answer(self, request: web.Request, provider_id: str, access: Access) -> str | None:
        """The proof that a request asks for; None where it asks for none, or came over no IP connection.

        A key id that is unknown, or whose key must not answer, gets a proof that nothing tells from a good one but the key
        itself. Raises InvalidRequestError for parameters that are malformed, RateLimitError for an address that asks too often.
        """
        query = request.query
        if not any(name in query for name in _SIZES):
            return None
        kid, challenge = (_read(query.getall(name, []), name) for name in _SIZES)
        if wait := self._throttle.failed(request.remote):
            message = f"Too many proofs were asked for from {request.remote}. Try again in {wait:.0f} s."
            raise RateLimitError(message, code="too_many_proofs", retry_after=wait)
        own = request.transport.get_extra_info("sockname") if request.transport is not None else None
        if not isinstance(own, tuple):
            return None
        stand_in = hmac.digest(self._secret, kid, "sha256")
        digest = access.proof_digest(kid) or stand_in
        return key_proof.encode(key_proof.prove(digest, challenge, provider_id, own[0], own[1]))


def _read(values: list[str], name: str) -> bytes:
    """The one value of a parameter. Raises InvalidRequestError."""
    try:
        (value,) = values
        return key_proof.decode(value, _SIZES[name])
    except ValueError:
        message = f"{name!r} must be given once, as {_SIZES[name]} bytes in base64url without padding."
        raise InvalidRequestError(message, param=name) from None
