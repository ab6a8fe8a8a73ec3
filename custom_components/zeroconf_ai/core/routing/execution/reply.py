"""`Reply`: what the chosen backend answers, and what is learned of that backend on the way."""

from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
import logging
import time
from typing import Any

from ...backends.base import Answer
from ...protocol.chunks import Chunk, Delta
from ...protocol.errors import ApiError, StreamBrokenError
from ...protocol.request import Kind
from ...protocol.usage import Usage
from ..pool.concurrency import Permit
from ..pool.pool import Member, Pool
from ..pricing.billing import Bill
from .session_handover import SessionHandover

_LOGGER = logging.getLogger(__name__)

_LATEST = 3
"""Chunks at the end of a stream among which the one with the finish reason is: usage, and an empty one, may follow it."""
_EARLY_BYTES = 1024 * 1024
"""Of chunks without a token, which are kept until the first one comes."""
_WEIGHT = 0.3
"""Of the newest in a running mean."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A backend that was tried, and why it did not answer; empty for the one that did."""

    backend_id: str
    backend_name: str
    failure: str = ""


class HeldPermit:
    """What a request holds of a backend while it is there: a place, and maybe the one trial of a breaker that is half open."""

    def __init__(self, member: Member, place: Permit) -> None:
        """Takes note of the request that goes through."""
        self.member = member
        self._place = place
        self._trial = member.breaker.begin()

    def release(self) -> None:
        """Give it all back. Safe to call twice."""
        self._place.release()
        if self._trial:
            self._trial = False
            self.member.breaker.end_trial()


class Reply:
    """What the chosen backend answers. The choice is final: nothing here goes to another one."""

    def __init__(self, pool: Pool, bill: Bill, answer: Answer, attempts: tuple[Attempt, ...], turn: HeldPermit) -> None:
        """Made by the router; `close` must be called."""
        self.backend_id = bill.member.id
        self.backend_name = bill.member.name
        self.model = bill.model
        self.attempts = attempts
        self.bill = bill
        self.handover: SessionHandover | None = None
        """That the session was with another backend or model before, or None."""
        self.failure: ApiError | None = None
        """Why the stream ended before its end."""
        self.headers: Mapping[str, str] = {}
        """What the answer is to say of the caller's limits."""
        self.first_token_at: float | None = None
        """`time.perf_counter()` of the first token."""
        self._heard: list[str] | None = None
        self._heard_length = self._heard_limit = 0
        self._latest: deque[Chunk] = deque(maxlen=_LATEST)
        self._pool = pool
        self._member = bill.member
        self._request = bill.request
        self._answer = answer
        self._turn = turn
        self._early: list[list[Chunk]] = []
        self._rest: AsyncIterator[list[Chunk]] | None = None
        self._whole: Chunk | None = None
        self._closed = False

    async def start(self, sent_at: float) -> None:
        """Wait for the first token, or for a whole body. Raises an ApiError where it does not come.

        `sent_at` is the `time.perf_counter()` of the sending.
        """
        if not self._request.stream:
            self._whole = await self._answer.whole()
            self._count([self._whole])
            self.bill.finished = True
            self.first_token_at = time.perf_counter()
            return
        self._rest = self._answer.batches()
        size = 0
        async for batch in self._rest:
            self._early.append(self._count(batch))
            size += sum(len(chunk.raw) for chunk in batch)
            if size > _EARLY_BYTES:
                raise StreamBrokenError(f"{self.backend_name} sent more than {_EARLY_BYTES} bytes without a token")
            if any(Delta.parse(chunk.data).has_token for chunk in batch):
                self.first_token_at = time.perf_counter()
                _record_first_token(self._member, self.first_token_at - sent_at)
                return
        raise StreamBrokenError(f"{self.backend_name} ended the stream without an answer")

    async def batches(self) -> AsyncIterator[list[Chunk]]:
        """The chunks in the groups that they came in. Raises StreamBrokenError or UpstreamTimeoutError in mid-stream."""
        early, self._early = self._early, []
        for batch in early:
            self._hear(batch)
            yield batch
        if self._rest is None:
            return
        try:
            if not self._goes_too_far():
                async for batch in self._rest:
                    self._hear(self._count(batch))
                    yield batch
                    if self._goes_too_far():
                        break
            if self._goes_too_far():
                yield self._cut_off()
            self.bill.finished = True
        except ApiError as err:
            self.failure = err
            self._pool.record_request_failure(self._member, err)
            raise

    async def chunks(self) -> AsyncIterator[Chunk]:
        """The chunks one by one."""
        async for batch in self.batches():
            for chunk in batch:
                yield chunk

    @property
    def whole(self) -> Chunk:
        """The whole answer to a request that was not for a stream."""
        if self._whole is None:
            raise RuntimeError("a stream has no body")
        return self._whole

    @property
    def body(self) -> bytes:
        """The JSON of `whole`."""
        return self.whole.raw

    def listen(self, limit: int) -> None:
        """Have the words of a stream kept, up to so many characters, for `said`."""
        self._heard, self._heard_limit = [], limit

    @property
    def said(self) -> str:
        """The words of a stream that was listened to, as far as they were read; else the whole body."""
        if self._whole is not None:
            return self._whole.raw.decode(errors="replace")
        return "".join(self._heard or ())

    @property
    def finished(self) -> bool:
        """Whether all of it was read."""
        return self.bill.finished

    @property
    def usage(self) -> Usage | None:
        """What the backend says that was used; None until it does, and where it never does."""
        return self.bill.usage

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped, as far as it has said so."""
        return next((reason for chunk in reversed(self._latest) if (reason := chunk.finish_reason)), None)

    @property
    def used(self) -> Usage:
        """What was used: by the backend's word, else estimated from the prompt and from what was said so far.

        A summary that the session's migration took is counted in.
        """
        used = self.bill.used
        return used if self.handover is None else used + self.handover.usage

    async def close(self) -> None:
        """Let go of the upstream and record what was used. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        member = self._member
        if self.failure is None:
            member.breaker.succeed()
        member.active -= 1
        self.bill.close(None if self.handover is None else self.handover.usage)
        try:
            await self._answer.close()
        finally:  # not before the upstream has been let go: it may be as busy as it can be with this one
            self._turn.release()
            self._pool.notify_load(member.id)

    def _goes_too_far(self) -> bool:
        """Whether the answer is to be cut off: it is longer than was reckoned with, and does not end by itself."""
        return self.bill.overrun and (self.finish_reason is None or self.bill.late > _LATEST)

    def _cut_off(self) -> list[Chunk]:
        """The end of an answer that went beyond its limit: what is due for it is all that the budget has for it."""
        _LOGGER.warning("%s went beyond the limit of an answer, which was cut off there", self.backend_name)
        head = {name: value for name, value in self._latest[-1].data.items() if name not in ("choices", "usage")}
        said: dict[str, Any] = {"text": ""} if self._request.kind is Kind.COMPLETION else {"delta": {}}
        ended = [Chunk.of(head | {"choices": [{"index": 0, **said, "finish_reason": "length"}]})]
        self._latest.extend(ended)
        usage = self.bill.used.to_json() | {"estimated": True}
        return [*ended, Chunk.of(head | {"choices": [], "usage": usage})]

    def _hear(self, batch: list[Chunk]) -> None:
        if self._heard is None or self._heard_length >= self._heard_limit:
            return
        words = "".join(Delta.parse(chunk.data).content for chunk in batch)
        self._heard.append(words)
        self._heard_length += len(words)

    def _count(self, batch: list[Chunk]) -> list[Chunk]:
        self._latest.extend(batch[-_LATEST:])
        self.bill.count(batch)
        return batch


def _record_first_token(member: Member, seconds: float) -> None:
    mean = member.first_token_seconds
    member.first_token_seconds = seconds if mean is None else mean + _WEIGHT * (seconds - mean)
