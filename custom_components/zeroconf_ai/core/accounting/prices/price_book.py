"""`PriceBook`: list prices of cloud providers from the package `genai-prices`. Makes no network requests.

The package takes a third of a second and 21 MB to load. It is loaded only with the first backend that may have list prices, by
another process, which ends when it has printed what is needed: half a megabyte.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
import logging
import os
from pathlib import Path
import re
import subprocess
import sys
from urllib.parse import urlsplit

import orjson

from ...protocol.models import ModelInfo
from ...protocol.prices import Prices
from ...protocol.record import Capability
from .listed import ListedModel, ListedProvider

_LOGGER = logging.getLogger(__name__)

_EXPORT = Path(__file__).with_name("list_export.py")
_EXPORT_SECONDS = 60
"""A Raspberry Pi takes five."""
_KEPT = 4096
"""The size of the cache; it is cleared when full."""

type Lookup = Callable[[str], Prices | None]
type Describe = Callable[[ModelInfo, str], ModelInfo]


@dataclass(frozen=True, slots=True)
class PriceList:
    """How the models of a backend type are found in the list."""

    provider: str | None = None
    """The package's provider id. A backend's address may identify another one; None: only its address identifies one."""


class PriceBook:
    """Public list prices in USD. Empty before `load`. Not thread-safe: all calls come from one event loop."""

    def __init__(self) -> None:
        """Empty."""
        self._providers: Mapping[str, ListedProvider] | None = None
        self._listed: dict[tuple[str, str], ListedModel] = {}
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

    async def _find_provider(self, price_list: PriceList | None, url: str) -> ListedProvider | None:
        """The provider of a backend in the list, which is loaded if the backend may have one."""
        if price_list is None or (price_list.provider is None and urlsplit(url).scheme != "https"):
            return None
        await self.load()
        return self._provider(price_list, url)

    def _provider(self, price_list: PriceList, url: str) -> ListedProvider | None:
        providers = self._providers or {}
        named = (provider for provider in providers.values() if url and re.match(provider.url, url))
        return next(named, providers.get(price_list.provider or ""))

    def _prices(self, provider: ListedProvider, model: str) -> Prices | None:
        return self._model(provider, model).now()

    def _described(self, provider: ListedProvider, model: ModelInfo, listed_as: str) -> ModelInfo:
        found = self._model(provider, listed_as)
        embeds = frozenset({Capability.EMBEDDINGS}) if found.embeds else None
        return replace(
            model,
            context_window=model.context_window or found.context_window,
            capabilities=embeds if model.capabilities is None else model.capabilities,
        )

    def _model(self, provider: ListedProvider, model: str) -> ListedModel:
        found = self._listed.get((provider.id, model))
        if found is None:
            if len(self._listed) >= _KEPT:
                self._listed.clear()
            found = self._listed[provider.id, model] = provider.find(model, self._providers or {})
        return found


def _read() -> Mapping[str, ListedProvider]:
    try:
        return {provider.id: provider for provider in map(ListedProvider, _exported())}
    except ImportError as err:
        _LOGGER.warning("The public price list cannot be loaded; only costs reported by providers are known: %s", err)
        return {}


@cache
def _exported() -> tuple[bytes, ...]:
    """The lines of the export, once for each process. Raises ImportError without the package."""
    if "genai_prices.data" not in sys.modules and sys.executable:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-P", str(_EXPORT)]
        try:
            done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=_EXPORT_SECONDS)
        except (OSError, subprocess.SubprocessError) as err:
            _LOGGER.debug("The price list is loaded in this process: %s", err)
        else:
            return tuple(done.stdout.splitlines())
    from .list_export import export  # noqa: PLC0415 - loads the package

    return tuple(orjson.dumps(provider) for provider in export())
