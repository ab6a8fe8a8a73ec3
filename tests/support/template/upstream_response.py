"""The template's answers → OpenAI's: lines of a stream to chunks, an answer that is not streamed to a completion.

A line has a `thought`, a `text`, a `call` or an `error`; the last one has `stop` and `tokens`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, override

import orjson

from zeroconf_ai.dialects.base import Translator, event_objects
from zeroconf_ai.protocol.chunks import Chunk, ChunkWriter, Delta, Message
from zeroconf_ai.protocol.event_decoder import EventDecoder
from zeroconf_ai.protocol.reported_errors import reported_error
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.protocol.values import mapping, parse_count

_FINISH = {"end": "stop", "limit": "length", "call": "tool_calls"}


class TemplateTranslator(Translator):
    """Translates one answer of `/v1/talk`."""

    def __init__(self, model: str, *, usage: bool, secrets: tuple[str, ...]) -> None:
        """`usage`: the stream ends with a usage chunk. `secrets` are left out of errors."""
        self._decoder = EventDecoder()
        self._writer = ChunkWriter(model)
        self._wants_usage = usage
        self._secrets = secrets
        self._calls = 0

    @override
    def feed(self, data: bytes) -> list[Chunk]:
        chunks: list[Chunk] = []
        for event in self._decoder.feed(data) if data else self._decoder.flush():
            for line in event_objects(event):
                chunks += self._line(line)
        return chunks

    @override
    def completion(self, body: Mapping[str, Any]) -> dict[str, Any]:
        self._raise_error(body)
        message = Message(usage=_usage(body))
        for delta in self._deltas(body):
            message.add(Delta.parse({"choices": [{"delta": delta}]}))
        message.finish_reason = _FINISH.get(str(body.get("stop")), "stop")
        return self._writer.completion(message)

    def _line(self, line: Mapping[str, Any]) -> Iterator[Chunk]:
        self._raise_error(line)
        for delta in self._deltas(line):
            yield self._writer.chunk(delta if self.begun else {"role": "assistant", **delta})
            self.begun = True
        if "stop" in line:
            self.begun = self.complete = self.done = True
            yield self._writer.chunk({}, _FINISH.get(str(line["stop"]), "stop"))
            if self._wants_usage:
                yield self._writer.usage(_usage(line))

    def _deltas(self, said: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        if thought := said.get("thought"):
            yield {"reasoning_content": str(thought)}
        if text := said.get("text"):
            yield {"content": str(text)}
        for call in (*said.get("calls", ()), *([said["call"]] if "call" in said else [])):
            function = {"name": str(call.get("name")), "arguments": orjson.dumps(call.get("input") or {}).decode()}
            yield {"tool_calls": [{"index": self._calls, "id": str(call.get("id")), "type": "function", "function": function}]}
            self._calls += 1

    def _raise_error(self, body: Mapping[str, Any]) -> None:
        if body.get("error"):
            raise reported_error("The server", body, self._secrets)


def _usage(last: Mapping[str, Any]) -> Usage:
    tokens = mapping(last.get("tokens"))
    return Usage(parse_count(tokens.get("in")), parse_count(tokens.get("out")))
