"""Whatever the schema, the instance is valid, checked by the `jsonschema` library."""

from datetime import date, datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from hypothesis import given, strategies as st
import jsonschema
import pytest

from tests.support.fakes.upstream import nested
from zeroconf_ai.backends.demo.schema import SchemaError, instance

SCHEMAS: dict[str, Any] = {
    "empty": {},
    "true": True,
    "string": {"type": "string"},
    "bounds of a text": {"type": "string", "minLength": 40, "maxLength": 45},
    "one letter": {"type": "string", "maxLength": 1},
    "integer": {"type": "integer"},
    "integer in bounds": {"type": "integer", "minimum": 7, "maximum": 9},
    "negative": {"type": "integer", "maximum": -5},
    "exclusive": {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
    "number between": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "number below": {"type": "number", "exclusiveMaximum": -0.5},
    "multiple": {"type": "integer", "multipleOf": 7, "minimum": 20},
    "multiple below nought": {"type": "number", "multipleOf": 0.5, "maximum": -3.2},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "const": {"const": {"a": 1}},
    "enum": {"enum": [3, "x", None]},
    "types": {"type": ["null", "integer"]},
    "array": {"type": "array", "items": {"type": "integer"}, "minItems": 3, "maxItems": 4},
    "unique": {"type": "array", "items": {"type": "string", "maxLength": 3}, "minItems": 5, "uniqueItems": True},
    "unique of few": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True},
    "tuple": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False, "minItems": 2},
    "object": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "b"]},
    "closed object": {"properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False},
    "map": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
    "few properties": {"properties": {key: {"type": "null"} for key in "abcd"}, "required": ["d"], "maxProperties": 2},
    "any of": {"anyOf": [False, {"type": "string", "pattern": "^no such text at all$"}, {"type": "integer", "minimum": 5}]},
    "any of beside": {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"], "anyOf": [{"required": ["b"]}]},
    "one of": {"oneOf": [{"type": "integer"}, {"type": "string"}]},
    "all of": {"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"required": ["b"]}]},
    "all of, anything among them": {"allOf": [True, {"type": "integer", "minimum": 3}]},
    "optional property that cannot be": {"properties": {"a": False, "b": {"type": "null"}}, "additionalProperties": False},
    "fewer items than there might be": {"type": "array", "items": {"type": "string", "pattern": "^no such text at all$"}},
    "reference": {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "integer", "minimum": 4}}},
    "reference into a list": {"$ref": "#/anyOf/1", "anyOf": [{"type": "string"}, {"type": "string", "minLength": 9}]},
    "list that goes round": {
        "$defs": {"node": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
                           "required": ["next"], "additionalProperties": False}},
        "$ref": "#/$defs/node",
    },
    "tree that goes round": {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#"}}, "left": {"$ref": "#"}},
        "required": ["children"],
        "additionalProperties": False,
    },
    "pattern": {"type": "string", "pattern": "^[A-Z]{3}$"},
    "no type": {"properties": {"a": {"minimum": 4, "maximum": 4}}, "required": ["a"]},
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEMAS)
def test_demo_schema_instance_is_valid(name: str) -> None:
    schema = SCHEMAS[name]
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    validator.validate(instance(schema))


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"type": "object", "properties": {"a": False}, "required": ["a"]},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2},
        {"type": "array", "items": {"type": "null"}, "minItems": 2, "uniqueItems": True},
        {"type": "string", "pattern": "^no such text at all$"},
        {"type": "string", "pattern": "("},
        {"$ref": "#/$defs/nothing"},
        {"allOf": [{"type": "string"}, False]},
        {"anyOf": [False, {"type": "integer", "minimum": 2, "maximum": 1}]},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "#"},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": "string", "minLength": 10**9},
        {"type": "array", "minItems": 10**9},
        {"type": "object", "minProperties": 10**9},
        {"type": "integer", "minimum": "three"},
        {"type": "object", "properties": ["a"]},
        {"type": "object", "required": 5},
        "string",
        {
            "type": "array",
            "items": {"type": "array", "items": {"type": "array", "minItems": 500}, "minItems": 500},
            "minItems": 500,
        },
    ],
)
def test_demo_unsatisfiable_schema_is_refused(schema: Any) -> None:
    with pytest.raises(SchemaError):
        instance(schema)


def test_demo_schema_with_many_branches_ends() -> None:
    schema = {"type": "object", "properties": {f"p{number}": {"$ref": "#"} for number in range(200)}, "required": []}
    jsonschema.validate(instance(schema), schema)


FORMATS: dict[str, Any] = {
    "date": date.fromisoformat,
    "date-time": datetime.fromisoformat,
    "email": lambda text: text.index("@"),
    "ipv4": ip_address,
    "ipv6": ip_address,
    "uri": lambda text: urlsplit(text).netloc or 1 / 0,
    "uuid": UUID,
}


@pytest.mark.parametrize("name", FORMATS)
def test_demo_schema_formats_are_satisfied(name: str) -> None:
    FORMATS[name](instance({"type": "string", "format": name}))


def test_demo_schema_values_named_by_the_user_are_preferred() -> None:
    schema = {
        "type": "object",
        "properties": {
            "mood": {"enum": ["sad", "happy", "tired"]},
            "count": {"type": "integer", "maximum": 50},
            "ratio": {"type": "number", "maximum": 1},
        },
    }
    assert instance(schema, "A happy list of 12 songs") == {"mood": "happy", "count": 12, "ratio": 0}
    assert instance(schema, "An unhappy list of 120 songs") == {"mood": "sad", "count": 0, "ratio": 0}


DOUBLING = {str(n): {"allOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(28)} | {"28": {"type": "string"}}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/0", "$defs": DOUBLING},
        {"type": "array", "items": {"type": "integer"}, "minItems": 19_000, "uniqueItems": True},
    ],
    ids=["doubling", "unique"],
)
def test_schema_that_takes_exponential_or_quadratic_time_is_refused(schema: Any) -> None:
    with pytest.raises(SchemaError):
        instance(schema)


def test_schema_of_a_deep_constant_at_a_deep_place_is_refused() -> None:
    schema: Any = {"const": nested(60)}
    for _ in range(20):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    with pytest.raises(SchemaError, match="64 levels"):
        instance(schema)


def schemas() -> st.SearchStrategy[Any]:
    """Schemas as structured-output requests have them: every one of them can be met."""
    numbers = st.tuples(st.sampled_from(["integer", "number"]), st.integers(-1000, 1000), st.integers(0, 1000)).map(
        lambda made: {"type": made[0], "minimum": made[1], "maximum": made[1] + made[2]}
    )
    texts = st.tuples(st.integers(0, 20), st.integers(0, 20)).map(
        lambda made: {"type": "string", "minLength": made[0], "maxLength": made[0] + made[1]}
    )
    simple = st.one_of(
        numbers,
        texts,
        st.just({"type": "boolean"}),
        st.just({"type": "null"}),
        st.lists(st.one_of(st.integers(), st.text(), st.none()), min_size=1).map(lambda options: {"enum": options}),
        st.sampled_from([{"type": "string", "format": name} for name in FORMATS]),
    )

    def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        objects = st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=4).flatmap(
            lambda properties: st.sets(st.sampled_from(sorted(properties)) if properties else st.nothing()).map(
                lambda required: {
                    "type": "object",
                    "properties": properties,
                    "required": sorted(required),
                    "additionalProperties": False,
                }
            )
        )
        arrays = st.tuples(inner, st.integers(0, 3), st.integers(0, 3)).map(
            lambda made: {"type": "array", "items": made[0], "minItems": made[1], "maxItems": made[1] + made[2]}
        )
        return st.one_of(objects, arrays, st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}))

    return st.recursive(simple, nested, max_leaves=12)


@given(schemas(), st.text(max_size=40))
def test_demo_satisfiable_schema_is_satisfied(schema: Any, said: str) -> None:
    jsonschema.validate(instance(schema, said), schema)
