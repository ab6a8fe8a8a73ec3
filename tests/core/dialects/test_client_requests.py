"""Requests of other dialects in the inner language, word by word."""

from typing import Any

import pytest

from zeroconf_ai.dialects.anthropic import client_request as anthropic_client_request
from zeroconf_ai.dialects.ollama import client_request as ollama_client_request
from zeroconf_ai.dialects.reasoning import SIGNED_FORMAT
from zeroconf_ai.dialects.responses import client_request as responses_client_request


def test_thinking_blocks_signed_ones_are_details_and_others_are_text() -> None:
    content = [
        {"type": "thinking", "thinking": "Another model's.", "signature": ""},
        {"type": "thinking", "thinking": "Hm.", "signature": "seal"},
        {"type": "redacted_thinking", "data": "hidden"},
        {"type": "text", "text": "Yes"},
    ]
    details = [
        {"index": 0, "format": SIGNED_FORMAT, "type": "reasoning.text", "text": "Hm.", "signature": "seal"},
        {"index": 1, "format": SIGNED_FORMAT, "type": "reasoning.encrypted", "data": "hidden"},
    ]
    back = anthropic_client_request.to_chat({"messages": [{"role": "assistant", "content": content}]})
    fields = {"reasoning_content": "Another model's.", "reasoning_details": details}
    assert back["messages"] == [{"role": "assistant", "content": "Yes", **fields}]


def test_tool_result_media_follow_in_the_user_message() -> None:
    """Tool messages hold text alone at OpenAI, and follow the call at once."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    content = [
        {"type": "text", "text": "And now?"},
        {"type": "tool_result", "tool_use_id": "a", "content": [image]},
        {"type": "tool_result", "tool_use_id": "b", "content": "broken", "is_error": True},
    ]
    calls = [{"type": "tool_use", "id": name, "name": "look", "input": {"at": name}} for name in "ab"]
    talk = [{"role": "assistant", "content": calls}, {"role": "user", "content": content}]
    assistant, first, second, user = anthropic_client_request.to_chat({"messages": talk})["messages"]
    assert [call["function"]["arguments"] for call in assistant["tool_calls"]] == ['{"at":"a"}', '{"at":"b"}']
    assert first == {"role": "tool", "tool_call_id": "a", "content": "The result follows in the next message."}
    assert second.pop("anthropic") == {"is_error": True}
    assert second == {"role": "tool", "tool_call_id": "b", "content": "The tool failed.\n\nbroken"}
    assert user["content"] == [
        {"type": "text", "text": "Result of the tool call a:"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}, "anthropic": {"tool_use_id": "a"}},
        {"type": "text", "text": "And now?"},
    ]


def test_documents_become_files_or_text() -> None:
    content = [
        {"type": "document", "title": "Bill", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}},
        {"type": "document", "title": "Note", "source": {"type": "text", "media_type": "text/plain", "data": "Buy milk"}},
        {"type": "document", "source": {"type": "content", "content": "Buy bread"}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    ]
    asked: Any = {"messages": [{"role": "user", "content": content}]}
    [message] = anthropic_client_request.to_chat(asked)["messages"]
    assert message["content"] == [
        {"type": "file", "file": {"filename": "Bill", "file_data": "data:application/pdf;base64,JVBE"}},
        {"type": "text", "text": "Document: Note", "anthropic": {"block": content[1]}},
        {"type": "text", "text": "Buy milk", "anthropic": {"block": None}},
        {"type": "text", "text": "Buy bread", "anthropic": {"block": content[2]}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]


@pytest.mark.parametrize(
    ("asked", "chat"),
    [
        ({"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}, "reasoning_effort": "none"}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 8000}},
            {"thinking": {"type": "enabled", "budget_tokens": 8000}, "reasoning_effort": "medium"},
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 30_000}},
            {"thinking": {"type": "enabled", "budget_tokens": 30_000}, "reasoning_effort": "high"},
        ),
        ({"thinking": {"type": "adaptive"}}, {"thinking": {"type": "adaptive"}, "reasoning_effort": "medium"}),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, {"reasoning_effort": "max"}),
        ({"stop_sequences": ["END"], "top_k": 4}, {"stop": ["END"], "top_k": 4}),
        (
            {"metadata": {"user_id": "x"}, "service_tier": "auto", "speed": "fast"},
            {"anthropic": {"metadata": {"user_id": "x"}, "service_tier": "auto"}},
        ),
        ({"tool_choice": {"type": "any"}}, {}),
    ],
)
def test_messages_request_parameters_are_translated(asked: Any, chat: Any) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    assert anthropic_client_request.to_chat({"messages": messages, **asked}) == {"messages": messages, **chat}


@pytest.mark.parametrize(
    ("choice", "chat"),
    [
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "lamp"}, {"tool_choice": {"type": "function", "function": {"name": "lamp"}}}),
        ({"type": "auto", "disable_parallel_tool_use": True}, {"parallel_tool_calls": False}),
    ],
)
def test_messages_request_tool_choice_is_translated(choice: Any, chat: Any) -> None:
    tool = {"name": "lamp", "description": "Lights.", "input_schema": {"type": "object"}, "strict": True}
    asked = {"messages": [{"role": "user", "content": "Hi"}], "tools": [tool], "tool_choice": choice}
    function = {"name": "lamp", "description": "Lights.", "parameters": {"type": "object"}, "strict": True}
    found = anthropic_client_request.to_chat(asked)
    assert found.pop("tools") == [{"type": "function", "function": function}]
    found.pop("messages")
    assert found == chat


def test_responses_request_items_of_one_turn_become_one_message() -> None:
    items = [
        {"role": "user", "content": "Look"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"role": "assistant", "content": "I look."},
        {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "dark"},
        {
            "type": "function_call_output",
            "call_id": "b",
            "output": [{"type": "input_image", "image_url": "data:image/png;base64,A"}],
        },
    ]
    messages = responses_client_request.to_chat({"input": items, "instructions": "Be brief."})[0]["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "tool", "user"]
    assert messages[2]["content"] == "I look."
    assert "reasoning_content" not in messages[2]
    assert [call["id"] for call in messages[2]["tool_calls"]] == ["a", "b"]
    assert messages[5]["content"][1]["image_url"]["url"] == "data:image/png;base64,A"


def test_responses_request_parameters_are_translated() -> None:
    schema = {"type": "object"}
    tool = {"type": "function", "name": "lamp", "parameters": schema, "strict": True}
    found, _ = responses_client_request.to_chat(
        {
            "model": "m",
            "input": "Hi",
            "max_output_tokens": 50,
            "temperature": 0.5,
            "tools": [tool],
            "tool_choice": {"type": "function", "name": "lamp"},
            "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "room", "schema": schema, "strict": True}},
            "reasoning": {"effort": "high"},
            "store": True,
            "metadata": {"a": "b"},
        }
    )
    assert found == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 50,
        "temperature": 0.5,
        "tools": [{"type": "function", "function": {"name": "lamp", "parameters": schema, "strict": True}}],
        "tool_choice": {"type": "function", "function": {"name": "lamp"}},
        "verbosity": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "room", "schema": schema, "strict": True}},
        "reasoning_effort": "high",
    }


def test_responses_request_reasoning_belongs_to_the_turn_that_follows() -> None:
    items = [
        {"role": "user", "content": "Look"},
        {"role": "assistant", "content": "I look."},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Which?"}]},
        {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"},
        {"type": "reasoning", "id": "rs_2", "summary": [{"type": "summary_text", "text": "Both."}], "encrypted_content": "other"},
        {"type": "function_call", "call_id": "b", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "dark"},
        {"type": "function_call_output", "call_id": "b", "output": "dark"},
        {"type": "reasoning", "id": "rs_3", "summary": []},
        {"role": "assistant", "content": "Dark."},
    ]
    messages = responses_client_request.to_chat({"input": items})[0]["messages"]
    assert [message.get("reasoning_content") for message in messages] == [None, "Which?\n\nBoth.", None, None, None]


def test_ollama_request_thinking_of_merged_messages_is_kept() -> None:
    call = {"function": {"name": "look", "arguments": {}}}
    messages = [
        {"role": "user", "content": "Look"},
        {"role": "assistant", "content": "", "thinking": "Which?", "tool_calls": [call]},
        {"role": "assistant", "content": "", "thinking": "Both.", "tool_calls": [call]},
    ]
    [_, turn] = ollama_client_request.chat_to_chat({"model": "m", "messages": messages})["messages"]
    assert turn["reasoning_content"] == "Which?\n\nBoth."
    assert len(turn["tool_calls"]) == 2
