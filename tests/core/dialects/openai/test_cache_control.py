"""Anthropic's marks for its cache: kept on the way to Claude models, taken out before servers that do not know them."""

from typing import Any

import orjson
import pytest

from tests.support.clouds.asking import before, say
from tests.support.clouds.openai import FakeOpenAI, FakeOpenRouter
from tests.support.fakes.upstream import chat as plain_chat
from zeroconf_ai.dialects.anthropic.client_request import to_chat
from zeroconf_ai.dialects.anthropic.model_traits import Traits
from zeroconf_ai.dialects.anthropic.upstream_request import CONSERVATIVE_VERSION, translate
from zeroconf_ai.dialects.openai.cache_control import without_cache_marks
from zeroconf_ai.protocol.request import Kind, Request

MINUTES: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}
HOUR: dict[str, Any] = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://192.0.2.1/cat.png"}}
ASKED: dict[str, Any] = {
    "model": "m",
    "max_tokens": 10,
    "system": [{"type": "text", "text": "Long."}, {"type": "text", "text": "Longer.", **HOUR}],
    "tools": [{"name": "read", "input_schema": {"type": "object", "properties": {}}, **HOUR}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "What"}, {**IMAGE, **MINUTES}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I look.", **MINUTES},
                {"type": "tool_use", "id": "t1", "name": "read", "input": {}, **MINUTES},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "A cat.", **MINUTES}]},
    ],
    **MINUTES,
}


def marked() -> Request:
    return Request.parse(Kind.CHAT, to_chat(ASKED))


def test_cache_control_for_a_claude_model_is_kept_everywhere() -> None:
    body = translate(marked(), Traits.by_name("claude-opus-4-1"), CONSERVATIVE_VERSION).body
    assert {name: body[name] for name in ("system", "messages", "cache_control")} == {
        name: ASKED[name] for name in ("system", "messages", "cache_control")
    }
    assert body["tools"] == ASKED["tools"]


def test_cache_control_removed_leaves_the_same_request_as_without_it() -> None:
    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: bare(inner) for key, inner in value.items() if key != "cache_control"}
        return [bare(inner) for inner in value] if isinstance(value, list) else value

    assert without_cache_marks(marked()).body == to_chat(bare(ASKED))


def test_request_without_cache_control_is_not_copied() -> None:
    parts = [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "https://192.0.2.1/cat.png"}}]
    embeddings = Request.parse(Kind.EMBEDDINGS, {"input": "x"})
    for request in (plain_chat(), plain_chat(messages=[{"role": "user", "content": parts}]), embeddings):
        assert without_cache_marks(request) is request


@pytest.mark.parametrize(
    ("name", "kept"), [("openai", False), ("vllm", False), ("openai_compatible", False), ("openrouter", True), ("litellm", True)]
)
async def test_cache_control_is_sent_only_to_supporting_servers(name: str, kept: bool) -> None:
    fake = FakeOpenRouter() if name == "openrouter" else FakeOpenAI()
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi", **MINUTES}]}]}
    async with before(name, fake) as backend:
        await say(backend, Request.parse(Kind.CHAT, {"model": "vendor/large" if name == "openrouter" else "gpt-4.1", **body}))
    assert (b"cache_control" in orjson.dumps(fake.last.body)) is kept
