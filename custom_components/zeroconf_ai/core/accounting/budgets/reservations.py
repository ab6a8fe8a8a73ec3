"""How much of which budget is set aside for a request, and which backends may then answer it. No I/O, no state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..budget import EXCEEDED, Action, Balance, Budget, ReservedAmount, Scope
from ..periods import Window


class BudgetBalance(NamedTuple):
    """A budget that a request falls under, as it is right now."""

    budget: Budget
    window: Window
    account: Balance


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why a request cannot be let in. Money in nano-units."""

    budget: Budget
    window: Window
    left: int
    needed: int
    exhausted: bool
    held: bool
    """Whether it would fit if nothing were set aside for requests that are being answered."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be set aside, and who must not answer; or why nothing is."""

    held: tuple[ReservedAmount, ...] = ()
    barred: frozenset[str] = frozenset()
    shortage: Shortfall | None = None
    granted: Mapping[str, int] = field(default_factory=dict)
    """What the request may cost at most, by the ids of the backends that a budget concerns."""


def decide(
    worst_costs: Mapping[str, int], concerned: Sequence[BudgetBalance], ample_costs: Mapping[str, int] | None = None
) -> Decision:
    """Set aside the most that a request can cost at any backend that may answer it.

    A backend whose worst cost does not fit into what is left is barred; where that leaves none, the request is short of money.
    Where there is more, up to the `ample_costs` are set aside.
    """
    barred: dict[str, BudgetBalance] = {}
    for one in concerned:
        budget, account = one.budget, one.account
        exhausted, left = account.exhausted(budget), account.left(budget)
        if budget.scope is Scope.BACKEND:
            cost = worst_costs.get(budget.subject)
            if exhausted or (cost is not None and cost > left):
                barred.setdefault(budget.subject, one)
            continue
        if exhausted and budget.action is Action.REFUSE:
            return Decision(shortage=_shortage(one, min(worst_costs.values(), default=0)))
        for backend_id, cost in worst_costs.items():
            if cost > left:
                barred.setdefault(backend_id, one)
    open_costs = {backend_id: cost for backend_id, cost in worst_costs.items() if backend_id not in barred}
    if worst_costs and not open_costs:
        cheapest = min(worst_costs, key=lambda backend_id: worst_costs[backend_id])
        return Decision(shortage=_shortage(barred[cheapest], worst_costs[cheapest]))
    granted = {
        backend_id: _granted(backend_id, cost, (ample_costs or {}).get(backend_id, cost), concerned)
        for backend_id, cost in open_costs.items()
        if any(one.budget.scope is not Scope.BACKEND or one.budget.subject == backend_id for one in concerned)
    }
    most = max(granted.values(), default=0)
    held = (
        ReservedAmount(one.budget, one.window, granted.get(one.budget.subject, 0) if one.budget.scope is Scope.BACKEND else most)
        for one in concerned
    )
    return Decision(tuple(part for part in held if part.amount), frozenset(barred), granted=granted)


def _granted(backend_id: str, worst: int, ample: int, concerned: Sequence[BudgetBalance]) -> int:
    """What is set aside for one backend: what is ample, or what is left of the smallest budget that concerns it."""
    left = (
        one.account.left(one.budget)
        for one in concerned
        if one.budget.scope is not Scope.BACKEND or one.budget.subject == backend_id
    )
    return max(worst, min(ample, *left))


def exceeded_by(worst_costs: Mapping[str, int], concerned: Sequence[BudgetBalance]) -> list[BudgetBalance]:
    """The budgets that cannot pay for a request at any backend that costs money, and of which that was not told yet.

    What is set aside for other requests counts as left: it may be free again in a moment.
    """
    found = []
    for one in concerned:
        budget, account = one.budget, one.account
        of_backend = budget.scope is Scope.BACKEND
        costs = [cost for backend_id, cost in worst_costs.items() if cost and (not of_backend or backend_id == budget.subject)]
        if costs and account.warned < EXCEEDED and min(costs) > budget.amount - account.spent:
            found.append(one)
    return found


def _shortage(one: BudgetBalance, needed: int) -> Shortfall:
    budget, account = one.budget, one.account
    exhausted = account.exhausted(budget)
    fits_then = needed <= budget.amount - account.spent
    return Shortfall(budget, one.window, account.left(budget), needed, exhausted, not exhausted and fits_then)
