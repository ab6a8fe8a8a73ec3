"""Prices of models for tokens, images, audio and spoken characters, in integer nano-units of money."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
import math
from typing import Any, Self

from .usage import Usage
from .values import NANO, clean, mapping, money, parse_count

MILLION = 1_000_000
DEFAULT_CURRENCY = "USD"
IMAGE = "image"
MINUTE = "minute"
CHARACTERS = "characters"
TOKEN_RATES = ("input", "output", "cached", "reasoning", "cache_write", "cache_write_1h", "audio")
"""The classes of tokens that may have their own rate."""
UNIT_RATES = (IMAGE, MINUTE, CHARACTERS)
"""What costs money besides tokens: an image, a minute of a recording, a million spoken characters."""
RATES = (*TOKEN_RATES, *UNIT_RATES)
_FIELDS = {IMAGE: "cost_per_image", MINUTE: "cost_per_audio_minute", CHARACTERS: "cost_per_1m_characters"}
"""The names in the `pricing` object that differ from those of tokens."""
_MINUTE_SECONDS = 60
_MAX_TIERS = 8


@dataclass(frozen=True, slots=True)
class Prices:
    """Nano-units per million tokens of each class, and per unit of `UNIT_RATES`.

    None: the rate of input or output tokens applies, and units cost nothing besides tokens.
    """

    input: int
    output: int
    cached: int | None = None
    """Prompt tokens read from the upstream's cache."""
    reasoning: int | None = None
    """Completion tokens used for reasoning."""
    currency: str = DEFAULT_CURRENCY
    cache_write: int | None = None
    """Prompt tokens written to the upstream's cache."""
    cache_write_1h: int | None = None
    """Those of them that are cached for an hour. None: `cache_write` applies."""
    tiers: "tuple[Tier, ...]" = ()
    """The prices of requests with a long prompt, in ascending order of its length."""
    image: int | None = None
    """Nano-units for each image of an answer, besides its tokens. None: images cost nothing else."""
    minute: int | None = None
    """Nano-units for each minute of a recording that is transcribed."""
    characters: int | None = None
    """Nano-units for a million characters that are spoken."""
    audio: int | None = None
    """Prompt tokens of a recording that is transcribed, where the upstream counts them."""

    @classmethod
    def parse(cls, data: object) -> Self | None:
        """Parse the `pricing` object of a models list (docs/protocol.md, section 2); None if it has no prices."""
        if not isinstance(data, Mapping):
            return None
        found = {name: _rate(data, name) for name in RATES}
        price, answer = found.pop("input"), found.pop("output")
        if price is None and answer is None and any(found[unit] is not None for unit in UNIT_RATES):
            price = answer = 0  # billed by image, by minute or by character
        if price is None or answer is None:
            return None
        currency = clean(data.get("currency") or DEFAULT_CURRENCY, 3).upper()
        return cls(price, answer, currency=currency, tiers=_tiers(data.get("tiers"), currency), **found)

    def to_json(self) -> dict[str, Any]:
        """The `pricing` object of a models list."""
        rates = {name: getattr(self, name) for name in RATES}
        found: dict[str, Any] = {_field(name): rate / NANO for name, rate in rates.items() if rate is not None}
        tiers = [{"above_prompt_tokens": tier.above, **tier.prices.to_json()} for tier in self.tiers]
        return {**found, "currency": self.currency} | ({"tiers": tiers} if tiers else {})

    def per_thousand(self) -> dict[str, float]:
        """The prices of a thousand tokens of the prompt and of the answer, for clients that expect those."""
        return {f"{name}_cost_per_1k": getattr(self, name) / NANO / 1000 for name in RATES[:2]}

    @property
    def has_audio_unit(self) -> bool:
        """Whether audio is billed by the minute or by the character, so that its tokens are not estimated."""
        return self.minute is not None or self.characters is not None

    def at(self, prompt_tokens: int) -> "Prices":
        """The prices for a request with a prompt of that length."""
        return next((tier.prices for tier in reversed(self.tiers) if prompt_tokens > tier.above), self)

    def dearest(self, prompt_tokens: int, completion_tokens: int) -> int:
        """The maximum cost in nano-units of the tokens, of any class, at these prices; tiers are not considered."""
        prompt = max(self.input, self.cached or 0, self.cache_write or 0, self.cache_write_1h or 0)
        return -(-(prompt_tokens * prompt + completion_tokens * max(self.output, self.reasoning or 0)) // MILLION)

    def cost(self, usage: Usage) -> int:
        """The cost in nano-units, rounded up, so that small requests are not free."""
        if self.tiers and (prices := self.at(usage.prompt_tokens)) is not self:
            return prices.cost(usage)
        cached = min(usage.cached_tokens, usage.prompt_tokens)
        written = min(usage.cache_write_tokens, usage.prompt_tokens - cached)
        for_an_hour = min(usage.cache_write_1h_tokens, written)
        heard = min(usage.audio_tokens, usage.prompt_tokens - cached - written)
        cache_write = self.input if self.cache_write is None else self.cache_write
        reasoning = min(usage.reasoning_tokens, usage.completion_tokens)
        total = (
            (usage.prompt_tokens - cached - written - heard) * self.input
            + heard * (self.input if self.audio is None else self.audio)
            + (written - for_an_hour) * cache_write
            + for_an_hour * (cache_write if self.cache_write_1h is None else self.cache_write_1h)
            + cached * (self.input if self.cached is None else self.cached)
            + (usage.completion_tokens - reasoning) * self.output
            + reasoning * (self.output if self.reasoning is None else self.reasoning)
            + usage.speech_characters * (self.characters or 0)
        )
        return -(-total // MILLION) + math.ceil(usage.audio_seconds * (self.minute or 0) / _MINUTE_SECONDS)

    def prompt_cost(self, usage: Usage) -> int:
        """The part of `cost` for the tokens of the prompt, a recording and spoken text; the rest is that of the answer."""
        return self.cost(replace(usage, completion_tokens=0, reasoning_tokens=0))


def _field(name: str) -> str:
    """The name of a rate in the `pricing` object."""
    return _FIELDS.get(name, f"{name}_cost_per_1m")


def _rate(data: Mapping[str, Any], name: str) -> int | None:
    """The price of a million tokens of a class; providers of the original protocol report that of a thousand."""
    per_million, per_thousand = money(data.get(_field(name))), money(data.get(f"{name}_cost_per_1k"))
    return per_million if per_million is not None or per_thousand is None else per_thousand * 1000


@dataclass(frozen=True, slots=True)
class Tier:
    """The prices of requests whose prompt is longer than `above` tokens."""

    above: int
    prices: Prices


def _tiers(data: object, currency: str) -> tuple[Tier, ...]:
    """The valid tiers of a `pricing` object."""
    found: dict[int, Prices] = {}
    for entry in data[:_MAX_TIERS] if isinstance(data, list) else ():
        above = parse_count(mapping(entry).get("above_prompt_tokens"))
        prices = Prices.parse({**mapping(entry), "currency": currency, "tiers": None})
        if above and prices is not None:
            found[above] = prices
    return tuple(Tier(above, found[above]) for above in sorted(found))
