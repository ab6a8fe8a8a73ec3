"""Why a request goes where it goes: the plan for a request that is not sent."""

from collections.abc import Mapping
from typing import Any, TypedDict

from ..engine import Caller, Engine
from ..protocol.errors import ApiError
from ..protocol.models import AUTO
from ..protocol.request import Kind, Request
from ..protocol.values import NANO
from ..routing.pricing.costs import price_of
from ..routing.selection.candidates import Candidate
from ..routing.selection.eligibility import Rejection


class WhyCandidate(TypedDict):
    """A backend that may answer. `most`: the most that it may charge, in `currency`; None: it reports no prices."""

    backend_id: str
    backend: str
    model: str
    cost: str
    """"free", "metered", "subscription" or "unknown"."""
    most: float | None
    currency: str | None
    running: int
    limit: int | None
    now: bool
    """False: only a last resort at the moment, `reason` says why."""


class WhyRejection(TypedDict):
    """A backend that does not answer, and the reason. `backend`: "" for a part of a chain."""

    backend: str
    reason: str


class Why(TypedDict):
    """The plan. `error`: why the request would be refused; None if it would be sent."""

    requested_model: str
    strategy: str
    prompt_tokens: int
    """Estimated."""
    needs: list[str]
    """Capabilities that provider and model must have."""
    candidates: list[WhyCandidate]
    rejections: list[WhyRejection]
    error: str | None


def why(engine: Engine, body: Mapping[str, Any], caller: Caller) -> Why:
    """The plan of a chat request with this body (OpenAI's chat completions). Raises InvalidRequestError for an invalid body."""
    request = Request.parse(Kind.CHAT, {"model": AUTO, **body})
    plan: Why = {
        "requested_model": request.model,
        "strategy": engine.policy.strategy.value,
        "prompt_tokens": request.estimated_prompt_tokens,
        "needs": sorted(request.needs),
        "candidates": [],
        "rejections": [],
        "error": None,
    }
    alias = engine.policy.virtual_models.get(request.model)
    if alias is not None and alias.strategy is not None:
        plan["strategy"] = alias.strategy.value
    try:
        found, worst = engine.explain(request, caller)
    except ApiError as err:
        plan["error"] = err.message
        return plan
    for candidates, now in ((found.ordered, True), (found.later, False)):
        plan["candidates"] += [
            _candidate(candidate, worst.ample_costs.get(candidate.member.id, 0), now=now) for candidate in candidates
        ]
    plan["rejections"] = [_rejection(rejection) for rejection in dict.fromkeys(found.rejections)]
    return plan


def _candidate(candidate: Candidate, most: int, *, now: bool) -> WhyCandidate:
    member = candidate.member
    prices = price_of(member, candidate.model)
    return {
        "backend_id": member.id,
        "backend": member.name,
        "model": candidate.model,
        "cost": member.backend.info.cost.value,
        "most": None if prices is None else most / NANO,
        "currency": None if prices is None else prices.currency,
        "running": member.active,
        "limit": member.limiter.limit,
        "now": now,
    }


def _rejection(rejection: Rejection | str) -> WhyRejection:
    if isinstance(rejection, str):
        return {"backend": "", "reason": rejection}
    return {"backend": rejection.backend, "reason": rejection.words}
