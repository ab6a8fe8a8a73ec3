"""`PendingRequests`: clients without a one-time code, which wait until the owner approves or refuses them. In memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
import hashlib
import hmac
import secrets
import time
from typing import Any

from ...protocol.addresses import subscriber
from ...protocol.errors import InvalidRequestError, NotFoundError, RateLimitError
from ...protocol.pairing import commitment, comparison_digits, new_nonce

MOST_PENDING = 5
"""Clients that wait at once."""
MOST_OF_ADDRESS = 2
"""Maximum pending requests of one address (IPv6: one /64 network), so that one device cannot block the others.

Refused requests count until they end.
"""
_MOST_KEPT = 20
"""Includes decided requests whose client has not asked yet."""
PENDING_SECONDS = 600.0
REVEAL_SECONDS = 60.0
"""Maximum time until the client reveals its nonce. Before that, the owner does not see the request."""


class State(StrEnum):
    """What the owner has decided."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(slots=True, eq=False)
class EnrolmentRequest:
    """A client that asks the owner for a certificate."""

    id: str
    name: str
    """What the client calls itself."""
    address: str
    public_key: Any = field(repr=False)
    identity: bytes = field(repr=False)
    """SHA-256 of the public key (DER)."""
    server: bytes = field(repr=False)
    """SHA-256 of the certificate of this server (DER)."""
    commitment: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    ticket_digest: bytes = field(repr=False)
    asked: float
    """Seconds since the epoch."""
    ends: float
    """When the request ends, by the clock of `PendingRequests`."""
    check: str | None = None
    """Six digits that the owner compares with those on the client's screen; None until the client has revealed its nonce."""
    state: State = State.PENDING
    result: Any = field(default=None, repr=False)
    """The certificate of an approved client."""


class PendingRequests:
    """The clients that wait. Not thread-safe: all calls come from one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._clock = clock
        self._requests: dict[str, EnrolmentRequest] = {}

    def __iter__(self) -> Iterator[EnrolmentRequest]:
        """The requests that the owner can decide, oldest first."""
        return iter([one for one in self._current() if one.state is State.PENDING and one.check is not None])

    def add(
        self, name: str, address: str, public_key: Any, identity: bytes, server: bytes, committed: bytes
    ) -> tuple[EnrolmentRequest, str]:
        """Add a client; returns it with its ticket, with which it asks again. Raises RateLimitError if too many wait."""
        current = self._current()
        waiting = [one for one in current if one.state is State.PENDING]
        of_address = [
            one for one in current if one.state is not State.APPROVED and subscriber(one.address) == subscriber(address)
        ]
        if len(waiting) >= MOST_PENDING or len(of_address) >= MOST_OF_ADDRESS or len(current) >= _MOST_KEPT:
            message = "Too many clients wait for the owner's approval. Ask the owner to decide on them, or for a one-time code."
            raise RateLimitError(message, code="too_many_pending", retry_after=REVEAL_SECONDS)
        ticket = secrets.token_urlsafe(32)
        made = EnrolmentRequest(
            secrets.token_hex(8),
            name,
            address,
            public_key,
            identity,
            server,
            committed,
            new_nonce(),
            _digest(ticket),
            time.time(),
            self._clock() + REVEAL_SECONDS,
        )
        self._requests[made.id] = made
        return made, ticket

    def reveal(self, request_id: str, ticket: str, nonce: bytes) -> EnrolmentRequest:
        """Take the client's nonce, after which the owner sees the request.

        Raises NotFoundError, InvalidRequestError for a nonce to which the client has not committed itself.
        """
        found = self.find(request_id, ticket)
        if not hmac.compare_digest(commitment(nonce), found.commitment):
            del self._requests[found.id]
            raise InvalidRequestError("'nonce' is not that of 'commitment'. Begin again.", param="nonce", code="invalid_nonce")
        if found.check is None:
            found.check = comparison_digits(nonce, found.nonce, found.identity, found.server)
            found.ends = self._clock() + PENDING_SECONDS
        return found

    def find(self, request_id: str, ticket: str) -> EnrolmentRequest:
        """The request with an id and a ticket. Raises NotFoundError if it is over, or was never made."""
        found = next((one for one in self._current() if one.id == request_id), None)
        if found is None or not hmac.compare_digest(_digest(ticket), found.ticket_digest):
            raise NotFoundError("This enrolment is over, or was never begun. Begin again.", code="enrollment_over")
        return found

    def get(self, request_id: str) -> EnrolmentRequest:
        """The request that the owner decides. Raises NotFoundError if it is over or decided."""
        found = next((one for one in self if one.id == request_id), None)
        if found is None:
            raise NotFoundError("This enrolment is over, or was already decided.", code="enrollment_over")
        return found

    def decide(self, request: EnrolmentRequest, state: State, result: Any = None) -> None:
        """Set what the owner has decided, which the client learns when it asks again."""
        request.state, request.result = state, result
        request.ends = self._clock() + PENDING_SECONDS

    def seconds_left(self, request: EnrolmentRequest) -> float:
        """Seconds until a request is over."""
        return max(0.0, request.ends - self._clock())

    def _current(self) -> list[EnrolmentRequest]:
        self._requests = {one.id: one for one in self._requests.values() if self.seconds_left(one) > 0}
        return list(self._requests.values())


def _digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode(errors="surrogatepass")).digest()
