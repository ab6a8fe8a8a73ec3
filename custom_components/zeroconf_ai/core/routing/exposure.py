"""What a request may cost at most, and which limits its backends have: what the gatekeeper is told before it is routed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..accounting.admission import Rates
from ..protocol.record import Cost
from ..protocol.request import Kind, Request
from .candidates import Candidate
from .costs import price_of, worst_cost
from .pool import Member
from .strategies import outside

USUAL_ANSWER = 4096
"""Tokens set aside for an answer whose length the request does not limit."""
_PROMPT_FACTOR = 2
_PROMPT_EXTRA = 64
"""A prompt may have more tokens than its length suggests: other languages than English, and what templates add."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """By the ids of the backends that may answer. Money in nano-units."""

    worst_costs: dict[str, int] = field(default_factory=dict)
    rates: dict[str, Rates] = field(default_factory=dict)
    monthly_limits: dict[str, int] = field(default_factory=dict)


def exposure(candidates: Iterable[Candidate], request: Request) -> Exposure:
    """What a request may cost at each of the backends. Where nobody knows a price, only whether it costs money at all."""
    found = Exposure()
    prompt = request.estimated_prompt_tokens * _PROMPT_FACTOR + _PROMPT_EXTRA
    for candidate in candidates:
        member, model = candidate.member, candidate.model
        cost = worst_cost(member, model, prompt, answer_tokens(request, _longest_answer(candidate)))
        if not cost and _costs_money(member, model):
            cost = 1
        found.worst_costs[member.id] = max(cost, found.worst_costs.get(member.id, 0))
        terms = member.terms
        if terms.requests_per_minute is not None or terms.tokens_per_minute is not None:
            found.rates[member.id] = Rates(terms.requests_per_minute, terms.tokens_per_minute)
        if terms.monthly_limit is not None:
            found.monthly_limits[member.id] = terms.monthly_limit
    return found


def answer_tokens(request: Request, longest: int | None = None) -> int:
    """The most that may be answered with: the request's own limit for each of its answers, else what is usual."""
    if request.kind is Kind.EMBEDDINGS:
        return 0
    body = request.body
    own: int = body.get("max_completion_tokens") or body.get("max_tokens") or USUAL_ANSWER
    return min(own, longest or own) * (body.get("n") or 1)


def is_limited(member: Member) -> bool:
    """Whether its owner limits what it is asked or costs."""
    terms = member.terms
    return terms.monthly_limit is not None or terms.requests_per_minute is not None or terms.tokens_per_minute is not None


def may_cost(member: Member) -> bool:
    """Whether what it answers may cost money, as far as is known without asking for what."""
    return member.backend.info.cost not in (Cost.FREE, Cost.SUBSCRIPTION) or bool(member.terms.prices)


def _longest_answer(candidate: Candidate) -> int | None:
    model = candidate.member.served.find(candidate.model)
    return None if model is None else model.max_output_tokens


def _costs_money(member: Member, model: str) -> bool:
    """Whether somebody has to pay for what it answers, whatever that is."""
    cost = member.backend.info.cost
    return price_of(member, model) is None and (cost is Cost.METERED or (cost is Cost.UNKNOWN and outside(member)))
