"""Index of one backend's models and prices, so that no request has to search a list of hundreds of models."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from ...backends.base import BackendInfo
from ...protocol.model_names import ByName, has_name, same_model
from ...protocol.models import ModelInfo, by_preference
from ...protocol.prices import Prices
from ...protocol.record import Capability, Cost
from ...protocol.usage import Usage
from ..policy import Terms

DEAREST = 2**62
"""Cost in nano-units by which a model without a known price is ranked after all others."""
_USUAL = Usage(750_000, 250_000)
"""Three prompt tokens per completion token, to compare a backend's models by cost."""
_KEPT = 64
"""Maximum number of cached rankings; the cache is cleared when it is full."""


def may_use(patterns: Sequence[str], *names: str) -> bool:
    """Whether a pattern matches one of a model's names; no patterns: all. A name without wildcards means all its spellings."""
    if not patterns:
        return True
    spelled = {name.casefold() for name in (*names, *(same_model(name) for name in names if name.endswith(":latest")))}
    return any(fnmatchcase(name, pattern.casefold()) for pattern in patterns for name in spelled) or any(
        has_name(patterns, name) for name in names
    )


class ModelIndex:
    """One backend's models by id and by rank. Replaced when the models, the backend's info or its terms change."""

    def __init__(self, info: BackendInfo, models: Sequence[ModelInfo], terms: Terms) -> None:
        """`models` in the backend's own order."""
        self._info = info
        self._models = models
        self._terms = terms
        self._by_name = ByName({model.id: model for model in models})
        self._own_prices = ByName(terms.prices)
        self._heads = frozenset(_folded(name) for name in (info.id, info.name) if name)
        self._ranked: dict[tuple[object, ...], tuple[ModelInfo, ...]] = {}
        self._prices: dict[str, Prices | None] = {}

    def arranges(self, info: BackendInfo, models: Sequence[ModelInfo], terms: Terms) -> bool:
        """Whether it was made from these objects (by identity)."""
        return self._models is models and self._terms is terms and self._info is info

    def find(self, model_id: str) -> ModelInfo | None:
        """The model with that name (`model_names.name_key`). None if the backend has no such model."""
        return self._by_name.get(model_id)

    def has(self, model_id: str) -> bool:
        """Whether a model has exactly this id."""
        return self._by_name.has(model_id)

    def is_of(self, name: str) -> bool:
        """Whether it is the backend's own id or name, in any case."""
        return _folded(name) in self._heads

    def may_use(self, patterns: Sequence[str], model_id: str) -> bool:
        """Whether patterns name the model, alone or behind its backend's id or name."""
        return may_use(patterns, model_id, f"{self._info.id}/{model_id}", f"{self._info.name}/{model_id}")

    def ranked(
        self, needs: frozenset[Capability], patterns: Sequence[str] = (), *, cheapest: bool = False
    ) -> tuple[ModelInfo, ...]:
        """The real models that can do all of `needs` and that patterns allow: the best, or the cheapest, first."""
        key = (needs, patterns, cheapest)
        if (found := self._ranked.get(key)) is None:
            if len(self._ranked) >= _KEPT:
                self._ranked.clear()
            found = self._ranked[key] = tuple(self._rank(needs, patterns, cheapest=cheapest))
        return found

    def prices(self, model_id: str) -> Prices | None:
        """The owner's prices, else those that the backend reports, else the list prices if the backend may cost money.

        With a subscription, only the owner's prices are used. None: unknown.
        """
        if model_id not in self._prices:
            if len(self._prices) > len(self._models) + _KEPT:  # ids that are not listed can be anything
                self._prices.clear()
            self._prices[model_id] = self._price(model_id)
        found, listed = self._prices[model_id], self._terms.listed
        if found is None and listed is not None and self._info.cost in (Cost.METERED, Cost.UNKNOWN):
            return listed(model_id)  # not cached: some prices depend on the time of day
        return found

    def cost(self, model_id: str, usage: Usage, images: int = 0) -> int:
        """The cost of usage and images in nano-units, for comparisons; without prices: free 0, subscription 1, else `DEAREST`."""
        if (prices := self.prices(model_id)) is not None:
            return min(prices.cost(usage) + images * (prices.image or 0), DEAREST - 1)
        if self._info.cost is Cost.FREE:
            return 0
        return 1 if self._info.cost is Cost.SUBSCRIPTION else DEAREST

    def own_prices(self, model_id: str) -> Prices | None:
        """The prices that the owner set for it."""
        return self._own_prices.get(model_id) or self._terms.prices.get("*")

    def _price(self, model_id: str) -> Prices | None:
        if (own := self.own_prices(model_id)) is not None:
            return own
        model = self.find(model_id)
        return None if model is None or self._info.cost is Cost.SUBSCRIPTION else Prices.parse(model.pricing)

    def _rank(self, needs: frozenset[Capability], patterns: Sequence[str], *, cheapest: bool) -> Iterable[ModelInfo]:
        able = (model for model in self._models if not model.virtual and _able(model, needs))
        allowed = [model for model in able if not patterns or self.may_use(patterns, model.id)]
        # Embeddings of different models do not mix: the backend's own order decides, and nothing that may change.
        ordered = allowed if Capability.EMBEDDINGS in needs else by_preference(allowed)
        return sorted(ordered, key=lambda model: self.cost(model.id, _USUAL)) if cheapest else ordered


def _able(model: ModelInfo, needs: frozenset[Capability]) -> bool:
    if Capability.EMBEDDINGS in needs:
        unknown = model.capabilities is None
        return (
            not (model.for_chat or model.makes_images or model.is_audio) if unknown else model.supports({Capability.EMBEDDINGS})
        )
    if Capability.IMAGE_GENERATION in needs:
        return model.makes_images
    if Capability.TRANSCRIPTION in needs:
        return model.transcribes
    if Capability.SPEECH in needs:
        return model.speaks
    return model.for_chat and model.supports(needs)


def _folded(name: str) -> str:
    return name.strip().casefold()
