"""The models of a file that name their provider (`providerId`), which the router's files list beside the providers."""

from collections.abc import Mapping
from typing import Any

from .backend_fields import YAML_FIELDS
from .document import Value, suggestion
from .draft import Draft
from .model_fields import ENTRY_KEYS, AllowedModels

PROVIDER = ("providerId", "provider_id", "provider")
"""The names of the key with the provider of a model."""


def allowed_models() -> AllowedModels:
    """The kind of the setting `models` of a provider."""
    kind = YAML_FIELDS["models"].kind
    if not isinstance(kind, AllowedModels):
        raise TypeError("the setting `models` has another kind")
    return kind


def split_models(value: Value | None, drafts: Mapping[str, Draft]) -> tuple[list[tuple[Value, Value]], str | None]:
    """Read `models:` at the top of a file. Returns its model aliases, and the only default model as `provider/model`, or None.

    A list, and entries with `providerId`, are models: they are added to the drafts of their providers, which `drafts` has by
    their ids and names. All others are aliases. Raises ConfigError.
    """
    if value is None:
        return [], None
    if value.has_keys:
        pairs: list[tuple[Value | None, Value]] = list(value.entries())
    else:
        pairs = [(None, entry) for entry in value.items()]
    aliases: list[tuple[Value, Value]] = []
    allowed: dict[int, tuple[Draft, list[str], Value]] = {}
    defaults: list[str] = []
    for key, entry in pairs:
        if key is not None and not any(entry.has(name) for name in PROVIDER):
            aliases.append((key, entry))
            continue
        entry.name = "a model"
        draft, model, is_default = _read(key, entry, drafts)
        _, models, _ = allowed.setdefault(id(draft), (draft, [], entry))
        if model is not None:
            models.append(model)
            defaults += [f"{draft.values['id']}/{model}"] if is_default else []
    for draft, models, entry in allowed.values():
        if models:
            draft.values["models"] = tuple(dict.fromkeys((*draft.values.get("models", ()), *models)))
        elif "models" not in draft.values:
            entry.warn(f"all models of {draft.values['id']} are disabled, so it is not served.")
            draft.values["enabled"] = False
    return aliases, defaults[0] if len(defaults) == 1 else None


def _read(key: Value | None, entry: Value, drafts: Mapping[str, Draft]) -> tuple[Draft, str | None, bool]:
    """(its provider, its id or None if it is disabled, whether it is the default) of a model. Raises ConfigError."""
    kind = allowed_models()
    if entry.is_single:
        raise entry.error("a model of this list needs `id:` and `providerId:`.")
    given = dict(entry.fields((*PROVIDER, *ENTRY_KEYS, *kind.keys)))
    named = [given.pop(name) for name in PROVIDER if name in given]
    if len(named) > 1:
        raise named[1].error(f"{named[1].name} and {named[0].name} mean the same; keep one of them.")
    if key is not None:
        given.setdefault("id", key)
    draft = _provider(entry, named[0] if named else None, drafts)
    is_default = "isDefault" in given and not given["isDefault"].is_null and given["isDefault"].flag()
    return draft, kind.add(entry, given, draft), is_default


def _provider(entry: Value, named: Value | None, drafts: Mapping[str, Draft]) -> Draft:
    """The provider of a model. Raises ConfigError."""
    if named is None:
        if len({id(draft) for draft in drafts.values()}) != 1:
            raise entry.error("a model needs `providerId:`, the ID of its provider.")
        return next(iter(drafts.values()))
    if (text := named.text()) not in drafts:
        raise named.error(f"this file has no such provider. {suggestion(text, list(drafts))}")
    return drafts[text]


def models_schema() -> dict[str, Any]:
    """The JSON Schema of a list of models at the top of a file."""
    provider = {name: {"type": "string"} for name in PROVIDER}
    return {"type": "array", "items": allowed_models().entry_schema(provider)}
