"""The kinds of settings that concern models: which may be used, what they are called, what they can do and what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass
import re
from typing import Any, override

from ..backends.catalogue import ALL_MODELS, ModelOverride
from ..protocol.prices import DEFAULT_CURRENCY, RATES, Prices
from ..protocol.values import NANO
from .document import Value
from .draft import Draft
from .fields import BackendField, FieldKind, Money, StoredKind, camel

CURRENCY = "currency"
"""The key of the currency of prices, in files and in subentries."""
RATE = Money()
"""Money for a million tokens."""
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Aliases(FieldKind[Mapping[str, str]]):
    """Alias → model."""

    @override
    def read(self, value: Value, draft: Draft) -> dict[str, str]:
        return {key.text(): target.text() for key, target in value.entries()}

    @override
    def encode(self, value: Mapping[str, str]) -> dict[str, str]:
        return dict(value)

    @override
    def decode(self, stored: Any) -> dict[str, str]:
        return dict(stored)


@dataclass(frozen=True, slots=True)
class ModelPrices(FieldKind[Mapping[str, Prices]]):
    """Model → prices, with `*` for all others, which a subentry stores in keys of its own."""

    @override
    def read(self, value: Value, draft: Draft) -> dict[str, Prices]:
        return {model.text(): self.rates(rates, draft) for model, rates in value.entries()}

    def rates(self, value: Value, draft: Draft) -> Prices:
        """Prices per million tokens; omitted classes cost the same as input or output. Raises ConfigError."""
        keys = {camel(rate): rate for rate in RATES}
        given = value.fields((*keys, CURRENCY))
        for needed in ("input", "output"):
            if needed not in given:
                raise value.error(f"prices need `{needed}:`, the money for a million tokens.")
        found = {rate: RATE.read(given[key], draft) for key, rate in keys.items() if key in given}
        currency = given[CURRENCY].text().upper() if CURRENCY in given else DEFAULT_CURRENCY
        if not _CURRENCY.fullmatch(currency):
            raise given[CURRENCY].error("currency must be three letters, such as EUR.")
        return Prices(**found, currency=currency, tiers=())

    @override
    def dump(self, value: Mapping[str, Prices], key: str) -> dict[str, Any]:
        by_model = {model: _dump_rates(prices) for model, prices in value.items()}
        general = by_model.pop(ALL_MODELS, {})
        return {**general, key: by_model} if by_model else general

    @override
    def load(self, data: Mapping[str, Any], key: str) -> dict[str, Prices] | None:
        by_model = {model: _load_rates(rates) for model, rates in {ALL_MODELS: data, **data.get(key, {})}.items()}
        return {model: prices for model, prices in by_model.items() if prices is not None} or None

    @override
    def stored_keys(self, key: str) -> tuple[str, ...]:
        return (*map(stored_rate, RATES), CURRENCY, key)


@dataclass(frozen=True, slots=True)
class PricePer1k(FieldKind[Mapping[str, Prices]]):
    """One price for a thousand tokens of any class and model: a short form of `*` in the prices."""

    @override
    def read(self, value: Value, draft: Draft) -> dict[str, Prices]:
        prices: dict[str, Prices] = draft.values.get("prices", {})
        if ALL_MODELS in prices:
            raise value.error("costPer1kTokens is a price for all models, and so is * in prices; keep one.")
        rate = round(value.number(0, RATE.high) * 1000 * NANO)
        return {**prices, ALL_MODELS: Prices(rate, rate)}


@dataclass(frozen=True, slots=True)
class AllowedModels(FieldKind[tuple[str, ...]]):
    """The only models that may be used. In a file, an entry may have an alias, prices and overrides of its model."""

    overrides: tuple[BackendField, ...]
    """The settings that an entry may have; each is an attribute of `ModelOverride`."""

    @override
    def read(self, value: Value, draft: Draft) -> tuple[str, ...]:
        aliases = draft.values.setdefault("aliases", {})
        prices = draft.values.setdefault("prices", {})
        overrides = draft.values.setdefault("overrides", {})
        allowed: list[str] = []
        keys = {field.yaml: field for field in self.overrides if field.yaml is not None}
        for entry in value.items():
            if not entry.has_keys:
                allowed.append(entry.text())
                continue
            entry.name = "a model"
            given = entry.fields(("id", "alias", *keys, "prices"))
            if "id" not in given:
                raise entry.error("a model needs `id:`.")
            model = given["id"].text()
            allowed.append(model)
            if "alias" in given and aliases.setdefault(given["alias"].text(), model) != model:
                raise given["alias"].error("this alias stands for another model already; choose another one.")
            if "prices" in given:
                if model in prices:
                    raise given["prices"].error("the prices of this model are set twice; keep one of them.")
                prices[model] = ModelPrices().rates(given["prices"], draft)
            found = {field.name: field.read(given[key], draft) for key, field in keys.items() if key in given}
            if found:
                overrides[model] = ModelOverride(**found)
        if not allowed:
            raise value.error("models is empty; list those that may be used, or delete the line to allow all.")
        return tuple(dict.fromkeys(allowed))

    @override
    def encode(self, value: tuple[str, ...]) -> list[str]:
        return list(value)

    @override
    def decode(self, stored: Any) -> tuple[str, ...]:
        return tuple(stored)


@dataclass(frozen=True, slots=True)
class ModelOverrides(StoredKind[Mapping[str, ModelOverride]]):
    """Model → overrides of it. A file has them in `models`."""

    overrides: tuple[BackendField, ...]

    @override
    def encode(self, value: Mapping[str, ModelOverride]) -> dict[str, Any]:
        return {model: self._encode_one(override) for model, override in value.items()}

    @override
    def decode(self, stored: Any) -> dict[str, ModelOverride]:
        return {model: self._decode_one(data) for model, data in stored.items()}

    def _encode_one(self, override: ModelOverride) -> dict[str, Any]:
        found = {field: getattr(override, field.name) for field in self.overrides}
        return {field.name: field.kind.encode(value) for field, value in found.items() if value is not None}

    def _decode_one(self, data: Mapping[str, Any]) -> ModelOverride:
        return ModelOverride(**{field.name: field.kind.load(data, field.name) for field in self.overrides})


def stored_rate(rate: str) -> str:
    """The key in a subentry of a class of tokens in `RATES`."""
    return f"{rate}_price"


def _dump_rates(prices: Prices) -> dict[str, Any]:
    rates = {stored_rate(rate): getattr(prices, rate) for rate in RATES}
    found: dict[str, Any] = {key: RATE.encode(rate) for key, rate in rates.items() if rate is not None}
    return found if prices.currency == DEFAULT_CURRENCY else {**found, CURRENCY: prices.currency}


def _load_rates(data: Mapping[str, Any]) -> Prices | None:
    """None if neither input nor output has a price."""
    found = {rate: RATE.load(data, stored_rate(rate)) for rate in RATES}
    if found["input"] is None and found["output"] is None:
        return None
    rates: dict[str, Any] = {rate: amount for rate, amount in found.items() if amount is not None}
    return Prices(**{"input": 0, "output": 0, **rates}, currency=data.get(CURRENCY) or DEFAULT_CURRENCY)
