"""The usage of a request: tokens by class, audio, and the cost if the provider reports it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from .hosted_tools import HOSTED_TOOLS
from .values import NANO, mapping, money, parse_count

type _Names = tuple[tuple[str | None, str], ...]
"""The places of one count: the object within `usage`, or None for `usage` itself, and the count's name there."""

_PROMPT: _Names = ((None, "prompt_tokens"), (None, "input_tokens"))
_COMPLETION: _Names = ((None, "completion_tokens"), (None, "output_tokens"))
_CACHED: _Names = (
    ("prompt_tokens_details", "cached_tokens"),  # OpenAI, OpenRouter, xAI, Groq, vLLM, Mistral
    ("input_tokens_details", "cached_tokens"),  # Responses
    (None, "prompt_cache_hit_tokens"),  # DeepSeek
    (None, "cached_tokens"),  # Moonshot (Kimi)
    (None, "cache_read_input_tokens"),  # Anthropic, LiteLLM
    (None, "num_cached_tokens"),  # Mistral
)
_REASONING: _Names = (
    ("completion_tokens_details", "reasoning_tokens"),
    ("output_tokens_details", "reasoning_tokens"),  # Responses
    ("output_tokens_details", "thinking_tokens"),  # Anthropic
    (None, "reasoning_tokens"),  # SGLang, Perplexity
)
_WRITTEN: _Names = (
    ("prompt_tokens_details", "cache_write_tokens"),  # OpenAI, OpenRouter
    ("input_tokens_details", "cache_write_tokens"),
    ("prompt_tokens_details", "cache_creation_tokens"),  # LiteLLM
    ("prompt_tokens_details", "cache_creation_input_tokens"),  # Alibaba
    (None, "cache_creation_input_tokens"),  # Anthropic, LiteLLM
)
_WRITTEN_1H: _Names = (
    ("prompt_tokens_details", "cache_write_1h_tokens"),
    ("cache_creation", "ephemeral_1h_input_tokens"),  # Anthropic
)
_HEARD: _Names = (("input_token_details", "audio_tokens"),)
"""OpenAI's transcripts. The tokens of recordings in chats, which have another name, cost as much as others."""
_SECONDS = ("seconds", "prompt_audio_seconds", "audio_seconds", "input_audio_seconds", "audio_duration")
"""The duration of a recording: OpenAI (`"type": "duration"`), Mistral, and others."""
_MOST_SECONDS = 10**6
"""Limit of a reported duration: eleven days, so that an absurd value cannot spoil a sum."""
_TICKS = 10
"""xAI's `cost_in_usd_ticks` per nano-dollar: a dollar has 10^10 of them."""


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
    calls: tuple[tuple[str, int], ...] = ()
    """How often hosted tools ran, by type (`HOSTED_TOOLS`)."""
    audio_seconds: float = 0.0
    """Seconds of the recordings that were transcribed; 0 if their duration is unknown."""
    speech_characters: int = 0
    """Characters of the texts that were spoken."""
    audio_tokens: int = 0
    """Those prompt tokens that are a recording."""

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: "Usage") -> "Usage":
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
            _sum(self.calls, other.calls),
            self.audio_seconds + other.audio_seconds,
            self.speech_characters + other.speech_characters,
            self.audio_tokens + other.audio_tokens,
        )

    def with_calls(self, calls: Mapping[str, int]) -> "Usage":
        """The usage with how often hosted tools ran."""
        return replace(self, calls=tuple(calls.items()))

    @classmethod
    def parse(cls, data: object) -> Self | None:
        """Parse a `usage` object with any server's names; None if it has neither a count nor a cost above 0.

        Servers that do not count send zeros. Some report parts beside the whole instead of within it, which their
        `total_tokens`, or parts larger than the whole, reveal: cached tokens beside the prompt's (Anthropic), reasoning
        beside the completion's (xAI; Gemini, which reports it in the total only).
        """
        if not (data := mapping(data)):
            return None
        prompt, completion, cached = _count(data, _PROMPT), _count(data, _COMPLETION), _count(data, _CACHED)
        reasoning, written = _count(data, _REASONING), _count(data, _WRITTEN)
        beside = "prompt_tokens" not in data and ("cache_read_input_tokens" in data or "cache_creation_input_tokens" in data)
        if beside or cached + written > prompt:
            prompt += cached + written
        excess = parse_count(data.get("total_tokens")) - prompt - completion
        if excess > 0:
            if not prompt:  # Voyage reports only the total
                prompt = excess
            elif not completion or excess == reasoning:
                completion += excess
            elif not reasoning:
                completion, reasoning = completion + excess, excess
        cost = _cost(data)
        calls = _calls(data)
        seconds = _seconds(data)
        if not (prompt or completion or cost or calls or seconds):
            return None
        hourly, heard = _count(data, _WRITTEN_1H), _count(data, _HEARD)
        return cls(prompt, completion, cached, reasoning, cost, written, hourly, calls, seconds, audio_tokens=heard)

    def updated(self, later: "Usage | None") -> "Usage":
        """This usage with the counts of a later report of the same answer; its zeros replace nothing."""
        if later is None:
            return self
        return replace(
            later,
            prompt_tokens=later.prompt_tokens or self.prompt_tokens,
            completion_tokens=later.completion_tokens or self.completion_tokens,
            cached_tokens=later.cached_tokens or self.cached_tokens,
            reasoning_tokens=later.reasoning_tokens or self.reasoning_tokens,
            cost=later.cost or (later.cost if self.cost is None else self.cost),
            cache_write_tokens=later.cache_write_tokens or self.cache_write_tokens,
            cache_write_1h_tokens=later.cache_write_1h_tokens or self.cache_write_1h_tokens,
            calls=later.calls or self.calls,
            audio_seconds=later.audio_seconds or self.audio_seconds,
            audio_tokens=later.audio_tokens or self.audio_tokens,
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
        if self.calls:
            body["server_tool_use"] = {f"{name}_requests": count for name, count in self.calls}
        if self.cost is not None:
            body["cost"] = self.cost / NANO
        return body


def usage_of(data: Mapping[str, Any]) -> Usage | None:
    """The usage in a chunk or a complete answer; None if it reports none.

    Besides the field `usage`: that of the first choice (Moonshot), `x_groq.usage`, or llama.cpp's `timings`.
    """
    choices = data.get("choices")
    choice = mapping(choices[0]) if isinstance(choices, list) and choices else {}
    for reported in (data.get("usage"), choice.get("usage"), mapping(data.get("x_groq")).get("usage")):
        if (found := Usage.parse(reported)) is not None:
            return found
    timings = mapping(data.get("timings"))
    cached = parse_count(timings.get("cache_n"))
    prompt, completion = parse_count(timings.get("prompt_n")) + cached, parse_count(timings.get("predicted_n"))
    return Usage(prompt, completion, cached) if prompt or completion else None


def duration_of(value: object) -> float:
    """A reported duration in seconds; 0 for anything that is none. Some servers report it as a text."""
    try:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        return 0.0
    return found if 0 < found <= _MOST_SECONDS else 0.0


def _seconds(data: Mapping[str, Any]) -> float:
    return next((seconds for name in _SECONDS if (seconds := duration_of(data.get(name)))), 0.0)


def _count(data: Mapping[str, Any], names: _Names) -> int:
    """The first of these counts that is above 0, else 0."""
    for place, name in names:
        if place is None:
            holder = data
        elif place in data:
            holder = mapping(data[place])
        else:
            continue
        if name in holder and (count := parse_count(holder[name])):
            return count
    return 0


def _calls(data: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """How often hosted tools ran: `server_tool_use` of Anthropic and OpenRouter."""
    reported = mapping(data.get("server_tool_use"))
    counts = ((name, parse_count(reported.get(f"{name}_requests"))) for name in HOSTED_TOOLS)
    return tuple((name, count) for name, count in counts if count)


def _sum(calls: tuple[tuple[str, int], ...], others: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    if not calls or not others:
        return calls or others
    total = dict(calls)
    for name, count in others:
        total[name] = total.get(name, 0) + count
    return tuple(total.items())


def _cost(data: Mapping[str, Any]) -> int | None:
    """The cost in nano-dollars: OpenRouter's `cost`, Perplexity's `cost.total_cost`, xAI's ticks, DeepInfra's estimate."""
    cost = data.get("cost")
    if isinstance(cost, Mapping):
        return money(cost.get("total_cost"))
    found = money(cost)
    if found is not None:
        # With the owner's own key, OpenRouter's cost is its fee, and the upstream bills the rest.
        own_key = money(mapping(data.get("cost_details")).get("upstream_inference_cost")) if data.get("is_byok") is True else None
        return found + (own_key or 0)
    if ticks := parse_count(data.get("cost_in_usd_ticks"), largest=10**19):
        return -(-ticks // _TICKS)
    return money(data.get("estimated_cost"))
