"""Whole and streamed answers of each dialect with every field, lists of models, and odd answers, for the fuzzer."""

from typing import Any

from ...support.dialects import Make, anthropic, gemini, ollama, openai, zeroconfai
from .test_fuzzed_requests import ODD

MODEL = "test-model"
ARGUMENTS = '{"name": "hall"}'
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": ARGUMENTS}}
USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 3,
    "total_tokens": 8,
    "prompt_tokens_details": {"cached_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 1},
}
HEAD = {"id": "c1", "created": 1, "model": MODEL, "system_fingerprint": "f", "service_tier": "default"}
DETAIL = {"type": "reasoning.text", "text": "Hm.", "signature": "s", "format": "anthropic-claude-v1", "index": 0}
MESSAGE = {
    "role": "assistant",
    "content": "Hello",
    "refusal": None,
    "reasoning_content": "Hm.",
    "reasoning_details": [DETAIL],
    "tool_calls": [CALL],
    "annotations": [{"type": "url_citation", "url_citation": {"url": "https://example.org", "title": "t"}}],
}


def openai_chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**HEAD, "object": "chat.completion.chunk", "choices": [choice], "usage": None}


OPENAI = (
    {
        **HEAD,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": MESSAGE, "logprobs": None, "finish_reason": "tool_calls"}],
        "usage": USAGE,
    },
    [
        openai_chunk({"role": "assistant", "content": ""}),
        openai_chunk({"reasoning_content": "Hm.", "reasoning_details": [DETAIL]}),
        openai_chunk({"content": "Hel"}),
        openai_chunk({"content": "lo"}),
        openai_chunk({"tool_calls": [{"index": 0, **CALL}]}),
        openai_chunk({"tool_calls": [{"index": 1, "id": "call_2", "function": {"name": "look", "arguments": ""}}]}),
        openai_chunk({"tool_calls": [{"index": 1, "function": {"arguments": ARGUMENTS}}]}),
        openai_chunk({}, "tool_calls"),
        {**HEAD, "object": "chat.completion.chunk", "choices": [], "usage": USAGE},
    ],
)
TEXT = (
    {**HEAD, "object": "text_completion", "choices": [{"index": 0, "text": "Hello", "finish_reason": "stop"}], "usage": USAGE},
    [
        {**HEAD, "object": "text_completion", "choices": [{"index": 0, "text": "Hel", "finish_reason": None}]},
        {**HEAD, "object": "text_completion", "choices": [{"index": 0, "text": "lo", "finish_reason": "stop"}]},
        {**HEAD, "object": "text_completion", "choices": [], "usage": USAGE},
    ],
)
TOKENS = {"input_tokens": 5, "output_tokens": 3, "cache_read_input_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 1}}
TOOL_USE: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
ANTHROPIC: tuple[dict[str, Any], list[dict[str, Any]]] = (
    {
        "id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "stop_reason": "tool_use", "stop_sequence": None,
        "usage": TOKENS,
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "s"},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "Hello", "citations": None},
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"name": "hall"}},
        ],
    },
    [
        {"type": "message_start", "message": {"id": "m", "role": "assistant", "model": MODEL, "content": [], "usage": TOKENS}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "ping"},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_stop", "index": 1},
        {"type": "content_block_start", "index": 2, "content_block": TOOL_USE},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": ARGUMENTS}},
        {"type": "content_block_stop", "index": 2},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": TOKENS},
        {"type": "message_stop"},
    ],
)  # fmt: skip
END = {
    "done": True, "done_reason": "stop", "total_duration": 5, "prompt_eval_count": 5, "eval_count": 3, "eval_duration": 3,
}  # fmt: skip
OLLAMA_CALL = {"id": "call_1", "function": {"index": 0, "name": "look", "arguments": {"name": "hall"}}}
OLLAMA = (
    {
        "model": MODEL,
        "created_at": "2026-11-21T10:00:00Z",
        "message": {"role": "assistant", "content": "Hello", "thinking": "Hm.", "tool_calls": [OLLAMA_CALL]},
        "response": "Hello",
        **END,
    },
    [
        {"model": MODEL, "message": {"role": "assistant", "content": "", "thinking": "Hm."}, "response": "", "done": False},
        {"model": MODEL, "message": {"role": "assistant", "content": "Hello"}, "response": "Hello", "done": False},
        {"model": MODEL, "message": {"role": "assistant", "content": "", "tool_calls": [OLLAMA_CALL]}, "done": False},
        {"model": MODEL, "message": {"role": "assistant", "content": ""}, "response": "", **END},
    ],
)
COUNTS = {"promptTokenCount": 5, "candidatesTokenCount": 3, "thoughtsTokenCount": 1, "cachedContentTokenCount": 1}
PARTS = [
    {"text": "Hm.", "thought": True},
    {"text": "Hello", "thoughtSignature": "c2VhbGVk"},
    {"functionCall": {"id": "c1", "name": "look", "args": {"name": "hall"}}, "thoughtSignature": "c2VhbGVk"},
]


def gemini_answer(parts: list[Any], finish: str | None = None) -> dict[str, Any]:
    candidate = {"index": 0, "content": {"role": "model", "parts": parts}, "finishReason": finish, "safetyRatings": []}
    return {"candidates": [candidate], "usageMetadata": COUNTS, "modelVersion": MODEL, "responseId": "r"}


GEMINI = (gemini_answer(PARTS, "STOP"), [*(gemini_answer([part]) for part in PARTS), gemini_answer([], "STOP")])
ANSWERS: dict[Make, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    zeroconfai: OPENAI,
    openai: OPENAI,
    anthropic: ANTHROPIC,
    gemini: GEMINI,
    ollama: OLLAMA,
}
"""A complete answer, and the events of a stream, of a backend in each dialect."""
VECTORS: dict[str, Any] = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
    "embeddings": [[0.5, 0.25]],
    "model": MODEL,
    "usage": USAGE,
    "prompt_eval_count": 3,
}
GOOGLES_VECTORS: dict[str, Any] = {"embeddings": [{"values": [0.5, 0.25]}], "usageMetadata": COUNTS}
LISTS: dict[str, Any] = {
    "data": [{"id": MODEL, "type": "model", "context_length": 10, "capabilities": ["tools"], "pricing": {}, "meta": {}}],
    "models": [{"name": MODEL, "model": MODEL, "digest": "d", "details": {}, "supportedGenerationMethods": ["generateContent"]}],
    "has_more": False,
    "last_id": MODEL,
    "nextPageToken": "",
    "status": "ok",
    "version": "1",
    "id": "x",
    "queue": {"depth": 0, "active": 0, "max_concurrent": 2},
    "usage": {"today": {"requests": 1, "cost": 0.5, "currency": "USD"}},
    "capabilities": ["completion", "tools"],
    "model_info": {"general.architecture": "x", "x.context_length": 10},
    "default_generation_settings": {"n_ctx": 10},
}
"""The fields of the lists, health checks and load reports of all kinds of servers together."""
ODD_ANSWERS: list[Any] = [
    *ODD,
    -0.0,
    1e308,
    2**53 + 1,
    "null",
    "\ud800",
    [[[]]],
    {"error": {"code": 400, "message": "x"}},
    '{"a"',
]
LABELS = (None, "application/json", "text/event-stream", "application/x-ndjson", "text/plain", "text/html; charset=latin-1")
NOISE = (
    b"\xff\xfe", b"{", b"data: {", b"data:\n\n", b": ping\n\n", b"event: ping\ndata: {}\n\n", b"data: [DONE]\n\n", b"null\n",
    b"[]\n", b"data: null\n\n", b"data: []\n\n", b'data: "x"\n\n', b"\r\n\r\n", b"\x00", b"<html>", b'{"error": "x"}\n',
    b'data: {"error": {"message": "x", "code": 429}}\n\n', b"retry: 5\n\n", b"id: 1\n",
)  # fmt: skip
