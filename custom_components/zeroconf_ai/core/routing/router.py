"""Sees a request through: tries candidates until one has said its first token, then relays it to its last."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
import itertools
import logging
import time
from typing import NoReturn

from ..backends.base import Answer
from ..protocol.chunks import Chunk, Delta
from ..protocol.errors import (
    ApiError,
    InvalidRequestError,
    LoopDetectedError,
    MethodNotAllowedError,
    NotFoundError,
    QuotaError,
    RateLimitError,
    RequestTooLargeError,
    StreamBrokenError,
    UnavailableError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)
from ..protocol.record import Cost
from ..protocol.request import Kind, Request
from ..protocol.status import ProviderState
from ..protocol.usage import Usage
from .candidates import Candidate, candidates, settle
from .events import EventKind, RoutingEvent
from .health import HealthChecker
from .pool import Member, Pool, Wake

_LOGGER = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Pause before a 5xx is tried once more on the same backend (PROTOCOL 3, rule 6)."""
_LATEST = 3
"""Chunks at the end of a stream among which the one with the finish reason is: usage, and an empty one, may follow it."""
KNOCK_SECONDS = 1.0
"""Pause between two looks at whether a woken backend is up."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A backend that was tried, and why it did not answer; empty for the one that did."""

    backend_id: str
    backend_name: str
    failure: str = ""


class Reply:
    """What the chosen backend answers. The choice is final: nothing here goes to another one."""

    def __init__(self, pool: Pool, candidate: Candidate, request: Request, answer: Answer, attempts: tuple[Attempt, ...]) -> None:
        """Made by the router; `close` must be called."""
        self.backend_id = candidate.member.id
        self.backend_name = candidate.member.name
        self.model = candidate.model
        self.attempts = attempts
        self.usage: Usage | None = None
        self.failure: ApiError | None = None
        """Why the stream ended before its end."""
        self.finished = False
        """Whether all of it was read."""
        self.first_token_at: float | None = None
        """`time.perf_counter()` of the first token."""
        self._latest: deque[Chunk] = deque(maxlen=_LATEST)
        self._pool = pool
        self._member = candidate.member
        self._request = request
        self._answer = answer
        self._early: list[list[Chunk]] = []
        self._rest: AsyncIterator[list[Chunk]] | None = None
        self._body: bytes | None = None
        self._closed = False

    async def start(self) -> None:
        """Wait for the first token, or for a whole body. Raises an ApiError where it does not come."""
        if not self._request.stream:
            self._body = await self._answer.body()
            whole = Chunk(self._body)
            self.usage = whole.usage
            self._latest.append(whole)
            self.finished = True
            self.first_token_at = time.perf_counter()
            return
        self._rest = self._answer.batches()
        async for batch in self._rest:
            self._early.append(batch)
            if any(Delta.parse(chunk.data).has_token for chunk in batch):
                self.first_token_at = time.perf_counter()
                return
        raise StreamBrokenError(f"{self.backend_name} ended the stream without an answer")

    async def batches(self) -> AsyncIterator[list[Chunk]]:
        """The chunks in the groups that they came in. Raises StreamBrokenError or UpstreamTimeoutError in mid-stream."""
        early, self._early = self._early, []
        for batch in early:
            yield self._count(batch)
        if self._rest is None:
            return
        try:
            async for batch in self._rest:
                yield self._count(batch)
            self.finished = True
        except ApiError as err:
            self.failure = err
            self._pool.note_failure(self._member, err)
            self._member.tally.errors += 1
            raise

    async def chunks(self) -> AsyncIterator[Chunk]:
        """The chunks one by one."""
        async for batch in self.batches():
            for chunk in batch:
                yield chunk

    @property
    def body(self) -> bytes:
        """The whole answer's JSON, of a request that was not for a stream."""
        if self._body is None:
            raise RuntimeError("a stream has no body")
        return self._body

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped, as far as it has said so."""
        found = (Delta.parse(chunk.data).finish_reason for chunk in reversed(self._latest))
        return next((reason for reason in found if reason), None)

    async def close(self) -> None:
        """Let go of the upstream and record what was used. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        member = self._member
        member.active -= 1
        member.tally.requests += 1
        if self.usage is not None:
            member.tally.usage += self.usage
        self._pool.tell(member.id)
        await self._answer.close()

    def _count(self, batch: list[Chunk]) -> list[Chunk]:
        self._latest.extend(batch[-_LATEST:])
        for chunk in batch:
            if (usage := chunk.usage) is not None:
                self.usage = usage
        return batch


class Router:
    """Tries candidates in turn (PROTOCOL 3, rules 6 to 9)."""

    def __init__(self, pool: Pool, checker: HealthChecker, *, retry_metered_timeouts: bool = False) -> None:
        """`retry_metered_timeouts`: try the next backend although the first may bill for an answer that came too late."""
        self._pool = pool
        self._checker = checker
        self._retry_metered_timeouts = retry_metered_timeouts
        self._turn = itertools.count(1)
        self._waking: dict[str, asyncio.Task[None]] = {}

    async def route(self, request: Request) -> Reply:
        """The reply of the first candidate that answers. Raises the caller's own error, or one that names every candidate's."""
        found = candidates(self._pool, request)
        attempts: list[Attempt] = []
        errors: list[ApiError] = []
        for position, candidate in enumerate(found.ordered):
            member = candidate.member
            try:
                reply = await self._attempt(candidate, request, tuple(attempts))
            except ApiError as err:
                self._handle(err, candidate, request)
                errors.append(err)
                attempts.append(Attempt(member.id, member.name, err.message))
                following = found.ordered[position + 1].member.id if position + 1 < len(found.ordered) else None
                _LOGGER.debug("%s did not answer (%s); next: %s", member.name, err.message, following)
                if following is not None:
                    self._pool.tell(member.id, RoutingEvent(EventKind.FAILOVER, member.id, err.message, following))
                continue
            self._pool.note_success(member)
            return reply
        _raise_all(attempts, errors, found.passed_over)

    async def _attempt(self, candidate: Candidate, request: Request, attempts: tuple[Attempt, ...]) -> Reply:
        """One candidate's reply, started; a 5xx is tried once more."""
        member = candidate.member
        await self._wake(member)
        candidate = settle(candidate, request)
        member.last_used = next(self._turn)
        try:
            return await self._send(candidate, request, attempts)
        except (UpstreamError, UnavailableError) as err:
            # One that says when to come back (503 with Retry-After) is not asked before.
            if isinstance(err, UpstreamConnectionError | StreamBrokenError) or err.retry_after is not None:
                raise
        await asyncio.sleep(RETRY_SECONDS)
        return await self._send(candidate, request, attempts)

    async def _send(self, candidate: Candidate, request: Request, attempts: tuple[Attempt, ...]) -> Reply:
        member = candidate.member
        sent = request if request.body.get("model") == candidate.model else request.with_body(model=candidate.model)
        member.active += 1
        self._pool.tell(member.id)
        answer: Answer | None = None
        try:
            answer = await member.backend.send(sent)
            attempted = (*attempts, Attempt(member.id, member.name))
            reply = Reply(self._pool, candidate, request, answer, attempted)
            await reply.start()
        except BaseException as err:
            member.active -= 1
            if isinstance(err, ApiError):
                member.tally.errors += 1
            self._pool.tell(member.id)
            if answer is not None:
                await answer.close()
            raise
        return reply

    async def _wake(self, member: Member) -> None:
        """Wake a backend that sleeps, and wait as long as its owner allows. Requests that come meanwhile share it."""
        wake = member.wake
        if wake is None or member.state is not ProviderState.OFFLINE:
            return
        waking = self._waking.get(member.id)
        if waking is None:
            waking = asyncio.create_task(self._rouse(member, wake), name=f"zeroconf_ai wake {member.id}")
            self._waking[member.id] = waking
            waking.add_done_callback(lambda _: self._waking.pop(member.id, None))
        online = asyncio.create_task(member.wait_online(wake.wait), name=f"zeroconf_ai awaits {member.id}")
        try:
            await asyncio.wait((online, waking), return_when=asyncio.FIRST_COMPLETED)
        finally:
            online.cancel()
        if not member.online:
            raise UpstreamConnectionError(f"{member.name} did not wake up within {wake.wait:g} s")

    async def _rouse(self, member: Member, wake: Wake) -> None:
        """Run the action, then knock every second until the backend answers or the wait is over."""
        try:
            await wake.run()
            async with asyncio.timeout(wake.wait):
                while not member.online:
                    await self._checker.check(member)
                    await asyncio.sleep(KNOCK_SECONDS)
        except TimeoutError:
            return
        except Exception:
            _LOGGER.exception("The action that wakes %s failed", member.name)

    async def close(self, backend_id: str | None = None) -> None:
        """End the waking of one member, or of all."""
        tasks = [task for key, task in self._waking.items() if backend_id in (None, key)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _handle(self, err: ApiError, candidate: Candidate, request: Request) -> None:
        """Note what a failure says of the backend. Raises where another one must not be tried."""
        member = candidate.member
        if err.code == "model_not_found":
            self._checker.forget_models(member)
            return
        if isinstance(err, MethodNotAllowedError | LoopDetectedError):
            return  # it is well, only not for this request
        if isinstance(err, InvalidRequestError | NotFoundError | RequestTooLargeError):
            raise err
        self._pool.note_failure(member, err)
        if isinstance(err, UpstreamTimeoutError):
            may_bill = member.backend.info.cost in (Cost.METERED, Cost.UNKNOWN)
            if may_bill and request.kind is not Kind.EMBEDDINGS and not self._retry_metered_timeouts:
                raise err


def _raise_all(attempts: list[Attempt], errors: list[ApiError], passed_over: tuple[str, ...]) -> NoReturn:
    """Raise what the caller is told when every candidate failed: the one's own error, or all of them in words."""
    details = (*(f"{attempt.backend_name}: {attempt.failure}" for attempt in attempts), *passed_over)
    own = RateLimitError | QuotaError | UnavailableError | UpstreamTimeoutError
    if (len(errors) == 1 and isinstance(errors[0], own)) or all(isinstance(err, NotFoundError) for err in errors):
        errors[0].details = details
        raise errors[0]
    waits = [err.retry_after for err in errors if err.retry_after is not None]
    raise UpstreamError(
        f"No provider could answer. {'; '.join(details)}.", retry_after=min(waits) if waits else None, details=details
    )
