"""A fake of Google's Gemini API, strict about turns, functions, thought signatures, thinking and formats."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
import json
import re
from typing import Any, override

from aiohttp import web
from google.genai import types
from pydantic import BaseModel, ValidationError

from .server import FakeCloud, Handler, Refusal, Reply, pieces, reply_of

FLASH, PRO, SIGNED, NEWEST, GEMMA = (
    "gemini-2.5-flash", "gemini-2.5-pro", "gemini-3-flash-preview", "gemini-3.6-pro", "gemma-3-27b-it",
)  # fmt: skip
"""Models before 3 have a thinking budget, later ones levels and signatures; from 3.6 on no sampling; Gemma has none of it."""
EMBEDDER, SPEAKER = "gemini-embedding-001", "gemini-2.5-flash-preview-tts"
VECTOR = (0.25, -0.5, 0.125)
UNCHECKED = "skip_thought_signature_validator"

_CHAT = ("generateContent", "countTokens", "createCachedContent", "batchGenerateContent")
_METHODS = {
    FLASH: _CHAT,
    PRO: _CHAT,
    SIGNED: _CHAT,
    NEWEST: _CHAT,
    GEMMA: _CHAT,
    EMBEDDER: ("embedContent", "countTextTokens", "countTokens", "asyncBatchEmbedContent"),
    SPEAKER: ("countTokens", "generateContent"),
    "imagen-4.0-generate-001": ("predict",),
}
_LIMITS = {GEMMA: (131_072, 8192), EMBEDDER: (2048, 1)}
_PARTS: Mapping[str, type[BaseModel]] = {
    "contents": types.Content,
    "systemInstruction": types.Content,
    "tools": types.Tool,
    "toolConfig": types.ToolConfig,
    "safetySettings": types.SafetySetting,
    "generationConfig": types.GenerationConfig,
}
_KNOWN = _PARTS.keys() | {"cachedContent", "serviceTier"}
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_PATH = re.compile(r"/v1beta/models/([^:]+):(\w+)")
_DATA = frozenset({"text", "inlineData", "fileData", "functionCall", "functionResponse"})


class FakeGemini(FakeCloud):
    """A fake of generativelanguage.googleapis.com."""

    prefix = "/v1beta"

    def __init__(self, *outcomes: Any, page: int = 1000, **options: Any) -> None:
        """`page`: maximum models of a page."""
        super().__init__(*outcomes, **options)
        self._page = page

    @override
    def routes(self) -> dict[tuple[str, str], Handler]:
        found: dict[tuple[str, str], Handler] = {("GET", "/v1beta/models"): self.models}
        for model, methods in _METHODS.items():
            path = f"/v1beta/models/{model}"
            if "generateContent" in methods:
                found |= {("POST", f"{path}:{name}"): self.generate for name in ("generateContent", "streamGenerateContent")}
            if "embedContent" in methods:
                found["POST", f"{path}:batchEmbedContents"] = self.embed
            found["POST", f"{path}:countTokens"] = self.count
        return found

    @override
    async def respond(self, request: web.Request) -> web.StreamResponse:
        if "key" in request.query:
            return self.refusal(Refusal(400, "a key in a URL"))
        named = _PATH.fullmatch(request.path)
        if named is not None and ("POST", request.path) not in self.routes():
            message = f"models/{named[1]} is not found for API version v1beta, or is not supported for {named[2]}."
            return self.refusal(Refusal(404, message))
        return await super().respond(request)

    @override
    def bodies(self, path: str) -> list[Any]:
        """The bodies of the requests to a path; requests for a stream have another method at the same model."""
        return super().bodies(path) + super().bodies(path.replace(":generateContent", ":streamGenerateContent"))

    @override
    def shown_key(self, request: web.Request) -> str | None:
        return request.headers.get("x-goog-api-key")

    @override
    def wrong_key(self, shown: str | None) -> Refusal:
        return Refusal(400, f"API key not valid: {shown}. Please pass a valid API key.", code="API_KEY_INVALID")

    @override
    def refusal(self, refused: Refusal) -> web.Response:
        status = _STATUS.get(refused.status, "UNKNOWN")
        error: dict[str, Any] = {"code": refused.status, "message": refused.message, "status": status}
        if refused.code:
            kind = "type.googleapis.com/google.rpc.ErrorInfo"
            error["details"] = [{"@type": kind, "reason": refused.code, "domain": "googleapis.com"}]
        if refused.param:  # a delay, such as "37s"
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": refused.param}]
        return web.json_response({"error": error}, status=refused.status, headers=dict(refused.headers))

    @override
    def answer_headers(self) -> dict[str, str]:
        return {"Server-Timing": "gfet4t7; dur=500"}

    @override
    def broken(self) -> bytes:
        return _event({"error": {"code": 503, "message": f"The model is overloaded {self.key}", "status": "UNAVAILABLE"}})

    async def models(self, request: web.Request) -> web.Response:
        """The model list, in pages."""
        begin = int(request.query.get("pageToken", "0"))
        end = begin + min(self._page, int(request.query.get("pageSize", "50")))
        names = list(_METHODS)
        more = {"nextPageToken": str(end)} if end < len(names) else {}
        return web.json_response({"models": [_entry(name) for name in names[begin:end]], **more})

    async def generate(self, request: web.Request) -> web.StreamResponse:
        """One answer, or a stream of it."""
        model = request.path.rpartition("/")[2].partition(":")[0]
        body = await request.json()
        if (why := _wrong(model, body)) is not None:
            return self.refusal(Refusal(400, why))
        outcome = self.outcome_for(body)
        if isinstance(outcome, Refusal):
            return self.refusal(outcome)
        reply, fault = reply_of(outcome)
        if "stream" not in request.path:
            parts = _parts(model, reply)
            return await self.whole(request, _response(model, parts, reply.stop or "STOP", _usage(reply)), fault)
        if request.query.get("alt") != "sse":
            return self.refusal(Refusal(400, "the answer would be a JSON array"))
        return await self.stream(request, _frames(model, reply), fault)

    async def embed(self, request: web.Request) -> web.Response:
        """One vector for each text."""
        asked = (await request.json())["requests"]
        if len(asked) > 100:
            return self.refusal(Refusal(400, "at most 100 requests can be in one batch"))
        for entry in asked:
            if entry["model"] != f"models/{EMBEDDER}" or not entry["content"]["parts"][0]["text"]:
                return self.refusal(Refusal(400, "requests[].model or content is invalid"))
        if isinstance(outcome := self.outcome(), Refusal):
            return self.refusal(outcome)
        return web.json_response({"embeddings": [{"values": VECTOR[: entry.get("outputDimensionality")]} for entry in asked]})

    async def count(self, _: web.Request) -> web.Response:
        """The tokens of a prompt."""
        return web.json_response({"totalTokens": 7, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 7}]})


def seal(text: str) -> str:
    """A signature as it is sent: bytes as base64."""
    return b64encode(text.encode()).decode()


def _event(data: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\r\n\r\n".encode()


def _entry(model: str) -> dict[str, Any]:
    window, longest = _LIMITS.get(model, (1_048_576, 65_536))
    return {
        "name": f"models/{model}",
        "version": "001",
        "displayName": model,
        "description": "A model.",
        "inputTokenLimit": window,
        "outputTokenLimit": longest,
        "supportedGenerationMethods": list(_METHODS[model]),
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
    } | ({"thinking": True} if model in (FLASH, PRO, SIGNED, NEWEST) else {})


def _parts(model: str, reply: Reply) -> list[dict[str, Any]]:
    """The parts of an answer. The first of its calls is signed, else its last text."""
    parts: list[dict[str, Any]] = [{"text": reply.thought, "thought": True}] if reply.thought else []
    parts += [{"text": reply.text}] if reply.text else []
    for call in reply.calls:
        named = {"id": call.id} if model in (SIGNED, NEWEST) else {}
        parts.append({"functionCall": {"name": call.name, "args": dict(call.arguments), **named}})
    if reply.seal:
        first = next((part for part in parts if "functionCall" in part), parts[-1])
        first["thoughtSignature"] = seal(reply.seal)
    return parts


def _response(model: str, parts: list[Any], finish: str | None, usage: Mapping[str, Any]) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if not parts:
        candidate = {"content": {"role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": "resp_fake"}


def _usage(reply: Reply) -> dict[str, Any]:
    """Of the prompt, 6 tokens were read from the cache; of the answer, 2 are thoughts."""
    return {
        "promptTokenCount": reply.prompt_tokens,
        "cachedContentTokenCount": 6,
        "candidatesTokenCount": reply.completion_tokens - 2,
        "thoughtsTokenCount": 2,
        "totalTokenCount": reply.prompt_tokens + reply.completion_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": reply.prompt_tokens}],
    }


def _frames(model: str, reply: Reply) -> Iterator[bytes]:
    """The events: texts in pieces, each call at once, and a last event without text."""
    prompt = {"promptTokenCount": reply.prompt_tokens, "cachedContentTokenCount": 6, "totalTokenCount": reply.prompt_tokens}
    parts = _parts(model, reply)
    signed = bool(parts) and "text" in parts[-1] and "thoughtSignature" in parts[-1]
    last = [{"text": "", "thoughtSignature": parts[-1].pop("thoughtSignature")}] if signed else []
    for part in parts:
        for piece in pieces(part["text"]) if "text" in part else [None]:
            said = part if piece is None else part | {"text": piece}
            yield _event(_response(model, [said], None, prompt))
    yield _event(_response(model, last, reply.stop or "STOP", _usage(reply)))


def _wrong(model: str, body: dict[str, Any]) -> str | None:
    """The reason for which the real API would refuse the body, or None."""
    if unknown := body.keys() - _KNOWN:
        return f'Invalid JSON payload received. Unknown name "{min(unknown)}": Cannot find field.'
    try:
        for name, kind in _PARTS.items():
            value = body.get(name, [])
            for item in value if isinstance(value, list) else [value]:
                kind.model_validate_json(json.dumps(item))
    except ValidationError as err:
        return f"Invalid JSON payload received. {err}"
    return _wrong_turns(model, body.get("contents") or []) or _wrong_features(model, body) or _wrong_config(model, body)


def _wrong_turns(model: str, contents: list[dict[str, Any]]) -> str | None:
    if not contents:
        return "contents is not specified"
    if contents[0]["role"] != "user":
        return "Please ensure that the first turn is the user's."
    called: list[dict[str, Any]] = []
    for turn in contents:
        parts = turn.get("parts") or []
        if turn["role"] not in ("user", "model"):
            return "Please use a valid role: user, model."
        if not parts or any(len(_DATA & part.keys()) != 1 for part in parts):
            return "contents.parts must not be empty: required oneof field 'data' must have one initialized field"
        results = [part["functionResponse"] for part in parts if "functionResponse" in part]
        if len(results) != len(called) or [result["name"] for result in results] != [call["name"] for call in called]:
            return "Please ensure that the number of function response parts is equal to the number of function call parts."
        if [result.get("id") for result in results] != [call.get("id") for call in called]:
            return "Please ensure that function responses have the ids of the function calls."
        if any(not isinstance(result["response"], dict) for result in results):
            return "function_response.response must be a struct"
        calls = [part for part in parts if "functionCall" in part]
        called = [part["functionCall"] for part in calls]
        if calls and turn["role"] != "model":
            return "Please ensure that function call turns are the model's."
        if calls and model in (SIGNED, NEWEST) and calls[0].get("thoughtSignature") not in (seal("sealed"), UNCHECKED):
            return "Function call is missing a thought_signature in functionCall parts."
    return "Please ensure that function calls are answered." if called else None


def _wrong_features(model: str, body: dict[str, Any]) -> str | None:
    if model == GEMMA and body.get("systemInstruction"):
        return f"Developer instruction is not enabled for models/{model}"
    if model == GEMMA and body.get("tools"):
        return f"Function calling is not enabled for models/{model}"
    calling = body.get("toolConfig", {}).get("functionCallingConfig", {})
    if calling and not body.get("tools"):
        return "Function calling config is set without function_declarations."
    if calling.get("allowedFunctionNames") and calling.get("mode") != "ANY":
        return "Please set allowed_function_names only when function calling mode is ANY."
    config = body.get("generationConfig", {})
    if config.get("responseMimeType") == "application/json":
        if model == GEMMA:
            return f"JSON mode is not enabled for models/{model}"
        if body.get("tools") and model in (FLASH, PRO):
            return "Function calling with a response mime type: 'application/json' is unsupported"
    elif config.get("responseJsonSchema"):
        return "response_json_schema requires response_mime_type application/json"
    return None


def _wrong_config(model: str, body: dict[str, Any]) -> str | None:
    config = body.get("generationConfig", {})
    if model == NEWEST and (sampling := config.keys() & {"temperature", "topP", "topK"}):
        return f"{min(sampling)} is not supported for this model."
    if config.get("maxOutputTokens", 1) > _LIMITS.get(model, (0, 65_536))[1]:
        return "max_output_tokens must be within the supported range."
    if config.get("presencePenalty") is not None and model == FLASH:
        return f"Penalty is not enabled for models/{model}"
    thinking = config.get("thinkingConfig")
    if thinking is None:
        return None
    if model not in (FLASH, PRO, SIGNED, NEWEST):
        return "Thinking is not enabled for this model"
    checked = types.ThinkingConfig.model_validate(thinking)  # the SDK sends its fields in snake_case
    level, budget = checked.thinking_level, checked.thinking_budget
    if level is not None and (model in (FLASH, PRO) or (level == types.ThinkingLevel.MINIMAL and model == NEWEST)):
        return f"Thinking level {level} is not supported for this model."
    if budget is not None and not (128 if model == PRO else 0) <= budget <= 32_768:
        return "The thinking budget is invalid. Please choose a value between 128 and 32768."
    return None
