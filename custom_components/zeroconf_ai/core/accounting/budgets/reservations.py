"""Decides what to reserve from which budgets and which backends a request may use. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..budget import EXCEEDED, Action, Balance, Budget, ReservedAmount, Scope
from ..periods import Window


class BudgetBalance(NamedTuple):
    """A budget that applies to a request, with its current balance."""

    budget: Budget
    window: Window
    balance: Balance


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why a request was rejected. Money is in nano-units."""

    budget: Budget
    window: Window
    left: int
    needed: int
    exhausted: bool
    held: bool
    """Whether the request would fit without the reservations of requests in progress."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """The amounts reserved for one request until it is reconciled, and the excluded backends; or the shortfall."""

    amounts: tuple[ReservedAmount, ...] = ()
    barred: frozenset[str] = frozenset()
    shortfall: Shortfall | None = None
    allowances: Mapping[str, int] | None = None
    """The maximum cost of the request, by the ids of the backends that a budget applies to; None: no budget applies."""
    id: str = ""
    """The id under which a shared database stores the amounts."""
    shortfall_of_barred: Shortfall | None = None
    """Why the cheapest of the excluded backends is excluded; None if none is."""


NO_RESERVATION = Reservation()


def decide(
    worst_costs: Mapping[str, int], concerned: Sequence[BudgetBalance], ample_costs: Mapping[str, int] | None = None
) -> Reservation:
    """Reserve the maximum cost of a request over all backends that remain allowed.

    A backend is excluded if its worst-case cost exceeds the remaining balance; if no backend is left, the result is a
    shortfall. If the balance allows, up to `ample_costs` are reserved.
    """
    barred: dict[str, BudgetBalance] = {}
    for one in concerned:
        budget, balance = one.budget, one.balance
        exhausted, left = balance.exhausted(budget), balance.left(budget)
        if budget.scope is Scope.BACKEND:
            cost = worst_costs.get(budget.subject)
            if exhausted or (cost is not None and cost > left):
                barred.setdefault(budget.subject, one)
            continue
        if exhausted and budget.action is Action.REFUSE:
            return Reservation(shortfall=_shortfall(one, min(worst_costs.values(), default=0)))
        for backend_id, cost in worst_costs.items():
            if cost > left:
                barred.setdefault(backend_id, one)
    open_costs = {backend_id: cost for backend_id, cost in worst_costs.items() if backend_id not in barred}
    of_barred: Shortfall | None = None
    if excluded := worst_costs.keys() & barred.keys():
        cheapest = min(excluded, key=lambda backend_id: worst_costs[backend_id])
        of_barred = _shortfall(barred[cheapest], worst_costs[cheapest])
        if not open_costs:
            return Reservation(shortfall=of_barred)
    allowances = {
        backend_id: _allowance(backend_id, cost, (ample_costs or {}).get(backend_id, cost), concerned)
        for backend_id, cost in open_costs.items()
        if any(one.budget.scope is not Scope.BACKEND or one.budget.subject == backend_id for one in concerned)
    }
    most = max(allowances.values(), default=0)
    amounts = (
        ReservedAmount(budget, window, allowances.get(budget.subject, 0) if budget.scope is Scope.BACKEND else most)
        for budget, window, _ in concerned
    )
    reserved = tuple(part for part in amounts if part.amount)
    return Reservation(reserved, frozenset(barred), allowances=allowances, shortfall_of_barred=of_barred)


def _allowance(backend_id: str, worst: int, ample: int, concerned: Sequence[BudgetBalance]) -> int:
    """The amount to reserve for one backend: its ample cost, limited by the smallest remaining balance."""
    left = (
        one.balance.left(one.budget)
        for one in concerned
        if one.budget.scope is not Scope.BACKEND or one.budget.subject == backend_id
    )
    return max(worst, min(ample, *left))


def exceeded_by(worst_costs: Mapping[str, int], concerned: Sequence[BudgetBalance]) -> list[BudgetBalance]:
    """The budgets whose balance is too small for the request at every paid backend, without a notification so far.

    Reservations of other requests count as available, since they may be released soon.
    """
    found = []
    for one in concerned:
        budget, balance = one.budget, one.balance
        of_backend = budget.scope is Scope.BACKEND
        costs = [cost for backend_id, cost in worst_costs.items() if cost and (not of_backend or backend_id == budget.subject)]
        if costs and balance.warned < EXCEEDED and min(costs) > budget.amount - balance.spent:
            found.append(one)
    return found


def _shortfall(one: BudgetBalance, needed: int) -> Shortfall:
    budget, balance = one.budget, one.balance
    exhausted = balance.exhausted(budget)
    fits_then = needed <= budget.amount - balance.spent
    return Shortfall(budget, one.window, balance.left(budget), needed, exhausted, not exhausted and fits_then)
