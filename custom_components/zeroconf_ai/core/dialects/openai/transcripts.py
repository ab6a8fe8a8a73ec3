"""Transcripts as streams: OpenAI's events (`transcript.text.delta`, `transcript.text.segment`, `transcript.text.done`).

Other servers stream chunks of a chat (vLLM) or objects with the text of a segment (faster-whisper-server). All become OpenAI's
events, each in a chunk with the text as a chat has it.
"""

from collections.abc import Mapping
from typing import Any, Final, override

from ...protocol.chunks import Chunk, NativeChunk
from ...protocol.event_decoder import EventDecoder, is_done
from ...protocol.reported_errors import contains_error, reported_error
from ...protocol.values import mapping
from ..base import Translator, event_objects

DELTA: Final = "transcript.text.delta"
SEGMENT: Final = "transcript.text.segment"
DONE: Final = "transcript.text.done"
_MOST_CHARACTERS: Final = 4 * 1024 * 1024
"""Maximum length of one transcript: 25 MB of speech at the lowest bit rate have half a million."""


def transcript_chunks(data: Mapping[str, Any]) -> list[Chunk]:
    """A complete transcript as a stream: one piece of text, and the end."""
    text = str(data.get("text") or "")
    return [*([_piece(text)] if text else []), _end(text, data.get("usage"))]


def _piece(text: str, event: Mapping[str, Any] | None = None) -> Chunk:
    said = Chunk.of({"choices": [{"index": 0, "delta": {"content": text}}]})
    return NativeChunk.around(said, event or {"type": DELTA, "delta": text})


def _end(text: str, usage: object, event: Mapping[str, Any] | None = None) -> Chunk:
    used = {"usage": usage} if isinstance(usage, Mapping) else {}
    said = Chunk.of({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], **used})
    return NativeChunk.around(said, event or {"type": DONE, "text": text, **used})


class TranscriptTranslator(Translator):
    """Reads the stream of a transcript."""

    def __init__(self, provider: str, secrets: tuple[str, ...] = ()) -> None:
        """`provider`: its name in errors, which do not contain `secrets`."""
        self._decoder = EventDecoder()
        self._provider = provider
        self._secrets = secrets
        self._said: list[str] = []
        self._length = 0
        self._usage: object = None
        self._typed = False
        """Whether the events are OpenAI's, which have an end of their own."""

    @override
    def feed(self, data: bytes) -> list[Chunk]:
        chunks: list[Chunk] = []
        for event in self._decoder.feed(data) if data else self._decoder.flush():
            if is_done(event.data):
                chunks += self._finish()
                break
            for parsed in event_objects(event):
                if event.event == "error" or parsed.get("type") == "error" or contains_error(parsed):
                    raise reported_error(self._provider, parsed, self._secrets)
                chunks += self._chunks(parsed)
            if self.done:
                break
        if not data and not self.done and not self._typed and self.begun:
            chunks += self._finish()
        return chunks

    @override
    def completion(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return dict(data)

    def _chunks(self, event: Mapping[str, Any]) -> list[Chunk]:
        kind = event.get("type")
        if kind == DONE:
            self.begun = self.done = self.complete = True
            return [_end(str(event.get("text") or ""), event.get("usage"), event)]
        if kind == SEGMENT:
            self._typed = self.begun = True
            return [NativeChunk.around(Chunk.of({"choices": []}), event)]
        self._usage = event.get("usage") or self._usage
        if kind == DELTA:
            self._typed = True
            return self._say(event.get("delta"), event)
        choices = event.get("choices")
        if isinstance(choices, list):
            return self._say(mapping(mapping(choices[0]).get("delta")).get("content") if choices else None)
        return self._say(event.get("text"))

    def _say(self, text: object, event: Mapping[str, Any] | None = None) -> list[Chunk]:
        if not isinstance(text, str) or not text:
            return []
        self.begun = True
        self._length += len(text)
        if self._length > _MOST_CHARACTERS:
            raise ValueError(f"a transcript of more than {_MOST_CHARACTERS} characters")
        self._said.append(text)
        return [_piece(text, event)]

    def _finish(self) -> list[Chunk]:
        self.begun = self.done = self.complete = True
        return [_end("".join(self._said).strip(), self._usage)]
