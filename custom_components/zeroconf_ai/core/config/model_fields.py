"""The kinds of settings that concern models: which may be used, what they are called, what they can do and what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass
import re
from typing import Any, override

from ..accounting.prices.hosted_tools import PRICED_TOOLS
from ..backends.catalogue import ALL_MODELS, ModelOverride
from ..protocol.models import AUDIO
from ..protocol.prices import DEFAULT_CURRENCY, RATES, UNIT_RATES, Prices
from ..protocol.record import Capability
from ..protocol.values import NANO
from .document import Value, suggestion
from .draft import Draft
from .fields import BackendField, Choices, FieldKind, Money, StoredKind, Texts, camel

CURRENCY = "currency"
"""The key of the currency of prices, in files and in subentries."""
RATE = Money()
"""Money for a million tokens."""
_CURRENCY = re.compile(r"[A-Z]{3}")
_USUAL_PER_1K = 1.0
"""Money for a thousand tokens above which a price may have been meant for a million."""
_CAPABILITIES: Mapping[str, Capability] = {
    **{capability.value: capability for capability in Capability},
    "functionCalling": Capability.TOOLS,
    "function_calling": Capability.TOOLS,
    "toolCalling": Capability.TOOLS,
    "jsonMode": Capability.JSON,
    "json_mode": Capability.JSON,
    "chat": Capability.COMPLETION,
    "embedding": Capability.EMBEDDINGS,
}
"""Words of files for capabilities. The camelCase ones are the router's."""
_NO_CHAT = frozenset({Capability.EMBEDDINGS, Capability.IMAGE_GENERATION, *AUDIO})
"""Models with nothing but these capabilities are not for chats."""
ENTRY_KEYS = ("id", "alias", "name", "isDefault", "enabled", "tags", "prices", "costPer1kTokens")
"""The keys of a model in a file, besides those of `AllowedModels.overrides`."""
_TAGS = Texts("list its tags, or delete the line")


@dataclass(frozen=True, slots=True)
class Capabilities(Choices[Capability]):
    """What models can do: a list of words, or true and false by word. Chat is assumed unless only other kinds are true."""

    @override
    def read(self, value: Value, draft: Draft) -> frozenset[Capability]:
        if not value.has_keys:
            return frozenset(map(self._word, value.items())) if value.texts(self.correction) else frozenset()
        found = {self._word(key) for key, held in value.entries() if not held.is_null and held.flag()}
        return frozenset(found if found and found <= _NO_CHAT else found | {Capability.COMPLETION})

    @staticmethod
    def _word(value: Value) -> Capability:
        if (word := value.text()) not in _CAPABILITIES:
            raise value.error(f"this capability is not known. {suggestion(word, list(_CAPABILITIES))}")
        return _CAPABILITIES[word]

    @override
    def schema(self) -> dict[str, Any]:
        flags = {
            "type": "object",
            "properties": {word: {"type": "boolean"} for word in _CAPABILITIES},
            "additionalProperties": False,
        }
        return {"anyOf": [{"type": "array", "items": {"enum": list(_CAPABILITIES)}, "minItems": 1}, flags]}


@dataclass(frozen=True, slots=True)
class Aliases(FieldKind[Mapping[str, str]]):
    """Alias → model."""

    @override
    def read(self, value: Value, draft: Draft) -> dict[str, str]:
        return {key.text(): target.text() for key, target in value.entries()}

    @override
    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {"type": "string"}}

    @override
    def encode(self, value: Mapping[str, str]) -> dict[str, str]:
        return dict(value)

    @override
    def decode(self, stored: Any) -> dict[str, str]:
        return dict(stored)


@dataclass(frozen=True, slots=True)
class HostedToolPrices(FieldKind[Mapping[str, int]]):
    """Name of a hosted tool's price → money for one call: nano-units in the configuration, whole units elsewhere."""

    @override
    def read(self, value: Value, draft: Draft) -> dict[str, int]:
        return {self._name(key): RATE.read(price, draft) for key, price in value.entries()}

    @staticmethod
    def _name(key: Value) -> str:
        if (name := key.text()) not in PRICED_TOOLS:
            raise key.error(f"no hosted tool has this price. {suggestion(name, list(PRICED_TOOLS))}")
        return name

    @override
    def schema(self) -> dict[str, Any]:
        return {"type": "object", "properties": dict.fromkeys(PRICED_TOOLS, RATE.schema()), "additionalProperties": False}

    @override
    def encode(self, value: Mapping[str, int]) -> dict[str, float]:
        return {name: RATE.encode(price) for name, price in value.items()}

    @override
    def decode(self, stored: Any) -> dict[str, int]:
        found = {name: RATE.decode(price) for name, price in dict(stored).items() if name in PRICED_TOOLS}
        return {name: price for name, price in found.items() if price is not None}


@dataclass(frozen=True, slots=True)
class ModelPrices(FieldKind[Mapping[str, Prices]]):
    """Model → prices, with `*` for all others, which a subentry stores in keys of its own."""

    @override
    def read(self, value: Value, draft: Draft) -> dict[str, Prices]:
        return {model.text(): self.rates(rates, draft) for model, rates in value.entries()}

    def rates(self, value: Value, draft: Draft) -> Prices:
        """Prices per million tokens and per unit; omitted classes cost the same as input or output. Raises ConfigError."""
        keys = {camel(rate): rate for rate in RATES}
        given = value.fields((*keys, CURRENCY))
        for needed in ("input", "output") if not given.keys() & set(UNIT_RATES) else ():
            if needed not in given:
                raise value.error(f"prices need `{needed}:`, the money for a million tokens.")
        found = {"input": 0, "output": 0} | {rate: RATE.read(given[key], draft) for key, rate in keys.items() if key in given}
        currency = given[CURRENCY].text().upper() if CURRENCY in given else DEFAULT_CURRENCY
        if not _CURRENCY.fullmatch(currency):
            raise given[CURRENCY].error("currency must be three letters, such as EUR.")
        return Prices(**found, currency=currency, tiers=())

    @override
    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.rates_schema()}

    @staticmethod
    def rates_schema() -> dict[str, Any]:
        """The JSON Schema of the prices of one model."""
        rates = {camel(rate): RATE.schema() for rate in RATES}
        currency = {"type": "string", "pattern": "^[A-Za-z]{3}$"}
        return {
            "type": "object",
            "properties": {**rates, CURRENCY: currency},
            "anyOf": [{"required": ["input", "output"]}, *({"required": [unit]} for unit in UNIT_RATES)],
            "additionalProperties": False,
        }

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
    """The price of a thousand tokens, for any class and model, or by `input` and `output`: a short form of `*` in the prices."""

    @override
    def read(self, value: Value, draft: Draft) -> dict[str, Prices]:
        prices: dict[str, Prices] = draft.values.get("prices", {})
        if ALL_MODELS in prices:
            raise value.error("costPer1kTokens is a price for all models, and so is * in prices; keep one.")
        return {**prices, ALL_MODELS: self.rates(value)}

    def rates(self, value: Value) -> Prices:
        """The prices per million tokens. Raises ConfigError."""
        if not value.has_keys:
            return Prices(rate := self._rate(value), rate)
        given = value.fields(("input", "output"))
        for needed in ("input", "output"):
            if needed not in given:
                raise value.error(f"prices need `{needed}:`, the money for a thousand tokens.")
        return Prices(self._rate(given["input"]), self._rate(given["output"]))

    @staticmethod
    def _rate(value: Value) -> int:
        if (amount := value.number(0, RATE.high)) > _USUAL_PER_1K:
            value.warn(f"{value.name} is {amount:g} for a thousand tokens, which is unusual. Check that it is not for a million.")
        return round(amount * 1000 * NANO)

    @override
    def schema(self) -> dict[str, Any]:
        classes = {"input": RATE.schema(), "output": RATE.schema()}
        by_class = {"type": "object", "properties": classes, "required": list(classes), "additionalProperties": False}
        return {"anyOf": [RATE.schema(), by_class]}


@dataclass(frozen=True, slots=True)
class AllowedModels(FieldKind[tuple[str, ...]]):
    """The only models that may be used. In a file, an entry may have an alias, prices and overrides of its model."""

    overrides: tuple[BackendField, ...]
    """The settings that an entry may have; each is an attribute of `ModelOverride`."""

    @property
    def keys(self) -> Mapping[str, BackendField]:
        """The settings that an entry may have, by each name of their keys."""
        return {name: field for field in self.overrides for name in field.names}

    @override
    def read(self, value: Value, draft: Draft) -> tuple[str, ...]:
        allowed: list[str] = []
        for entry in value.items():
            if not entry.has_keys:
                allowed.append(entry.text())
                continue
            entry.name = "a model"
            if (model := self.add(entry, entry.fields((*ENTRY_KEYS, *self.keys)), draft)) is not None:
                allowed.append(model)
        if not allowed:
            raise value.error("models is empty; list those that may be used, or delete the line to allow all.")
        return tuple(dict.fromkeys(allowed))

    def add(self, entry: Value, found: Mapping[str, Value], draft: Draft) -> str | None:
        """Add the settings of one model to the draft; returns its id, or None if it is disabled. Raises ConfigError.

        `found` are the values of the entry `entry` by key; those that are null count as missing.
        """
        given = {key: value for key, value in found.items() if not value.is_null}
        if "id" not in given:
            raise entry.error("a model needs `id:`.")
        model = given["id"].text()
        if "name" in given:
            given["name"].text()
        if "enabled" in given and not given["enabled"].flag():
            return None
        aliases, prices = draft.values.setdefault("aliases", {}), draft.values.setdefault("prices", {})
        if "alias" in given and aliases.setdefault(given["alias"].text(), model) != model:
            raise given["alias"].error("this alias stands for another model already; choose another one.")
        for key, kind in (("prices", ModelPrices().rates), ("costPer1kTokens", lambda value, _: PricePer1k().rates(value))):
            if key in given:
                if model in prices:
                    raise given[key].error("the prices of this model are set twice; keep one of them.")
                prices[model] = kind(given[key], draft)
        if "isDefault" in given and given["isDefault"].flag() and draft.values.setdefault("default_model", model) != model:
            raise given["isDefault"].error(f"{draft.values['default_model']} is already the default model of this provider.")
        if "tags" in given:
            draft.values["tags"] = draft.values.get("tags", frozenset()) | _TAGS.read(given["tags"], draft)
        overrides: dict[str, Any] = {}
        for key, field in self.keys.items():
            if key in given:
                if field.name in overrides:
                    raise given[key].error(f"{key} and {field.yaml} mean the same; keep one of them.")
                overrides[field.name] = field.read(given[key], draft)
        if overrides:
            draft.values.setdefault("overrides", {})[model] = ModelOverride(**overrides)
        return model

    @override
    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"anyOf": [{"type": "string"}, self.entry_schema({})]}, "minItems": 1}

    def entry_schema(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON Schema of an entry with keys and values; `more` are additional keys."""
        text = {"type": "string"}
        known = {
            "id": text,
            "alias": text,
            "name": text,
            "isDefault": {"type": "boolean"},
            "enabled": {"type": "boolean"},
            "tags": _TAGS.schema(),
            "prices": ModelPrices.rates_schema(),
            "costPer1kTokens": PricePer1k().schema(),
            **{key: field.kind.schema() for key, field in self.keys.items() if isinstance(field.kind, FieldKind)},
        }
        nullable = {key: {"anyOf": [schema, {"type": "null"}]} for key, schema in {**known, **more}.items()}
        return {"type": "object", "properties": nullable, "required": ["id"], "additionalProperties": False}

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
    """None if neither input nor output nor a unit has a price."""
    found = {rate: RATE.load(data, stored_rate(rate)) for rate in RATES}
    if all(found[rate] is None for rate in ("input", "output", *UNIT_RATES)):
        return None
    rates: dict[str, Any] = {rate: amount for rate, amount in found.items() if amount is not None}
    return Prices(**{"input": 0, "output": 0, **rates}, currency=data.get(CURRENCY) or DEFAULT_CURRENCY)
