"""What a model's tokens cost, in whole nano-units of money."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from .usage import Usage
from .values import NANO, clean, money

MILLION = 1_000_000
DEFAULT_CURRENCY = "USD"


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

    @classmethod
    def parse(cls, data: object) -> Self | None:
        """The `pricing` object of a models list (docs/protocol.md, section 2), or None where it names no prices."""
        if not isinstance(data, Mapping):
            return None
        found = {name: money(data.get(f"{name}_cost_per_1m")) for name in ("input", "output", "cached", "reasoning")}
        if found["input"] is None or found["output"] is None:
            return None
        currency = clean(data.get("currency") or DEFAULT_CURRENCY, 3).upper()
        return cls(found["input"], found["output"], found["cached"], found["reasoning"], currency)

    def to_json(self) -> dict[str, Any]:
        """The `pricing` object of a models list."""
        rates = {"input": self.input, "output": self.output, "cached": self.cached, "reasoning": self.reasoning}
        found = {f"{name}_cost_per_1m": rate / NANO for name, rate in rates.items() if rate is not None}
        return {**found, "currency": self.currency}

    def cost(self, usage: Usage) -> int:
        """What so many tokens cost, in nano-units, rounded up: a fraction of a nano-dollar must not make use free."""
        cached = min(usage.cached_tokens, usage.prompt_tokens)
        reasoning = min(usage.reasoning_tokens, usage.completion_tokens)
        total = (
            (usage.prompt_tokens - cached) * self.input
            + cached * (self.input if self.cached is None else self.cached)
            + (usage.completion_tokens - reasoning) * self.output
            + reasoning * (self.output if self.reasoning is None else self.reasoning)
        )
        return -(-total // MILLION)
