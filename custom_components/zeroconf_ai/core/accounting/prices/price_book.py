"""`PriceBook`: list prices of cloud providers from the package `genai-prices`. Makes no network requests.

The package takes a third of a second and 21 MB to load, so it is loaded only with the first backend that may have list prices.
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

from ...protocol.models import ModelInfo
from ...protocol.prices import RATES, Prices, Tier
from ...protocol.record import Capability
from ...protocol.values import NANO

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo as ListedModel, ModelPrice, Provider

_LOGGER = logging.getLogger(__name__)

_CLASSES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached": "cache_read_mtok",
    "reasoning": "output_reasoning_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
}
"""Our rates → fields of the package, in USD per million tokens."""
_KEPT = 4096
"""The size of the cache; it is cleared when full."""

type Lookup = Callable[[str], Prices | None]
type Describe = Callable[[ModelInfo, str], ModelInfo]


@dataclass(frozen=True, slots=True)
class PriceList:
    """How the models of a backend type are found in the list."""

    provider: str | None = None
    """The package's provider id. A backend's address may identify another one; None: only its address identifies one."""


class _When(Protocol):
    def active(self, request_timestamp: datetime) -> bool:
        """Whether the price applies at that time."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """The prices of one model: the last one whose condition is met, else the first."""

    first: Prices | None
    conditional: tuple[tuple[_When | None, Prices | None], ...] = ()
    context_window: int | None = None
    embeds: bool = False
    """Whether it is a model for embeddings: it is billed by the tokens of its input only."""

    def now(self) -> Prices | None:
        if not self.conditional:
            return self.first
        time = datetime.now(UTC)
        return next((prices for when, prices in reversed(self.conditional) if when is None or when.active(time)), self.first)


_UNKNOWN = _Listed(None)


class PriceBook:
    """Public list prices in USD. Empty before `load`. Not thread-safe: all calls come from one event loop."""

    def __init__(self) -> None:
        """Empty."""
        self._providers: Mapping[str, Provider] | None = None
        self._listed: dict[tuple[str, str], _Listed] = {}
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Load the price list in a worker thread. A failure is logged and leaves the book empty."""
        async with self._lock:
            if self._providers is None:
                self._providers = await asyncio.get_running_loop().run_in_executor(None, _read)

    async def lookup(self, price_list: PriceList | None, url: str = "") -> Lookup | None:
        """A function that returns the prices of a backend's models by id; None if the provider has no list prices.

        The provider is identified by the backend's `url`, else by `price_list`, which is None for types without list prices.
        """
        provider = await self._find_provider(price_list, url)
        return None if provider is None else partial(self._prices, provider)

    async def describe(self, price_list: PriceList | None, url: str = "") -> Describe | None:
        """A function that adds what the list knows of a model to what its backend reports; None as in `lookup`.

        Its arguments are the model and its id at the provider. Most clouds list ids only.
        """
        provider = await self._find_provider(price_list, url)
        return None if provider is None else partial(self._described, provider)

    def prices(self, price_list: PriceList | None, model: str, url: str = "") -> Prices | None:
        """The list price of a model (dated and alias ids included); None if unknown."""
        provider = None if price_list is None else self._provider(price_list, url)
        return None if provider is None else self._prices(provider, model)

    async def _find_provider(self, price_list: PriceList | None, url: str) -> "Provider | None":
        """The provider of a backend in the list, which is loaded if the backend may have one."""
        if price_list is None or (price_list.provider is None and urlsplit(url).scheme != "https"):
            return None
        await self.load()
        return self._provider(price_list, url)

    def _provider(self, price_list: PriceList, url: str) -> "Provider | None":
        providers = self._providers or {}
        named = (provider for provider in providers.values() if url and re.match(provider.api_pattern, url))
        return next(named, providers.get(price_list.provider or ""))

    def _prices(self, provider: "Provider", model: str) -> Prices | None:
        return self._model(provider, model).now()

    def _described(self, provider: "Provider", model: ModelInfo, listed_as: str) -> ModelInfo:
        found = self._model(provider, listed_as)
        embeds = frozenset({Capability.EMBEDDINGS}) if found.embeds else None
        return replace(
            model,
            context_window=model.context_window or found.context_window,
            capabilities=embeds if model.capabilities is None else model.capabilities,
        )

    def _model(self, provider: "Provider", model: str) -> _Listed:
        found = self._listed.get((provider.id, model))
        if found is None:
            if len(self._listed) >= _KEPT:
                self._listed.clear()
            found = self._listed[provider.id, model] = self._find(provider, model)
        return found

    def _find(self, provider: "Provider", model: str) -> _Listed:
        info = provider.find_model(model, all_providers=list((self._providers or {}).values()))
        if info is None:
            return _UNKNOWN
        window, embeds = info.context_window, _embeds(info)
        if not isinstance(info.prices, list):
            return _Listed(_read_prices(info.prices), (), window, embeds)
        conditional = tuple((entry.constraint, _read_prices(entry.prices)) for entry in info.prices)
        return _Listed(conditional[0][1], conditional, window, embeds) if conditional else _UNKNOWN


def _read() -> "Mapping[str, Provider]":
    try:
        from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - loaded only where it is needed

        return {provider.id: provider for provider in get_snapshot().providers}
    except ImportError as err:
        _LOGGER.warning("The public price list cannot be loaded; only costs reported by providers are known: %s", err)
        return {}


def _embeds(info: "ListedModel") -> bool:
    prices = [entry.prices for entry in info.prices] if isinstance(info.prices, list) else [info.prices]
    return bool(prices) and all(price.input_mtok is not None and price.output_mtok is None for price in prices)


def _read_prices(listed: "ModelPrice") -> Prices | None:
    """None if the model is not billed by token."""
    given = {name: getattr(listed, key, None) for name, key in _CLASSES.items()}
    if given["input"] is None:
        return None
    starts = sorted({tier.start for price in given.values() for tier in getattr(price, "tiers", ())})
    tiers = tuple(Tier(start, _at(given, start + 1)) for start in starts)
    return replace(_at(given, 0), tiers=tiers)


def _at(given: Mapping[str, object], prompt_tokens: int) -> Prices:
    """The rates for a prompt of that length; embeddings have no output rate."""
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
