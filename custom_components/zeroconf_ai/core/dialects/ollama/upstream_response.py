"""Ollama's answers → OpenAI's: lines of a stream to chunks, an answer that is not streamed to a completion.

Each line contains a piece of the message; the last one has `done`, the reason and token counts. A failure is a line
`{"error": …}` after status 200. Proxies frame the lines as Server-Sent Events.
"""

from collections.abc import Mapping
from typing import Any, override

from ...protocol import json
from ...protocol.chunks import Chunk, ChunkWriter, Delta, Message
from ...protocol.event_decoder import EventDecoder
from ...protocol.reported_errors import contains_error, reported_error
from ...protocol.tool_calls import ToolCall, new_call_id, parse_delta, whole_arguments
from ...protocol.usage import Usage
from ...protocol.values import mapping, parse_count
from ..base import Translator, event_objects


class OllamaTranslator(Translator):
    """Translates one answer of `/api/chat`."""

    def __init__(
        self,
        model: str,
        *,
        prompt_estimate: int = 0,
        forced_tool: bool = False,
        one_call: bool = False,
        usage: bool = True,
        secrets: tuple[str, ...] = (),
    ) -> None:
        """`prompt_estimate` replaces the prompt's tokens, which Ollama does not report for a cached prompt.

        `forced_tool`, `one_call`: as in `UpstreamRequest`. `usage`: the stream ends with a usage chunk.
        """
        self._decoder = EventDecoder()
        self._writer = ChunkWriter(model)
        self._prompt_estimate = prompt_estimate
        self._forced_tool = forced_tool
        self._one_call = one_call
        self._wants_usage = usage
        self._secrets = secrets
        self._spoke = False
        self._calls = 0
        self._ids: set[str] = set()
        self._pending = ""

    @override
    def feed(self, data: bytes) -> list[Chunk]:
        chunks: list[Chunk] = []
        for event in self._decoder.feed(data) if data else self._decoder.flush():
            for line in event_objects(event):
                chunks += self._line(line)
            if self.done:
                break
        return chunks

    @override
    def completion(self, body: Mapping[str, Any]) -> dict[str, Any]:
        self._raise_error(body)
        piece = self._piece(body)
        if not piece:
            raise ValueError("an answer without a message")
        usage, estimated = self._usage(body)
        message = Message(usage=usage)
        for delta in (*self._deltas(piece), *self._release(body)):
            message.add(Delta.parse({"choices": [{"delta": delta}]}))
        message.finish_reason = self._finish(body)
        result = self._writer.completion(message)
        return _mark(result, estimated=estimated)

    def _line(self, line: Mapping[str, Any]) -> list[Chunk]:
        self._raise_error(line)
        deltas = self._deltas(self._piece(line))
        done = line.get("done") is True
        if done:
            deltas += self._release(line)
        chunks: list[Chunk] = []
        for delta in deltas:
            if not self._spoke:
                self._spoke = True
                delta = {"role": "assistant", **delta}
            chunks.append(self._writer.chunk(delta))
        if done:
            self.begun = self.complete = self.done = True
            chunks.append(self._writer.chunk({}, self._finish(line)))
            if self._wants_usage:
                usage, estimated = self._usage(line)
                chunks.append(Chunk.of(_mark(self._writer.usage(usage).data, estimated=estimated)))
        return chunks

    def _piece(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The message in an answer, or the piece of it in a line; empty if it has none."""
        return mapping(body.get("message"))

    def _deltas(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The OpenAI deltas of a message or a piece of it."""
        deltas: list[dict[str, Any]] = []
        if reasoning := _text(message.get("thinking")):
            self.begun = True
            deltas.append({"reasoning_content": reasoning})
        if content := _text(message.get("content")):
            self.begun = True
            if self._forced_tool:
                self._pending += content
            else:
                deltas.append({"content": content})
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            deltas += self._call(mapping(call))
        return deltas

    def _call(self, call: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The delta of a tool call, which Ollama never splits; versions before 0.12 send no id."""
        function = mapping(call.get("function"))
        name = _text(function.get("name"))
        if not name or (self._one_call and self._calls):
            return []
        self.begun = True
        piece = parse_delta(call, self._calls)
        call_id = new_call_id() if piece.id is None or piece.id in self._ids else piece.id
        self._ids.add(call_id)
        converted = ToolCall(call_id, name, whole_arguments(piece.arguments)).to_json() | {"index": self._calls}
        self._calls += 1
        return [{"tool_calls": [converted]}]

    def _release(self, last: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The deltas of a forced tool call, which the model writes as JSON; a truncated one becomes content."""
        if not self._pending:
            return []
        held, self._pending = self._pending, ""
        try:
            call = json.loads(held)
        except json.JSONDecodeError:
            if last.get("done_reason") != "length":
                raise ValueError("a tool call that is not JSON") from None
            return [{"content": held}]
        return self._call({"function": call})

    def _finish(self, last: Mapping[str, Any]) -> str:
        if last.get("done_reason") == "length":
            return "length"
        return "tool_calls" if self._calls else "stop"

    def _usage(self, last: Mapping[str, Any]) -> tuple[Usage, bool]:
        """(tokens, whether the prompt's are an estimate)."""
        estimated = "prompt_eval_count" not in last
        prompt = self._prompt_estimate if estimated else parse_count(last.get("prompt_eval_count"))
        return Usage(prompt, parse_count(last.get("eval_count"))), estimated

    def _raise_error(self, body: Mapping[str, Any]) -> None:
        if contains_error(body):
            raise reported_error("Ollama", body, self._secrets)


class GenerateTranslator(OllamaTranslator):
    """Translates one answer of `/api/generate`."""

    @override
    def _piece(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if not isinstance(body.get("response"), str):
            return {}
        return {"content": body["response"], "thinking": body.get("thinking")}


def _mark(body: dict[str, Any], *, estimated: bool) -> dict[str, Any]:
    if estimated:
        body["usage"]["estimated"] = True
    return body


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
