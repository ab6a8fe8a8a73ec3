"""Google's `Schema` (OpenAPI 3.0, types in capitals, counts as text) → JSON Schema."""

from collections.abc import Mapping
from typing import Any

from ...protocol.values import mapping
from .options import value_of

_SAME = ("title", "description", "default", "format", "pattern", "minimum", "maximum", "required", "enum")
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")


def to_json_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a schema. Its depth is that of the request, which is limited (`protocol/json.py`)."""
    result: dict[str, Any] = {name: schema[name] for name in _SAME if schema.get(name) is not None}
    kind = schema.get("type")
    if isinstance(kind, str) and kind.upper() != "TYPE_UNSPECIFIED":
        result["type"] = [kind.lower(), "null"] if schema.get("nullable") is True else kind.lower()
    for name in _COUNTS:
        count = value_of(schema, name)
        if isinstance(count, int) or (isinstance(count, str) and count.isdecimal() and count.isascii() and len(count) < 16):
            result[name] = int(count)
    if isinstance(items := schema.get("items"), Mapping):
        result["items"] = to_json_schema(items)
    if properties := mapping(schema.get("properties")):
        result["properties"] = {name: to_json_schema(mapping(of)) for name, of in properties.items()}
    choices = value_of(schema, "anyOf")
    if isinstance(choices, list):
        result["anyOf"] = [to_json_schema(mapping(choice)) for choice in choices]
    if isinstance(result.get("enum"), list) and schema.get("nullable") is True:
        result["enum"] = [*result["enum"], None]
    return result
