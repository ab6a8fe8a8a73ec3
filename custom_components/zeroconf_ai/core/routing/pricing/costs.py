"""The cost of a request at a backend, and its source (docs/accounting.md, "Prices")."""

from dataclasses import dataclass
from enum import StrEnum
import math
from typing import NamedTuple

from ...protocol.prices import DEFAULT_CURRENCY, Prices
from ...protocol.record import Cost
from ...protocol.usage import Usage
from ..pool.member import Member

UNSURE = 2
"""Factor on the estimated tokens of a prompt when the price tier for the worst case is selected."""

_NEWEST = 0.2
"""Weight of the newest request in the running mean of metered costs."""


class CostSource(StrEnum):
    """The source of a cost."""

    UPSTREAM = "upstream"
    """The upstream's answer contains the cost."""
    OWNER = "owner"
    """The prices that the owner set."""
    MEASURED = "measured"
    """A power meter and the price of electricity."""
    LIST = "list"
    """The backend's list of models, or a list of public prices."""
    FREE = "free"
    """There is no extra cost: the backend is at home or paid by subscription."""


class Charge(NamedTuple):
    """The cost of a request."""

    nano: int
    """Nano-units of the currency."""
    source: CostSource
    currency: str = DEFAULT_CURRENCY


@dataclass(frozen=True, slots=True)
class Quote:
    """The prices at which a request is charged: those at the time it was sent."""

    prices: Prices | None
    own: bool
    """Whether the prices are the owner's."""
    free: bool
    """Whether the cost is 0 if there are no prices."""

    def charge(self, usage: Usage, measured: Charge | None = None) -> Charge | None:
        """The cost of `usage`, from the first source that has one: upstream, owner, meter, list. None: unknown.

        `measured` is the metered cost of the same request.
        """
        if usage.cost is not None:
            return Charge(usage.cost, CostSource.UPSTREAM)
        if self.prices is not None and self.own:
            return Charge(self.prices.cost(usage), CostSource.OWNER, self.prices.currency)
        if measured is not None:
            return measured
        if self.prices is not None:
            return Charge(self.prices.cost(usage), CostSource.LIST, self.prices.currency)
        return Charge(0, CostSource.FREE) if self.free else None


def quote(member: Member, model: str) -> Quote:
    """The current prices of a model."""
    free = member.backend.info.cost in (Cost.FREE, Cost.SUBSCRIPTION)
    return Quote(price_of(member, model), member.served.own_prices(model) is not None, free)


def price_of(member: Member, model: str) -> Prices | None:
    """The owner's prices of a model, else those that its backend reports, else the list prices; None: unknown."""
    return member.served.prices(model)


def cost_of(member: Member, model: str, usage: Usage) -> Charge | None:
    """The cost of `usage` at the current prices; None: unknown."""
    return quote(member, model).charge(usage)


def is_measured(member: Member, model: str) -> bool:
    """Whether a meter determines its costs, and the mean cost of its recent requests is known."""
    return member.meter is not None and member.usual_cost is not None and member.served.own_prices(model) is None


def record_measured(member: Member, nano: int) -> None:
    """Add the metered cost of a request, in nano-units, to the running mean of its backend."""
    mean = member.usual_cost
    member.usual_cost = float(nano) if mean is None else mean + _NEWEST * (nano - mean)


def worst_cost(member: Member, model: str, prompt_tokens: int, answer_tokens: int) -> int:
    """The maximum cost of a request in nano-units, with every token at the highest rate; 0 if no price is known.

    A metered cost is only known afterwards, so the mean cost is assumed.
    """
    if is_measured(member, model):
        return math.ceil(member.usual_cost or 0.0)
    if (prices := price_of(member, model)) is None:
        return 0
    return prices.at(prompt_tokens * UNSURE).dearest(prompt_tokens, answer_tokens)
