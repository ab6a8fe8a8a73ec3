"""The backends that may answer a request, in order, and why the others may not (docs/routing.md)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...protocol.errors import UnavailableError
from ...protocol.household import CALLER_ID
from ...protocol.models import AUTO
from ...protocol.request import Kind, Request
from ..policy import Policy, Strategy
from ..pool.member import Member
from ..pool.pool import Pool
from .chains import ResolvedModel, Target, resolve
from .eligibility import Reason, Rejection, choose_model, could_at_home, not_now
from .routing_errors import no_backend_error
from .strategies import Key, among_equals, kept_out, outside, ranking

_DEFAULT = Policy()
_NO_CLOUD_FALLBACK = "a backend at home comes first for this request, and cloud fallback is disabled"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backend and the id of the model that would answer there."""

    member: Member
    model: str


@dataclass(frozen=True, slots=True)
class Candidates:
    """The backends in the order of attempts, and why the others are not candidates."""

    ordered: tuple[Candidate, ...]
    rejections: tuple[Rejection | str, ...]
    """A text is the reason why a part of a chain was left out."""
    later: tuple[Candidate, ...] = ()
    """Backends that cannot answer only at the moment."""

    @property
    def passed_over(self) -> tuple[str, ...]:
        """The rejections as texts, each once. Formatted on demand: only the errors of few requests show them."""
        return tuple(dict.fromkeys(map(str, self.rejections)))


class _Entry(NamedTuple):
    """A candidate, its sort key (lower comes first), and why it is only a last resort, or None.

    `preference` is its sort key by the owner's order alone, without the current load.
    """

    sort_key: Key
    preference: Key
    candidate: Candidate
    not_now: str | None


def candidates(pool: Pool, request: Request, policy: Policy = _DEFAULT) -> Candidates:
    """Rules 1 to 5, 8 and 9 of PROTOCOL 3.

    Raises if no candidate is left: NotFoundError for a model that no backend serves, PermissionDeniedError for one that the
    caller may not use, InvalidRequestError for a request that no backend can ever answer, else UnavailableError.
    """
    asked = resolve(pool, request, policy)
    turn = max((member.last_used for member in pool), default=0)
    entries: dict[tuple[str, str], _Entry] = {}
    rejections: list[Rejection] = []
    left_out = list(asked.left_out)
    first_at_home: Key | None = None
    for position, place, target in _places(asked.targets):
        rejected_before = len(rejections)
        found = list(_of_target(pool, target, request, rejections, (position, place), turn, policy))
        for entry in found:
            entries.setdefault((entry.candidate.member.id, entry.candidate.model), entry)
        if not policy.cloud_fallback:
            keys = [entry.preference for entry in found if could_at_home(entry.candidate.member, target.model)]
            first_at_home = min([*keys, *([] if first_at_home is None else [first_at_home])], default=None)
        if asked.virtual and not found and _unknown(rejections[rejected_before:]):
            left_out.append(f"{target.text}: no provider serves it")
    remaining = list(entries.values())
    if first_at_home is not None:
        fallbacks = [entry for entry in remaining if entry.preference >= first_at_home and outside(entry.candidate.member)]
        rejections += [
            Rejection(Reason.OUTSIDE, name, _NO_CLOUD_FALLBACK)
            for name in dict.fromkeys(e.candidate.member.name for e in fallbacks)
        ]
        remaining = [entry for entry in remaining if entry not in fallbacks]
    if asked.virtual and len(asked.targets) > 1:  # most backends serve only one of them
        rejections = [rejection for rejection in rejections if rejection.reason is not Reason.NOT_SERVED]
    rejections = list(dict.fromkeys(rejections))
    ready = [entry for entry in remaining if entry.not_now is None]
    ordered = tuple(entry.candidate for entry in sorted(ready or remaining, key=_sort_key))
    if not ordered:
        unlisted = any(rejection.reason is Reason.NOT_ALLOWED for rejection in rejections)
        known = asked.virtual or unlisted or _known(pool, asked)
        rule = policy.home_rule(request.home_rule)
        raise no_backend_error(pool, request, known=known, rejections=rejections, also=tuple(left_out), home_rule=rule)
    waiting = [(entry.candidate, entry.not_now) for entry in remaining if entry.not_now is not None] if ready else []
    not_now_rejections = (Rejection(Reason.NOT_NOW, candidate.member.name, why) for candidate, why in waiting)
    return Candidates(ordered, (*rejections, *left_out, *not_now_rejections), tuple(candidate for candidate, _ in waiting))


def resolve_model(candidate: Candidate, request: Request) -> Candidate:
    """The candidate with its model selected, now that its backend is awake. Raises UnavailableError if it has none for this."""
    if candidate.model != AUTO:
        return candidate
    chosen = choose_model(candidate.member, AUTO, request)
    if isinstance(chosen, Rejection):
        raise UnavailableError(f"{candidate.member.name} {chosen.words}")
    if chosen == AUTO:
        raise UnavailableError(f"{candidate.member.name} does not list its models")
    return Candidate(candidate.member, chosen)


def _places(targets: Sequence[Target]) -> Iterator[tuple[int, int, Target]]:
    """(position in the chain, place among those with the same position, target): the targets of a group share a position."""
    position, place, former = -1, 0, None
    for target in targets:
        if former is None or target.group is None or target.group != former.group:
            position, place = position + 1, 0
        else:
            place += 1
        yield position, place, target
        former = target


def _of_target(
    pool: Pool,
    target: Target,
    request: Request,
    rejections: list[Rejection],
    at: tuple[int, int],
    turn: int,
    policy: Policy,
) -> Iterator[_Entry]:
    """The candidates for one target at its place; the reasons against the others are added to `rejections`."""
    any_model = target.model == AUTO
    rank = ranking(target.strategy, request, any_model=any_model)
    cheapest = target.strategy is Strategy.COST and request.kind is not Kind.EMBEDDINGS
    for member in pool if target.member is None else (target.member,):
        chosen = choose_model(member, target.model, request, cheapest=cheapest)
        if isinstance(chosen, Rejection):
            rejections.append(chosen)
        elif (rule := kept_out(member, request.home_rule, policy)) is not None:
            rejections.append(Rejection(Reason.HOME_ONLY, member.name, f"outside the home, and {rule.words}"))
        elif not member.enabled and target.member is None:
            rejections.append(Rejection(Reason.OFF, member.name, "disabled for routing"))
        elif member.backend.info.agent and request.key_id == CALLER_ID:
            rejections.append(Rejection(Reason.NOT_ALLOWED, member.name, "a household token does not reach agents of the home"))
        elif member.id in request.barred:
            rejections.append(Rejection(Reason.NOT_NOW, member.name, "its budget or rate limit is used up for now"))
        else:
            last = any_model and target.member is None and member.backend.info.agent
            preference = (at[0], *rank(member, chosen), at[1])
            tier = _tier(member, last=last, listening=request.listening)
            sort_key = (*tier, *preference, *among_equals(member, turn, request.leader))
            yield _Entry(sort_key, preference, Candidate(member, chosen), not_now(member))


def _tier(member: Member, *, last: bool, listening: bool) -> Key:
    """The sort key before any strategy: monthly limit, the home's agents behind all models, health for voice, free permits."""
    limit = member.terms.monthly_limit
    busy = 0 if member.limiter.free else 2 if member.limiter.full else 1
    return limit is not None and member.month_cost >= limit, last, listening and member.sick, busy


def _sort_key(entry: _Entry) -> Key:
    return entry.sort_key


def _unknown(rejections: Sequence[Rejection]) -> bool:
    return all(rejection.reason is Reason.NOT_SERVED for rejection in rejections)


def _known(pool: Pool, asked: ResolvedModel) -> bool:
    """Whether any requested backend serves any of the targets, even if it cannot answer now."""
    for target in asked.targets:
        members = pool if target.member is None else (target.member,)
        if target.model == AUTO or any(member.served.find(target.model) for member in members):
            return True
    return False
