"""What a request costs at a backend, and who says so (docs/accounting.md, "Prices")."""

from dataclasses import dataclass
from enum import StrEnum
import math
from typing import NamedTuple

from ...protocol.prices import DEFAULT_CURRENCY, Prices
from ...protocol.record import Cost
from ...protocol.usage import Usage
from ..pool.member import Member

UNSURE = 2
"""By how much more tokens than estimated a prompt is taken to have where the tier of its prices is chosen for the worst case."""

_NEWEST = 0.2
"""Weight of the newest request in the mean of those that were measured."""


class CostSource(StrEnum):
    """Who named what a cost follows from."""

    UPSTREAM = "upstream"
    """The answer itself."""
    OWNER = "owner"
    """The prices that the owner set."""
    MEASURED = "measured"
    """A power meter and the price of electricity."""
    LIST = "list"
    """The backend's list of models, or a list of public prices."""
    FREE = "free"
    """Nobody has to: it costs nothing more, as at home and where a subscription is paid."""


class Charge(NamedTuple):
    """What a request cost."""

    nano: int
    """Nano-units of the currency."""
    source: CostSource
    currency: str = DEFAULT_CURRENCY


@dataclass(frozen=True, slots=True)
class Quote:
    """By what a request will be charged: as things were when it was sent, however prices change while it is answered."""

    prices: Prices | None
    own: bool
    """Whether the prices are the owner's."""
    free: bool
    """Whether it costs nothing where there are no prices."""

    def charge(self, usage: Usage, measured: Charge | None = None) -> Charge | None:
        """The cost of what was used, by the first who knows it: the upstream, the owner, the meter, the list. None: nobody.

        `measured` is what the meter says of the same request.
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
    """What a request to a model costs from now on."""
    free = member.backend.info.cost in (Cost.FREE, Cost.SUBSCRIPTION)
    return Quote(price_of(member, model), member.served.own_prices(model) is not None, free)


def price_of(member: Member, model: str) -> Prices | None:
    """The owner's prices of a model, else those that its backend names, else the public ones; None where nobody knows any."""
    return member.served.prices(model)


def cost_of(member: Member, model: str, usage: Usage) -> Charge | None:
    """What so much use costs as prices are now; None where nobody knows."""
    return quote(member, model).charge(usage)


def is_measured(member: Member, model: str) -> bool:
    """Whether it costs what a meter says, and what its requests cost lately is known."""
    return member.meter is not None and member.usual_cost is not None and member.served.own_prices(model) is None


def note_measured(member: Member, nano: int) -> None:
    """Take what a request cost by the meter into the mean of its backend."""
    mean = member.usual_cost
    member.usual_cost = float(nano) if mean is None else mean + _NEWEST * (nano - mean)


def worst_cost(member: Member, model: str, prompt_tokens: int, answer_tokens: int) -> int:
    """The most that a request may cost, in nano-units: every token of the dearest class. 0 where nothing is known.

    What a meter measures is only known afterwards: its requests are taken to cost what they usually do.
    """
    if is_measured(member, model):
        return math.ceil(member.usual_cost or 0.0)
    if (prices := price_of(member, model)) is None:
        return 0
    return prices.at(prompt_tokens * UNSURE).dearest(prompt_tokens, answer_tokens)
