"""A second attempt at another backend while the first one is silent and a person listens.

A backend that is dead is found out by its connection. One that accepts a request and is silent is not: its machine was switched
off while a connection was open, its model is stuck, or it works on something else. Only the first of both to answer is heard.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
import logging
import time
from typing import Any

from ...dialects.gemini.options import hosted_names
from ...protocol.record import Cost, Placement
from ...protocol.request import Kind, Request
from ...protocol.tasks import start_eagerly
from ..pool.health import HealthChecker
from ..selection.candidates import Candidate
from .attempts import LOST, RequestAttempts
from .reply import HeldPermit, Reply

_LOGGER = logging.getLogger(__name__)

HEDGE_SECONDS = 1.0
"""Seconds of silence after which another backend is asked too, or twice the backend's usual time to the first token if longer."""
TRANSCRIPTION_SECONDS = 3.0
"""The same for a transcript, which arrives in one piece."""
_USUAL_TIMES = 2.0

type Try = Callable[[Candidate, HeldPermit], Coroutine[Any, Any, Reply | None]]
"""Returns the started reply of a candidate; None if it failed, which is recorded. It releases the permit of one that failed."""


async def first_to_answer(
    candidate: Candidate,
    held: HeldPermit,
    routing: RequestAttempts,
    left: list[Candidate],
    try_: Try,
    checker: HealthChecker,
) -> Reply | None:
    """The reply of a candidate, or of a second one (at most) that was asked too; None if both failed.

    The second one is removed from `left`. The attempt that answers later is cancelled and recorded, and its backend is checked.
    """
    delay = hedge_delay(candidate, routing.request) if left else None
    if delay is None:
        return await try_(candidate, held)
    race: dict[asyncio.Task[Reply | None], tuple[Candidate, float]] = {}

    def begin(candidate: Candidate, held: HeldPermit) -> None:
        race[start_eagerly(try_(candidate, held))] = (candidate, time.perf_counter())

    reply: Reply | None = None
    try:
        begin(candidate, held)
        done, running = await asyncio.wait(race, timeout=delay)
        if not done and (second := second_candidate(candidate, left, routing.request)) is not None:
            _LOGGER.info("%s is silent for %.1f s; %s is asked too", candidate.member.name, delay, second.member.name)
            left.remove(second)
            begin(second, HeldPermit(second.member, await second.member.limiter.acquire(routing.request.urgency)))
        running = set(race)
        while running and reply is None:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if reply is None:
                    reply = task.result()
                    del race[task]
        await asyncio.shield(_close(race))
    except BaseException:
        await asyncio.shield(_close(race))
        if reply is not None:
            await reply.close()
        raise
    if reply is None:
        return None
    for lost, began in race.values():
        routing.record_lost(lost, began)
        checker.start(lost.member)
        if reply.handover is not None and reply.handover.origin == lost.member.name:
            reply.handover = replace(reply.handover, reason=LOST)
    reply.attempts = (*routing.attempts, reply.attempts[-1])
    answered = reply.bill
    routing.bills.sort(key=lambda bill: bill is answered)  # the record is about the last one
    return reply


async def _close(tasks: Mapping[asyncio.Task[Reply | None], object]) -> None:
    """Cancel attempts, and close those that have just answered."""
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Reply):
            await ended.close()


def hedge_delay(candidate: Candidate, request: Request) -> float | None:
    """Seconds until another backend is asked too; None: never for this request or this backend.

    An agent, a gateway, or a tool that a provider runs may already have acted, and a pinned request has no other backend.
    """
    member = candidate.member
    acts = request.hosted is not None or _provider_acts(request.body)
    if not (request.listening and (request.stream or request.kind.is_audio)) or request.pin is not None or acts:
        return None
    if not _only_a_model(candidate):
        return None
    if request.kind is Kind.TRANSCRIPTION:
        return TRANSCRIPTION_SECONDS
    return max(HEDGE_SECONDS, _USUAL_TIMES * (member.first_token_seconds or 0.0))


def second_candidate(first: Candidate, left: Sequence[Candidate], request: Request) -> Candidate | None:
    """The candidate for the second attempt: another backend that costs nothing, is well, has a free permit and a loaded model."""
    for candidate in left:
        member = candidate.member
        free = member.backend.info.cost is Cost.FREE and not member.terms.prices and member.id not in request.allowances
        if member is first.member or not free or not _only_a_model(candidate) or not member.online or member.sick:
            continue
        if member.limiter.free and member.is_warm(candidate.model) is not False:
            return candidate
    return None


def _only_a_model(candidate: Candidate) -> bool:
    info = candidate.member.backend.info
    return not info.agent and info.placement is Placement.LOCAL


def _provider_acts(body: Mapping[str, Any]) -> bool:
    """Whether the provider itself may run a tool."""
    tools = body.get("tools")
    others = any(not isinstance(tool, Mapping) or tool.get("type") != "function" for tool in tools or ())
    return others or bool(body.get("web_search_options")) or bool(hosted_names(body))
