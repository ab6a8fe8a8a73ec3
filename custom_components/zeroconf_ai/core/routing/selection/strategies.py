"""The order of candidates: one ranking per strategy, and the order of equal candidates."""

from collections.abc import Callable, Mapping

from ...backends.home_address import names_outside
from ...protocol.home_rule import HomeRule
from ...protocol.image_requests import image_count, image_tokens
from ...protocol.record import Placement
from ...protocol.request import Request
from ...protocol.status import ProviderState
from ...protocol.usage import Usage
from ..policy import Policy, Strategy
from ..pool.member import Member
from ..pool.model_index import DEAREST
from .complexity import complexity

EXPECTED_ANSWER = 1000
"""Assumed tokens of an answer without a limit."""
STRONG = "strong"
"""The owner's tag for a backend with strong models."""
_STATES = {state: place for place, state in enumerate(ProviderState)}
_USUAL = Usage(750_000, 250_000)

type Key = tuple[float, ...]
type Ranking = Callable[[Member, str], Key]
"""Returns the sort key of a backend and its model; lower comes first."""


def ranking(strategy: Strategy, request: Request, *, any_model: bool) -> Ranking:
    """The ranking by a strategy for one request. `any_model`: its candidates differ in their models."""
    return _RANKINGS[strategy](request, any_model)


def among_equals(member: Member, turn: int, leader: str | None = None) -> Key:
    """The sort key of candidates that a strategy ranks equal: health, the leader, load, share by weight, least recently used.

    `leader`: id of the backend that answered last for the same conversation, device or user.
    """
    weighed = load(member) / max(1, member.terms.weight)
    return _STATES[member.state], member.id != leader, weighed, member.share_at(turn), member.last_used


def load(member: Member) -> float:
    """Requests of a backend, ours and those that it reports, divided by its concurrency limit if that is known."""
    queue = member.status.queue if member.status is not None else None
    requests = member.active + member.limiter.waiting
    capacity = member.limiter.limit
    if queue is not None:
        requests = max(requests, queue.active + queue.depth)
        capacity = capacity or queue.max_concurrent
    return requests / (capacity or 1)


def outside(member: Member) -> bool:
    """Whether requests to it leave the home: by what it says, or as it is known of it (a relay, an agent of a cloud service)."""
    return member.backend.info.placement is not Placement.LOCAL or member.leaves_home is True


def leaves_home(member: Member) -> bool:
    """Whether requests to it may leave the home, by its address too. Unknown counts as yes."""
    if outside(member) or member.leaves_home is not None:
        return outside(member)
    address = member.backend.address
    return member.backend.info.agent if address is None else names_outside(address)


def kept_out(member: Member, of_request: HomeRule | None, policy: Policy) -> HomeRule | None:
    """The rule because of which a request does not go to a backend; None: it may. `of_request`: the rule of the request."""
    rule = policy.home_rule(of_request)
    return rule if rule is not None and leaves_home(member) else None


def _by_priority(request: Request, any_model: bool) -> Ranking:
    return lambda member, model: (member.priority,)


def _by_place(request: Request, any_model: bool) -> Ranking:
    return lambda member, model: (outside(member), member.priority)


def _by_cost(request: Request, any_model: bool) -> Ranking:
    body = request.body
    answer = image_tokens(body) if request.kind.makes_images else 0
    if request.kind.writes:
        answer = (body.get("max_completion_tokens") or body.get("max_tokens") or EXPECTED_ANSWER) * (body.get("n") or 1)
    usage = Usage(max(1, request.estimated_prompt_tokens), answer)
    images = image_count(body) if request.kind.makes_images else 0
    return lambda member, model: (member.served.cost(model, usage, images), member.priority)


def _by_latency(request: Request, any_model: bool) -> Ranking:
    """Backends without a measurement come first."""

    def rank(member: Member, model: str) -> Key:
        seconds = member.latency if member.first_token_seconds is None else member.first_token_seconds
        return (0.0 if seconds is None else seconds, member.priority)

    return rank


def _by_load(request: Request, any_model: bool) -> Ranking:
    return lambda member, model: (load(member), member.priority)


def _by_complexity(request: Request, any_model: bool) -> Ranking:
    """Hard requests: strong backends first. Others: backends at home without the tag first. A named model: by priority."""
    if not any_model:
        return _by_priority(request, any_model)
    if not complexity(request).hard:
        return lambda member, model: (STRONG in member.terms.tags, outside(member), member.priority)

    def rank(member: Member, model: str) -> Key:
        found = member.served.find(model)
        price = member.served.cost(model, _USUAL)
        return (
            STRONG not in member.terms.tags,
            not outside(member),
            -price if price < DEAREST else 0,
            -(found.context_window or 0) if found is not None else 0,
            member.priority,
        )

    return rank


_RANKINGS: Mapping[Strategy, Callable[[Request, bool], Ranking]] = {
    Strategy.PRIORITY: _by_priority,
    Strategy.LOCAL_FIRST: _by_place,
    Strategy.COST: _by_cost,
    Strategy.LATENCY: _by_latency,
    Strategy.LEAST_BUSY: _by_load,
    Strategy.COMPLEXITY: _by_complexity,
}
