"""The maximum cost of a request and the limits of its backends, which admission control needs before routing."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ...accounting.admission import RateLimits
from ...protocol.exchange import Exchange
from ...protocol.record import Cost, Placement
from ...protocol.request import Request
from ..pool.member import Member
from ..selection.candidates import Candidate
from .bounds import CostBounds, cost_bounds, unpriced_field
from .costs import currency_of, price_of
from .hosted_calls import most_of_calls


@dataclass(frozen=True, slots=True)
class WorstCase:
    """Costs and limits by the ids of the backends that may answer. Money in nano-units of the currency of budgets."""

    worst_costs: dict[str, int] = field(default_factory=dict)
    """The minimum to reserve."""
    ample_costs: dict[str, int] = field(default_factory=dict)
    """Reserved if the balance is large enough."""
    unpriced: dict[str, str] = field(default_factory=dict)
    """The request's field whose cost is unknown in advance."""
    unconverted: dict[str, str] = field(default_factory=dict)
    """The currency that has no exchange rate; the costs are then in this currency."""
    rates: dict[str, RateLimits] = field(default_factory=dict)
    monthly_limits: dict[str, int] = field(default_factory=dict)


def worst_case(candidates: Iterable[Candidate], request: Request, *, again: bool = False) -> WorstCase:
    """The maximum cost of a request at each candidate. Without a known price, 1 if the backend costs money.

    `again`: the next backend may be tried after a timeout, although the first one may charge for it too.
    """
    found = WorstCase()
    for candidate in candidates:
        member, model = candidate.member, candidate.model
        bounds, calls = cost_bounds(member, model, request), most_of_calls(member, model, request)
        if calls is None:
            found.unpriced[member.id] = "tools"
        elif calls:
            bounds = CostBounds(bounds.least + calls, bounds.most + calls)
        if bounds.most and (param := unpriced_field(request, member.served.find(model))) is not None:
            found.unpriced[member.id] = param
        bounds = _converted(bounds, candidate, request.exchange, found)
        if not bounds.least and _costs_money(member, model):
            bounds = CostBounds(1, 1)
        found.worst_costs[member.id] = max(bounds.least, found.worst_costs.get(member.id, 0))
        found.ample_costs[member.id] = max(bounds.most, found.ample_costs.get(member.id, 0))
        terms = member.terms
        if terms.requests_per_minute is not None or terms.tokens_per_minute is not None:
            found.rates[member.id] = RateLimits(terms.requests_per_minute, terms.tokens_per_minute)
        if terms.monthly_limit is not None:
            found.monthly_limits[member.id] = terms.monthly_limit
    if again:
        dearest = max(found.worst_costs.values(), default=0)
        found.ample_costs.update({backend_id: cost + dearest for backend_id, cost in found.ample_costs.items() if cost})
    return found


def _converted(bounds: CostBounds, candidate: Candidate, exchange: Exchange, found: WorstCase) -> CostBounds:
    """The bounds in the currency of budgets; `found` notes a currency without an exchange rate."""
    currency = currency_of(candidate.member, candidate.model)
    least, most = (exchange.convert(cost, currency) for cost in bounds)
    if least is None or most is None:
        found.unconverted[candidate.member.id] = currency
        return bounds
    return CostBounds(least, most)


def is_limited(member: Member) -> bool:
    """Whether the owner has set rate limits or a monthly limit for it."""
    terms = member.terms
    return terms.monthly_limit is not None or terms.requests_per_minute is not None or terms.tokens_per_minute is not None


def may_cost(member: Member) -> bool:
    """Whether some of its answers may cost money."""
    return member.backend.info.cost not in (Cost.FREE, Cost.SUBSCRIPTION) or bool(member.terms.prices)


def _costs_money(member: Member, model: str) -> bool:
    """Whether its answers cost money although no price is known."""
    cost, is_foreign = member.backend.info.cost, member.backend.info.placement is not Placement.LOCAL
    return price_of(member, model) is None and (cost is Cost.METERED or (cost is Cost.UNKNOWN and is_foreign))
