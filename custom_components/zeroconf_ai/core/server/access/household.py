"""`HouseholdTokens`: the tokens of a provider for its household, a new one each hour (docs/protocol.md, section 4)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
import hmac
import time
from typing import override

from ...protocol import household, key_proof
from ...protocol.household import HouseholdKey


@dataclass(frozen=True, slots=True)
class _Issued:
    """A token in use."""

    digest: bytes = field(repr=False)
    kid: bytes
    expires: float


class HouseholdTokens:
    """Issues and recognizes the tokens of one provider. Used on one event loop, from `start` to `close`."""

    def __init__(self, key: HouseholdKey, provider_id: str, clock: Callable[[], float] = time.time) -> None:
        """`clock` returns seconds since the epoch. The first token is issued at once."""
        self.key = key
        self._provider_id = provider_id
        self._clock = clock
        self._period = -1
        self._issued: list[_Issued] = []
        """The current token, and after it those whose overlap is not over."""
        self.sealed = ""
        """The value of `tok`."""
        self._rotating: asyncio.Task[None] | None = None
        self.rotate()

    @override
    def __repr__(self) -> str:
        """Without tokens."""
        return f"<HouseholdTokens of {self._provider_id}>"

    def rotate(self) -> bool:
        """Issue a token if its hour has begun; returns whether it had. Also after the clock was set back."""
        now = self._clock()
        period = household.period_of(now)
        if period == self._period:
            return False
        token = household.new_token()
        digest = key_proof.digest(token)
        # The former token of this server stays valid for the overlap, whatever the clock did.
        until = now + household.OVERLAP_SECONDS
        kept = [_Issued(one.digest, one.kid, min(one.expires, until)) for one in self._issued[:1]]
        self._issued = [_Issued(digest, key_proof.key_id(digest), household.expiry(period)), *kept]
        self._period = period
        self.sealed = self.key.seal(token, self._provider_id, period)
        return True

    def accepts(self, secret: str) -> bool:
        """Whether a secret is a token that is valid now."""
        digest = key_proof.digest(secret)
        return any(hmac.compare_digest(one.digest, digest) for one in self._valid())

    def proof_digest(self, kid: bytes) -> bytes | None:
        """The SHA-256 of the valid token with that public id (`key_proof.key_id`); None if no valid token has it."""
        return next((one.digest for one in self._valid() if hmac.compare_digest(one.kid, kid)), None)

    def start(self, rotated: Callable[[], None]) -> None:
        """Issue a token each hour; `rotated` is called after each, to advertise it."""
        self._rotating = asyncio.get_running_loop().create_task(self._rotate(rotated), name="zeroconf_ai household token")

    async def close(self) -> None:
        """Stop; no token is accepted any more."""
        self._issued.clear()
        if self._rotating is not None:
            self._rotating.cancel()
            await asyncio.gather(self._rotating, return_exceptions=True)

    async def _rotate(self, rotated: Callable[[], None]) -> None:
        while True:
            # At least once a minute, because clocks are set and machines sleep.
            left = (self._period + 1) * household.PERIOD_SECONDS - self._clock()
            await asyncio.sleep(min(max(left, 0.05), 60.0))
            if self.rotate():
                rotated()

    def _valid(self) -> list[_Issued]:
        now = self._clock()
        return [one for one in self._issued if now < one.expires]
