"""The usage record of a finished request, and its stored conversation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
import time

import orjson

from ..accounting.conversations.stored_exchange import StoredExchange
from ..accounting.usage.generation import FailedAttempt, Generation, Outcome
from ..protocol.errors import ApiError
from ..protocol.prices import DEFAULT_CURRENCY
from ..protocol.request import Request
from ..protocol.usage import Usage
from .caller import Caller
from .execution.reply import Reply
from .pricing.billing import Bill, converted_total, total


@dataclass(slots=True)
class LocalRun:
    """A running request that no backend of the pool answers."""

    kind: str
    """The kind of request (`Generation.kind`)."""
    requested_model: str
    model: str | None = None
    """The model that answers, once it is known."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Response headers with the caller's rate limits (`x-ratelimit-*`)."""
    finished: bool = False
    """Whether it has ended without an error."""
    usage: Usage = field(default_factory=Usage)
    """The audio of the request, as far as it is known."""


def exchange_of(generation: Generation, request: Request, reply: Reply, username: str | None) -> StoredExchange:
    """The prompt and answer of the request with the record `generation`."""
    return StoredExchange(
        generation.id,
        generation.created,
        generation.source,
        orjson.dumps(request.body, default=str).decode(errors="replace"),
        reply.said,
        conversation_id=request.session,
        username=username,
        display_name=generation.caller or None,
        key_id=generation.key_id,
        user_id=generation.user_id,
    )


def record_of(
    request: Request,
    caller: Caller,
    reply: Reply | None,
    bills: Sequence[Bill],
    failures: Sequence[FailedAttempt],
    refusal: ApiError | None,
    created: float,
    started: float,
) -> Generation:
    """The record of a request that came at `created` (`time.time()`) and `started` (`time.perf_counter()`).

    A request that neither finished nor failed was cancelled. `refusal` is the error of a request that was not answered;
    `failures` are the attempts that failed before an answer began.
    """
    failure = (reply and reply.failure) or refusal
    answered = reply is not None and reply.finished and reply.failure is None
    bill = bills[-1] if bills else None
    charge, exchange = total(bills), request.exchange
    converted = None if exchange.currency is None else converted_total(bills, exchange)
    ended = time.perf_counter() - started
    if reply is not None and reply.failure is not None:
        began, broke = reply.bill.sent_at - started, reply.failure
        failures = (
            *failures,
            FailedAttempt(reply.backend_id, reply.backend_name, reply.model, broke.message, broke.code, began, ended),
        )
    return Generation(
        id=request.request_id or f"gen_{token_hex(16)}",
        created=created,
        source=caller.source,
        kind=request.kind,
        requested_model=request.model,
        outcome=Outcome.OK if answered else Outcome.ERROR if failure is not None else Outcome.CANCELLED,
        answer_id=None if reply is None else reply.answer_id,
        model=None if bill is None else bill.model,
        backend_id=None if bill is None else bill.member.id,
        backend_name=None if bill is None else bill.member.name,
        provider_health=None if bill is None else bill.health,
        attempts=len(bills) if reply is None else len(reply.attempts),
        stream=request.stream,
        usage=reply.used if reply is not None else bill.used if bill is not None else Usage(),
        estimated=bill is not None and bill.estimated,
        cost=None if charge is None else charge.nano,
        prompt_cost=None if charge is None else charge.prompt,
        cost_source=None if charge is None else charge.source,
        currency=DEFAULT_CURRENCY if charge is None else charge.currency,
        converted_cost=converted,
        converted_currency=None if converted is None else exchange.currency,
        energy=sum(measured) if (measured := [one.energy for one in bills if one.energy is not None]) else None,
        duration=ended,
        sent=None if bill is None else bill.sent_at - started,
        first_byte=None if bill is None or bill.answered_at is None else bill.answered_at - started,
        first_token=None if reply is None or reply.first_token_at is None else reply.first_token_at - started,
        finish_reason=None if reply is None else reply.finish_reason,
        error_code=None if failure is None else failure.code,
        caller=caller.name,
        key_id=caller.key_id,
        user_id=caller.user_id,
        address=caller.address,
        failed_attempts=tuple(failures),
    )


def local_record_of(
    run: LocalRun, caller: Caller, request_id: str, refusal: ApiError | None, created: float, started: float
) -> Generation:
    """The record of a request that no backend of the pool answered; the arguments are those of `record_of`."""
    return Generation(
        id=request_id,
        created=created,
        source=caller.source,
        kind=run.kind,
        requested_model=run.requested_model,
        outcome=Outcome.OK if run.finished else Outcome.ERROR if refusal is not None else Outcome.CANCELLED,
        model=run.model,
        usage=run.usage,
        duration=time.perf_counter() - started,
        error_code=None if refusal is None else refusal.code,
        caller=caller.name,
        key_id=caller.key_id,
        user_id=caller.user_id,
        address=caller.address,
    )
