"""An answer of a backend with OpenAI's Responses → the same answer for the client, for a request that was passed on."""

from collections.abc import Mapping
import time
from typing import Any, override
from uuid import uuid4

import orjson

from ...protocol import sse
from ...protocol.chunks import Chunk, NativeChunk
from ...protocol.errors import ApiError, RateLimitError
from ...protocol.values import mapping
from ..base import ResponseWriter
from .client_response import Keep, metadata_with

_ENDS = ("response.completed", "response.incomplete", "response.failed")


class NativeResponsesWriter(ResponseWriter):
    """Writes one response, whose events are those of the backend."""

    def __init__(self, request: Mapping[str, Any], model: str, keep: Keep | None = None, *, stored: bool = False) -> None:
        """`request` is the client's; `keep` and `stored` are those of `ResponsesWriter`."""
        self._request = request
        self._model = model
        self._keep = keep
        self._stored = stored
        self._id = f"resp_{uuid4().hex}"
        self._number = 0
        self._response: dict[str, Any] = {}
        """The response of the latest event that had one."""
        self._items: list[Any] = []
        self._ended = False

    @override
    def answer_id(self, upstream: str | None) -> str | None:
        return self._id

    @override
    def body(self, completion: Chunk) -> bytes:
        native = completion.native if isinstance(completion, NativeChunk) else {}
        response = self._own(native)
        self._finish(response)
        return orjson.dumps(response)

    @override
    def events(self, batch: list[Chunk]) -> bytes:
        return b"".join(self._event(chunk.native) for chunk in batch if isinstance(chunk, NativeChunk))

    @override
    def end(self) -> bytes:
        if self._ended:
            return b""
        # The answer was cut off here: the budget covers no more.
        response = self._present("incomplete") | {"incomplete_details": {"reason": "max_output_tokens"}}
        self._finish(response)
        return self._emit({"type": "response.incomplete", "response": response})

    @override
    def failure(self, error: ApiError) -> bytes:
        code = "rate_limit_exceeded" if isinstance(error, RateLimitError) else "server_error"
        response = self._present("failed") | {"error": {"code": code, "message": error.message}}
        return self._emit({"type": "response.failed", "response": response})

    def _event(self, event: Mapping[str, Any]) -> bytes:
        if isinstance(event.get("response"), Mapping):
            self._response = response = self._own(event["response"])
            event = {**event, "response": response}
            if event.get("type") in _ENDS:
                self._ended = True
                self._finish(response)
        elif event.get("type") == "response.output_item.done":
            self._items.append(event.get("item"))
        return self._emit(event)

    def _emit(self, event: Mapping[str, Any]) -> bytes:
        numbered = {**event, "sequence_number": self._number}
        self._number += 1
        return sse.encode(orjson.dumps(numbered), str(event.get("type") or "message"))

    def _own(self, response: Mapping[str, Any]) -> dict[str, Any]:
        """The response with what is the gateway's: its id, what it stores, and the tools that it left out."""
        own: dict[str, Any] = {
            **response,
            "id": self._id,
            "previous_response_id": self._request.get("previous_response_id"),
            "store": self._stored,
        }
        if isinstance(given := self._request.get("metadata"), Mapping):
            own["metadata"] = given
        if self.dropped_tools:
            own["metadata"] = metadata_with(own.get("metadata"), self.dropped_tools)
            own["dropped_tools"] = self.dropped_tools
        return own

    def _present(self, status: str) -> dict[str, Any]:
        started = {"object": "response", "created_at": int(time.time()), "model": self._model}
        return self._own({**started, **self._response, "status": status, "output": self._items})

    def _finish(self, response: Mapping[str, Any]) -> None:
        if self._keep is None:
            return
        output = response.get("output")
        items = output if isinstance(output, list) and output else self._items
        self._keep(response, [dict(mapping(item)) for item in items])
