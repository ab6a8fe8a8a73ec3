"""Parameters of tools for APIs that allow only a plain object at the top of a schema."""

from typing import Any

import pytest

from tests.support.clouds.anthropic import ADAPTIVE, OLDEST
from zeroconf_ai.dialects.anthropic.model_traits import Traits
from zeroconf_ai.dialects.anthropic.upstream_request import CONSERVATIVE_VERSION, translate
from zeroconf_ai.dialects.parameter_schemas import alternatives, plain_parameters, with_plain_parameters
from zeroconf_ai.protocol.request import Kind, Request

TEXT, NUMBER = {"type": "string"}, {"type": "number"}
CITY = {"type": "object", "properties": {"city": TEXT}, "required": ["city"]}
PLACE = {"type": "object", "properties": {"lat": NUMBER, "lon": NUMBER}, "required": ["lat", "lon"]}
ALL = {"city": TEXT, "lat": NUMBER, "lon": NUMBER}


@pytest.mark.parametrize(
    ("schema", "properties", "required"),
    [
        ({"anyOf": [CITY, PLACE]}, ALL, None),
        ({"type": "object", "oneOf": [CITY, PLACE]}, ALL, None),
        ({"allOf": [CITY, PLACE]}, ALL, ["city", "lat", "lon"]),
        ({"anyOf": [CITY, {"type": "null"}]}, {"city": TEXT}, ["city"]),
        (
            {"type": "object", "properties": {"day": TEXT}, "required": ["day"], "anyOf": [CITY, PLACE]},
            {"day": TEXT} | ALL,
            ["day"],
        ),
        ({"type": "object", "properties": ALL, "anyOf": [{"required": ["city"]}, {"required": ["lat", "lon"]}]}, ALL, None),
        ({"$ref": "#/$defs/City", "$defs": {"City": CITY}}, {"city": TEXT}, ["city"]),
        ({"anyOf": [{"$ref": "#/$defs/City"}, {"$ref": "#/$defs/None"}], "$defs": {"City": CITY}}, {"city": TEXT}, None),
        ({"anyOf": [CITY, {"properties": {"city": NUMBER}}]}, {"city": {"anyOf": [TEXT, NUMBER]}}, None),
        ({"type": ["object", "null"], "properties": ALL}, ALL, None),
        ({"type": "object", "not": {"required": ["city"]}, "properties": ALL}, ALL, None),
        ({}, {}, None),
        (CITY, {"city": TEXT}, ["city"]),
        ({"allOf": [{"properties": {"a": {"anyOf": 7}}}, {"properties": {"a": 1}}]}, {"a": {"anyOf": [{"anyOf": 7}, 1]}}, None),
        ({"anyOf": "wrong", "required": "wrong", "properties": ["wrong"]}, {}, None),
    ],
)
def test_schema_becomes_a_plain_object(schema: Any, properties: Any, required: Any) -> None:
    plain = plain_parameters(schema)
    assert (plain["type"], plain["properties"], plain.get("required")) == ("object", properties, required)
    assert not {"anyOf", "oneOf", "allOf", "not", "$ref", "enum"} & plain.keys()


def test_schema_that_refers_to_itself_ends() -> None:
    loop = {"$ref": "#/$defs/Loop", "$defs": {"Loop": {"properties": {"a": TEXT}, "allOf": [{"$ref": "#/$defs/Loop"}]}}}
    assert plain_parameters(loop)["properties"] == {"a": TEXT}


def test_alternatives_are_named_in_the_description() -> None:
    assert alternatives({"oneOf": [CITY, PLACE]}) == "Required are the parameters of one of these alternatives: city; lat, lon."
    assert alternatives(CITY) == alternatives({"anyOf": [CITY, CITY]}) == ""


@pytest.mark.parametrize("key", ["anyOf", "oneOf", "allOf"])
def test_tool_of_a_claude_model_is_a_plain_object(key: str) -> None:
    function = {"name": "look", "description": "Looks.", "strict": True, "parameters": {key: [CITY, PLACE]}}
    body = {"messages": [{"role": "user", "content": "Hi"}], "tools": [{"type": "function", "function": function}]}
    request = Request.parse(Kind.CHAT, body)
    [tool] = translate(request, Traits.by_name(ADAPTIVE), CONSERVATIVE_VERSION).body["tools"]
    assert tool["input_schema"]["properties"] == ALL
    assert key not in tool["input_schema"]
    assert tool["description"].startswith("Looks.")
    assert ("alternatives" in tool["description"]) == (key != "allOf")
    assert "strict" not in tool
    [plain] = with_plain_parameters(request).body["tools"]
    assert plain["function"]["parameters"] == tool["input_schema"]
    assert with_plain_parameters(with_plain_parameters(request)).body["tools"] == [plain]


def test_answers_schema_of_a_model_without_structured_output_is_a_plain_object() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"anyOf": [CITY, PLACE]}}}
    request = Request.parse(Kind.CHAT, {"messages": [{"role": "user", "content": "Hi"}], "response_format": wanted})
    [tool] = translate(request, Traits.by_name(OLDEST), CONSERVATIVE_VERSION).body["tools"]
    assert tool["input_schema"] == {"type": "object", "properties": ALL}
