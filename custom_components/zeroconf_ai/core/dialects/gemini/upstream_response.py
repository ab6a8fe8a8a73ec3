"""Gemini's answers → OpenAI's: events of a stream to chunks, an answer that is not streamed to a completion.

Each event of a stream is a `GenerateContentResponse` with further parts, and with all usage so far. The finish reason may be in
several events, so the answer ends with the stream. Source: Google's SDK google-genai 2.25 (`types.py`).
"""

from collections.abc import Iterator, Mapping
from typing import Any, override
from uuid import uuid4

import orjson

from ...protocol.chunks import Chunk, ChunkWriter, Delta, Message
from ...protocol.errors import InvalidRequestError, StreamBrokenError
from ...protocol.event_decoder import EventDecoder
from ...protocol.reported_errors import contains_error, reported_error
from ...protocol.usage import Usage
from ...protocol.values import clean, mapping, parse_count
from ..base import Translator, event_objects
from ..reasoning import DETAILS
from .signatures import SignatureMemory, detail, extra_content
from .upstream_request import JSON_TOOL

_FINISH = {"STOP": "stop", "MAX_TOKENS": "length"}
_FAILED = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "NO_IMAGE", "MALFORMED_RESPONSE"})
"""Finish reasons of an answer that the model has failed to give. All others mean that Google has withheld the answer."""
_UNSPECIFIED = "FINISH_REASON_UNSPECIFIED"


class GeminiTranslator(Translator):
    """Translates one answer of `generateContent` or `streamGenerateContent`."""

    def __init__(
        self,
        model: str,
        memory: SignatureMemory,
        *,
        json_tool: bool = False,
        one_call: bool = False,
        usage: bool = True,
        secrets: tuple[str, ...] = (),
    ) -> None:
        """`memory` keeps the signatures of tool calls. `json_tool`, `one_call`: as in `UpstreamRequest`.

        `usage`: the stream ends with a usage chunk.
        """
        self._decoder = EventDecoder()
        self._writer = ChunkWriter(model)
        self._memory = memory
        self._json_tool = json_tool
        self._one_call = one_call
        self._wants_usage = usage
        self._secrets = secrets
        self._counts: dict[str, Any] = {}
        self._queries: set[str] = set()
        """The queries of Google Search, each of which is charged once."""
        self._finish = ""
        self._finish_message = ""
        self._named = False
        self._spoke = False
        self._calls = 0
        self._details = 0

    @property
    @override
    def usage(self) -> Usage | None:
        """The usage reported so far; the first event has the prompt's tokens."""
        if not self._counts:
            return None
        usage = _usage(self._counts)
        return usage.with_calls({"web_search": len(self._queries)}) if self._queries else usage

    @override
    def feed(self, data: bytes) -> list[Chunk]:
        events = self._decoder.feed(data) if data else self._decoder.flush()
        chunks: list[Chunk] = []
        for event in events:
            for answer in event_objects(event):
                chunks += self._chunks(answer)
        if not data and self.complete:
            chunks += self._end()
        return chunks

    @override
    def completion(self, body: Mapping[str, Any]) -> dict[str, Any]:
        deltas = list(self._deltas(body))
        if not self.complete:
            raise ValueError("an answer without a candidate that is finished")
        message = Message(usage=self.usage)
        fields: dict[str, list[Any]] = {DETAILS: [], "images": []}
        for delta in deltas:
            message.add(Delta.parse({"choices": [{"delta": delta}]}))
            for name, listed in fields.items():
                listed += delta.get(name, ())
        message.finish_reason = self._finish_reason()
        result = self._writer.completion(message)
        said = result["choices"][0]["message"]
        said |= {name: listed for name, listed in fields.items() if listed} | self._refusal()
        return result

    def _chunks(self, body: Mapping[str, Any]) -> Iterator[Chunk]:
        for delta in self._deltas(body):
            self.begun = True
            if not self._spoke:
                self._spoke = True
                delta = {"role": "assistant", **delta}
            yield self._writer.chunk(delta)

    def _end(self) -> Iterator[Chunk]:
        """The chunks after the last event."""
        if refusal := self._refusal():
            yield self._writer.chunk(refusal)
        yield self._writer.chunk({} if self._spoke else {"role": "assistant"}, self._finish_reason())
        if self._wants_usage and (usage := self.usage) is not None:
            yield self._writer.usage(usage)

    def _deltas(self, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """OpenAI's deltas of an answer or an event. Raises the error that it contains, or that its finish reason means."""
        if contains_error(body):
            raise reported_error("Gemini", body, self._secrets)
        if not self._named:
            self._named = True
            model, answer_id = clean(body.get("modelVersion") or "") or self._writer.model, clean(body.get("responseId") or "")
            self._writer = ChunkWriter(model, answer_id or self._writer.id, self._writer.created)
        # Later zeros, as some events have them, do not replace earlier counts.
        self._counts |= {name: count for name, count in mapping(body.get("usageMetadata")).items() if count}
        candidates = body.get("candidates")
        candidate = mapping(candidates[0]) if isinstance(candidates, list) and candidates else {}
        if not candidate and isinstance(blocked := mapping(body.get("promptFeedback")).get("blockReason"), str):
            message = f"Google refuses the prompt: {clean(blocked)}."
            raise InvalidRequestError(message, code="content_policy_violation", param="messages", upstream_status=200)
        queries = mapping(candidate.get("groundingMetadata")).get("webSearchQueries")
        self._queries.update(query for query in (queries if isinstance(queries, list) else ()) if isinstance(query, str))
        parts = mapping(candidate.get("content")).get("parts")
        for part in parts if isinstance(parts, list) else ():
            yield from self._part(mapping(part))
        reason = candidate.get("finishReason")
        if isinstance(reason, str) and reason not in ("", _UNSPECIFIED):
            self._finish_message = _text(candidate.get("finishMessage"))
            if reason in _FAILED:
                message = f"Gemini failed to answer: {reason}"
                raise StreamBrokenError(message, log_text=f"{message}: {self._finish_message or 'no details'}", reported=True)
            self._finish = reason
            self.complete = True

    def _part(self, part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        signature = _text(part.get("thoughtSignature"))
        call, text, data = mapping(part.get("functionCall")), _text(part.get("text")), mapping(part.get("inlineData"))
        if name := _text(call.get("name")):
            if self._json_tool and name == JSON_TOOL:
                yield {"content": orjson.dumps(mapping(call.get("args"))).decode()}
            elif not (self._one_call and self._calls):
                yield self._call(call, name, signature)
            return
        if text:
            yield {"reasoning_content" if part.get("thought") is True else "content": text}
        elif _text(data.get("mimeType")).startswith("image/") and (image := _text(data.get("data"))):
            url = f"data:{data['mimeType']};base64,{image}"
            yield {"images": [{"type": "image_url", "image_url": {"url": url}, "index": 0}]}  # OpenRouter's field
        if signature:
            yield self._signature(signature)

    def _call(self, call: Mapping[str, Any], name: str, signature: str) -> dict[str, Any]:
        """The delta of a tool call, which is never split. Models before 3 send no ids."""
        call_id = _text(call.get("id")) or f"call_{uuid4().hex[:24]}"
        function = {"name": name, "arguments": orjson.dumps(mapping(call.get("args"))).decode()}
        made: dict[str, Any] = {"index": self._calls, "id": call_id, "type": "function", "function": function}
        self._calls += 1
        if not signature:
            return {"tool_calls": [made]}
        self._memory.keep(call_id, signature)
        return {"tool_calls": [made | {"extra_content": extra_content(signature)}]} | self._signature(signature, call_id)

    def _signature(self, signature: str, call_id: str | None = None) -> dict[str, Any]:
        self._details += 1
        return {DETAILS: [detail(signature, self._details - 1, call_id)]}

    def _finish_reason(self) -> str:
        reason = _FINISH.get(self._finish, "content_filter")
        return "tool_calls" if self._calls and reason == "stop" else reason

    def _refusal(self) -> dict[str, str]:
        """The reason for which Google has withheld the rest of the answer, if it names one."""
        withheld = self._finish not in _FINISH
        return {"refusal": self._finish_message} if withheld and self._finish_message else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _usage(counts: Mapping[str, Any]) -> Usage:
    """Usage from Gemini's counts: thoughts are beside the answer, and tokens of tools that Google runs beside the prompt."""
    thoughts = parse_count(counts.get("thoughtsTokenCount"))
    return Usage(
        parse_count(counts.get("promptTokenCount")) + parse_count(counts.get("toolUsePromptTokenCount")),
        parse_count(counts.get("candidatesTokenCount")) + thoughts,
        parse_count(counts.get("cachedContentTokenCount")),
        thoughts,
    )
