"""`Budget`: so much money for a day, a week or a month, and whose it is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from ..protocol.values import NANO
from .periods import Period, Window

DEFAULT_THRESHOLDS = (80, 100)
EXCEEDED = 100
"""The threshold of a budget that is exceeded, in per cent."""
LARGEST = 10**15 * 1_000
"""Nano-units that a budget may be: a billion."""


class Scope(StrEnum):
    """Whose money it is."""

    KEY = "key"
    USER = "user"
    """One of Home Assistant's, whatever key or door they come by."""
    BACKEND = "backend"
    HOUSEHOLD = "household"


class Action(StrEnum):
    """What happens when it is spent."""

    REFUSE = "refuse"
    FREE_ONLY = "free_only"
    """Backends that cost money are barred. A backend's own budget bars that backend, whatever its action."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Money in nano-units."""

    id: str
    scope: Scope
    subject: str
    """The id of the key, user or backend; "" for the household."""
    amount: int
    period: Period
    action: Action = Action.FREE_ONLY
    thresholds: tuple[int, ...] = DEFAULT_THRESHOLDS
    """Per cent of the amount at which its listeners are told, in rising order."""

    @property
    def words(self) -> str:
        """What it is called towards a caller: no ids, and no amount of others' money."""
        whose = "of this household" if self.scope is Scope.HOUSEHOLD else f"of this {self.scope}"
        return f"the budget {whose} for the {self.period}"


@dataclass(frozen=True, slots=True)
class BudgetEvent:
    """A threshold was reached, or a request that costs money does not fit into what is left."""

    budget: Budget
    threshold: int
    """Per cent."""
    spent: int
    """Nano-units."""
    period: Window
    refused: bool = False
    """Whether it is told because a request did not fit; then less may be spent than the threshold says."""


@dataclass(slots=True)
class Balance:
    """What became of a budget within one period. Nano-units."""

    spent: int = 0
    reserved: int = 0
    """Set aside for requests that are being answered."""
    warned: int = 0
    """The highest threshold that was told, in per cent. `EXCEEDED` with the first request that did not fit, too."""

    def left(self, budget: Budget) -> int:
        """What may still be set aside."""
        return max(0, budget.amount - self.spent - self.reserved)

    def exhausted(self, budget: Budget) -> bool:
        """Whether all of it is spent."""
        return self.spent >= budget.amount

    def reached(self, budget: Budget) -> int:
        """The highest threshold that is reached, 0 for none. A budget of nothing is reached at once."""
        return max((level for level in budget.thresholds if self.spent * 100 >= level * budget.amount), default=0)

    def newly_reached(self, budget: Budget) -> list[int]:
        """The thresholds to be told now, which are taken for told from here on."""
        top = self.reached(budget)
        found = [level for level in budget.thresholds if self.warned < level <= top]
        self.warned = max(self.warned, top)
        return found


class ReservedAmount(NamedTuple):
    """What is set aside of one budget's account for one request."""

    budget: Budget
    window: Window
    amount: int


def budget_id(scope: Scope, subject: str, period: Period) -> str:
    """What a budget goes by: one whose it is has at most one for each period."""
    return f"{scope}:{subject}:{period}" if subject else f"{scope}:{period}"


def make_budget(
    scope: Scope,
    subject: str | None,
    amount: int,
    period: Period,
    action: Action = Action.FREE_ONLY,
    thresholds: Iterable[int] = DEFAULT_THRESHOLDS,
) -> Budget:
    """A checked budget. Raises ValueError saying what is wrong."""
    scope, period, action = Scope(scope), Period(period), Action(action)
    if (scope is Scope.HOUSEHOLD) != (not subject):
        raise ValueError("A budget of a key, a user or a backend names it; the household's names nobody.")
    if not 0 <= amount <= LARGEST:
        raise ValueError("A budget's amount is from 0 to a billion.")
    levels = tuple(sorted(set(thresholds)))
    if any(not 1 <= level <= 100 for level in levels):
        raise ValueError("A threshold is from 1 to 100 per cent.")
    named = subject or ""
    return Budget(budget_id(scope, named, period), scope, named, amount, period, action, levels)


def parse_amount(text: str) -> tuple[int, Period]:
    """Nano-units and period of `5/month`, `0.50/day` or `20/week`. Raises ValueError for anything else."""
    number, _, word = text.strip().partition("/")
    try:
        amount, period = round(float(number) * NANO), Period(word.strip().casefold())
    except ValueError, OverflowError:
        amount, period = -1, Period.MONTH
    if not 0 <= amount <= LARGEST:
        raise ValueError(f"{text!r} is no budget. Write an amount and a period: 5/month, 2.50/week or 0.5/day.")
    return amount, period


def amount_words(nano: int) -> str:
    """Money for people: as many digits as it takes to tell it from nothing."""
    amount = nano / NANO
    return f"{amount:.2f}" if nano % 10_000_000 == 0 or amount >= 100 else f"{amount:.9f}".rstrip("0")


def listed(budgets: Sequence[Budget]) -> dict[tuple[Scope, str], tuple[Budget, ...]]:
    """The budgets by whose they are."""
    found: dict[tuple[Scope, str], list[Budget]] = {}
    for budget in budgets:
        found.setdefault((budget.scope, budget.subject), []).append(budget)
    return {whose: tuple(theirs) for whose, theirs in found.items()}
