"""Answer in the internal format → Google's `GenerateContentResponse`, or a stream of them; vectors → its embeddings.

A stream is Server-Sent Events (`alt=sse`) or a JSON array. Function calls are never split, so they are in the last event with the
finish reason and the usage. Reasoning that the answering model needs again is in a thought signature: Google's own, or a text of
this gateway (`reasoning.pack`).
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, ClassVar, override
from uuid import uuid4

import orjson

from ...protocol import sse
from ...protocol.chunks import Chunk, Delta, Message
from ...protocol.errors import ApiError, StreamBrokenError
from ...protocol.tool_calls import is_complete
from ...protocol.values import mapping
from ..base import ResponseWriter, first_choice, parse_arguments, refusal_of
from ..openai.embeddings import vectors
from ..reasoning import DETAILS, GEMINI_FORMAT, TEXT, details_of, pack
from .signatures import call_signature, signatures

_FINISH = {"length": "MAX_TOKENS", "content_filter": "SAFETY"}
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""Google's status by HTTP status (google.rpc.Code)."""
_TYPE = "type.googleapis.com/google.rpc."


def error_body(error: ApiError, request_id: str) -> dict[str, Any]:
    """The error in Google's format (google.rpc.Status). Its HTTP status is not changed."""
    details: list[dict[str, Any]] = [
        {"@type": f"{_TYPE}ErrorInfo", "reason": (error.code or error.type).upper(), "domain": "zeroconf-ai"},
        {"@type": f"{_TYPE}RequestInfo", "requestId": request_id},
    ]
    if error.retry_after is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{error.retry_after:g}s"})
    if error.param is not None:
        violation = {"field": error.param, "description": error.message}
        details.append({"@type": f"{_TYPE}BadRequest", "fieldViolations": [violation]})
    status = _STATUS.get(error.status, "UNKNOWN")
    return {"error": {"code": error.status, "message": error.message, "status": status, "details": details}}


class GeminiWriter(ResponseWriter):
    """Writes one answer of `generateContent`, or of `streamGenerateContent` as Server-Sent Events."""

    ping = b"\n"
    """A blank line: Google's SDK parses comments as JSON."""

    def __init__(self, model: str, request_id: str, *, thoughts: bool) -> None:
        """`thoughts`: include the reasoning."""
        self._model = model
        self._request_id = request_id
        self._thoughts = thoughts
        self._id = uuid4().hex
        self._message = Message()
        self._details: list[Mapping[str, Any]] = []

    @override
    def answer_id(self, upstream: str | None) -> str | None:
        return self._id

    @override
    def body(self, completion: Chunk) -> bytes:
        return orjson.dumps(self._response([*self._add(completion.data), *self._calls()], last=True))

    @override
    def events(self, batch: list[Chunk]) -> bytes:
        found = (self._add(chunk.data) for chunk in batch)
        return b"".join(self._event(self._response(parts)) for parts in found if parts)

    @override
    def end(self) -> bytes:
        try:
            parts = self._calls()
        except ApiError as err:
            return self.failure(err)
        return self._event(self._response(parts or [{"text": ""}], last=True))

    @override
    def failure(self, error: ApiError) -> bytes:
        return self._event(error_body(error, self._request_id))

    def _event(self, data: Mapping[str, Any]) -> bytes:
        return sse.encode(orjson.dumps(data))

    def _add(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The parts of a chunk or a complete answer, without its calls, which are kept for the end."""
        delta = Delta.parse(data)
        self._message.add(delta)
        _, said = first_choice(data)
        self._details += details_of(said)
        parts: list[dict[str, Any]] = []
        if self._thoughts and delta.reasoning:
            parts.append({"text": delta.reasoning, "thought": True})
        if text := delta.content + refusal_of(said):
            parts.append({"text": text})
        images = said.get("images")
        for image in images if isinstance(images, list) else ():
            url = mapping(mapping(image).get("image_url")).get("url")
            head, _, content = url.partition(",") if isinstance(url, str) else ("", "", "")
            if head.startswith("data:") and head.endswith(";base64"):
                media_type = head.removeprefix("data:").removesuffix(";base64")
                parts.append({"inlineData": {"mimeType": media_type, "data": content}})
        return parts

    def _calls(self) -> list[dict[str, Any]]:
        """The last parts: the calls with their signatures, else the text's signature. A truncated call is left out."""
        cut = self._message.finish_reason == "length"
        calls = [call for call in self._message.tool_calls if not (cut and not is_complete(call.arguments))]
        sealed = signatures({DETAILS: self._details})
        parts: list[dict[str, Any]] = []
        for call in calls:
            part: dict[str, Any] = {"functionCall": {"id": call.id, "name": call.name, "args": parse_arguments(call)}}
            if signature := call_signature({"extra_content": call.extra_content}) or sealed.get(call.id, ""):
                part["thoughtSignature"] = signature
            parts.append(part)
        if not parts:
            return [{"text": "", "thoughtSignature": sealed[""]}] if "" in sealed else []
        if "thoughtSignature" not in parts[0] and (signature := sealed.get("") or self._packed()):
            parts[0]["thoughtSignature"] = signature
        return parts

    def _packed(self) -> str:
        """The reasoning of another vendor's model as a signature; "" for an answer without reasoning."""
        others = [detail for detail in self._details if detail.get("format") != GEMINI_FORMAT]
        fields = {TEXT: self._message.reasoning, DETAILS: others}
        kept = {name: value for name, value in fields.items() if value}
        return b64encode(pack(kept).encode()).decode() if kept else ""

    def _response(self, parts: list[dict[str, Any]], *, last: bool = False) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
        head = {"modelVersion": self._model, "responseId": self._id}
        if not last:
            return {"candidates": [candidate], **head}
        candidate["finishReason"] = _FINISH.get(self._message.finish_reason or "", "STOP")
        return {"candidates": [candidate], "usageMetadata": self._usage(), **head}

    def _usage(self) -> dict[str, Any]:
        """Usage in Google's format: thoughts are beside the answer."""
        usage = self._message.usage or self.used()
        counts = {
            "promptTokenCount": usage.prompt_tokens,
            "cachedContentTokenCount": usage.cached_tokens,
            "candidatesTokenCount": max(0, usage.completion_tokens - usage.reasoning_tokens),
            "thoughtsTokenCount": usage.reasoning_tokens,
        }
        return {name: count for name, count in counts.items() if count} | {"totalTokenCount": usage.total_tokens}


class GeminiArrayWriter(GeminiWriter):
    """Writes a stream as a JSON array, which `streamGenerateContent` is without `alt=sse`."""

    content_type: ClassVar[str] = "application/json"
    _begun = False

    @override
    def end(self) -> bytes:
        return super().end() + b"]"

    @override
    def failure(self, error: ApiError) -> bytes:
        return super().failure(error) + b"]"

    @override
    def _event(self, data: Mapping[str, Any]) -> bytes:
        before = b",\r\n" if self._begun else b"["
        self._begun = True
        return before + orjson.dumps(data)


class EmbeddingsWriter(GeminiWriter):
    """Writes the vectors of `embedContent` or `batchEmbedContents`."""

    def __init__(self, model: str, request_id: str, *, batch: bool) -> None:
        """`batch`: a list of vectors instead of one."""
        super().__init__(model, request_id, thoughts=False)
        self._batch = batch

    @override
    def answer_id(self, upstream: str | None) -> str | None:
        return None

    @override
    def body(self, completion: Chunk) -> bytes:
        try:
            found = [{"values": vector} for vector in vectors(completion.data)]
        except ValueError as err:
            message = "the provider sent an embedding that cannot be read"
            raise StreamBrokenError(message, log_text=f"{message}: {err}") from None
        if not found:
            raise StreamBrokenError("the provider sent no embedding")
        usage = completion.usage or self.used()
        counts = {"usageMetadata": {"promptTokenCount": usage.prompt_tokens, "totalTokenCount": usage.prompt_tokens}}
        return orjson.dumps(({"embeddings": found} if self._batch else {"embedding": found[0]}) | counts)
