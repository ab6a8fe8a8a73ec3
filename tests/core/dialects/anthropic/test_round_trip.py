"""Anthropic's clients with a Claude model: what only Anthropic's API knows arrives there, and at no other server."""

from typing import Any

import pytest

from tests.support.clouds.anthropic import ADAPTIVE, FakeAnthropic
from tests.support.clouds.asking import before, say
from zeroconf_ai.dialects.anthropic.client_request import to_chat
from zeroconf_ai.dialects.anthropic.model_traits import Traits
from zeroconf_ai.dialects.anthropic.upstream_request import CONSERVATIVE_VERSION, translate
from zeroconf_ai.dialects.openai.cache_control import without_cache_marks, without_extras
from zeroconf_ai.protocol.request import Kind, Request

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"}
FOUND = {"type": "search_result", "title": "T", "source": "s", "content": [{"type": "text", "text": "x"}]}
MARK = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}}
LOOK = {"name": "look", "description": "Looks.", "input_schema": SCHEMA}


def sent(**asked: Any) -> Any:
    """The body that a Claude model gets for a client's request."""
    asked = {"model": ADAPTIVE, "max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}]} | asked
    request = Request.parse(Kind.CHAT, to_chat(asked))
    return translate(request, Traits.by_name(ADAPTIVE), CONSERVATIVE_VERSION).body


def called(*results: Any) -> Any:
    """A conversation in which the results answer calls of `look`."""
    calls = [{"type": "tool_use", "id": result["tool_use_id"], "name": "look", "input": {}} for result in results]
    return [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": calls},
        {"role": "user", "content": list(results)},
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"user_id": "x"}},
        {"service_tier": "standard_only"},
        {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
        {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"thinking": {"type": "adaptive", "display": "omitted"}},
        {"thinking": {"type": "between_tools"}},
        {"thinking": {"type": "disabled"}},
        {"system": [{"type": "text", "text": "Be brief.", **MARK}]},
        {"stop_sequences": ["END"]},
        {"tools": [LOOK | MARK], "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": True}},
        {"tools": [LOOK | {"strict": True}]},
        {"tools": [LOOK | {"defer_loading": True}, LOOK | {"name": "find"}]},
        {"tools": [LOOK | {"input_examples": [{"at": "door"}], "eager_input_streaming": True, "allowed_callers": ["direct"]}]},
        {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        {"tools": [{"type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 9000, **MARK}]},
        {"tools": [{"type": "memory_20250818", "name": "memory"}]},
        {"tools": [{"type": "computer_20251124", "name": "computer", "display_width_px": 800, "display_height_px": 600}]},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_parameter_reaches_a_claude_model_unchanged(fields: Any) -> None:
    body = sent(**fields)
    assert {name: body[name] for name in fields} == fields


@pytest.mark.parametrize(
    "results",
    [
        [{"content": "It is open."}],
        [{"content": "It is broken.", "is_error": True}],
        [{"content": [{"type": "text", "text": "Broken.", **MARK}], "is_error": True}],
        [{"content": [PICTURE]}],
        [{"content": [{"type": "text", "text": "Look:"}, PICTURE]}],
        [{"content": [PICTURE], "is_error": True, **MARK}],
        [{"content": [PICTURE]}, {"content": "Nothing."}, {"content": [{"type": "text", "text": "Two:"}, PICTURE, PICTURE]}],
        [
            {
                "content": [
                    {
                        "type": "document",
                        "title": "a.pdf",
                        "source": PDF,
                    }
                ]
            }
        ],
        [{"content": [{"type": "tool_reference", "tool_name": "look"}]}],
        [{"content": [FOUND]}],
    ],
)
def test_results_of_tools_reach_a_claude_model_unchanged(results: Any) -> None:
    messages = called(*({"type": "tool_result", "tool_use_id": f"t{place}", **result} for place, result in enumerate(results)))
    wanted = [dict(block) for block in messages[-1]["content"]]
    for block in wanted:
        if isinstance(block["content"], list) and len(block["content"]) == 1 and set(block["content"][0]) == {"type", "text"}:
            block["content"] = block["content"][0]["text"]
    assert sent(messages=messages, tools=[LOOK])["messages"][-1]["content"] == wanted


def test_failure_without_text_is_not_an_empty_result() -> None:
    messages = called({"type": "tool_result", "tool_use_id": "t", "is_error": True})
    [block] = sent(messages=messages, tools=[LOOK])["messages"][-1]["content"]
    assert (block["is_error"], block["content"]) == (True, "The tool failed.")


@pytest.mark.parametrize(
    "block",
    [
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Milk"}, "title": "Note"},
        {"type": "document", "source": {"type": "content", "content": "Milk"}, "citations": {"enabled": True}},
        {
            "type": "document",
            "source": PDF,
            "title": "a.pdf",
            "context": "A bill.",
            "citations": {"enabled": True},
        },
        {
            "type": "search_result",
            "title": "T",
            "source": "s",
            "content": [{"type": "text", "text": "x"}],
            "citations": {"enabled": True},
        },
        PICTURE | MARK,
    ],
)
def test_block_of_the_user_reaches_a_claude_model_unchanged(block: Any) -> None:
    content = [{"type": "text", "text": "See:"}, block]
    assert sent(messages=[{"role": "user", "content": content}])["messages"][-1]["content"] == content


def test_account_files_are_out_of_reach_of_other_dialects() -> None:
    block = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
    part = {"type": "text", "text": "x", "anthropic": {"block": block}}
    request = Request.parse(Kind.CHAT, {"messages": [{"role": "user", "content": [part]}]})
    [turn] = translate(request, Traits.by_name(ADAPTIVE), CONSERVATIVE_VERSION).body["messages"]
    assert turn["content"] == [{"type": "text", "text": "x"}]


def test_other_servers_get_nothing_that_only_anthropic_knows() -> None:
    asked: Any = {
        "model": "m",
        "max_tokens": 9,
        "metadata": {"user_id": "x"},
        "tools": [LOOK | {"defer_loading": True}, {"type": "bash_20250124", "name": "bash"}],
        "messages": called({"type": "tool_result", "tool_use_id": "t", "content": [PICTURE], "is_error": True}),
    }
    request = Request.parse(Kind.CHAT, to_chat(asked, ["context-1m-2025-08-07"]))
    assert b'"anthropic"' in request.dump()
    for stripped in (without_cache_marks(request), without_extras(request)):
        assert b'"anthropic"' not in stripped.dump()
        assert [message["role"] for message in stripped.body["messages"]] == ["user", "assistant", "tool", "user"]
        assert [tool["function"]["name"] for tool in stripped.body["tools"]] == ["look", "bash"]
        assert stripped.body["tools"][1]["function"]["parameters"]["properties"]["command"] == {"type": "string"}
    marked = Request.parse(Kind.CHAT, to_chat(asked | {"system": [{"type": "text", "text": "x", **MARK}]}))
    assert without_extras(marked).body["messages"][0]["content"] == [{"type": "text", "text": "x", **MARK}]


@pytest.mark.parametrize("stream", [False, True])
async def test_betas_are_sent_as_the_header(stream: bool) -> None:
    fake = FakeAnthropic()
    managed = {"edits": [{"type": "clear_tool_uses_20250919"}]}
    asked = {"model": ADAPTIVE, "max_tokens": 9, "stream": stream, "context_management": managed, "messages": called()[:1]}
    betas = ["context-management-2025-06-27, context-1m-2025-08-07", "bad name", "x" * 99]
    async with before("anthropic", fake) as backend:
        await say(backend, Request.parse(Kind.CHAT, to_chat(asked, betas)))
    assert fake.last.headers["anthropic-beta"] == "context-management-2025-06-27,context-1m-2025-08-07"
    assert fake.last.body["context_management"] == managed
    assert len(fake.bodies("/v1/messages")) == 1


async def test_unknown_beta_and_what_needs_it_are_left_out() -> None:
    fake = FakeAnthropic()
    asked = {"model": ADAPTIVE, "max_tokens": 9, "context_management": {"edits": []}, "messages": called()[:1]}
    async with before("anthropic", fake) as backend:
        await say(backend, Request.parse(Kind.CHAT, to_chat(asked, ["context-management-2099-01-01"])))
    assert "anthropic-beta" not in fake.last.headers
    assert "context_management" not in fake.last.body
