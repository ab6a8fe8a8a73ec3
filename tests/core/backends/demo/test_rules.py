"""What the rules understand: Home Assistant's tools and prompt as they are, any other tools, and plain sentences."""

import json
from typing import Any

import pytest

from zeroconf_ai.backends.demo.rules import Turn, respond
from zeroconf_ai.protocol.errors import InvalidRequestError

# As Home Assistant 2026.10 writes it.
PROMPT = """You are a voice assistant for Home Assistant.
Static Context: An overview of the areas and the devices in this smart home:
- names: Bed Light
  domain: light
  areas: Bedroom
- names: Ceiling Fan
  domain: fan
- names: Ceiling Lights
  domain: light
  areas: Living Room
- names: Kitchen
  domain: media_player
- names: Kitchen Light, Cooking lamp
  domain: light
  areas: Kitchen
- names: Garage Door
  domain: cover
- names: Outside Temperature
  domain: sensor

When controlling Home Assistant always call the intent tools."""

TARGET = {
    "name": {"type": "string"},
    "area": {"type": "string"},
    "floor": {"type": "string"},
    "domain": {"type": "array", "items": {"type": "string"}},
}
NUMBER = {"type": "number", "maximum": 100}
LIVE = "Provides real-time information about the CURRENT state, value, or mode of devices, sensors, entities, or areas. Use it."


def tool(name: str, description: str = "", properties: Any = None, required: tuple[str, ...] = ()) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties or {}, "required": list(required)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


HOME_TOOLS = [
    tool(
        "homeassistant__GetLiveContext",
        LIVE,
        {"name": {"type": "string"}, "domain": {"anyOf": [{"type": "string"}, {"type": "array"}]}, "area": {"type": "string"}},
    ),
    tool("intent__HassTurnOn", "Turns on/opens/presses a device or entity. For locks, this performs a 'lock' action.", TARGET),
    tool("intent__HassTurnOff", "Turns off/closes a device or entity.", TARGET),
    tool("climate__HassClimateSetTemperature", "Sets the temperature", {"temperature": NUMBER, **TARGET}, ("temperature",)),
    tool("intent__HassCancelAllTimers", "Cancels all timers", {"area": {"type": "string"}}),
    tool("light__HassLightSet", "Sets the brightness or color of a light", {"brightness": NUMBER, **TARGET}),
    tool("llm__GetDateTime", "Provides the current date and time."),
    tool("media_player__HassMediaPause", "Pauses a media player", TARGET),
]  # fmt: skip
OTHER_TOOLS = [
    tool(
        "get_weather",
        "Get the weather",
        {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
        ("city",),
    ),
    tool("send_message", "Sends a message to a person", {"to": {"type": "string"}, "text": {"type": "string"}}, ("to", "text")),
    tool("addNumbers", "Adds two numbers", {"a": {"type": "number"}, "b": {"type": "number"}}, ("a", "b")),
    tool("query", "Looks up a word in the dictionary", {"word": {"type": "string"}}, ("word",)),
]


def turn_of(sentence: str, tools: list[dict[str, Any]] | None = None, prompt: str = PROMPT, **body: Any) -> Turn:
    messages = [{"role": "system", "content": prompt}, {"role": "user", "content": sentence}]
    return respond({"messages": messages, "tools": HOME_TOOLS if tools is None else tools, **body})


def calls(turn: Turn) -> list[tuple[str, dict[str, Any]]]:
    return [(call.name.rpartition("__")[2], json.loads(call.arguments)) for call in turn.calls]


KITCHEN = {"name": "Kitchen Light", "domain": ["light"]}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Turn on the kitchen light", [("HassTurnOn", KITCHEN)]),
        ("turn the kitchen light on please", [("HassTurnOn", KITCHEN)]),
        ("turn off everything called the bed light now", [("HassTurnOff", {"name": "everything called the bed light"})]),
        ("Could you please switch on the kitchen lights?", [("HassTurnOn", KITCHEN)]),
        ("turn on the cooking lamp", [("HassTurnOn", KITCHEN)]),
        ("turn off the light in the kitchen.", [("HassTurnOff", KITCHEN)]),
        ("turn off the bed light in the bedroom", [("HassTurnOff", {"name": "Bed Light", "domain": ["light"]})]),
        ("turn on the living room lights", [("HassTurnOn", {"area": "Living Room", "domain": ["light"]})]),
        ("open the garage door", [("HassTurnOn", {"name": "Garage Door", "domain": ["cover"]})]),
        ("close the garage", [("HassTurnOff", {"name": "Garage Door", "domain": ["cover"]})]),
        ("lock the front door", [("HassTurnOn", {"name": "front door"})]),
        ("unlock the front door", [("HassTurnOff", {"name": "front door"})]),
        (
            "turn on the kitchen light and the bed light",
            [("HassTurnOn", KITCHEN), ("HassTurnOn", {"name": "Bed Light", "domain": ["light"]})],
        ),
        ("is the kitchen light on?", [("GetLiveContext", {"name": "Kitchen Light", "domain": "light"})]),
        ("What is the temperature outside?", [("GetLiveContext", {"name": "Outside Temperature", "domain": "sensor"})]),
        ("what's the state of the bed light", [("GetLiveContext", {"name": "Bed Light", "domain": "light"})]),
        ("What time is it?", [("GetDateTime", {})]),
        ("cancel all timers", [("HassCancelAllTimers", {})]),
        ("pause the music", [("HassMediaPause", {})]),
        ("set the temperature to 21.5 degrees", [("HassClimateSetTemperature", {"temperature": 21.5})]),
        ("set the brightness of the kitchen light to 40", [("HassLightSet", {"brightness": 40, **KITCHEN})]),
    ],
)
@pytest.mark.parametrize("moment", ["", "\n\n(It is Monday, 2026-11-30, 21:15. The user, Anna, is in the area Living Room.)"])
def test_demo_home_assistant_tools_are_called(sentence: str, expected: list[Any], moment: str) -> None:
    assert calls(turn_of(f"{sentence}{moment}")) == expected


def test_demo_unlisted_device_is_passed_to_the_tool() -> None:
    assert calls(turn_of("turn on the kitchen light", prompt="")) == [("HassTurnOn", {"name": "kitchen light"})]
    assert calls(turn_of("is the kitchen light on?", prompt="")) == [("GetLiveContext", {})]


def test_demo_tools_without_namespace_are_found() -> None:
    assert calls(turn_of("turn on the lamp", [tool("HassTurnOn", "", {"name": {"type": "string"}})], prompt="")) == [
        ("HassTurnOn", {"name": "lamp"})
    ]


def test_demo_ambiguous_device_asks_back() -> None:
    turn = turn_of("turn on the ceiling")
    assert not turn.calls
    assert turn.text == "Which one do you mean: Ceiling Fan, Ceiling Lights?"


def test_demo_media_player_in_the_kitchen_is_not_the_light() -> None:
    prompt = "Context:\n- names: Kitchen\n  domain: media_player\n"
    assert calls(turn_of("turn on the kitchen light", prompt=prompt)) == [("HassTurnOn", {"name": "kitchen light"})]


@pytest.mark.parametrize(
    "sentence", ["what is the capital of France?", "tell me a joke", "I turned on a lamp yesterday", "hello"]
)
def test_demo_question_without_need_calls_no_tool(sentence: str) -> None:
    assert not turn_of(sentence).calls


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("What's the weather in Paris?", [("get_weather", {"city": "Paris"})]),
        ("weather for New York in fahrenheit please", [("get_weather", {"city": "New York", "unit": "fahrenheit"})]),
        ('send a message to "Ada" with "dinner is ready"', [("send_message", {"to": "Ada", "text": "dinner is ready"})]),
        ("add the numbers 3 and -4.5", [("addNumbers", {"a": 3, "b": -4.5})]),
        ("look up the word lamp in the dictionary", [("query", {"word": "lamp"})]),
    ],
)
def test_demo_other_tool_is_found_by_its_description(sentence: str, expected: list[Any]) -> None:
    assert calls(turn_of(sentence, OTHER_TOOLS)) == expected


def test_demo_missing_tool_argument_is_named() -> None:
    turn = turn_of("What's the weather?", OTHER_TOOLS)
    assert not turn.calls
    assert turn.text == "I could use get_weather for this, but you did not say: city."


def test_tool_choice_none_is_respected() -> None:
    turn = turn_of("Turn on the kitchen light", tool_choice="none")
    assert not turn.calls
    assert "demo-rules" in turn.text


def test_tool_choice_required_calls_in_any_case() -> None:
    assert calls(turn_of("Turn on the kitchen light", tool_choice="required")) == [("HassTurnOn", KITCHEN)]
    [(name, arguments)] = calls(turn_of("tell me a joke", OTHER_TOOLS, tool_choice="required"))
    assert (name, set(arguments)) == ("get_weather", {"city"})


def test_demo_named_tool_is_called() -> None:
    choice = {"type": "function", "function": {"name": "addNumbers"}}
    [(name, arguments)] = calls(turn_of("What's the weather in Paris?", OTHER_TOOLS, tool_choice=choice))
    assert name == "addNumbers"
    assert set(arguments) == {"a", "b"}
    with pytest.raises(InvalidRequestError) as raised:
        turn_of("hello", OTHER_TOOLS, tool_choice={"type": "function", "function": {"name": "nothing"}})
    assert raised.value.param == "tool_choice"
    with pytest.raises(InvalidRequestError):
        turn_of("hello", [], tool_choice="required")


def test_demo_unsatisfiable_tool_arguments_are_a_client_error() -> None:
    impossible = tool("f", "", {"n": {"type": "integer", "minimum": 2, "maximum": 1}}, ("n",))
    with pytest.raises(InvalidRequestError) as raised:
        turn_of("call f with 3", [impossible], tool_choice="required")
    assert raised.value.param == "tools"


def test_demo_tools_that_are_not_functions_are_ignored() -> None:
    assert not turn_of("turn on the kitchen light", [{"type": "web_search"}, {"function": {"name": 5}}, {"function": "x"}]).calls
    assert not turn_of("turn on", HOME_TOOLS).calls


def test_demo_tool_results_without_calls_are_summarized() -> None:
    messages = [{"role": "tool", "tool_call_id": "call_1", "content": "21 degrees"}]
    assert respond({"messages": messages}).text == "the tool answered: 21 degrees"


def result_of(sentence: str, name: str, arguments: dict[str, Any], *results: Any) -> str:
    """What is said after the tool answered with these contents."""
    assistant: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": []}
    messages: list[Any] = [{"role": "user", "content": sentence}, assistant]
    for number, result in enumerate(results):
        function = {"name": name, "arguments": json.dumps(arguments)}
        assistant["tool_calls"].append({"id": f"call_{number}", "type": "function", "function": function})
        content = result if isinstance(result, str) else json.dumps(result)
        messages.append({"role": "tool", "tool_call_id": f"call_{number}", "content": content})
    turn = respond({"messages": messages, "tools": HOME_TOOLS})
    assert not turn.calls
    return turn.text


def done(*names: str) -> dict[str, Any]:
    success = [{"name": name, "type": "entity", "id": "light.x"} for name in names]
    area = {"name": "Kitchen", "type": "area", "id": "kitchen"}
    return {"speech": {}, "response_type": "action_done", "data": {"success": [area, *success], "failed": []}}


LIVE_RESULT = """Live Context: An overview of the areas and the devices in this smart home:
- names: Kitchen Light
  domain: light
  state: 'off'
  areas: Kitchen
"""
SENSOR_RESULT = """Live Context: An overview of the areas and the devices in this smart home:
- names: Outside Temperature
  domain: sensor
  state: '12.3'
  attributes:
    unit_of_measurement: °C
    device_class: temperature
"""


@pytest.mark.parametrize(
    ("sentence", "name", "result", "expected"),
    [
        ("turn on the kitchen light", "intent__HassTurnOn", done("Kitchen Light"), "I turned on Kitchen Light."),
        (
            "turn on the kitchen light",
            "x__intent__HassTurnOn",
            {"data": done("Kitchen Light"), "error": False},
            "I turned on Kitchen Light.",
        ),
        ("switch the lights off", "intent__HassTurnOff", done("A", "B"), "I switched off A and B."),
        ("open the garage door", "intent__HassTurnOn", done("Garage Door"), "I opened Garage Door."),
        ("unlock it", "intent__HassTurnOff", done("Front Door"), "I unlocked Front Door."),
        ("turn on x", "intent__HassTurnOn", "not JSON", "I turned on Kitchen Light."),
        ("is the kitchen light on?", "homeassistant__GetLiveContext", {"result": LIVE_RESULT}, "No, Kitchen Light is off."),
        ("is the kitchen light off?", "GetLiveContext", {"success": True, "result": LIVE_RESULT}, "Yes, Kitchen Light is off."),
        ("what's with the light", "GetLiveContext", {"data": {"result": LIVE_RESULT}, "error": False}, "Kitchen Light is off."),
        ("how warm is it outside", "GetLiveContext", {"result": SENSOR_RESULT}, "Outside Temperature is 12.3 °C."),
        (
            "what time is it",
            "llm__GetDateTime",
            {"date": "2026-11-21", "time": "10:00"},
            "GetDateTime answered: date 2026-11-21, time 10:00",
        ),
        ("weather?", "get_weather", "Sunny, 21 degrees", "get_weather answered: Sunny, 21 degrees"),
    ],
)
def test_demo_tool_result_is_summarized_in_a_sentence(sentence: str, name: str, result: Any, expected: str) -> None:
    assert result_of(sentence, name, {"name": "Kitchen Light"}, result) == expected


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (
            {"error": "MatchFailedError", "error_text": "<MatchFailedError result=MatchTargetsResult(...)>"},
            "nothing of that name was found",
        ),
        ({"data": {"error": "No exposed entities matched name 'x'"}, "error": True}, "No exposed entities matched name 'x'"),
        ({"data": {}, "error": True}, "it gave no reason"),
        ({"error": {"message": "the bulb is broken."}}, "the bulb is broken"),
        ({"success": False, "message": "too late"}, "too late"),
        ({"response_type": "error", "speech": {"plain": {"speech": "No such device"}}}, "No such device"),
        ({"data": {"success": [], "failed": [{"name": "Kitchen Light", "type": "entity"}]}}, "it did not reach Kitchen Light"),
    ],
)
def test_demo_tool_failure_is_reported(result: Any, reason: str) -> None:
    said = result_of("turn on the kitchen light", "intent__HassTurnOn", {"name": "Kitchen Light"}, result)
    assert said == f"That failed for Kitchen Light: HassTurnOn says: {reason}."


def test_demo_several_tool_results_are_summarized() -> None:
    said = result_of("turn on both", "intent__HassTurnOn", {"name": "x"}, done("A"), {"error": "broken"})
    assert said == "I turned on A. That failed for x: HassTurnOn says: broken."


def test_demo_tool_call_ids_are_deterministic() -> None:
    first, again = turn_of("turn on the bed light and the kitchen light"), turn_of("turn on the bed light and the kitchen light")
    assert first == again
    ids = [call.id for call in first.calls] + [call.id for call in turn_of("turn on the bed light").calls]
    assert len(set(ids)) == 3


def say(*sentences: str) -> str:
    messages = [{"role": "user", "content": sentence} for sentence in sentences]
    return respond({"messages": messages}).text


@pytest.mark.parametrize(
    ("sentence", "answer"),
    [
        ("count to 4", "1 2 3 4"),
        ("Please count up to 2!", "1 2"),
        ("count to 0", "There is nothing to count."),
        ("count to 999999", "I only count to 1000."),
        ("say hello world", "hello world"),
        ('repeat: "one two"', "one two"),
        ("thank you", "You are welcome."),
    ],
)
def test_demo_plain_sentences_are_answered(sentence: str, answer: str) -> None:
    assert say(sentence) == answer


@pytest.mark.parametrize(
    "sentence", ["hello", "who are you?", "what can you do", "Tell me a joke", "Wie spät ist es?", "今何時ですか"]
)
def test_demo_describes_itself(sentence: str) -> None:
    assert "I am demo-rules, a set of rules, not a language model" in say(sentence)


def test_demo_other_language_gets_a_hint() -> None:
    assert "only understand English" in say("Schalte bitte das Licht ein")
    assert "only understand English" in say("Включи свет")
    assert "only understand English" not in say("Tell me a joke")


def test_demo_remembers_earlier_messages() -> None:
    assert say("my cat is called Mia", "what did I just say?") == "Before this, you said: my cat is called Mia"
    assert say("what did I say?") == "You have said nothing before this."


def test_demo_image_is_declined() -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
    assert "cannot see" in respond({"messages": [{"role": "user", "content": parts}]}).text


def test_structured_answers_follow_response_format() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert json.loads(turn_of("give me 5", [], response_format=wanted).text) == {"n": 5}
    free = json.loads(turn_of("count to 3", [], response_format={"type": "json_object"}).text)
    assert free["answer"] == "1 2 3"
    assert turn_of("count to 3", [], response_format={"type": "text"}).text == "1 2 3"


@pytest.mark.parametrize("schema", [None, "x", {"type": "integer", "minimum": 2, "maximum": 1}])
def test_demo_unsatisfiable_schema_is_a_client_error(schema: Any) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    with pytest.raises(InvalidRequestError) as raised:
        turn_of("hello", [], response_format=wanted)
    assert raised.value.param == "response_format"
