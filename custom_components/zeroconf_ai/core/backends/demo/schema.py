"""Creates instances of a JSON schema, for structured answers and for required arguments of tools.

Supports the parts of JSON Schema 2020-12 that structured output and tools use: `type`, `enum`, `const`, `properties`, `required`,
`items`, `prefixItems`, `$ref` within the document, `anyOf`, `oneOf` (like `anyOf`), `allOf`, bounds of numbers, texts, arrays and
objects, `uniqueItems`, `multipleOf` and the common formats. Deterministic; values in the user's message are preferred.
"""

from collections.abc import Iterable, Mapping, Sequence
import math
import re
from typing import Any

from ...protocol import json

_GENEROUS_DEPTH = 4
"""The depth to which optional properties and array items are created. Deeper, only required ones: this ends recursive schemas."""
_GENEROUS_NODES = 2_000
_MAX_DEPTH = 64
_MAX_NODES = 20_000
"""Limit of a schema's nodes, which protects the memory."""

_MAX_UNIQUE = 500
"""Maximum number of items of an array with `uniqueItems`."""

_FORMATS: Mapping[str, str] = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T12:00:00Z",
    "duration": "PT5M",
    "email": "demo@example.com",
    "hostname": "demo.example.com",
    "idn-email": "demo@example.com",
    "idn-hostname": "demo.example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "iri": "https://example.com/",
    "json-pointer": "/demo",
    "regex": "demo",
    "time": "12:00:00Z",
    "uri": "https://example.com/",
    "uri-reference": "/demo",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_PATTERN_TRIES = ("demo", "Demo", "DEMO", "a", "A", "ab", "AB", "abc", "ABC", "0", "1", "12", "123", "1234", "12345", "demo-1",
                  "demo_1", "a1", "A1", "#ffffff", "+4930123456", "en", "en-US", "EUR", "1.0.0", "12:00")  # fmt: skip
_TYPE_BY_KEYWORD: Mapping[str, str] = {
    "properties": "object",
    "required": "object",
    "additionalProperties": "object",
    "items": "array",
    "prefixItems": "array",
    "minItems": "array",
    "minimum": "number",
    "maximum": "number",
    "exclusiveMinimum": "number",
    "exclusiveMaximum": "number",
    "multipleOf": "number",
    "minLength": "string",
    "maxLength": "string",
    "pattern": "string",
    "format": "string",
}


class SchemaError(ValueError):
    """A schema without a supported instance; the text contains the reason."""


def instance(schema: object, text: str = "", name: str = "value") -> Any:
    """An instance of `schema`; `text`: the user's message, `name`: the name of the instance. Raises SchemaError."""
    try:
        made = _Builder(schema, text).build(schema, name, 0, 0)
        json.check_depth(made)
        return made
    except (TypeError, AttributeError, KeyError, ValueError, OverflowError) as err:
        if isinstance(err, SchemaError):
            raise
        raise SchemaError(f"it is not a JSON schema ({err})") from None


class _Builder:
    def __init__(self, root: object, text: str) -> None:
        self._root = root
        self._text = text.casefold()
        self._numbers = [float(found) for found in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", text)]
        self._nodes = 0

    def build(self, schema: object, name: str, depth: int, turn: int) -> Any:
        """An instance. `turn`: the number of the array item, so that items can differ."""
        self._nodes += 1
        if depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            raise SchemaError("the schema is recursive or too large")
        if schema is False or not isinstance(schema, Mapping | bool):
            raise SchemaError(f"nothing is valid for {name}")
        if schema is True or not schema:
            return self._string({}, name, turn)
        schema = self._flat(schema, depth)
        if "const" in schema:
            return schema["const"]
        if isinstance(options := schema.get("enum"), Sequence) and options:
            return self._option(options, turn)
        if alternatives := schema.get("anyOf") or schema.get("oneOf"):
            return self._first_that_works(schema, alternatives, name, depth, turn)
        match self._type(schema, depth):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "integer":
                return self._number(schema, name, turn, integer=True)
            case "number":
                return self._number(schema, name, turn, integer=False)
            case "boolean":
                return turn % 2 == 0
            case "null":
                return None
            case _:
                return self._string(schema, name, turn)

    def _generous(self, depth: int) -> bool:
        return depth <= _GENEROUS_DEPTH and self._nodes <= _GENEROUS_NODES

    def _flat(self, schema: Mapping[str, Any], depth: int) -> Mapping[str, Any]:
        """The schema with its `$ref` and `allOf` merged into it."""
        self._nodes += 1
        if depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            raise SchemaError("the schema is recursive or too large")
        parts: list[object] = []
        if isinstance(reference := schema.get("$ref"), str):
            parts.append(self._resolve(reference))
        if isinstance(together := schema.get("allOf"), list):
            parts += together
        if not parts:
            return schema
        flat: dict[str, Any] = {}
        for part in [*parts, {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}]:
            if part is True:
                continue
            if not isinstance(part, Mapping):
                raise SchemaError("nothing is valid for a part of it")
            part = self._flat(part, depth + 1)
            properties = {**flat.get("properties", {}), **part.get("properties", {})}
            required = [*flat.get("required", ()), *part.get("required", ())]
            flat |= part
            if properties:
                flat["properties"] = properties
            if required:
                flat["required"] = list(dict.fromkeys(required))
        return flat

    def _resolve(self, reference: str) -> object:
        if not reference.startswith("#"):
            raise SchemaError(f"{reference} is outside the schema")
        found: Any = self._root
        for step in reference[1:].split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            try:
                found = found[int(key)] if isinstance(found, list) else found[key]
            except (KeyError, IndexError, ValueError, TypeError):
                raise SchemaError(f"{reference} does not exist") from None
        return found

    def _option(self, options: Sequence[Any], turn: int) -> Any:
        """The option that the user named, else the first; the following ones for further items of an array."""
        named = [option for option in options if isinstance(option, str) and _mentions(self._text, option)]
        if named and turn == 0:
            return named[0]
        return options[turn % len(options)]

    def _first_that_works(
        self, schema: Mapping[str, Any], alternatives: Iterable[object], name: str, depth: int, turn: int
    ) -> Any:
        ordered = list(alternatives)
        if not self._generous(depth):
            ordered.sort(key=lambda choice: not (isinstance(choice, Mapping) and choice.get("type") == "null"))
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
        failure = SchemaError(f"nothing is valid for {name}")
        for choice in ordered:
            try:
                together = {"allOf": [rest, choice]} if rest and isinstance(choice, Mapping) else choice
                return self.build(together, name, depth + 1, turn)
            except SchemaError as err:
                failure = err
        raise failure

    def _type(self, schema: Mapping[str, Any], depth: int) -> str:
        kind = schema.get("type")
        if isinstance(kind, list) and kind:
            real = [word for word in kind if word != "null"]
            return str(real[0]) if real and (self._generous(depth) or len(real) == len(kind)) else "null"
        if isinstance(kind, str):
            return kind
        return next((_TYPE_BY_KEYWORD[key] for key in schema if key in _TYPE_BY_KEYWORD), "string")

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = schema.get("required") or []
        others = schema.get("additionalProperties", True)
        made: dict[str, Any] = {}
        for key, part in properties.items():
            if key in required:
                made[key] = self.build(part, key, depth + 1, 0)
            elif self._generous(depth):
                try:
                    made[key] = self.build(part, key, depth + 1, 0)
                except SchemaError:
                    continue  # an optional property may be missing
        for key in required:
            if key not in made:
                made[key] = self.build(others, key, depth + 1, 0)
        for number in range(int(schema.get("minProperties", 0)) - len(made)):
            made[f"demo_{number + 1}"] = self.build(others, "value", depth + 1, number)
        if len(made) > (most := schema.get("maxProperties", len(made))):
            optional = [key for key in made if key not in required]
            for key in optional[: len(made) - int(most)]:
                del made[key]
        return made

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        first = schema.get("prefixItems") or []
        items = schema.get("items", True)
        least = int(schema.get("minItems", 0))
        count = max(least, len(first) or (1 if self._generous(depth) and items is not False else 0))
        count = min(count, int(schema.get("maxItems", count)))
        if schema.get("uniqueItems") and count > _MAX_UNIQUE:
            raise SchemaError(f"{count} different items are too many")
        made = []
        for turn in range(count):
            try:
                part = first[turn] if turn < len(first) else items
                made.append(self.build(part, name, depth + 1, turn))
            except SchemaError:
                if turn < max(least, len(first)):
                    raise
                break
        if schema.get("uniqueItems") and any(item in made[:place] for place, item in enumerate(made)):
            raise SchemaError(f"{name} cannot hold {count} different items")
        return made

    def _number(self, schema: Mapping[str, Any], name: str, turn: int, *, integer: bool) -> float:
        low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
        high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
        step = schema.get("multipleOf") or (1 if integer else 0)

        def fits(value: float) -> bool:
            return (
                low <= value <= high
                and value != schema.get("exclusiveMinimum")
                and value != schema.get("exclusiveMaximum")
                and (not step or math.isclose(value / step, round(value / step), abs_tol=1e-12))
                and (not integer or value == int(value))
            )

        start = low if low > -math.inf else (min(0, high) if step else min(0.0, high - 1 if high < math.inf else 0.0))
        if step:
            start = math.ceil(start / step) * step if low > -math.inf else math.floor(start / step) * step
        upwards = [start + more * (step or 1) for more in (turn, turn + 1, turn + 2, 0, 1)]
        downwards = [start - more * (step or 1) for more in (turn + 1, turn + 2, 1)]
        between = [(low + high) / 2] if math.isfinite(low) and math.isfinite(high) and not step else []
        said = self._numbers[turn : turn + 1]
        for value in [*said, *upwards, *downwards, *between]:
            if fits(value):
                return int(value) if value == int(value) else value
        raise SchemaError(f"no number is valid for {name}")

    def _string(self, schema: Mapping[str, Any], name: str, turn: int) -> str:
        shortest, longest = int(schema.get("minLength", 0)), int(schema.get("maxLength", 1_000_000))
        if isinstance(pattern := schema.get("pattern"), str):
            return _matching(pattern, shortest, longest, name)
        if (shaped := _FORMATS.get(str(schema.get("format")))) is not None:
            return shaped
        text = f"demo {name}" + (f" {turn + 1}" if turn else "")
        if len(text) > longest:
            text = f"{turn + 1}{text}"[:longest] if turn else text[:longest]
        if shortest > _MAX_NODES:
            raise SchemaError(f"a {name} of {shortest} characters is too much")
        return text.ljust(shortest, ".")


def _matching(pattern: str, shortest: int, longest: int, name: str) -> str:
    """A text that matches a pattern, from a short list of common ones."""
    try:
        wanted = re.compile(pattern)
    except re.error as err:
        raise SchemaError(f"the pattern of {name} is invalid: {err}") from None
    for text in _PATTERN_TRIES:
        if shortest <= len(text) <= longest and wanted.search(text):
            return text
    raise SchemaError(f"there is no text for the pattern {pattern!r} of {name}")


def _mentions(text: str, words: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(words.casefold())}(?!\w)", text) is not None
