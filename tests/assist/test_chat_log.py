"""The translation between chat logs and OpenAI's format, without a conversation."""

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


def test_tools_in_any_order_are_sorted_by_name() -> None:
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
def test_tool_name_without_namespace_is_matched_only_if_unambiguous(said: str, meant: str) -> None:
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
def test_arguments_in_tolerated_formats_are_parsed(written: str, meant: dict[str, int]) -> None:
    assert parse_arguments(written) == meant


@pytest.mark.parametrize("written", ["{", "[1]", "7", "null", "turn it on"])
def test_arguments_that_are_invalid_raise_with_the_reason(written: str) -> None:
    with pytest.raises(ValueError, match="the arguments"):
        parse_arguments(written)


@given(st.text())
def test_arguments_and_data_of_any_text_raise_only_value_errors(text: str) -> None:
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
def test_history_trimmed_keeps_the_system_prompt_and_complete_turns(turns: int, limit: int) -> None:
    content = talk(turns)
    kept = trim_history(content, limit)
    assert kept[0] is content[0]
    assert kept[-1] is content[-1]
    assert isinstance(kept[1], conversation.UserContent)
    users = sum(isinstance(item, conversation.UserContent) for item in kept)
    assert users == turns if limit == 0 else 1 <= users <= max(1, limit)


def test_history_trimmed_keeps_its_beginning_for_several_turns() -> None:
    firsts = [trim_history(talk(turns), 10)[1] for turns in range(11, 16)]
    assert {first.content for first in firsts if isinstance(first, conversation.UserContent)} == {"Question 5"}


def test_messages_of_a_chat_log_have_openais_format() -> None:
    messages = messages_to_json(talk(1), {})
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert messages[2]["tool_calls"] == [{"id": "c0", "type": "function", "function": {"name": "look", "arguments": '{"at":0}'}}]
    assert messages[3] == {"role": "tool", "tool_call_id": "c0", "content": '{"data":{"seen":0},"error":false}'}


def test_messages_reasoning_of_an_answer_is_sent_back() -> None:
    call = llm.ToolInput(id="a", tool_name="look", tool_args={})
    answer = conversation.AssistantContent("agent", None, thinking_content="Hm.", tool_calls=[call])
    [message] = messages_to_json([answer], {})
    assert message["reasoning_content"] == "Hm."


def test_messages_empty_system_prompt_is_omitted() -> None:
    assert messages_to_json([conversation.SystemContent("")], {}) == []


def test_structure_nested_is_strict_on_all_levels() -> None:
    structure = vol.Schema({vol.Required("rooms"): [vol.Schema({vol.Required("name"): str, vol.Optional("floor"): int})]})
    schema = structure_to_json(structure, llm.selector_serializer)
    room = schema["properties"]["rooms"]["items"]
    assert room["required"] == ["name", "floor"]
    assert room["additionalProperties"] is False
    assert room["properties"]["floor"]["type"] == ["integer", "null"]
    assert parse_structured('{"rooms": [{"name": "Hall", "floor": null}]}', structure) == {"rooms": [{"name": "Hall"}]}
