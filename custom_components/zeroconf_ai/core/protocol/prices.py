"""What a model's tokens cost, in whole nano-units of money."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from .usage import Usage
from .values import NANO, clean, money

MILLION = 1_000_000
DEFAULT_CURRENCY = "USD"
RATES = ("input", "output", "cached", "reasoning", "cache_write", "cache_write_1h")
"""The classes of tokens that may have a rate of their own."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Nano-units for a million tokens of each class. None: no rate of its own, the class costs what its kind costs."""

    input: int
    output: int
    cached: int | None = None
    """Prompt tokens that the upstream had in its cache."""
    reasoning: int | None = None
    """Completion tokens that were thoughts."""
    currency: str = DEFAULT_CURRENCY
    cache_write: int | None = None
    """Prompt tokens that the upstream put into its cache."""
    cache_write_1h: int | None = None
    """Those of them that it keeps for an hour. None: they cost what `cache_write` does."""

    @classmethod
    def parse(cls, data: object) -> Self | None:
        """The `pricing` object of a models list (docs/protocol.md, section 2), or None where it names no prices."""
        if not isinstance(data, Mapping):
            return None
        found = {name: money(data.get(f"{name}_cost_per_1m")) for name in RATES}
        price, answer = found.pop("input"), found.pop("output")
        if price is None or answer is None:
            return None
        return cls(price, answer, currency=clean(data.get("currency") or DEFAULT_CURRENCY, 3).upper(), **found)

    def to_json(self) -> dict[str, Any]:
        """The `pricing` object of a models list."""
        rates = {name: getattr(self, name) for name in RATES}
        found = {f"{name}_cost_per_1m": rate / NANO for name, rate in rates.items() if rate is not None}
        return {**found, "currency": self.currency}

    def cost(self, usage: Usage) -> int:
        """What so many tokens cost, in nano-units, rounded up: a fraction of a nano-dollar must not make use free."""
        cached = min(usage.cached_tokens, usage.prompt_tokens)
        written = min(usage.cache_write_tokens, usage.prompt_tokens - cached)
        for_an_hour = min(usage.cache_write_1h_tokens, written)
        cache_write = self.input if self.cache_write is None else self.cache_write
        reasoning = min(usage.reasoning_tokens, usage.completion_tokens)
        total = (
            (usage.prompt_tokens - cached - written) * self.input
            + (written - for_an_hour) * cache_write
            + for_an_hour * (cache_write if self.cache_write_1h is None else self.cache_write_1h)
            + cached * (self.input if self.cached is None else self.cached)
            + (usage.completion_tokens - reasoning) * self.output
            + reasoning * (self.output if self.reasoning is None else self.reasoning)
        )
        return -(-total // MILLION)
