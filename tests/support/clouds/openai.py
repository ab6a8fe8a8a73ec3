"""Fakes of OpenAI's and OpenRouter's APIs."""

from base64 import b64encode
from collections.abc import Iterator
import json
import struct
from typing import Any, get_type_hints, override

from aiohttp import web
from openai.types import completion_create_params as completion_params, embedding_create_params as embedding_params
from openai.types.chat import completion_create_params as chat_params

from .server import FakeCloud, Handler, Refusal, Reply, pieces, reply_of

CHAT_MODELS = ("gpt-4.1", "o4-mini", "gpt-3.5-turbo-instruct")
EMBEDDING_MODEL = "text-embedding-3-small"
VECTOR = (0.25, -0.5, 0.125)
"""Values that 32-bit floats hold exactly."""

_KNOWN = {
    "/v1/chat/completions": frozenset(get_type_hints(chat_params.CompletionCreateParamsStreaming)),
    "/v1/completions": frozenset(get_type_hints(completion_params.CompletionCreateParamsStreaming)),
    "/v1/embeddings": frozenset(get_type_hints(embedding_params.EmbeddingCreateParams)),
}
"""The parameters of the API by path, from the SDK's types."""


class FakeOpenAI(FakeCloud):
    """A fake of api.openai.com, strict about parameters like the real one."""

    strict = True

    @override
    def routes(self) -> dict[tuple[str, str], Handler]:
        return {
            ("GET", f"{self.prefix}/models"): self.models,
            ("POST", f"{self.prefix}/chat/completions"): self.chat,
            ("POST", f"{self.prefix}/completions"): self.completions,
            ("POST", f"{self.prefix}/embeddings"): self.embeddings,
        }

    @override
    def refusal(self, refused: Refusal) -> web.Response:
        error = {"message": refused.message, "type": refused.kind, "param": refused.param, "code": refused.code}
        return web.json_response({"error": error}, status=refused.status, headers=dict(refused.headers))

    @override
    def broken(self) -> bytes:
        error = {"message": f"The server had an error. key={self.key}", "type": "server_error", "param": None, "code": None}
        return _event({"error": error})

    async def models(self, _: web.Request) -> web.Response:
        """The model list."""
        ids = (*CHAT_MODELS, EMBEDDING_MODEL)
        data = [{"id": model, "object": "model", "created": 1_700_000_000, "owned_by": "openai"} for model in ids]
        return web.json_response({"object": "list", "data": data})

    def check(self, path: str, body: dict[str, Any]) -> Refusal | None:
        """The real API's error for invalid parameters, or None."""
        if body["model"] not in (*CHAT_MODELS, EMBEDDING_MODEL) and self.strict:
            message = f"The model `{body['model']}` does not exist or you do not have access to it."
            return Refusal(404, message, code="model_not_found")
        if self.strict and (unknown := set(body) - _KNOWN[path]):
            message = f"Unrecognized request argument supplied: {min(unknown)}"
            return Refusal(400, message)
        if body["model"].startswith("o") and self.strict:
            if "max_tokens" in body:
                message = (
                    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
                )
                return Refusal(400, message, code="unsupported_parameter", param="max_tokens")
            if body.get("temperature", 1) != 1:
                message = (
                    f"Unsupported value: 'temperature' does not support {body['temperature']} with this model. "
                    "Only the default (1) value is supported."
                )
                return Refusal(400, message, code="unsupported_value", param="temperature")
        return None

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Chat completions."""
        return await self._answer(request, "chat.completion.chunk", _chat_choices, _whole_chat)

    async def completions(self, request: web.Request) -> web.StreamResponse:
        """Text completions."""
        return await self._answer(request, "text_completion", _text_choices, _whole_text)

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        """One vector for each input, texts or tokens."""
        if (refused := self.check(request.path, await request.json())) is not None:
            return self.refusal(refused)
        if isinstance(outcome := self.outcome(), Refusal):
            return self.refusal(outcome)
        body = await request.json()
        given = body["input"]
        count = 1 if isinstance(given, str) or isinstance(given[0], int) else len(given)
        packed = b64encode(struct.pack("<3f", *VECTOR)).decode() if body.get("encoding_format") == "base64" else list(VECTOR)
        data = [{"object": "embedding", "index": index, "embedding": packed} for index in range(count)]
        usage = {"prompt_tokens": 4, "total_tokens": 4}
        return web.json_response({"object": "list", "data": data, "model": body["model"], "usage": usage})

    async def _answer(self, request: web.Request, kind: str, choices: Any, whole: Any) -> web.StreamResponse:
        body = await request.json()
        if (refused := self.check(request.path, body)) is not None:
            return self.refusal(refused)
        outcome = self.outcome_for(body)
        if isinstance(outcome, Refusal):
            return self.refusal(outcome)
        reply, fault = reply_of(outcome)
        head = {"id": "chatcmpl-fake", "object": kind, "created": 1_700_000_000, "model": body["model"]}
        if not body.get("stream"):
            whole_kind = {"object": kind.removesuffix(".chunk")}
            return await self.whole(request, head | whole_kind | whole(reply) | {"usage": self.usage(reply)}, fault)
        wants_usage = (body.get("stream_options") or {}).get("include_usage") is True
        return await self.stream(request, self._frames(head, choices(reply), reply, usage=wants_usage), fault)

    def _frames(self, head: dict[str, Any], choices: Iterator[Any], reply: Reply, *, usage: bool) -> Iterator[bytes]:
        for choice in choices:
            yield _event(head | {"choices": [choice]} | ({"usage": None} if usage else {}))
        if usage:
            yield _event(head | {"choices": [], "usage": self.usage(reply)})
        yield b"data: [DONE]\n\n"

    def usage(self, reply: Reply) -> dict[str, Any]:
        """The usage of a reply."""
        return {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
        }


class FakeOpenRouter(FakeOpenAI):
    """A fake of openrouter.ai: a model list in pages, `/key`, comments in streams, and the cost in the usage."""

    prefix = "/api/v1"
    strict = False

    @override
    def routes(self) -> dict[tuple[str, str], Handler]:
        return super().routes() | {("GET", "/api/v1/key"): self.about_key}

    @override
    def open_paths(self) -> frozenset[str]:
        return frozenset({"/api/v1/models"})

    @override
    def refusal(self, refused: Refusal) -> web.Response:
        error = {"code": refused.status, "message": refused.message, "metadata": {}}
        return web.json_response({"error": error, "user_id": "user_x"}, status=refused.status, headers=dict(refused.headers))

    @override
    def broken(self) -> bytes:
        choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
        return _event({"id": "gen-1", "error": {"code": 502, "message": "Provider disconnected"}, "choices": [choice]})

    async def about_key(self, _: web.Request) -> web.Response:
        """The key's limit and usage."""
        return web.json_response({"data": {"label": "sk-or-v1-0e6...1c9", "limit": None, "usage": 1.5, "is_free_tier": False}})

    @override
    async def models(self, request: web.Request) -> web.Response:
        entries = [
            _openrouter("vendor/large", "0.000003", "0.000015", inputs=["text", "image"], takes=["tools", "structured_outputs"]),
            _openrouter("vendor/tiny", "0.00000002", "0.00000004"),
            _openrouter("openrouter/auto", "-1", "-1"),
            _openrouter("vendor/embed", "0.00000002", "0", outputs=["embeddings"]),
        ]
        offset = int(request.query.get("offset", "0"))
        following = f"/api/v1/models?offset={offset + 2}&limit=2" if offset + 2 < len(entries) else None
        return web.json_response(
            {"data": entries[offset : offset + 2], "links": {"next": following}, "total_count": len(entries)}
        )

    @override
    def _frames(self, head: dict[str, Any], choices: Iterator[Any], reply: Reply, *, usage: bool) -> Iterator[bytes]:
        yield b": OPENROUTER PROCESSING\n\n"
        yield from super()._frames(head | {"provider": "Vendor"}, choices, reply, usage=usage)

    @override
    def usage(self, reply: Reply) -> dict[str, Any]:
        return super().usage(reply) | {"cost": 0.00014}

    @override
    def answer_headers(self) -> dict[str, str]:
        return {"X-Generation-Id": "gen-1"}


def _openrouter(
    model: str, prompt: str, completion: str, *, inputs: Any = ("text",), outputs: Any = ("text",), takes: Any = ()
) -> dict[str, Any]:
    return {
        "id": model,
        "canonical_slug": model,
        "name": model,
        "created": 1_700_000_000,
        "context_length": 200_000,
        "architecture": {"input_modalities": list(inputs), "output_modalities": list(outputs), "tokenizer": "Other"},
        "pricing": {"prompt": prompt, "completion": completion, "request": "0", "image": "0", "input_cache_read": "0.0000003"},
        "top_provider": {"context_length": 200_000, "max_completion_tokens": 64_000, "is_moderated": False},
        "per_request_limits": None,
        "supported_parameters": ["temperature", *takes],
    }


def _event(data: Any) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def _calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.arguments)}}
        for call in reply.calls
    ]


def _chat_choices(reply: Reply) -> Iterator[dict[str, Any]]:
    def choice(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}

    yield choice({"role": "assistant", "content": "", "refusal": None})
    for piece in pieces(reply.thought):
        yield choice({"reasoning_content": piece})
    for piece in pieces(reply.text):
        yield choice({"content": piece})
    for index, call in enumerate(_calls(reply)):
        function = call["function"]
        yield choice({"tool_calls": [{"index": index, **call, "function": {"name": function["name"], "arguments": ""}}]})
        for piece in pieces(function["arguments"]):
            yield choice({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield choice({}, reply.stop or ("tool_calls" if reply.calls else "stop"))


def _whole_chat(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None, "annotations": []}
    if reply.thought:
        message["reasoning_content"] = reply.thought
    if reply.calls:
        message["tool_calls"] = _calls(reply)
    finish = reply.stop or ("tool_calls" if reply.calls else "stop")
    return {"choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}]}


def _text_choices(reply: Reply) -> Iterator[dict[str, Any]]:
    for piece in pieces(reply.text):
        yield {"index": 0, "text": piece, "logprobs": None, "finish_reason": None}
    yield {"index": 0, "text": "", "logprobs": None, "finish_reason": reply.stop or "stop"}


def _whole_text(reply: Reply) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": reply.text, "logprobs": None, "finish_reason": reply.stop or "stop"}]}
