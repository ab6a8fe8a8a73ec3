"""The usage of a request: tokens by class, and the cost if the provider reports it."""

from dataclasses import dataclass
from typing import Any, Self

from .values import NANO, mapping, money, whole


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or of many requests.

    Those that a cache gave or took are among the prompt's, `reasoning_tokens` among the completion's.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost: int | None = None
    """Nano-units of the provider's currency (USD unless it says otherwise), None where it named no cost."""
    cache_write_tokens: int = 0
    """What was put into the upstream's cache, however long it is kept there."""
    cache_write_1h_tokens: int = 0
    """What is kept for an hour of it, rather than for minutes."""

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        """The sum; the cost stays None only where neither names one."""
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
        """OpenAI's `usage` object, read tolerantly; None where there is none."""
        if not (data := mapping(data)):
            return None
        prompt = mapping(data.get("prompt_tokens_details"))
        return cls(
            whole(data.get("prompt_tokens")),
            whole(data.get("completion_tokens")),
            whole(prompt.get("cached_tokens")),
            whole(mapping(data.get("completion_tokens_details")).get("reasoning_tokens")),
            money(data.get("cost")),
            whole(prompt.get("cache_write_tokens")),
            whole(prompt.get("cache_write_1h_tokens")),
        )

    def to_json(self) -> dict[str, Any]:
        """OpenAI's `usage` object, with what was written to a cache where anything was."""
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
