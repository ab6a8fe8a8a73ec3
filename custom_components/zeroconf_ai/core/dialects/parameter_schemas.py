"""JSON schemas of tools' parameters, for APIs that allow only a plain object at the top.

Anthropic and OpenAI refuse `anyOf`, `oneOf`, `allOf` and others there ("input_schema does not support oneOf, allOf, or anyOf at
the top level"; "schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level").
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ..protocol.request import Request
from ..protocol.values import mapping

_REFUSED = frozenset({"anyOf", "oneOf", "allOf", "not", "enum", "const", "$ref", "if", "then", "else"})
_MAX_DEPTH = 8
_MAX_BRANCHES = 64


def plain_parameters(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema as a plain object: with the parameters of all alternatives, of which those that all require are required."""
    if schema.get("type") == "object" and not _REFUSED & schema.keys():
        return {"properties": {}, **schema}
    properties, required = _merged(schema, schema, _MAX_DEPTH)
    plain = {key: value for key, value in schema.items() if key not in _REFUSED and key != "required"}
    plain |= {"type": "object", "properties": properties}
    return plain | ({"required": [name for name in properties if name in required]} if required else {})


def with_plain_parameters(request: Request) -> Request:
    """The request with tools whose parameters are plain objects; the same one if there is nothing to change."""
    tools = request.body.get("tools") or []
    plain = [_plain_tool(tool) for tool in tools]
    return request if all(new is old for new, old in zip(plain, tools, strict=True)) else request.with_body(tools=plain)


def _plain_tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    function = mapping(tool.get("function"))
    schema = function.get("parameters")
    if not isinstance(schema, Mapping) or not _REFUSED & schema.keys():
        return tool
    about = " ".join(text for text in (function.get("description"), alternatives(schema)) if isinstance(text, str) and text)
    changed = {**function, "parameters": plain_parameters(schema)} | ({"description": about} if about else {})
    changed.pop("strict", None)  # it requires the schema that was given up
    return {**tool, "function": changed}


def alternatives(schema: Mapping[str, Any]) -> str:
    """A sentence for the description of a tool: the alternatives that `plain_parameters` gives up; "" without them."""
    lists = [
        [", ".join(sorted(_merged(branch, schema, _MAX_DEPTH)[1])) or "none" for branch in _branches(schema, key, schema)]
        for key in ("anyOf", "oneOf")
    ]
    found = next((names for names in lists if len(set(names)) > 1), [])
    return f"Required are the parameters of one of these alternatives: {'; '.join(dict.fromkeys(found))}." if found else ""


def _merged(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> tuple[dict[str, Any], set[str]]:
    """(properties, names of the required ones) of an object schema; `root` contains the definitions that it refers to."""
    properties = dict(mapping(schema.get("properties")))
    listed = schema.get("required")
    required = {name for name in listed if isinstance(name, str)} if isinstance(listed, list) else set()
    if depth == 0:
        return properties, required
    parts = [_merged(part, root, depth - 1) for part in _branches(schema, "allOf", root)]
    if (referred := _referred(schema, root)) is not None:
        parts.append(_merged(referred, root, depth - 1))
    for more, needed in parts:
        _add(properties, more)
        required |= needed
    for key in ("anyOf", "oneOf"):
        branches = [_merged(branch, root, depth - 1) for branch in _branches(schema, key, root)]
        for more, _ in branches:
            _add(properties, more)
        if branches:
            required |= set.intersection(*(needed for _, needed in branches))
    return properties, required


def _add(properties: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add properties. One that two alternatives describe differently may be either."""
    for name, schema in more.items():
        if name in properties and properties[name] != schema:
            known = properties[name]
            listed = mapping(known).get("anyOf") if mapping(known).keys() == {"anyOf"} else None
            either = listed if isinstance(listed, list) else [known]
            properties[name] = {"anyOf": [*either, schema]} if schema not in either else known
        else:
            properties[name] = schema


def _branches(schema: Mapping[str, Any], key: str, root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    listed = schema.get(key)
    for branch in listed[:_MAX_BRANCHES] if isinstance(listed, list) else ():
        if isinstance(branch, Mapping) and branch.get("type", "object") == "object":  # not null
            yield branch


def _referred(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The definition in `root` that the schema refers to (`#/$defs/NAME`), or None."""
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    found: object = root
    for name in reference.removeprefix("#/").split("/"):
        found = mapping(found).get(name)
    return found if isinstance(found, Mapping) else None
