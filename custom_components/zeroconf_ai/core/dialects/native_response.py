"""Answers to requests that were passed on in their own dialect: each chunk has its native event."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, override

from ..protocol.chunks import Chunk, NativeChunk
from ..protocol.event_decoder import EventDecoder
from ..protocol.reported_errors import contains_error, reported_error
from .base import Translator, event_objects

_SILENT: dict[str, Any] = {"choices": []}


class NativeTranslator(Translator):
    """Reads a native stream: what the gateway needs of it as chunks, and with each its native event."""

    def __init__(self, provider: str, secrets: tuple[str, ...] = ()) -> None:
        """`provider`: its name in errors, which do not contain `secrets`."""
        self._decoder = EventDecoder()
        self._provider = provider
        self._secrets = secrets

    @override
    def feed(self, data: bytes) -> list[Chunk]:
        chunks: list[Chunk] = []
        for event in self._decoder.feed(data) if data else self._decoder.flush():
            for parsed in event_objects(event):
                if event.event == "error" or parsed.get("type") == "error" or contains_error(parsed):
                    raise reported_error(self._provider, parsed, self._secrets)
                found = self.event(parsed)
                first = found[0] if found else Chunk.of(dict(_SILENT))
                chunks += [NativeChunk.around(first, parsed, begins=self.begun), *found[1:]]
            if self.done:
                break
        return chunks

    @abstractmethod
    def event(self, event: Mapping[str, Any]) -> list[Chunk]:
        """The chunks for one native event. Raises an ApiError for an error."""
