"""The cost of a request at a backend, and its source (docs/accounting.md, "Prices")."""

from dataclasses import dataclass
from enum import StrEnum
import math
from typing import NamedTuple

from ...protocol.audio_requests import recording_tokens
from ...protocol.prices import DEFAULT_CURRENCY, MILLION, Prices
from ...protocol.record import Cost
from ...protocol.request import Request
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
    prompt: int | None = None
    """The part of `nano` for the tokens of the prompt; None: the cost is one of the whole request."""

    def plus(self, other: "Charge") -> "Charge":
        """The cost with that of another request in the same currency."""
        split = self.prompt is not None and other.prompt is not None
        prompt = (self.prompt or 0) + (other.prompt or 0) if split else None
        return self._replace(nano=self.nano + other.nano, prompt=prompt)


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
            return Charge(usage.cost, CostSource.UPSTREAM, prompt=self._prompt_share(usage.cost, usage))
        if self.prices is not None and self.own:
            return _charge(self.prices, usage, CostSource.OWNER)
        if measured is not None:
            return measured
        if self.prices is not None:
            return _charge(self.prices, usage, CostSource.LIST)
        return Charge(0, CostSource.FREE, prompt=0) if self.free else None

    def _prompt_share(self, cost: int, usage: Usage) -> int | None:
        """The part of a cost that the upstream reported for the prompt: in the proportion of the prices; None without prices."""
        if not cost or not usage.completion_tokens:
            return cost
        total = 0 if self.prices is None else self.prices.cost(usage)
        return None if self.prices is None or not total else cost * self.prices.prompt_cost(usage) // total


def _charge(prices: Prices, usage: Usage, source: CostSource) -> Charge:
    return Charge(prices.cost(usage), source, prices.currency, prices.prompt_cost(usage))


def quote(member: Member, model: str) -> Quote:
    """The current prices of a model."""
    free = member.backend.info.cost in (Cost.FREE, Cost.SUBSCRIPTION)
    return Quote(price_of(member, model), member.served.own_prices(model) is not None, free)


def price_of(member: Member, model: str) -> Prices | None:
    """The owner's prices of a model, else those that its backend reports, else the list prices; None: unknown."""
    return member.served.prices(model)


def currency_of(member: Member, model: str) -> str:
    """The currency in which a model is charged."""
    if is_measured(member, model) and member.meter is not None:
        return member.meter.currency
    prices = price_of(member, model)
    return DEFAULT_CURRENCY if prices is None else prices.currency


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


def image_cost(member: Member, model: str, count: int) -> int:
    """The price of images in nano-units, besides their tokens; 0 if the model has none."""
    prices = price_of(member, model)
    return 0 if prices is None else count * (prices.image or 0)


def audio_cost(prices: Prices, request: Request) -> int:
    """The maximum cost of the audio of a request in nano-units, besides its tokens, where audio has a price of its own."""
    recording = request.recording
    if recording is None:
        return prices.cost(Usage(speech_characters=len(request.body["input"])))
    more = max(0, (prices.audio or 0) - prices.input)
    by_minute = prices.cost(Usage(audio_seconds=recording.most_seconds))
    return by_minute + math.ceil(recording_tokens(recording) * more / MILLION)


def worst_cost(member: Member, model: str, prompt_tokens: int, answer_tokens: int) -> int:
    """The maximum cost of a request in nano-units, with every token at the highest rate; 0 if no price is known.

    A metered cost is only known afterwards, so the mean cost is assumed.
    """
    if is_measured(member, model):
        return math.ceil(member.usual_cost or 0.0)
    if (prices := price_of(member, model)) is None:
        return 0
    return prices.at(prompt_tokens * UNSURE).dearest(prompt_tokens, answer_tokens)
