"""`GET /v1/generation?id=`: the record of one request, for the client that sent it."""

from typing import Any

from aiohttp import web

from ...accounting.usage.generation import Generation, Viewer
from ...protocol.errors import InvalidRequestError, NotFoundError
from ...protocol.values import NANO
from ..dispatch import RequestContext
from ..gateway import Gateway


async def generation(gateway: Gateway, context: RequestContext) -> web.Response:
    """The record with an id: `X-Generation-ID`, or the `id` in the answer's body or chunks.

    Raises NotFoundError if it does not exist or belongs to another client.
    """
    if gateway.ledger is None:
        raise NotFoundError("This server keeps no records of requests.")
    wanted = context.http.query.get("id", "")
    if not wanted:
        raise InvalidRequestError(
            "'id' is missing: send ?id= with the X-Generation-ID of the response, or the id of the answer.", param="id"
        )
    caller = context.caller
    viewer = None if caller.admin else Viewer(caller.key_id, caller.user_id, caller.source, caller.address)
    found = await gateway.ledger.get(wanted, viewer)
    if found is None:
        raise NotFoundError(
            f"There is no record of {wanted}. Records are kept for some days, for the client that sent the request.", param="id"
        )
    return context.json({"data": _to_json(found, gateway.access.masked(found.key_id) if found.key_id is not None else None)})


def _to_json(record: Generation, key: str | None) -> dict[str, Any]:
    """The record with the keys of OpenRouter's `/generation`, where it has one for the value."""
    usage = record.usage
    return {
        "id": record.id,
        "answer_id": record.answer_id,
        "created": record.created,
        "endpoint": record.kind,
        "requested_model": record.requested_model,
        "model": record.model,
        "provider": record.backend_name,
        "provider_health": record.provider_health,
        "attempts": record.attempts,
        "failed_attempts": [
            {"provider": failed.backend_name, "model": failed.model, "reason": failed.reason, "code": failed.code}
            for failed in record.failed_attempts
        ],
        "status": record.outcome,
        "error_code": record.error_code,
        "finish_reason": record.finish_reason,
        "streamed": record.stream,
        "tokens_prompt": usage.prompt_tokens,
        "tokens_completion": usage.completion_tokens,
        "tokens_cached": usage.cached_tokens,
        "tokens_reasoning": usage.reasoning_tokens,
        "audio_seconds": round(usage.audio_seconds, 3) or None,
        "speech_characters": usage.speech_characters or None,
        "estimated": record.estimated,
        "prompt_cost": _money(record.prompt_cost),
        "completion_cost": _money(record.completion_cost),
        "total_cost": _money(record.cost),
        "currency": record.currency,
        "cost_source": record.cost_source,
        "converted_cost": _money(record.converted_cost),
        "converted_currency": record.converted_currency,
        "energy_wh": None if record.energy is None else round(record.energy / 3600, 6),
        "latency_ms": _milliseconds(record.first_token),
        "sent_ms": _milliseconds(record.sent),
        "first_byte_ms": _milliseconds(record.first_byte),
        "duration_ms": round(record.duration * 1000, 3),
        "key": key,
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _money(nano: int | None) -> float | None:
    return None if nano is None else nano / NANO
