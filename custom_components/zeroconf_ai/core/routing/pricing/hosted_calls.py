"""The cost of the calls of hosted tools: what is reserved for them, and what they are charged."""

from dataclasses import replace

from ...accounting.prices.hosted_tools import calls_reserved, cost_of_calls, has_own_prices, most_cost
from ...protocol.hosted_tools import HostedTools
from ...protocol.prices import DEFAULT_CURRENCY
from ...protocol.record import Cost
from ...protocol.request import Request
from ...protocol.usage import Usage
from ..pool.member import Member
from .costs import Charge, CostSource, currency_of, price_of

_TOKENS_PER_CALL = 16_384
"""Tokens of the prompt that the result of one call may add: more than a page of a search, or a document of usual length."""


def passed_tools(member: Member, request: Request) -> HostedTools | None:
    """The hosted tools of a request that this backend would get; None if it would get no hosted tool."""
    hosted = request.hosted
    return hosted if hosted is not None and hosted.dialect in member.backend.hosted_dialects else None


def most_of_calls(member: Member, model: str, request: Request) -> int | None:
    """The maximum cost in nano-units of the calls of hosted tools at a backend; None if it is unknown."""
    hosted = passed_tools(member, request)
    if hosted is None or not _is_charged(member, model):
        return 0
    own = member.terms.hosted_tool_prices
    is_known = currency_of(member, model) == DEFAULT_CURRENCY or has_own_prices(hosted, own)
    return most_cost(hosted, model, own) if is_known else None


def tokens_of_calls(member: Member, request: Request) -> int:
    """The maximum tokens that results of hosted tools add to the prompt at a backend."""
    hosted = passed_tools(member, request)
    return 0 if hosted is None else calls_reserved(hosted) * _TOKENS_PER_CALL


def with_calls_limited(member: Member, request: Request) -> Request:
    """The request, limited to the calls for which cost is reserved."""
    hosted = passed_tools(member, request)
    return request if hosted is None else request.with_meta(hosted=replace(hosted, most_calls=calls_reserved(hosted)))


def with_calls(charge: Charge | None, member: Member, model: str, request: Request, usage: Usage) -> Charge | None:
    """The charge of a request with the cost of its calls of hosted tools, which a cost of the upstream contains."""
    hosted = passed_tools(member, request)
    if hosted is None or not _is_charged(member, model) or (charge is not None and charge.source is CostSource.UPSTREAM):
        return charge
    calls = dict(usage.calls) or (dict.fromkeys(hosted.tools, 1) if hosted.always_called else {})
    own = member.terms.hosted_tool_prices
    cost, is_own = cost_of_calls(hosted, model, calls, own), has_own_prices(hosted, own)
    if not cost:
        return charge
    if charge is None:
        source = CostSource.OWNER if is_own else CostSource.LIST
        return Charge(cost, source, currency_of(member, model) if is_own else DEFAULT_CURRENCY, prompt=0)
    return charge._replace(nano=charge.nano + cost) if is_own or charge.currency == DEFAULT_CURRENCY else charge


def _is_charged(member: Member, model: str) -> bool:
    """Whether calls cost money: not at a backend of the home, nor with a subscription."""
    if member.terms.hosted_tool_prices or price_of(member, model) is not None:
        return True
    return member.backend.info.cost not in (Cost.FREE, Cost.SUBSCRIPTION)
