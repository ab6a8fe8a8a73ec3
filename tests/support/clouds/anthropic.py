"""A fake of Anthropic's Messages API, strict about turns, tools, thinking and versions."""

from collections.abc import Iterable, Iterator, Mapping
import json
import re
from typing import Any, get_type_hints, override

from aiohttp import web
from anthropic.types import message_create_params as params
from pydantic import TypeAdapter, ValidationError

from .server import FakeCloud, Handler, Refusal, Reply, pieces, reply_of

NEW, OLD = "2026-10-21", "2023-06-01"
ADAPTIVE, BOTH, MANUAL, OLDEST = "claude-opus-5", "claude-sonnet-4-6", "claude-sonnet-4-5", "claude-3-5-haiku-20241022"
"""Models after 4.6 support adaptive thinking, earlier ones a thinking budget, the oldest no thinking."""

BETAS = frozenset({"context-management-2025-06-27", "context-1m-2025-08-07"})
"""The betas that it knows."""
_SAMPLING = frozenset({"temperature", "top_p", "top_k"})
_KNOWN = frozenset(get_type_hints(params.MessageCreateParamsStreaming)) | {"stream"}
_SHAPE: TypeAdapter[Any] = TypeAdapter(params.MessageCreateParamsStreaming | params.MessageCreateParamsNonStreaming)
_MAX_TOKENS = {ADAPTIVE: 128_000, BOTH: 64_000, MANUAL: 64_000, OLDEST: 8192}


class FakeAnthropic(FakeCloud):
    """A fake of api.anthropic.com."""

    def __init__(
        self, *outcomes: Any, lists_capabilities: bool = True, page: int = 1000, others: tuple[str, ...] = (), **options: Any
    ) -> None:
        """`lists_capabilities`: whether the model list contains capabilities; `page`: maximum entries of a page.

        `others`: models of other vendors that it serves, does not list, and gives any request.
        """
        super().__init__(*outcomes, **options)
        self._lists_capabilities = lists_capabilities
        self._page = page
        self._others = others

    @override
    def routes(self) -> dict[tuple[str, str], Handler]:
        return {("GET", "/v1/models"): self.models, ("POST", "/v1/messages"): self.messages}

    @override
    def shown_key(self, request: web.Request) -> str | None:
        return request.headers.get("x-api-key") or super().shown_key(request)

    @override
    def wrong_key(self, shown: str | None) -> Refusal:
        return Refusal(401, f"invalid x-api-key {shown}", "authentication_error")

    @override
    def refusal(self, refused: Refusal) -> web.Response:
        body = {"type": "error", "error": {"type": refused.kind, "message": refused.message}, "request_id": "req_fake"}
        return web.json_response(body, status=refused.status, headers={"request-id": "req_fake", **refused.headers})

    @override
    def answer_headers(self) -> dict[str, str]:
        return {"request-id": "req_fake", "anthropic-ratelimit-requests-remaining": "49"}

    @override
    def broken(self) -> bytes:
        return _event(
            "error", {"error": {"type": "overloaded_error", "message": f"Overloaded {self.key}"}, "request_id": "req_fake"}
        )

    async def models(self, request: web.Request) -> web.Response:
        """The model list, in pages."""
        ids = list(_MAX_TOKENS)
        begin = ids.index(request.query["after_id"]) + 1 if "after_id" in request.query else 0
        size = min(self._page, int(request.query.get("limit", "20")))
        shown = ids[begin : begin + size]
        data = [self._model(model) for model in shown]
        more = begin + size < len(ids)
        return web.json_response({"data": data, "has_more": more, "first_id": shown[0], "last_id": shown[-1]})

    def _model(self, model: str) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "type": "model",
            "id": model,
            "display_name": model,
            "created_at": "2026-01-01T00:00:00Z",
            "lifecycle": "active",
            "max_input_tokens": 200_000,
            "max_tokens": _MAX_TOKENS[model],
            "line": None,
        }
        return entry | ({"capabilities": _capabilities(model)} if self._lists_capabilities else {})

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """One message."""
        body = await request.json()
        betas = set(filter(None, request.headers.get("anthropic-beta", "").split(",")))
        if unknown := betas - BETAS:
            return self.refusal(Refusal(400, f"Unexpected value(s) `{min(unknown)}` for the `anthropic-beta` header."))
        managed = {"context_management"} if "context-management-2025-06-27" in betas else set()
        rest = {name: value for name, value in body.items() if name not in managed}
        own = body["model"] not in self._others
        if own and (why := _wrong(rest, request.headers.get("anthropic-version"))) is not None:
            return self.refusal(Refusal(400, why))
        if own and body["model"] not in _MAX_TOKENS:
            return self.refusal(Refusal(404, f"model: {body['model']}", "not_found_error"))
        outcome = self.outcome_for(body)
        if isinstance(outcome, Refusal):
            return self.refusal(outcome)
        reply, fault = reply_of(outcome)
        message = {
            "id": "msg_01fake",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": _content(reply),
            "stop_reason": reply.stop or ("tool_use" if reply.calls else "end_turn"),
            "stop_sequence": None,
            "usage": _usage(reply),
        }
        if not body.get("stream"):
            return await self.whole(request, message, fault)
        return await self.stream(request, _frames(message), fault)


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def _capabilities(model: str) -> dict[str, Any]:
    def can(value: bool) -> dict[str, bool]:
        return {"supported": value}

    adaptive, manual = model in (ADAPTIVE, BOTH), model in (BOTH, MANUAL)
    thinking = {
        "adaptive": can(adaptive),
        "between_tools": can(False),
        "disabled": can(True),
        "enabled": can(manual),
    }
    levels = {level: can(adaptive) for level in ("low", "medium", "high", "max")} | {"xhigh": can(model == ADAPTIVE)}
    context = {name: can(False) for name in ("clear_thinking_20251015", "clear_tool_uses_20250919", "compact_20260112")}
    return {
        "batch": can(True),
        "citations": can(True),
        "code_execution": can(True),
        "context_management": {"supported": False, **context},
        "effort": {"supported": adaptive, **levels},
        "image_input": can(model != OLDEST),
        "pdf_input": can(True),
        "server_tools": {"supported": False, "web_search": can(False), "code_execution": can(False)},
        "structured_outputs": can(model != OLDEST),
        "thinking": {"supported": adaptive or manual, "types": thinking},
    }


def _content(reply: Reply) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if reply.thought or reply.seal:
        blocks.append({"type": "thinking", "thinking": reply.thought, "signature": reply.seal})
    if reply.text:
        blocks.append({"type": "text", "text": reply.text, "citations": None})
    blocks += [{"type": "tool_use", "id": call.id, "name": call.name, "input": dict(call.arguments)} for call in reply.calls]
    return blocks


def _usage(reply: Reply) -> dict[str, Any]:
    """Of the prompt, 6 tokens were read from the cache and 5 written to it, 2 of these for an hour."""
    return {
        "input_tokens": reply.prompt_tokens - 11,
        "cache_read_input_tokens": 6,
        "cache_creation_input_tokens": 5,
        "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 2},
        "output_tokens": reply.completion_tokens,
        "output_tokens_details": {"thinking_tokens": 2},
        "service_tier": "standard",
    }


def _frames(message: dict[str, Any]) -> Iterator[bytes]:
    usage = message["usage"]
    yield _event(
        "message_start",
        {"message": message | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}},
    )
    yield _event("ping", {})
    for index, block in enumerate(message["content"]):
        yield from _block_frames(index, block)
    counts = {key: usage[key] for key in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")}
    counts |= {"output_tokens": usage["output_tokens"], "output_tokens_details": usage["output_tokens_details"]}
    yield _event("message_delta", {"delta": {"stop_reason": message["stop_reason"], "stop_sequence": None}, "usage": counts})
    yield _event("message_stop", {})


def _block_frames(index: int, block: dict[str, Any]) -> Iterator[bytes]:
    kind = block["type"]
    empties: dict[str, dict[str, Any]] = {
        "text": {"text": "", "citations": None},
        "thinking": {"thinking": "", "signature": ""},
        "tool_use": {"input": {}},
    }
    yield _event("content_block_start", {"index": index, "content_block": block | empties[kind]})
    deltas: list[dict[str, Any]]
    if kind == "text":
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
    elif kind == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    else:
        whole = json.dumps(block["input"]) if block["input"] else ""
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(whole)]]
    for delta in deltas:
        yield _event("content_block_delta", {"index": index, "delta": delta})
    yield _event("ping", {})
    yield _event("content_block_stop", {"index": index})


def _wrong(body: dict[str, Any], version: str | None) -> str | None:
    """The reason for which the real API would refuse the body, or None."""
    if version not in (OLD, NEW):
        return "anthropic-version: header is required"
    sampling = _SAMPLING & body.keys()
    if sampling and version == NEW:
        return f"{min(sampling)}: Extra inputs are not permitted"
    if sampling and body["model"] == ADAPTIVE:
        return f"`{min(sampling)}` is deprecated for this model."
    if unknown := body.keys() - _KNOWN - _SAMPLING:
        return f"{min(unknown)}: Extra inputs are not permitted"
    if not 0 <= body.get("temperature", 1) <= 1:
        return "temperature: range: 0..1"
    if {"temperature", "top_p"} <= body.keys():
        return "`temperature` and `top_p` cannot both be specified for this model."
    try:
        _consume(_SHAPE.validate_python(body))
    except ValidationError as err:
        return str(err)
    if body["max_tokens"] > _MAX_TOKENS.get(body["model"], 1 << 30):
        return f"max_tokens: {body['max_tokens']} > {_MAX_TOKENS[body['model']]}"
    if any(not sequence.strip() for sequence in body.get("stop_sequences", ())):
        return "stop_sequences: each stop sequence must contain non-whitespace"
    return _wrong_turns(body["messages"]) or _wrong_thinking(body) or _wrong_format(body)


def _consume(value: Any) -> None:
    """Read all values: pydantic validates iterables only while they are read."""
    if isinstance(value, Mapping):
        for item in value.values():
            _consume(item)
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for item in value:
            _consume(item)


def _wrong_turns(turns: list[dict[str, Any]]) -> str | None:
    if not turns:
        return "messages: at least one message is required"
    if turns[0]["role"] != "user":
        return "messages: first message must use the user role"
    open_calls: set[str] = set()
    for number, turn in enumerate(turns):
        blocks = [{"type": "text", "text": turn["content"]}] if isinstance(turn["content"], str) else turn["content"]
        if not blocks:
            return f"messages.{number}: content must be non-empty"
        kinds = [block["type"] for block in blocks]
        if any(block["type"] == "text" and not block["text"].strip() for block in blocks):
            return "messages: text content blocks must be non-empty"
        results = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if open_calls != results:
            return f"messages.{number}: `tool_use` ids were found without `tool_result` blocks immediately after: {open_calls}"
        if "tool_result" in kinds and kinds != sorted(kinds, key=lambda kind: kind != "tool_result"):
            return "messages: tool_result blocks must come first"
        open_calls = {block["id"] for block in blocks if block["type"] == "tool_use"}
        if any(not re.fullmatch(r"[a-zA-Z0-9_-]+", call) for call in open_calls):
            return "messages.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
        if any(block["type"] == "thinking" and block["signature"] != "sealed" for block in blocks):
            return "messages: Invalid `signature` in `thinking` block"
    last = turns[-1]
    if last["role"] == "assistant" and isinstance(last["content"], list) and last["content"][-1].get("text", "x")[-1].isspace():
        return "messages: final assistant content cannot end with trailing whitespace"
    return None


def _wrong_thinking(body: dict[str, Any]) -> str | None:
    kind = body.get("thinking", {}).get("type")
    model = body["model"]
    if kind == "enabled" and model not in (BOTH, MANUAL):
        return '"thinking.type.enabled" is not supported for this model.'
    if kind == "adaptive" and model not in (ADAPTIVE, BOTH):
        return "adaptive thinking is not supported on this model"
    if kind in ("enabled", "adaptive") and _SAMPLING & body.keys():
        return "`temperature` may only be set to 1 when thinking is enabled."
    if kind != "enabled":
        return None
    if not 1024 <= body["thinking"]["budget_tokens"] < body["max_tokens"]:
        return "`max_tokens` must be greater than `thinking.budget_tokens`."
    if body.get("tool_choice", {}).get("type") in ("any", "tool"):
        return "Thinking may not be enabled when tool_choice forces tool use."
    called = [turn for turn in body["messages"] if turn["role"] == "assistant"]
    if called and called[-1]["content"][-1]["type"] == "tool_use" and "thinking" not in called[-1]["content"][0]["type"]:
        return "Expected `thinking` or `redacted_thinking`, but found `tool_use`."
    return None


def _wrong_format(body: dict[str, Any]) -> str | None:
    wanted = (body.get("output_config") or {}).get("format")
    if wanted is None:
        return None
    if body["model"] == OLDEST:
        return "output_config.format: Extra inputs are not permitted"
    if wanted["schema"].get("additionalProperties") is not False:
        return "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"
    return None
