"""The translation between chat logs and the wire, where a whole talk would be a roundabout way to test it."""

from contextlib import suppress
from typing import override

from hypothesis import given, strategies as st
import pytest
import voluptuous as vol

from custom_components.zeroconf_ai.assist.chat_log import (
    match_tool_name,
    messages_to_json,
    parse_arguments,
    parse_structured,
    structure_to_json,
    tools_to_json,
    trim_history,
)
from homeassistant.components import conversation
from homeassistant.helpers import llm


class Tool(llm.Tool):
    """A tool that is only shown."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.integration = "test"
        self.parameters = vol.Schema({vol.Required("name"): str})

    @override
    async def async_call(self, *_: object) -> llm.ToolResult:
        raise AssertionError("not called here")


def test_tools_are_sorted_whatever_order_they_come_in() -> None:
    tools = [Tool("light__b"), Tool("light__a"), Tool("a__z")]
    listed = tools_to_json(tools, None)
    assert listed == tools_to_json(reversed(tools), None)
    assert [tool["function"]["name"] for tool in listed] == ["a__z", "light__a", "light__b"]
    assert listed[0]["function"]["parameters"]["required"] == ["name"]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("intent__HassTurnOn", "intent__HassTurnOn"),
        ("HassTurnOn", "intent__HassTurnOn"),
        ("Get", "Get"),
        ("Nothing", "Nothing"),
    ],
)
def test_a_name_without_its_namespace_is_matched_only_where_it_is_clear(said: str, meant: str) -> None:
    assert match_tool_name(said, ["intent__HassTurnOn", "a__Get", "b__Get"]) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", {}),
        ("  ", {}),
        ('{"a": 1}', {"a": 1}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
    ],
)
def test_arguments_are_read_as_they_are_meant(written: str, meant: dict[str, int]) -> None:
    assert parse_arguments(written) == meant


@pytest.mark.parametrize("written", ["{", "[1]", "7", "null", "turn it on"])
def test_arguments_that_are_none_say_why(written: str) -> None:
    with pytest.raises(ValueError, match="the arguments"):
        parse_arguments(written)


@given(st.text())
def test_no_text_makes_reading_arguments_or_data_fail_otherwise(text: str) -> None:
    for read in (parse_arguments, lambda text: parse_structured(text, vol.Schema({}))):
        with suppress(ValueError):
            read(text)


def talk(turns: int) -> list[conversation.Content]:
    """A system prompt and so many turns, each with a tool call."""
    content: list[conversation.Content] = [conversation.SystemContent("Be brief.")]
    for turn in range(turns):
        call = llm.ToolInput(id=f"c{turn}", tool_name="look", tool_args={"at": turn})
        result = llm.ToolResult(data={"seen": turn})
        content += [
            conversation.UserContent(f"Question {turn}"),
            conversation.AssistantContent("agent", None, tool_calls=[call]),
            conversation.ToolResultContent("agent", f"c{turn}", "look", result),
            conversation.AssistantContent("agent", f"Answer {turn}"),
        ]
    return content


@given(turns=st.integers(1, 60), limit=st.integers(0, 25))
def test_trimming_keeps_the_system_prompt_whole_turns_and_the_last_one(turns: int, limit: int) -> None:
    content = talk(turns)
    kept = trim_history(content, limit)
    assert kept[0] is content[0]
    assert kept[-1] is content[-1]
    assert isinstance(kept[1], conversation.UserContent)
    users = sum(isinstance(item, conversation.UserContent) for item in kept)
    assert users == turns if limit == 0 else 1 <= users <= max(1, limit)


def test_trimming_leaves_the_beginning_alone_for_several_turns() -> None:
    firsts = [trim_history(talk(turns), 10)[1] for turns in range(11, 16)]
    assert {first.content for first in firsts if isinstance(first, conversation.UserContent)} == {"Question 5"}


def test_messages_are_in_openais_shape() -> None:
    messages = messages_to_json(talk(1), {})
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert messages[2]["tool_calls"] == [{"id": "c0", "type": "function", "function": {"name": "look", "arguments": '{"at":0}'}}]
    assert messages[3] == {"role": "tool", "tool_call_id": "c0", "content": '{"data":{"seen":0},"error":false}'}


def test_an_empty_system_prompt_is_left_out() -> None:
    assert messages_to_json([conversation.SystemContent("")], {}) == []


def test_a_nested_structure_is_strict_all_the_way_down() -> None:
    structure = vol.Schema({vol.Required("rooms"): [vol.Schema({vol.Required("name"): str, vol.Optional("floor"): int})]})
    schema = structure_to_json(structure, llm.selector_serializer)
    room = schema["properties"]["rooms"]["items"]
    assert room["required"] == ["name", "floor"]
    assert room["additionalProperties"] is False
    assert room["properties"]["floor"]["type"] == ["integer", "null"]
    assert parse_structured('{"rooms": [{"name": "Hall", "floor": null}]}', structure) == {"rooms": [{"name": "Hall"}]}
