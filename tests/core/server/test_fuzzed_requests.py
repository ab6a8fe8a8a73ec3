"""Requests with values of wrong types, in every client's dialect before every backend: never an internal error."""

from collections.abc import Iterator
import copy
import random
import time
from typing import Any, override

import aiohttp
from aiohttp import web
import pytest

from ...support.dialects import MAKES, Make
from ...support.fakes.server import FakeServer
from ...support.server import Served, served

SECONDS = 0.6
"""How long each pair of a client's and a backend's dialect is tried."""
ODD: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, "", "x", "ü", [], ["x"], [[]], [{}], [None], {}, {"x": "x"}, {"type": "text"},
    {"type": ["x"]}, {"type": "text", "text": ["x"]}, "data:image/png;base64,ü", "data:,", "http://[",
]  # fmt: skip
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
FUNCTION = {"name": "look", "description": "Looks.", "parameters": SCHEMA, "strict": True}
SEALED = {"google": {"thought_signature": "c2VhbGVk"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}, "extra_content": SEALED}
DETAIL = {"type": "reasoning.text", "text": "Hm.", "signature": "s", "format": "anthropic-claude-v1", "index": 0}
GEMINI_DETAIL = {"type": "reasoning.encrypted", "data": "c2VhbGVk", "id": "call_1", "format": "google-gemini-v1", "index": 1}
CHAT: dict[str, Any] = {
    "model": "test-model",
    "messages": [
        {"role": "system", "content": "Be brief.", "name": "home"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [CALL],
            "reasoning_content": "Hm.",
            "reasoning_details": [DETAIL, GEMINI_DETAIL],
            "thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "dark"},
        {"role": "assistant", "tool_calls": [{"id": "b", "type": "custom", "custom": {"name": "patch", "input": "x"}}]},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "done"}]},
        {"role": "assistant", "content": "Dark.", "refusal": None},
        {"role": "user", "content": "Sure?"},
    ],
    "tools": [
        {"type": "function", "function": FUNCTION},
        {"type": "custom", "custom": {"name": "patch", "format": {"type": "grammar", "grammar": {"definition": "x"}}}},
        {"type": "web_search"},
    ],
    "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "name": "look"}]}},
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "room", "schema": SCHEMA, "strict": True}},
    "reasoning_effort": "low",
    "reasoning": {"effort": "low", "max_tokens": 10},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "think": True,
    "temperature": 0.5,
    "top_p": 0.5,
    "top_k": 5,
    "stop": ["x"],
    "n": 1,
    "modalities": ["text"],
    "max_tokens": 50,
    "max_completion_tokens": 50,
    "stream": False,
    "stream_options": {"include_usage": True},
    "user": "u",
    "seed": 1,
    "metadata": {"session_id": "s"},
    "logit_bias": {},
    "prediction": {"type": "content", "content": "x"},
    "options": {"num_ctx": 4096, "num_predict": 5},
    "keep_alive": "5m",
    "service_tier": "auto",
    "prompt_cache_key": "k",
    "cache_control": {"type": "ephemeral"},
    "extra_body": {"google": {"safety_settings": [], "thinking_config": {"thinking_budget": 5}, "tools": [{"googleSearch": {}}]}},
}
MESSAGES: dict[str, Any] = {
    "model": "test-model",
    "max_tokens": 3000,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                {"type": "document", "title": "T", "source": {"type": "text", "media_type": "text/plain", "data": "x"}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "tool_use", "id": "a", "name": "look", "input": {}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "dark", "is_error": True}]},
    ],
    "tools": [{"name": "look", "description": "Looks.", "input_schema": SCHEMA}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
    "stop_sequences": ["x"],
    "temperature": 1.0,
    "top_k": 5,
    "stream": False,
    "metadata": {"user_id": "u"},
}
RESPONSES: dict[str, Any] = {
    "model": "test-model",
    "instructions": "Be brief.",
    "input": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
            ],
        },
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "x"},
        {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "dark"},
        {"type": "custom_tool_call", "call_id": "b", "name": "patch", "namespace": "home", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "done"}]},
        {"type": "local_shell_call", "id": "s", "call_id": "c", "action": {"type": "exec", "command": ["ls"]}},
        {"type": "local_shell_call_output", "id": "c", "output": "x"},
        {"type": "web_search_call", "id": "w", "status": "completed"},
        {"type": "additional_tools", "tools": [{"type": "function", **FUNCTION}]},
    ],
    "tools": [
        {"type": "function", **FUNCTION},
        {"type": "namespace", "name": "home", "description": "x", "tools": [{"type": "custom", "name": "patch"}]},
        {"type": "mcp", "server_label": "x"},
    ],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "namespace", "name": "home"}]},
    "previous_response_id": None,
    "store": True,
    "moderation": {"policy": None},
    "text": {"format": {"type": "json_schema", "name": "room", "schema": SCHEMA}, "verbosity": "low"},
    "reasoning": {"effort": "low"},
    "include": ["reasoning.encrypted_content"],
    "max_output_tokens": 50,
    "temperature": 0.5,
    "stream": False,
    "metadata": {},
}
OLLAMA: dict[str, Any] = {
    "model": "test-model",
    "messages": [
        {"role": "user", "content": "Look", "images": [PIXEL]},
        {"role": "assistant", "content": "", "thinking": "Hm.", "tool_calls": [{"function": {"name": "look", "arguments": {}}}]},
        {"role": "tool", "tool_name": "look", "content": "dark"},
    ],
    "tools": [{"type": "function", "function": FUNCTION}],
    "format": SCHEMA,
    "think": "low",
    "options": {"temperature": 0.5, "num_predict": 5, "stop": ["x"]},
    "keep_alive": "5m",
    "stream": False,
}
GENERATE: dict[str, Any] = {
    "model": "test-model",
    "prompt": "Hi",
    "system": "x",
    "images": [PIXEL],
    "context": [0x7A6169, 2, 0x5B5D],
    "format": "json",
    "stream": False,
}
FILL: dict[str, Any] = {"model": "test-model", "prompt": "Hi", "suffix": "x", "raw": True, "keep_alive": 0, "stream": False}
EMBED: dict[str, Any] = {"model": "test-model", "input": ["Hi"], "dimensions": 8, "truncate": True, "keep_alive": "5m"}
COMPLETION: dict[str, Any] = {
    "model": "test-model", "prompt": ["Hi"], "suffix": "x", "best_of": 1, "echo": False, "logprobs": 1, "max_tokens": 5,
    "stop": "x",
}  # fmt: skip
EMBEDDING: dict[str, Any] = {"model": "test-model", "input": ["Hi"], "encoding_format": "base64", "dimensions": 8}
GENERATE_CONTENT: dict[str, Any] = {
    "contents": [
        {"role": "user", "parts": [{"text": "Look"}, {"inlineData": {"mimeType": "image/png", "data": PIXEL}}]},
        {
            "role": "model",
            "parts": [
                {"text": "Hm.", "thought": True, "thoughtSignature": "c2VhbGVk"},
                {"functionCall": {"id": "a", "name": "look", "args": {}}, "thoughtSignature": "c2VhbGVk"},
                {"inline_data": {"mime_type": "image/png", "data": PIXEL}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "look", "response": {"output": "dark"}, "parts": [{"inlineData": {}}]}},
            ],
        },
    ],
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "tools": [
        {"functionDeclarations": [{"name": "look", "parametersJsonSchema": SCHEMA}]},
        {
            "function_declarations": [
                {
                    "name": "see",
                    "parameters": {
                        "type": "OBJECT",
                        "properties": {"at": {"type": "ARRAY", "minItems": "1", "items": {"anyOf": [{"type": "STRING"}]}}},
                        "nullable": True,
                        "enum": ["x"],
                    },
                }
            ]
        },
        {"googleSearch": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}},
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "generationConfig": {
        "temperature": 0.5,
        "topK": 5,
        "maxOutputTokens": 50,
        "stopSequences": ["x"],
        "seed": 1,
        "candidateCount": 1,
        "responseModalities": ["TEXT"],
        "responseMimeType": "application/json",
        "responseSchema": {"type": "OBJECT", "properties": {"name": {"type": "STRING"}}},
        "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 100, "thinkingLevel": "LOW"},
    },
}
EMBED_CONTENT: dict[str, Any] = {
    "content": {"parts": [{"text": "Hi"}]},
    "taskType": "CLUSTERING",
    "title": "x",
    "outputDimensionality": 8,
}
NEEDED = ("model", "messages", "input", "prompt", "contents", "content", "requests")
"""Parameters without which a request would be refused before the others are read."""
GOOGLE = "/v1beta/models/test-model"
CLIENTS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", CHAT),
    ("/v1/messages", MESSAGES),
    ("/v1/messages/count_tokens", MESSAGES),
    ("/v1/responses", RESPONSES),
    ("/api/chat", OLLAMA),
    ("/api/generate", GENERATE),
    ("/api/generate", FILL),
    ("/api/embed", EMBED),
    ("/api/embeddings", {"model": "test-model", "prompt": "Hi", "keep_alive": "5m"}),
    ("/api/show", {"model": "test-model", "verbose": True}),
    ("/api/pull", {"model": "test-model", "stream": False}),
    ("/v1/completions", COMPLETION),
    ("/v1/embeddings", EMBEDDING),
    (f"{GOOGLE}:generateContent", GENERATE_CONTENT),
    (f"{GOOGLE}:streamGenerateContent", GENERATE_CONTENT),
    (f"{GOOGLE}:countTokens", GENERATE_CONTENT),
    (f"{GOOGLE}:embedContent", EMBED_CONTENT),
    (f"{GOOGLE}:batchEmbedContents", {"requests": [EMBED_CONTENT]}),
]
"""(path, a request with all parameters)."""


class Anything(FakeServer):
    """A server of every dialect, which answers each request."""

    prefix = ""

    def __init__(self) -> None:
        self.received = []

    @override
    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Answer."""
        path = request.path
        if path == "/api/chat":
            return web.json_response({"model": "test-model", "message": {"role": "assistant", "content": "{}"}, "done": True})
        if path == "/api/generate":
            return web.json_response({"model": "test-model", "response": "{}", "done": True})
        if path == "/messages":
            usage = {"input_tokens": 1, "output_tokens": 1}
            text = {"type": "text", "text": "{}"}
            return web.json_response(
                {"type": "message", "role": "assistant", "content": [text], "stop_reason": "end_turn", "usage": usage}
            )
        if path.endswith((":generateContent", ":streamGenerateContent")):
            content = {"role": "model", "parts": [{"text": "{}"}]}
            return web.json_response({"candidates": [{"content": content, "finishReason": "STOP"}]})
        if path.endswith(":batchEmbedContents"):
            return web.json_response({"embeddings": [{"values": [0.5]}]})
        if path in ("/api/embed", "/embeddings"):
            return web.json_response({"embeddings": [[0.5]], "data": [{"index": 0, "embedding": [0.5]}]})
        if path == "/api/show":
            return web.json_response({"capabilities": ["completion", "tools", "vision", "embedding"], "model_info": {}})
        if request.method == "POST":
            message = {"role": "assistant", "content": "{}"}
            return web.json_response({"choices": [{"index": 0, "message": message, "text": "{}", "finish_reason": "stop"}]})
        methods = ["generateContent", "embedContent"]  # Google's field
        model = {"name": "test-model", "model": "test-model", "supportedGenerationMethods": methods}
        return web.json_response({"data": [{"id": "test-model"}], "models": [model], "has_more": False})


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of every value in a JSON value."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


def fuzzed(body: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A copy with one to three odd values, and without some parameters that would be refused first."""
    odd = copy.deepcopy(body)
    for name in [name for name in odd if name not in NEEDED and chance.random() < 0.4]:
        del odd[name]
    for _ in range(chance.randint(1, 3)):
        holder, key = chance.choice(list(places(odd)))
        holder[key] = copy.deepcopy(chance.choice(ODD))
    odd["model"] = odd.get("model") or "test-model"
    return odd


async def send(gateway: Served, path: str, body: Any) -> tuple[int, str]:
    text = aiohttp.JsonPayload(body)
    async with gateway.session.post(f"http://127.0.0.1:{gateway.port}{path}", data=text) as response:
        return response.status, await response.text()


@pytest.mark.parametrize("make", MAKES, ids=lambda make: make.__name__)
async def test_request_with_odd_values_is_never_an_internal_error(make: Make) -> None:
    async with (
        Anything() as provider,
        aiohttp.ClientSession() as session,
        served(make(session, provider.root, None)) as gateway,
    ):
        for path, body in CLIENTS:
            chance = random.Random(f"{make.__name__} {path}")  # the same requests in each run, as many as the time allows
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                odd = fuzzed(body, chance)
                status, answer = await send(gateway, path, odd)
                assert status < 500, (path, odd, answer)


ODD_PLACES: dict[str, tuple[str, Any]] = {
    "effort": ("reasoning_effort", ["x"]),
    "effort of reasoning": ("reasoning", {"effort": {"x": 1}}),
    "image": (
        "messages",
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,\u00fc"}}]}],
    ),
    "text of a detail": (
        "messages",
        [
            {
                "role": "assistant",
                "content": "Hm",
                "reasoning_details": [{"type": "reasoning.text", "text": ["x"], "signature": ["x"], "index": ["x"]}],
            },
            {"role": "user", "content": "Hi"},
        ],
    ),
    "name of a tool among others": ("tools", [{"type": "function", "function": {"name": ["x"]}}, {"type": "web_search"}]),
    "id of a result": (
        "messages",
        [{"role": "tool", "tool_call_id": ["x"], "content": "dark"}, {"role": "user", "content": "Hi"}],
    ),
}
"""By name: a parameter, and its value that once was an internal error."""


@pytest.mark.parametrize("make", MAKES, ids=lambda make: make.__name__)
@pytest.mark.parametrize("place", ODD_PLACES)
async def test_request_with_a_known_odd_value_is_never_an_internal_error(make: Make, place: str) -> None:
    name, value = ODD_PLACES[place]
    hello: Any = {"model": "test-model", "messages": [{"role": "user", "content": "Hi"}], "tool_choice": CHAT["tool_choice"]}
    async with (
        Anything() as provider,
        aiohttp.ClientSession() as session,
        served(make(session, provider.root, None)) as gateway,
    ):
        status, answer = await send(gateway, "/v1/chat/completions", hello | {name: value})
    assert status in (200, 400), answer
