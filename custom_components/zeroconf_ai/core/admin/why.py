"""Why a request goes where it goes: the plan for a request that is not sent."""

from collections.abc import Callable
from typing import TypedDict

from ..engine import Caller, Engine
from ..protocol.errors import ApiError
from ..protocol.request import Request
from ..protocol.values import NANO
from ..routing.pricing.costs import price_of
from ..routing.selection.candidates import Candidate
from ..routing.selection.eligibility import Rejection
from .callers import planned_caller
from .names import Names
from .pasted_request import Form, read_pasted


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

    form: str
    """What was read: "text", "json" or "curl"."""
    kind: str
    """"chat/completions", "completions", "embeddings", "images/generations" or "images/edits"."""
    asker: str
    """The name of the key or user as whom it was asked; empty if neither was named."""
    requested_model: str
    strategy: str
    prompt_tokens: int
    """Estimated."""
    needs: list[str]
    """Capabilities that provider and model must have."""
    home_rule: str | None
    """The `HomeRule` that keeps the request at home; None: it may leave."""
    candidates: list[WhyCandidate]
    rejections: list[WhyRejection]
    error: str | None


def why_pasted(
    engine: Engine,
    text: str,
    names: Names,
    *,
    model: str | None = None,
    key_id: str | None = None,
    user_id: str | None = None,
    active_user: Callable[[str], bool] = lambda _: True,
) -> Why:
    """The plan of what a person typed or pasted (`read_pasted`), as if a key or a user sent it (`planned_caller`).

    Raises InvalidRequestError for an invalid request, NotFoundError for an unknown key or user.
    """
    pasted = read_pasted(text, model)
    asker = planned_caller(names, pasted.api.scope, key_id=key_id, user_id=user_id, secret=pasted.secret, active_user=active_user)
    plan = why(engine, pasted.request, asker.caller)
    plan["form"], plan["asker"] = pasted.form.value, asker.name
    if asker.refusal is not None:
        plan["error"] = asker.refusal.message
    return plan


def why(engine: Engine, request: Request, caller: Caller) -> Why:
    """The plan of a request of a caller."""
    plan: Why = {
        "form": Form.JSON.value,
        "kind": request.kind.value,
        "asker": caller.name,
        "requested_model": request.model,
        "strategy": engine.policy.strategy.value,
        "prompt_tokens": request.estimated_prompt_tokens,
        "needs": sorted(request.needs),
        "home_rule": engine.policy.home_rule(request.home_rule or caller.home_rule),
        "candidates": [],
        "rejections": [],
        "error": None,
    }
    alias = engine.policy.virtual_models.get(request.model)
    if alias is not None and alias.strategy is not None:
        plan["strategy"] = alias.strategy.value
    try:
        explained = engine.explain(request, caller)
    except ApiError as err:
        plan["error"] = err.message
        return plan
    found, costs = explained.candidates, explained.costs.ample_costs
    if explained.refused and explained.refusal is not None:
        plan["error"] = explained.refusal.message
    for candidates, now in ((found.ordered, True), (found.later, False)):
        for candidate in candidates:
            if candidate.member.id in explained.barred and explained.refusal is not None:
                plan["rejections"].append({"backend": candidate.member.name, "reason": explained.refusal.message})
            else:
                currency = explained.costs.unconverted.get(candidate.member.id) or engine.exchange.currency
                plan["candidates"].append(_candidate(candidate, costs.get(candidate.member.id, 0), currency, now=now))
    plan["rejections"] += [_rejection(rejection) for rejection in dict.fromkeys(found.rejections)]
    return plan


def _candidate(candidate: Candidate, most: int, currency: str | None, *, now: bool) -> WhyCandidate:
    """`currency` of `most`; None: that of its prices."""
    member = candidate.member
    prices = price_of(member, candidate.model)
    return {
        "backend_id": member.id,
        "backend": member.name,
        "model": candidate.model,
        "cost": member.backend.info.cost.value,
        "most": None if prices is None else most / NANO,
        "currency": None if prices is None else currency or prices.currency,
        "running": member.active,
        "limit": member.limiter.limit,
        "now": now,
    }


def _rejection(rejection: Rejection | str) -> WhyRejection:
    if isinstance(rejection, str):
        return {"backend": "", "reason": rejection}
    return {"backend": rejection.backend, "reason": rejection.words}
