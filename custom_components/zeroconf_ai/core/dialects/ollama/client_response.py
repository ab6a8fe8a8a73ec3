"""Answer in the internal format → Ollama's: one JSON object, or a stream of JSON lines.

The last line has `done`, the reason, token counts and durations in nanoseconds (Ollama's `docs/api.md`). A failure is a line
`{"error": …}`.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
import time
from typing import Any, ClassVar, override

import orjson

from ...protocol.chunks import Chunk, Delta, Message
from ...protocol.errors import ApiError, UpstreamError
from ...protocol.tool_calls import is_complete
from ...protocol.usage import Usage
from ..base import ResponseWriter, first_choice, parse_arguments, refusal_of
from ..openai.embeddings import vectors

NDJSON = "application/x-ndjson"
"""The content type of streams: a JSON object in each line."""
_NANOSECONDS = 1_000_000_000


def error_body(error: ApiError, _: str = "") -> dict[str, Any]:
    """The error in Ollama's format."""
    return {"error": error.message}


class OllamaWriter(ResponseWriter):
    """Writes one answer of `/api/chat` or `/api/generate`."""

    content_type: ClassVar[str] = NDJSON

    def __init__(
        self,
        model: str,
        fields: Callable[[str, str, list[dict[str, Any]]], dict[str, Any]],
        *,
        reasoning: bool,
        started: float,
        more: Callable[[str], Mapping[str, Any]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`fields` builds the path's fields of (text, reasoning, tool calls); `started` is the request's arrival by `clock`.

        `more` builds further fields of the last line from the complete text.
        """
        self._model = model
        self._fields = fields
        self._reasoning = reasoning
        self._more = more
        self._clock = clock
        self._started = started
        self._first = clock()
        """Time of the first token, with which a writer is created."""
        self._message = Message()
        self.ping = self._line(fields("", "", []))

    @override
    def body(self, completion: Chunk) -> bytes:
        data = completion.data
        self._message.add(Delta.parse(data))
        message = self._message
        text = message.content + refusal_of(first_choice(data)[1])
        reasoning = message.reasoning if self._reasoning else ""
        return orjson.dumps(self._head() | self._fields(text, reasoning, self._calls()) | self._closing())

    @override
    def events(self, batch: list[Chunk]) -> bytes:
        lines: list[bytes] = []
        for chunk in batch:
            delta = Delta.parse(chunk.data)
            self._message.add(delta)
            text = delta.content + refusal_of(first_choice(chunk.data)[1])
            reasoning = delta.reasoning if self._reasoning else ""
            if text or reasoning:
                lines.append(self._line(self._fields(text, reasoning, [])))
        return b"".join(lines)

    @override
    def end(self) -> bytes:
        try:
            calls = self._calls()
        except UpstreamError as err:
            return self.failure(err)
        tool_calls = self._line(self._fields("", "", calls)) if calls else b""
        return tool_calls + self._line(self._fields("", "", []) | self._closing())

    @override
    def failure(self, error: ApiError) -> bytes:
        return orjson.dumps(error_body(error)) + b"\n"

    def _calls(self) -> list[dict[str, Any]]:
        """The tool calls, which Ollama never splits. A truncated one is left out, as the finish reason shows."""
        cut = self._message.finish_reason == "length"
        calls = (call for call in self._message.tool_calls if not (cut and not is_complete(call.arguments)))
        return [
            {"id": call.id, "function": {"index": index, "name": call.name, "arguments": parse_arguments(call)}}
            for index, call in enumerate(calls)
        ]

    def _head(self) -> dict[str, Any]:
        return {"model": self._model, "created_at": now()}

    def _line(self, fields: Mapping[str, Any]) -> bytes:
        return orjson.dumps(self._head() | {"done": False} | dict(fields)) + b"\n"

    def _closing(self) -> dict[str, Any]:
        usage, end = self.used().updated(self._message.usage), self._clock()
        more = {} if self._more is None else self._more(self._message.content)
        return {
            **more,
            "done": True,
            "done_reason": "length" if self._message.finish_reason == "length" else "stop",
            "total_duration": _nanoseconds(end - self._started),
            "load_duration": 0,
            "prompt_eval_count": usage.prompt_tokens,
            "prompt_eval_duration": _nanoseconds(self._first - self._started),
            "eval_count": usage.completion_tokens,
            "eval_duration": _nanoseconds(end - self._first),
        }


class EmbeddingsWriter(OllamaWriter):
    """Writes the answer of `/api/embed`, or of `/api/embeddings` (`legacy`), which contains one vector."""

    def __init__(self, model: str, *, legacy: bool, started: float) -> None:
        """`started` is the request's arrival by `time.monotonic`."""
        super().__init__(model, generate_fields, reasoning=False, started=started)
        self._legacy = legacy

    @override
    def body(self, completion: Chunk) -> bytes:
        try:
            found = vectors(completion.data)
        except ValueError as err:
            message = "The provider sent an embedding that cannot be read."
            raise UpstreamError(message, log_text=f"{message} {err}") from None
        if self._legacy:
            return orjson.dumps({"embedding": found[0] if found else []})
        usage = completion.usage or Usage()
        duration = _nanoseconds(self._clock() - self._started)
        counts = {"total_duration": duration, "load_duration": 0, "prompt_eval_count": usage.prompt_tokens}
        return orjson.dumps({"model": self._model, "embeddings": found} | counts)


def chat_fields(text: str, reasoning: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    """The fields of one piece in `/api/chat`."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if reasoning:
        message["thinking"] = reasoning
    if calls:
        message["tool_calls"] = calls
    return {"message": message}


def generate_fields(text: str, reasoning: str, _: list[dict[str, Any]]) -> dict[str, Any]:
    """The fields of one piece in `/api/generate`."""
    return {"response": text} | ({"thinking": reasoning} if reasoning else {})


def now() -> str:
    """The time in Ollama's format (RFC 3339, UTC)."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _nanoseconds(seconds: float) -> int:
    return round(max(0.0, seconds) * _NANOSECONDS)
