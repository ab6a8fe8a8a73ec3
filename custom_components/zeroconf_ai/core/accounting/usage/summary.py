"""`Aggregate`: the summed usage of several requests."""

from calendar import monthrange
from dataclasses import dataclass, field, fields
from datetime import date, datetime, tzinfo

from ...protocol.usage import Usage
from .generation import Generation, Outcome

TOKEN_CLASSES = (
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
)
_MOST_TOKENS = 10**9
_MOST_COST = 10**15
"""Limit per request (a million of any currency), so that an absurd upstream value cannot spoil a sum."""

type Increments = list[tuple[str, float]]
"""Fields of an aggregate, and what is added to each."""


@dataclass(slots=True)
class Aggregate:
    """Counts, tokens, nano-units of money by currency, and seconds."""

    requests: int = 0
    errors: int = 0
    """Requests that failed."""
    cancelled: int = 0
    estimated: int = 0
    """Requests with estimated tokens because the upstream reported none."""
    priced: int = 0
    """Requests with a known cost."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    first_tokens: int = 0
    """Requests with a first token."""
    failed_attempts: int = 0
    """Failed attempts to answer, including those followed by a failover. `add` leaves them out: they belong to other backends."""
    budget_cost: int = 0
    """What budgets were charged, in nano-units of their currency at the time."""
    speech_characters: int = 0
    """Characters of the texts that were spoken."""
    costs: dict[str, int] = field(default_factory=dict)
    energy_costs: dict[str, int] = field(default_factory=dict)
    """The part of `costs` for measured energy."""
    duration: float = 0.0
    """Sum of the seconds from arrival to end."""
    first_token: float = 0.0
    """Sum of the seconds from arrival to the first token."""
    energy: float = 0.0
    """Measured watt-seconds."""
    audio_seconds: float = 0.0
    """Seconds of the recordings that were transcribed, as far as their duration is known."""

    def add(self, generation: Generation) -> None:
        """Add a request."""
        self.increase(increments_of(generation), generation)

    def increase(self, increments: Increments, generation: Generation) -> None:
        """Add a request whose `increments_of` are known: it is added to many aggregates."""
        for name, increment in increments:
            setattr(self, name, getattr(self, name) + increment)
        if generation.cost is not None:
            costs = self.costs
            costs[generation.currency] = costs.get(generation.currency, 0) + _within(generation.cost, _MOST_COST)
        if measured := generation.energy_cost:
            costs = self.energy_costs
            costs[generation.currency] = costs.get(generation.currency, 0) + _within(measured, _MOST_COST)

    def merge(self, other: "Aggregate") -> None:
        """Add another aggregate."""
        for name in NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for own, others in ((self.costs, other.costs), (self.energy_costs, other.energy_costs)):
            for currency, cost in others.items():
                own[currency] = own.get(currency, 0) + cost

    def copy(self) -> "Aggregate":
        """Return an independent copy."""
        copied = Aggregate()
        copied.merge(self)
        return copied

    @property
    def usage(self) -> Usage:
        """The tokens, and the cost if all of it is in one currency."""
        [cost] = self.costs.values() if len(self.costs) == 1 else (None,)
        tokens = {name: getattr(self, name) for name in TOKEN_CLASSES}
        return Usage(**tokens, cost=cost, audio_seconds=self.audio_seconds, speech_characters=self.speech_characters)


NUMBERS = tuple(part.name for part in fields(Aggregate) if part.name not in ("costs", "energy_costs"))


def increments_of(generation: Generation) -> Increments:
    """The fields of an aggregate that a request increases, without the costs."""
    usage = generation.usage
    increments = (
        ("requests", 1),
        ("errors", generation.outcome is Outcome.ERROR),
        ("cancelled", generation.outcome is Outcome.CANCELLED),
        ("estimated", generation.estimated),
        ("priced", generation.cost is not None),
        *((name, _within(getattr(usage, name), _MOST_TOKENS)) for name in TOKEN_CLASSES),
        ("first_tokens", generation.first_token is not None),
        ("duration", generation.duration),
        ("first_token", generation.first_token or 0.0),
        ("budget_cost", _within(generation.budget_cost, _MOST_COST)),
        ("energy", max(0.0, generation.energy or 0.0)),
        ("audio_seconds", usage.audio_seconds),
        ("speech_characters", _within(usage.speech_characters, _MOST_TOKENS)),
    )
    return [(name, increment) for name, increment in increments if increment]


def day_of(moment: float, zone: tzinfo) -> date:
    """The day of a time in seconds since the epoch."""
    return datetime.fromtimestamp(moment, zone).date()


def month_end(day: date) -> date:
    """The last day of a day's month."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def _within(number: int, most: int) -> int:
    return number if 0 <= number <= most else max(0, min(number, most))
