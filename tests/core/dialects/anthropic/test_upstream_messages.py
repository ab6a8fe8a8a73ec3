"""Translation of OpenAI's messages and tools to Anthropic's format."""

from typing import Any

import pytest

from tests.support.clouds.asking import chat
from tests.support.clouds.server import PNG
from zeroconf_ai.dialects.anthropic.model_traits import Traits
from zeroconf_ai.dialects.anthropic.upstream_messages import split
from zeroconf_ai.dialects.anthropic.upstream_request import translate
from zeroconf_ai.dialects.images import Image
from zeroconf_ai.dialects.reasoning import SIGNED_FORMAT
from zeroconf_ai.protocol.errors import InvalidRequestError

OLD = "2023-06-01"


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any = None, **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **fields}


def tool(content: Any, call: str = "c1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call, "content": content}


def call(name: str = "read", arguments: Any = "{}", call_id: str = "c1") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def turns(*messages: dict[str, Any], images: dict[str, Image] | None = None) -> list[tuple[str, Any]]:
    return [(turn["role"], turn["content"]) for turn in split(messages, images or {})[1]]


def body(**parameters: Any) -> dict[str, Any]:
    return translate(chat("claude-opus-4-1", **parameters), Traits.by_name("claude-opus-4-1"), OLD).body


def test_system_and_developer_messages_anywhere_become_the_system_prompt() -> None:
    messages = [{"role": "system", "content": "Be brief."}, user("Hi"), {"role": "developer", "content": [text("Be kind.")]}]
    assert body(messages=messages)["system"] == [text("Be brief."), text("Be kind.")]
    assert body(messages=messages[:2])["system"] == "Be brief."
    assert body(messages=messages)["messages"] == [{"role": "user", "content": [text("Hi")]}]


def test_system_message_alone_becomes_a_user_turn() -> None:
    translated = body(messages=[{"role": "system", "content": "Greet me."}])
    assert translated["messages"] == [{"role": "user", "content": [text("Greet me.")]}]
    assert "system" not in translated


def test_tool_results_of_parallel_calls_share_a_turn_before_the_users_text() -> None:
    said = assistant("Looking.", tool_calls=[call(), call("stop", "", "c2")])
    assert turns(user("How warm?"), said, tool("21"), tool("ok", "c2"), user("And?")) == [
        ("user", [text("How warm?")]),
        (
            "assistant",
            [
                text("Looking."),
                {"type": "tool_use", "id": "c1", "name": "read", "input": {}},
                {"type": "tool_use", "id": "c2", "name": "stop", "input": {}},
            ],
        ),
        (
            "user",
            [
                {"type": "tool_result", "tool_use_id": "c1", "content": "21"},
                {"type": "tool_result", "tool_use_id": "c2", "content": "ok"},
                text("And?"),
            ],
        ),
    ]


def test_tool_results_after_a_user_text_come_first_in_the_turn() -> None:
    found = turns(user("Hi"), assistant(tool_calls=[call()]), user("Hurry"), tool(""))
    assert found[-1] == ("user", [{"type": "tool_result", "tool_use_id": "c1"}, text("Hurry")])


@pytest.mark.parametrize("arguments", ["", None, "{}", "  ", {}])
def test_tool_call_without_arguments_has_an_empty_object(arguments: Any) -> None:
    assert turns(user("Hi"), assistant(tool_calls=[call(arguments=arguments)]))[1][1][0]["input"] == {}


@pytest.mark.parametrize("arguments", ['{"a"', "[1]", '"x"', 7])
def test_tool_call_arguments_that_are_not_an_object_are_refused_with_their_path(arguments: Any) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        turns(user("Hi"), assistant(tool_calls=[call(), call(arguments=arguments)]))
    assert refused.value.param == "messages[1].tool_calls[1].function.arguments"


def test_tool_call_ids_of_other_models_are_sanitized_consistently() -> None:
    found = turns(user("Hi"), assistant(tool_calls=[call(call_id="functions.read:0")]), tool("21", "functions.read:0"))
    assert found[1][1][0]["id"] == found[2][1][0]["tool_use_id"] == "functions_read_0"


def test_messages_empty_texts_and_turns_are_omitted() -> None:
    assert turns(user("Hi"), assistant(""), user([text(" "), text("Yes?")])) == [("user", [text("Hi"), text("Yes?")])]


def test_messages_beginning_with_the_assistant_get_a_user_turn() -> None:
    assert [role for role, _ in turns(assistant("Hello!"), user("Hi"))] == ["user", "assistant", "user"]


def test_messages_prefill_is_stripped_of_trailing_white_space() -> None:
    assert turns(user("Name one."), assistant("The best is "))[-1] == ("assistant", [text("The best is")])


def test_images_are_sent_as_data_or_https_url_and_fetched_ones_as_data() -> None:
    urls = [f"data:image/jpeg;base64,{PNG}", "https://example.org/a.png", "http://example.org/b.png"]
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    found = turns(user(parts), images={urls[2]: Image("image/webp", "UklG")})
    assert [block["source"] for block in found[0][1]] == [
        {"type": "base64", "media_type": "image/png", "data": PNG},  # by its bytes, whatever it was called
        {"type": "url", "url": urls[1]},
        {"type": "base64", "media_type": "image/webp", "data": "UklG"},
    ]


def test_tool_result_with_an_image_keeps_it() -> None:
    content = [text("A dot"), {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]
    found = turns(user("Look"), assistant(tool_calls=[call()]), tool(content))
    assert [block["type"] for block in found[-1][1][0]["content"]] == ["text", "image"]


def test_files_pdf_becomes_a_document_and_others_are_refused() -> None:
    pdf = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}}
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}
    assert turns(user([pdf])) == [("user", [{"type": "document", "source": source, "title": "a.pdf"}])]
    for part in ({"type": "file", "file": {"file_id": "f1"}}, {"type": "input_audio", "input_audio": {}}):
        with pytest.raises(InvalidRequestError) as refused:
            turns(user([text("x"), part]))
        assert refused.value.param == "messages[0].content[1]"


def test_cache_control_of_parts_is_kept() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    assert turns(user([text("Hi") | mark])) == [("user", [text("Hi") | mark])]
    assert body(messages=[{"role": "system", "content": [text("Long.") | mark]}, user("Hi")])["system"] == [text("Long.") | mark]


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "signature": "s", "format": SIGNED_FORMAT, "index": 0}]},
        {
            "reasoning_details": [
                {"type": "reasoning.text", "text": "H", "format": SIGNED_FORMAT, "index": 0},
                {"type": "reasoning.text", "text": "m.", "format": SIGNED_FORMAT, "index": 0},
                {"type": "reasoning.text", "signature": "s", "format": SIGNED_FORMAT, "index": 0},
            ]
        },
        {"thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}]},
    ],
)
def test_signed_reasoning_in_each_client_format_is_sent_back(fields: Any) -> None:
    found = turns(user("Hi"), assistant("Yes.", **fields))
    assert found[1] == ("assistant", [{"type": "thinking", "thinking": "Hm.", "signature": "s"}, text("Yes.")])


@pytest.mark.parametrize(
    "detail",
    [
        {"type": "reasoning.text", "text": "Hm.", "format": SIGNED_FORMAT},
        {"type": "reasoning.text", "text": "Hm.", "signature": "s", "format": "google-gemini-v1"},
        {"type": "reasoning.summary", "summary": "Hm."},
        "Hm.",
    ],
)
def test_unsigned_reasoning_is_omitted(detail: Any) -> None:
    assert turns(user("Hi"), assistant("Yes.", reasoning_details=[detail]))[1] == ("assistant", [text("Yes.")])


def test_encrypted_reasoning_is_sent_back_unchanged() -> None:
    detail = {"type": "reasoning.encrypted", "data": "EncQ", "format": SIGNED_FORMAT, "index": 0}
    assert turns(user("Hi"), assistant("Yes.", reasoning_details=[detail]))[1][1][0] == {
        "type": "redacted_thinking",
        "data": "EncQ",
    }


def test_messages_of_role_function_are_refused() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        turns(user("Hi"), {"role": "function", "name": "x", "content": "1"})
    assert refused.value.param == "messages[1].role"


def test_messages_without_content_are_refused() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        body(messages=[user("")])
    assert refused.value.param == "messages"


TOOL = {
    "type": "function",
    "function": {"name": "read", "description": "Reads.", "strict": True, "parameters": {"type": "object"}},
}


def test_tool_is_translated_with_name_description_and_schema() -> None:
    turned = {"name": "read", "description": "Reads.", "strict": True, "input_schema": {"type": "object", "properties": {}}}
    assert body(tools=[TOOL])["tools"] == [turned]
    bare = {"type": "function", "function": {"name": "stop"}}
    assert body(tools=[bare])["tools"] == [{"name": "stop", "input_schema": {"type": "object", "properties": {}}}]


@pytest.mark.parametrize("wrong", [{}, {"type": "web_search"}, {"type": "function", "function": {}}])
def test_tool_without_a_name_is_refused_with_its_path(wrong: Any) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        body(tools=[TOOL, wrong])
    assert refused.value.param == "tools[1]"


@pytest.mark.parametrize(
    ("choice", "parallel", "turned"),
    [
        (None, None, None),
        ("auto", True, None),
        ("auto", False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("none", False, {"type": "none"}),
        ("required", None, {"type": "any"}),
        (
            {"type": "function", "function": {"name": "read"}},
            False,
            {"type": "tool", "name": "read", "disable_parallel_tool_use": True},
        ),
    ],
)
def test_tool_choice_of_each_kind_is_translated(choice: Any, parallel: Any, turned: Any) -> None:
    assert body(tools=[TOOL], tool_choice=choice, parallel_tool_calls=parallel).get("tool_choice") == turned


@pytest.mark.parametrize(
    ("stop", "sequences"), [("END", ["END"]), (["a", " ", ""], ["a"]), ("\n", None), (None, None), ([], None)]
)
def test_stop_sequences_blank_are_omitted(stop: Any, sequences: Any) -> None:
    assert body(stop=stop).get("stop_sequences") == sequences


@pytest.mark.parametrize(
    ("model", "sampling", "structured"),
    [
        ("claude-3-5-haiku-20241022", True, False),
        ("claude-3-opus-latest", True, False),
        ("claude-opus-4-20250514", True, False),
        ("claude-opus-4-1", True, False),
        ("claude-sonnet-4-5-20250929", True, True),
        ("claude-opus-4-6", True, True),
        ("claude-opus-4-7", False, True),
        ("claude-sonnet-5", False, True),
        ("claude-haiku-5-5", False, True),
        ("anthropic/claude-opus-4.8", False, True),
        ("claude-mythos-preview", False, True),
        ("some-other-model", True, False),
    ],
)
def test_model_traits_without_a_list_are_derived_from_the_name(model: str, sampling: bool, structured: bool) -> None:
    traits = Traits.by_name(model)
    assert (traits.sampling, traits.structured) == (sampling, structured)


def test_sampling_temperature_excludes_top_p_and_is_at_most_one() -> None:
    assert {key: body(temperature=1.7, top_p=0.5).get(key) for key in ("temperature", "top_p")} == {
        "temperature": 1,
        "top_p": None,
    }
    assert body(top_p=0.5)["top_p"] == 0.5
    assert body(temperature=0)["temperature"] == 0
