"""`PriceBook`: what the clouds publish of their prices, as the package `genai-prices` knows it. Nothing is fetched.

The package is large (a third of a second and 21 MB to load) and a home without a cloud needs none of it: it is loaded when the
first backend is there that it may know something of.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
import logging
import re
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from ...protocol.prices import RATES, Prices, Tier
from ...protocol.values import NANO

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice, Provider

_LOGGER = logging.getLogger(__name__)

_PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "openrouter": "openrouter"}
"""Kind of backend → who is behind it, in the package's words."""
_BY_ADDRESS = frozenset({*_PROVIDERS, "openai_compatible"})
"""Kinds of which the address may tell who is behind them."""
_CLASSES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached": "cache_read_mtok",
    "reasoning": "output_reasoning_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
}
"""Our rates in the package's words: USD for a million tokens."""
_KEPT = 4096
"""Models whose prices are kept at hand; with so many, all are looked up anew."""

type Lookup = Callable[[str], Prices | None]


class _When(Protocol):
    def active(self, request_timestamp: datetime) -> bool:
        """Whether a price holds at that time."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """The prices of one model: the last whose condition holds, else the first."""

    first: Prices | None
    conditional: tuple[tuple[_When | None, Prices | None], ...] = ()

    def now(self) -> Prices | None:
        if not self.conditional:
            return self.first
        time = datetime.now(UTC)
        return next((prices for when, prices in reversed(self.conditional) if when is None or when.active(time)), self.first)


_UNKNOWN = _Listed(None)


class PriceBook:
    """Public list prices in USD. Knows nothing before `load`. Lives on one event loop."""

    def __init__(self) -> None:
        """Empty."""
        self._providers: Mapping[str, Provider] | None = None
        self._listed: dict[tuple[str, str], _Listed] = {}
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Read the list, off the loop. One that cannot be read is logged, and nothing is known."""
        async with self._lock:
            if self._providers is None:
                self._providers = await asyncio.get_running_loop().run_in_executor(None, _read)

    async def lookup(self, kind: str, url: str = "") -> Lookup | None:
        """What finds the prices of one backend's models by their ids; None where no backend of that kind is listed.

        `url` is the backend's address: who is behind it is known by that, else by the kind.
        """
        if kind not in _BY_ADDRESS or (kind not in _PROVIDERS and urlsplit(url).scheme != "https"):
            return None
        await self.load()
        provider = self._provider(kind, url)
        return None if provider is None else partial(self._prices, provider)

    def prices(self, kind: str, model: str, url: str = "") -> Prices | None:
        """The list price of a model at a kind of backend, dated and aliased ids included; None where none is known."""
        provider = self._provider(kind, url)
        return None if provider is None else self._prices(provider, model)

    def _provider(self, kind: str, url: str) -> Provider | None:
        if kind not in _BY_ADDRESS:
            return None
        providers = self._providers or {}
        named = (provider for provider in providers.values() if url and re.match(provider.api_pattern, url))
        return next(named, providers.get(_PROVIDERS.get(kind, "")))

    def _prices(self, provider: Provider, model: str) -> Prices | None:
        found = self._listed.get((provider.id, model))
        if found is None:
            if len(self._listed) >= _KEPT:
                self._listed.clear()
            found = self._listed[provider.id, model] = self._find(provider, model)
        return found.now()

    def _find(self, provider: Provider, model: str) -> _Listed:
        info = provider.find_model(model, all_providers=list((self._providers or {}).values()))
        if info is None:
            return _UNKNOWN
        if not isinstance(info.prices, list):
            return _Listed(_read_prices(info.prices))
        conditional = tuple((entry.constraint, _read_prices(entry.prices)) for entry in info.prices)
        return _Listed(conditional[0][1], conditional) if conditional else _UNKNOWN


def _read() -> Mapping[str, Provider]:
    try:
        from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - loaded only where it is needed

        return {provider.id: provider for provider in get_snapshot().providers}
    except ImportError as err:
        _LOGGER.warning("The list of public prices cannot be read; costs are known only where a provider names them: %s", err)
        return {}


def _read_prices(listed: ModelPrice) -> Prices | None:
    """None for what is not paid by the token."""
    given = {name: getattr(listed, key, None) for name, key in _CLASSES.items()}
    if given["input"] is None:
        return None
    starts = sorted({tier.start for price in given.values() for tier in getattr(price, "tiers", ())})
    tiers = tuple(Tier(start, _at(given, start + 1)) for start in starts)
    return replace(_at(given, 0), tiers=tiers)


def _at(given: Mapping[str, object], prompt_tokens: int) -> Prices:
    """The rates for a prompt of that length; an embedding has no output."""
    rates = {name: _rate(given[name], prompt_tokens) for name in RATES}
    return Prices(
        rates["input"] or 0,
        rates["output"] or 0,
        rates["cached"],
        rates["reasoning"],
        cache_write=rates["cache_write"],
        cache_write_1h=rates["cache_write_1h"],
    )


def _rate(price: object, prompt_tokens: int) -> int | None:
    tiers = getattr(price, "tiers", ())
    if tiers or hasattr(price, "base"):
        above = (tier.price for tier in reversed(tiers) if prompt_tokens > tier.start)
        price = next(above, getattr(price, "base", None))
    return round(price * NANO) if isinstance(price, Decimal) and price >= 0 else None
