"""The JSON Schema of the file of `serve`, for editors: derived from the table of settings."""

from typing import Any

from .backend_fields import NAMES, YAML_FIELDS
from .cluster_fields import cluster_schema
from .connector_fields import connector_schema
from .currency_fields import currency_schema
from .fields import FieldKind, snake
from .model_entries import models_schema
from .portal_fields import portal_schema
from .routing_fields import ROUTER, ROUTER_KEYS, limits_schema, routing_schema
from .server_fields import server_schema, usage_schema

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def file_schema() -> dict[str, Any]:
    """The schema of a file. It is for hints: `config check` finds more, such as ids that are used twice."""
    provider = _provider_schema()
    both = {"anyOf": [{"$ref": "#/$defs/router"}, {"$ref": "#/$defs/provider"}]}
    listed = {"anyOf": [{"type": "array", "items": both}, {"type": "object", "additionalProperties": both}]}
    aliases = {"type": "object"}
    usage = usage_schema()
    return {
        "$schema": _DRAFT,
        "title": "The file of zeroconf-ai serve",
        "type": "object",
        "properties": {
            "providers": listed,
            "backends": listed,
            "models": {"anyOf": [models_schema(), aliases]},
            "routing": routing_schema(),
            "limits": limits_schema(),
            "server": server_schema(),
            "connect": connector_schema(),
            "usage_tracking": usage,
            "usageTracking": usage,
            "portal": portal_schema(),
            "cluster": cluster_schema(),
            **currency_schema(),
        },
        "additionalProperties": False,
        "$defs": {"provider": provider, "router": _router_schema()},
    }


def _provider_schema() -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name, key in NAMES.items():
        setting = YAML_FIELDS[key]
        if not isinstance(setting.kind, FieldKind):
            continue
        schema = {"anyOf": [setting.kind.schema(), {"type": "null"}], "description": setting.meaning}
        group, _, inner = name.partition(".")
        if inner:
            held = properties.setdefault(group, {"type": "object", "properties": {}, "additionalProperties": False})
            held["properties"][inner] = schema
        else:
            properties[name] = schema
    return {"type": "object", "properties": properties, "required": ["type"], "additionalProperties": False}


def _router_schema() -> dict[str, Any]:
    text = {"type": "string"}
    texts = {"anyOf": [text, {"type": "array", "items": text, "minItems": 1}]}
    kinds = {"type": {"const": ROUTER}, "fallback_chain": texts, "enabled": {"type": "boolean"}}
    properties = {key: kinds.get(snake(key), text) for key in ROUTER_KEYS}
    return {"type": "object", "properties": properties, "required": ["type"], "additionalProperties": False}
