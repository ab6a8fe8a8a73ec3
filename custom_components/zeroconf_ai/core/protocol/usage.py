"""The usage of a request: tokens by class, and the cost if the provider reports it."""

from dataclasses import dataclass
from typing import Any, Self

from .values import NANO, mapping, money, parse_count


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more requests.

    `prompt_tokens` includes cached tokens and cache writes, `completion_tokens` includes `reasoning_tokens`.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost: int | None = None
    """Nano-units of the provider's currency (USD by default); None if the provider reported no cost."""
    cache_write_tokens: int = 0
    """Prompt tokens written to the upstream's cache, for any duration."""
    cache_write_1h_tokens: int = 0
    """Those of them that are cached for an hour instead of minutes."""

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        """The sum; its cost is None only if neither has one."""
        costs = [cost for cost in (self.cost, other.cost) if cost is not None]
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            sum(costs) if costs else None,
            self.cache_write_tokens + other.cache_write_tokens,
            self.cache_write_1h_tokens + other.cache_write_1h_tokens,
        )

    @classmethod
    def parse(cls, data: object) -> Self | None:
        """Parse OpenAI's `usage` object tolerantly; None if it is missing or empty."""
        if not (data := mapping(data)):
            return None
        prompt = mapping(data.get("prompt_tokens_details"))
        return cls(
            parse_count(data.get("prompt_tokens")),
            parse_count(data.get("completion_tokens")),
            parse_count(prompt.get("cached_tokens")),
            parse_count(mapping(data.get("completion_tokens_details")).get("reasoning_tokens")),
            money(data.get("cost")),
            parse_count(prompt.get("cache_write_tokens")),
            parse_count(prompt.get("cache_write_1h_tokens")),
        )

    def to_json(self) -> dict[str, Any]:
        """OpenAI's `usage` object, with cache writes if there were any."""
        written = {"cache_write_tokens": self.cache_write_tokens, "cache_write_1h_tokens": self.cache_write_1h_tokens}
        prompt = {"cached_tokens": self.cached_tokens} | {name: count for name, count in written.items() if count}
        body: dict[str, Any] = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
            "prompt_tokens_details": prompt,
            "completion_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
        }
        if self.cost is not None:
            body["cost"] = self.cost / NANO
        return body
