"""The records of requests, page by page."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
import binascii
import math
import struct
from typing import Any, TypedDict

from ..accounting.conversations.exchanges import ExchangeStore
from ..accounting.usage.ledger import Ledger
from ..accounting.usage.record_search import PAGE_LIMIT, Cursor, RecordFilter
from ..protocol.errors import InvalidRequestError
from ..protocol.values import NANO
from .names import Names

_CURSOR = struct.Struct("<dq")


class AttemptRecord(TypedDict):
    """An attempt that failed, with the reason as clients may know it, and the code of the error."""

    backend_id: str
    backend_name: str
    model: str
    reason: str
    code: str | None
    began_ms: float | None
    """From the arrival of the request; None in records of earlier versions."""
    ended_ms: float | None


class RequestRecord(TypedDict):
    """A request without its content. Durations are in milliseconds; costs are in whole units, None if unknown."""

    id: str
    answer_id: str | None
    """The id in the answer that the client got."""
    created: float
    source: str
    kind: str
    who: str
    key_id: str | None
    key: str | None
    """The beginning of the API key; None if it was deleted."""
    user_id: str | None
    labels: list[str]
    """The labels that the key has today."""
    address: str | None
    requested_model: str
    model: str | None
    backend_id: str | None
    backend_name: str | None
    provider_health: str | None
    """The state of the backend when the request was sent to it."""
    attempts: int
    failed_attempts: list[AttemptRecord]
    streamed: bool
    outcome: str
    error_code: str | None
    finish_reason: str | None
    tokens_prompt: int
    tokens_completion: int
    tokens_cached: int
    tokens_reasoning: int
    audio_seconds: float | None
    """Seconds of the recording; None: there was none, or its duration is unknown."""
    speech_characters: int | None
    """Characters that were spoken."""
    estimated: bool
    cost: float | None
    cost_prompt: float | None
    cost_completion: float | None
    cost_source: str | None
    currency: str
    converted_cost: float | None
    """The cost in `converted_currency`, which budgets were charged; None without an exchange rate."""
    converted_currency: str | None
    energy_wh: float | None
    """Watt-hours that were measured."""
    sent_ms: float | None
    """From the arrival until the request was sent to the backend that answered."""
    first_byte_ms: float | None
    """From the arrival until that backend began to answer."""
    latency_ms: float | None
    duration_ms: float
    tokens_per_second: float | None
    """Tokens of the answer for each second from its first token to its end."""


class RequestPage(TypedDict):
    """A page of records, newest first. `next`: the cursor of the next page; None: this is the last one."""

    requests: list[RequestRecord]
    next: str | None


async def find_requests(
    ledger: Ledger, names: Names, wanted: RecordFilter, *, after: str | None = None, limit: int = 50
) -> RequestPage:
    """A page of records. `after`: the cursor of the former page.

    Raises InvalidRequestError for a cursor that was never given out, DatabaseError if the database cannot be read.
    """
    limit = max(1, min(limit, PAGE_LIMIT))
    rows = await ledger.search(wanted, None if after is None else _cursor(after), limit + 1)
    shown = rows[:limit]
    following = _text_of((shown[-1]["created"], shown[-1]["row_id"])) if len(rows) > limit else None
    return {"requests": [_record(row, names) for row in shown], "next": following}


class Words(TypedDict):
    """The stored words of a request, each at most `BODY_LIMIT` characters; "" for what is unknown."""

    request: str
    """The body of the request, as JSON."""
    answer: str


async def find_words(exchanges: ExchangeStore, request_id: str, user_id: str | None = None) -> Words | None:
    """The words of the last request with an id; None if they were not stored, or are not those of the user (None: any).

    Raises DatabaseError.
    """
    found = await exchanges.get(request_id, user_id)
    return None if found is None else {"request": found[0] or "", "answer": found[1] or ""}


def _record(row: dict[str, Any], names: Names) -> RequestRecord:
    latency, duration = row["first_token"], row["duration"]
    tokens, cost, prompt_cost = row["completion_tokens"], row["cost"], row["prompt_cost"]
    return {
        "id": row["id"],
        "answer_id": row["answer_id"],
        "created": row["created"],
        "source": row["source"],
        "kind": row["kind"],
        "who": names.of(key_id=row["key_id"], user_id=row["user_id"], fallback=row["caller"], address=row["address"]),
        "key_id": row["key_id"],
        "key": names.masked(row["key_id"]) if row["key_id"] else None,
        "user_id": row["user_id"],
        "labels": list(names.labels(row["key_id"])),
        "address": row["address"],
        "requested_model": row["requested_model"],
        "model": row["model"],
        "backend_id": row["backend_id"],
        "backend_name": row["backend_name"],
        "provider_health": row["provider_health"],
        "attempts": row["attempts"],
        "failed_attempts": [_attempt(attempt) for attempt in row["failed_attempts"] or ()],
        "streamed": bool(row["stream"]),
        "outcome": row["outcome"],
        "error_code": row["error_code"],
        "finish_reason": row["finish_reason"],
        "tokens_prompt": row["prompt_tokens"],
        "tokens_completion": tokens,
        "tokens_cached": row["cached_tokens"],
        "tokens_reasoning": row["reasoning_tokens"],
        "audio_seconds": row["audio_seconds"],
        "speech_characters": row["speech_characters"],
        "estimated": bool(row["estimated"]),
        "cost": _money(cost),
        "cost_prompt": _money(prompt_cost),
        "cost_completion": None if cost is None or prompt_cost is None else _money(cost - prompt_cost),
        "cost_source": row["cost_source"],
        "currency": row["currency"],
        "converted_cost": _money(row["converted_cost"]),
        "converted_currency": row["converted_currency"],
        "energy_wh": None if row["energy"] is None else row["energy"] / 3600,
        "sent_ms": _milliseconds(row["sent"]),
        "first_byte_ms": _milliseconds(row["first_byte"]),
        "latency_ms": _milliseconds(latency),
        "duration_ms": round(duration * 1000, 1),
        "tokens_per_second": speed_of(tokens, latency, duration) if row["stream"] else None,
    }


def _attempt(attempt: dict[str, Any]) -> AttemptRecord:
    return {
        "backend_id": attempt["backend_id"],
        "backend_name": attempt["backend_name"],
        "model": attempt["model"],
        "reason": attempt["reason"],
        "code": attempt["code"],
        "began_ms": _milliseconds(attempt.get("began")),
        "ended_ms": _milliseconds(attempt.get("ended")),
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def speed_of(tokens: int, first_token: float | None, duration: float) -> float | None:
    """Tokens of a stream for each second from its first token to its end, both in seconds since the request; None if unknown."""
    writing = None if first_token is None else duration - first_token
    return round(tokens / writing, 1) if writing and tokens else None


def _money(nano: int | None) -> float | None:
    return None if nano is None else nano / NANO


def _text_of(cursor: Cursor) -> str:
    return urlsafe_b64encode(_CURSOR.pack(*cursor)).decode()


def _cursor(text: str) -> Cursor:
    try:
        created, row_id = _CURSOR.unpack(urlsafe_b64decode(text))
    except (binascii.Error, struct.error, ValueError) as err:
        raise _unknown_cursor() from err
    if not math.isfinite(created):
        raise _unknown_cursor()
    return created, row_id


def _unknown_cursor() -> InvalidRequestError:
    return InvalidRequestError("'after' is wrong: this is no cursor of a former page.", param="after")
