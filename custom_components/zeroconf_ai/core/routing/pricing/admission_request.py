"""A request as admission control sees it."""

from ...accounting.admission import AdmissionRequest
from ...protocol.demand import answer_count, answer_limit
from ...protocol.image_requests import image_tokens
from ...protocol.request import Request
from ..caller import Caller
from .bounds import USUAL_ANSWER, audio_tokens
from .worst_case import WorstCase


def admission_request(request: Request, caller: Caller, known: WorstCase, created: float, *, nested: bool) -> AdmissionRequest:
    """What admission control needs to know of a request; `created` is the time of its arrival, in seconds since the epoch."""
    limit = answer_limit(request.body)
    return AdmissionRequest(
        source=caller.source,
        kind=request.kind,
        model=request.model,
        key_id=caller.key_id,
        user_id=caller.user_id,
        address=caller.address,
        prompt_tokens=request.estimated_prompt_tokens,
        answer_tokens=_answer_tokens(request, limit),
        limits_answer=limit is not None,
        worst_costs=known.worst_costs,
        ample_costs=known.ample_costs,
        unpriced=known.unpriced,
        unconverted=known.unconverted,
        created=created,
        backend_rates=known.rates,
        monthly_limits=known.monthly_limits,
        nested=nested,
    )


def _answer_tokens(request: Request, limit: int | None) -> int:
    if request.kind.makes_images:
        return image_tokens(request.body)
    if request.kind.is_audio:
        return audio_tokens(request)
    return (limit or USUAL_ANSWER) * answer_count(request.body) if request.kind.writes else 0
