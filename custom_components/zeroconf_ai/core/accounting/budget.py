"""`Budget`: an amount of money per day, week or month for a key, a user, a backend or the household."""

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
"""The largest budget in nano-units: a billion."""


class Scope(StrEnum):
    """What a budget applies to."""

    KEY = "key"
    USER = "user"
    """A Home Assistant user, whichever API key or source the request uses."""
    BACKEND = "backend"
    HOUSEHOLD = "household"


class Action(StrEnum):
    """What happens to requests when a budget is exceeded."""

    REFUSE = "refuse"
    FREE_ONLY = "free_only"
    """Only free backends are used. A backend's own budget always excludes just that backend."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A spending limit. Money is in nano-units."""

    id: str
    scope: Scope
    subject: str
    """The id of the key, user or backend; "" for the household."""
    amount: int
    period: Period
    action: Action = Action.FREE_ONLY
    thresholds: tuple[int, ...] = DEFAULT_THRESHOLDS
    """Percentages of the amount at which listeners are notified, ascending."""

    @property
    def words(self) -> str:
        """The budget's name in error messages: neither ids nor amounts."""
        owner = "household" if self.scope is Scope.HOUSEHOLD else str(self.scope)
        return f"the budget of this {owner} for the {self.period}"


@dataclass(frozen=True, slots=True)
class BudgetEvent:
    """A threshold was reached, or the remaining balance is too small for a request that costs money."""

    budget: Budget
    threshold: int
    """Per cent."""
    spent: int
    """Nano-units."""
    period: Window
    refused: bool = False
    """Whether a rejected request caused the event; the spent amount may then be below the threshold."""


@dataclass(slots=True)
class Balance:
    """The state of a budget within one period, in nano-units."""

    spent: int = 0
    reserved: int = 0
    """Reserved for requests in progress."""
    warned: int = 0
    """The highest threshold that listeners were notified of, in per cent; `EXCEEDED` also after a rejected request."""

    def left(self, budget: Budget) -> int:
        """The amount that can still be reserved."""
        return max(0, budget.amount - self.spent - self.reserved)

    def exhausted(self, budget: Budget) -> bool:
        """Whether the full amount is spent."""
        return self.spent >= budget.amount

    def reached(self, budget: Budget) -> int:
        """The highest reached threshold, 0 for none. A budget of 0 reaches all thresholds at once."""
        return max((level for level in budget.thresholds if self.spent * 100 >= level * budget.amount), default=0)

    def newly_reached(self, budget: Budget) -> list[int]:
        """Return the reached thresholds without a notification so far, and mark them as notified."""
        top = self.reached(budget)
        found = [level for level in budget.thresholds if self.warned < level <= top]
        self.warned = max(self.warned, top)
        return found


class ReservedAmount(NamedTuple):
    """The amount reserved from one budget for one request."""

    budget: Budget
    window: Window
    amount: int


def budget_id(scope: Scope, subject: str, period: Period) -> str:
    """The id of a budget: each subject has at most one budget per period."""
    return f"{scope}:{subject}:{period}" if subject else f"{scope}:{period}"


def make_budget(
    scope: Scope,
    subject: str | None,
    amount: int,
    period: Period,
    action: Action = Action.FREE_ONLY,
    thresholds: Iterable[int] = DEFAULT_THRESHOLDS,
) -> Budget:
    """Validate the values and build a budget. Raises ValueError with a message for the user."""
    scope, period, action = Scope(scope), Period(period), Action(action)
    if (scope is Scope.HOUSEHOLD) != (not subject):
        raise ValueError("A budget for a key, a user or a backend needs its id; the household budget takes none.")
    if not 0 <= amount <= LARGEST:
        raise ValueError("The amount of a budget must be between 0 and a billion.")
    levels = tuple(sorted(set(thresholds)))
    if any(not 1 <= level <= 100 for level in levels):
        raise ValueError("A threshold must be between 1 and 100 per cent.")
    named = subject or ""
    return Budget(budget_id(scope, named, period), scope, named, amount, period, action, levels)


def parse_amount(text: str) -> tuple[int, Period]:
    """Parse `5/month`, `0.50/day` or `20/week` into nano-units and period. Raises ValueError."""
    number, _, word = text.strip().partition("/")
    try:
        amount, period = round(float(number) * NANO), Period(word.strip().casefold())
    except (ValueError, OverflowError):
        amount, period = -1, Period.MONTH
    if not 0 <= amount <= LARGEST:
        raise ValueError(f"{text!r} is not a budget. Write an amount and a period: 5/month, 2.50/week or 0.5/day.")
    return amount, period


def format_amount(nano: int) -> str:
    """Format money for display, with as many digits as needed to differ from zero."""
    amount = nano / NANO
    return f"{amount:.2f}" if nano % 10_000_000 == 0 or amount >= 100 else f"{amount:.9f}".rstrip("0")


def budgets_by_subject(budgets: Sequence[Budget]) -> dict[tuple[Scope, str], tuple[Budget, ...]]:
    """Group budgets by scope and subject."""
    found: dict[tuple[Scope, str], list[Budget]] = {}
    for budget in budgets:
        found.setdefault((budget.scope, budget.subject), []).append(budget)
    return {subject: tuple(group) for subject, group in found.items()}
