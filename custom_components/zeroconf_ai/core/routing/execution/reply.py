"""`Reply`: the answer of the selected backend; reading it updates what is known of that backend."""

from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
import logging
import time
from typing import Any

import orjson

from ...backends.base import Answer, SpeechAnswer
from ...protocol.chunks import Chunk, Delta, begins_answer, has_message
from ...protocol.errors import ApiError, StreamBrokenError
from ...protocol.image_requests import has_images, without_content
from ...protocol.request import Kind
from ...protocol.usage import Usage
from ..pool.concurrency import Permit
from ..pool.member import Member
from ..pool.pool import Pool
from ..pricing.billing import Bill
from .session_handover import SessionHandover

_LOGGER = logging.getLogger(__name__)

_LATEST = 3
"""Chunks at the end of a stream among which the one with the finish reason is: usage, and an empty one, may follow it."""
_EARLY_BYTES = 1024 * 1024
"""Limit of the chunks without a token that are buffered until the first token."""
_ID_LIMIT = 200
"""Characters of an id that is kept; those of providers have at most about 60."""
_WEIGHT = 0.3
"""Weight of the newest value in a running mean."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A backend that was tried; `failure` is empty for the one that answered."""

    backend_id: str
    backend_name: str
    failure: str = ""


class HeldPermit:
    """A backend's permit, and possibly the one trial request of its half-open circuit breaker."""

    def __init__(self, member: Member, permit: Permit) -> None:
        """The request counts as the trial if the circuit breaker is half open."""
        self.member = member
        self._permit = permit
        self._trial = member.breaker.begin()

    def release(self) -> None:
        """Release both. Safe to call twice."""
        self._permit.release()
        if self._trial:
            self._trial = False
            self.member.breaker.end_trial()


class Reply:
    """The answer of the selected backend. The selection is final."""

    def __init__(self, pool: Pool, bill: Bill, answer: Answer, attempts: tuple[Attempt, ...], turn: HeldPermit) -> None:
        """Made by the router; `close` must be called."""
        self.backend_id = bill.member.id
        self.backend_name = bill.member.name
        self.model = bill.model
        self.native = answer.native
        """Whether the answer is in the client's own dialect."""
        hosted = bill.request.hosted
        in_chat = hosted is not None and not hosted.body and hosted.dialect in bill.member.backend.hosted_dialects
        self.passes_hosted = answer.native or in_chat
        """Whether the hosted tools of the request were passed on."""
        self.attempts = attempts
        self.bill = bill
        self.handover: SessionHandover | None = None
        """The handover of the session from another backend or model, or None."""
        self.failure: ApiError | None = None
        """Why the stream broke off."""
        self.headers: Mapping[str, str] = {}
        """Response headers with the caller's rate limits."""
        self.answer_id: str | None = None
        """The id of the answer as the caller gets it: that of the chunks, unless the caller's dialect has its own."""
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
        self._completion: Chunk | None = None
        self._parts: AsyncIterator[bytes] | None = None
        self._first_part = b""
        self._closed = False

    async def start(self) -> None:
        """Wait for the first token, or for a complete body. Raises an ApiError if it does not arrive."""
        if self._request.kind is Kind.SPEECH:
            await self._start_speech()
            return
        if not self._request.stream:
            completion = await self._answer.completion()
            if not _has_answer(self._request.kind, completion.data):
                raise StreamBrokenError(f"{self.backend_name} answered without an answer")
            self._completion = completion
            self.answer_id = _answer_id([completion])
            self._count([self._completion])
            self.bill.finished = True
            self.first_token_at = time.perf_counter()
            return
        self._rest = self._answer.batches()
        size = 0
        async for batch in self._rest:
            self._early.append(self._count(batch))
            self.answer_id = self.answer_id or _answer_id(batch)
            size += sum(len(chunk.raw) for chunk in batch)
            if size > _EARLY_BYTES:
                raise StreamBrokenError(f"{self.backend_name} sent more than {_EARLY_BYTES} bytes without a token")
            if any(map(begins_answer, batch)):
                self.first_token_at = time.perf_counter()
                _record_first_token(self._member, self.first_token_at - self.bill.sent_at)
                return
        raise StreamBrokenError(f"{self.backend_name} ended the stream without an answer")

    async def _start_speech(self) -> None:
        """Wait for the first audio."""
        if isinstance(self._answer, SpeechAnswer):
            self._parts = self._answer.parts()
            async for part in self._parts:
                self._first_part = part
                self.first_token_at = time.perf_counter()
                return
        raise StreamBrokenError(f"{self.backend_name} answered without audio")

    @property
    def content_type(self) -> str:
        """The media type of speech that the backend states."""
        return self._answer.content_type if isinstance(self._answer, SpeechAnswer) else ""

    async def audio(self) -> AsyncIterator[bytes]:
        """The audio of speech as it arrives. Raises StreamBrokenError or UpstreamTimeoutError."""
        part, self._first_part = self._first_part, b""
        yield part
        if self._parts is None:
            return
        try:
            async for part in self._parts:
                yield part
            self.bill.finished = True
        except ApiError as err:
            self.failure = err
            self._pool.record_request_failure(self._member, err)
            raise

    async def batches(self) -> AsyncIterator[list[Chunk]]:
        """The chunks in the groups in which they arrived. Raises StreamBrokenError or UpstreamTimeoutError."""
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
        """The chunks, each on its own."""
        async for batch in self.batches():
            for chunk in batch:
                yield chunk

    @property
    def completion(self) -> Chunk:
        """The complete answer to a request without streaming."""
        if self._completion is None:
            raise RuntimeError("a stream has no complete body")
        return self._completion

    @property
    def body(self) -> bytes:
        """The JSON of `completion`."""
        return self.completion.raw

    def listen(self, limit: int) -> None:
        """Keep the text of a stream for `said`, up to `limit` characters."""
        self._heard, self._heard_limit = [], limit

    @property
    def said(self) -> str:
        """The text of a stream that was read since `listen`; without a stream, the complete body without its images."""
        if self._completion is not None:
            if self._request.kind.makes_images:
                return orjson.dumps(without_content(self._completion.data)).decode()
            return self._completion.raw.decode(errors="replace")
        return "".join(self._heard or ())

    @property
    def finished(self) -> bool:
        """Whether it was read to its end."""
        return self.bill.finished

    @property
    def usage(self) -> Usage | None:
        """The usage that the backend reported; None if it has not."""
        return self.bill.usage

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped; None if it has not reported that."""
        return next((reason for chunk in reversed(self._latest) if (reason := chunk.finish_reason)), None)

    @property
    def used(self) -> Usage:
        """The usage that the backend reported, else an estimate from the prompt and the answer so far.

        Includes the summary of a session's handover.
        """
        used = self.bill.used
        return used if self.handover is None else used + self.handover.usage

    async def close(self) -> None:
        """Close the upstream connection and record the usage. Safe to call twice."""
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
        finally:  # only after the upstream was closed: this request may use its last slot
            self._turn.release()
            self._pool.notify_load(member.id)

    def _goes_too_far(self) -> bool:
        """Whether to cut the answer off: it exceeds what was reserved, and does not end by itself."""
        return self.bill.overrun and (self.finish_reason is None or self.bill.late > _LATEST)

    def _cut_off(self) -> list[Chunk]:
        """The final chunks of an answer that exceeded its limit: the budget covers no more."""
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


def _has_answer(kind: Kind, data: Mapping[str, Any]) -> bool:
    """Whether a complete answer has what was requested: embeddings, images, a message or a text."""
    if kind.writes:
        return has_message(data)
    if kind.makes_images:
        return has_images(data)
    if kind is Kind.TRANSCRIPTION:
        return isinstance(data.get("text"), str)
    items = data.get("data")
    return isinstance(items, list) and bool(items)


def _answer_id(batch: list[Chunk]) -> str | None:
    """The first id in chunks; None without an id, as in the first chunk of Azure, or with one longer than `_ID_LIMIT`."""
    ids = (chunk.data.get("id") for chunk in batch)
    found = next((found for found in ids if isinstance(found, str) and found), None)
    return found if found is not None and len(found) <= _ID_LIMIT else None


def _record_first_token(member: Member, seconds: float) -> None:
    mean = member.first_token_seconds
    member.first_token_seconds = seconds if mean is None else mean + _WEIGHT * (seconds - mean)
