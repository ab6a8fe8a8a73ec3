"""Answer in the internal format → OpenAI's response object, or its events.

Events (SDK 3.52, `response_stream_event.py`): response.created, response.in_progress; for each item output_item.added, its parts
and their deltas, output_item.done; finally response.completed, response.incomplete or response.failed. All are numbered.
"""

from collections.abc import Callable, Mapping, Sequence
import time
from typing import Any, override
from uuid import uuid4

import orjson

from ...protocol import sse
from ...protocol.chunks import Chunk, Delta, Message
from ...protocol.errors import ApiError, RateLimitError
from ...protocol.tool_calls import ToolCall, is_complete
from ...protocol.values import mapping
from ..base import ResponseWriter, first_choice, refusal_of
from ..openai.client_tools import ClientTools, can_run, custom_input
from ..reasoning import DETAILS, TEXT, details_of, pack

_PARTS = {
    "reasoning_text": ("reasoning", "rs", "response.reasoning_text", "text"),
    "output_text": ("message", "msg", "response.output_text", "text"),
    "refusal": ("message", "msg", "response.refusal", "refusal"),
}
"""By type of part: type of its item, prefix of the item's id, prefix of its events, field of its text."""
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
}
"""The request parameters that a response repeats, with OpenAI's defaults."""
_MAX_METADATA = 512
"""Characters of a value of `metadata` at OpenAI."""

_ENDED: Mapping[tuple[str, str | None], str] = {
    ("mcp_list_tools", None): "response.mcp_list_tools.completed",
    ("mcp_call", "completed"): "response.mcp_call.completed",
    ("mcp_call", "failed"): "response.mcp_call.failed",
}
"""The event before the end of an item about the house's tools, by type and status."""
_NO_TOOLS = ClientTools()

type Keep = Callable[[Mapping[str, Any], list[dict[str, Any]]], None]
"""Keeps a finished response, and its output with packed reasoning."""


class ResponsesWriter(ResponseWriter):
    """Writes one response."""

    def __init__(
        self,
        request: Mapping[str, Any],
        model: str,
        tools: ClientTools = _NO_TOOLS,
        keep: Keep | None = None,
        *,
        stored: bool = False,
    ) -> None:
        """`request` is the client's request, some parameters of which the response repeats; `tools` are its tools.

        `stored`: whether `keep` stores the response on disk, which the response says.
        """
        self._stored = stored
        self._request = request
        self._tools = tools
        self._keep = keep
        include = request.get("include")
        self._shows_packed = isinstance(include, list) and "reasoning.encrypted_content" in include
        self._packed: dict[str, str] = {}
        """The packed reasoning of items, by their ids."""
        self._details: list[Mapping[str, Any]] = []
        """The `reasoning_details` of the open item of reasoning."""
        self._model = model
        self._id = f"resp_{uuid4().hex}"
        self._created = int(time.time())
        self._message = Message()
        self._number = 0
        self._events: list[bytes] = []
        self._items: list[dict[str, Any]] = []
        self._open: int | None = None
        """Index of the open item of text or reasoning."""
        self._places: dict[int, int] = {}
        """Indexes of the items of tool calls, by the call's number."""
        self._calls: dict[int, ToolCall] = {}
        """The tool calls, by the index of their item."""

    @override
    def answer_id(self, upstream: str | None) -> str | None:
        return self._id

    @override
    def add_items(self, _items: Sequence[Mapping[str, Any]]) -> bytes:
        begun = self.events([])
        self._close()
        for item in _items:
            place = len(self._items)
            self._items.append(dict(item))
            self._emit("response.output_item.added", output_index=place, item=item)
            if kind := _ENDED.get((item["type"], item.get("status"))):
                self._emit(kind, item_id=item["id"], output_index=place)
            self._emit("response.output_item.done", output_index=place, item=item)
        return begun + self._flush()

    @override
    def body(self, completion: Chunk) -> bytes:
        self._chunk(completion.data)
        return orjson.dumps(self._finished())

    @override
    def events(self, batch: list[Chunk]) -> bytes:
        if not self._number:
            self._emit("response.created", response=self._response("in_progress"))
            self._emit("response.in_progress", response=self._response("in_progress"))
        for chunk in batch:
            self._chunk(chunk.data)
        return self._flush()

    @override
    def end(self) -> bytes:
        response = self._finished()
        self._emit(f"response.{response['status']}", response=response)
        return self._flush()

    @override
    def failure(self, error: ApiError) -> bytes:
        for item in self._items:
            if item.get("status") == "in_progress":
                item["status"] = "incomplete"
        code = "rate_limit_exceeded" if isinstance(error, RateLimitError) else "server_error"
        error_fields = {"code": code, "message": error.message}
        self._emit("response.failed", response=self._response("failed") | {"error": error_fields})
        return self._flush()

    def _chunk(self, data: Mapping[str, Any]) -> None:
        delta = Delta.parse(data)
        self._message.add(delta)
        self._say("reasoning_text", delta.reasoning)
        self._add_details(first_choice(data)[1])
        self._say("output_text", delta.content)
        self._say("refusal", refusal_of(first_choice(data)[1]))
        if delta.tool_calls:
            self._argument_deltas()

    def _say(self, kind: str, text: str) -> None:
        if not text:
            return
        item_type, prefix, event, field = _PARTS[kind]
        if self._open is None or self._items[self._open]["type"] != item_type:
            self._close()
            fields: dict[str, Any] = {"summary": []} if item_type == "reasoning" else {"role": "assistant"}
            self._open = self._add({"type": item_type, "id": f"{prefix}_{uuid4().hex}", **fields, "content": []})
        place = self._open
        parts = self._items[place]["content"]
        if not parts or parts[-1]["type"] != kind:
            if parts:
                self._part_done(place)
            part: dict[str, Any] = {"type": kind, field: ""}
            if kind == "output_text":
                part |= {"annotations": [], "logprobs": []}
            parts.append(part)
            self._emit("response.content_part.added", **self._where(place), part=part)
        parts[-1][field] += text
        self._emit(f"{event}.delta", **self._where(place), delta=text, **_logprobs(kind))

    def _add_details(self, message: Mapping[str, Any]) -> None:
        """Keep signed or encrypted reasoning, if it can come back, for the item of reasoning; opens one if none is."""
        if not self._packs or not (details := details_of(message)):
            return
        if self._open is None or self._items[self._open]["type"] != "reasoning":
            self._close()
            self._open = self._add({"type": "reasoning", "id": f"rs_{uuid4().hex}", "summary": [], "content": []})
        self._details += details

    @property
    def _packs(self) -> bool:
        return self._shows_packed or self._keep is not None

    def _argument_deltas(self) -> None:
        """Emit new arguments of the tool calls. Servers may interleave calls, so an item is done only when it is complete."""
        for number, call in enumerate(self._message.calls_begun):
            if number not in self._places:
                if not call.name:
                    continue
                self._close()
                self._places[number] = place = self._add(self._call_item(call))
                self._calls[place] = call
            place = self._places[number]
            item = self._items[place]
            if item["type"] == "custom_tool_call" or item["status"] != "in_progress":
                continue  # the input of a custom tool is known when its JSON is complete
            if piece := call.arguments[len(item["arguments"]) :]:
                item["arguments"] = call.arguments
                self._emit("response.function_call_arguments.delta", item_id=item["id"], output_index=place, delta=piece)

    def _call_item(self, call: ToolCall) -> dict[str, Any]:
        """The item of a call of the client's tool, without its arguments or input."""
        origin = self._tools.origin(call.name)
        named = {"call_id": call.id, "name": origin.name}
        if origin.namespace is not None:
            named["namespace"] = origin.namespace
        if origin.custom:
            return {"type": "custom_tool_call", "id": f"ctc_{uuid4().hex}", **named, "input": ""}
        return {"type": "function_call", "id": f"fc_{uuid4().hex}", **named, "arguments": ""}

    def _add(self, item: dict[str, Any]) -> int:
        item["status"] = "in_progress"
        self._items.append(item)
        place = len(self._items) - 1
        self._emit("response.output_item.added", output_index=place, item=item)
        return place

    def _close(self) -> None:
        """Close the open item and complete tool calls before another item begins."""
        if self._open is not None:
            self._done(self._open, "completed")
            self._open = None
        for place, call in self._calls.items():
            if self._items[place]["status"] == "in_progress" and is_complete(call.arguments):
                self._done(place, "completed")

    def _finished(self) -> dict[str, Any]:
        """Close all items, those that a limit truncated as incomplete, and keep the response, which is returned."""
        cut = self._status() == "incomplete"
        for place, item in enumerate(self._items):
            if item.get("status") == "in_progress":
                whole = not cut or (place in self._calls and is_complete(self._calls[place].arguments))
                self._done(place, "completed" if whole else "incomplete")
        self._open = None
        response = self._response(self._status())
        if self._keep is not None:
            packed = self._packed
            items = [item | ({"encrypted_content": packed[item["id"]]} if item["id"] in packed else {}) for item in self._items]
            self._keep(response, items)
        return response

    def _done(self, place: int, status: str) -> None:
        item = self._items[place]
        if item["type"] == "function_call":
            call = {"name": item["name"], "arguments": item["arguments"]}
            self._emit("response.function_call_arguments.done", item_id=item["id"], output_index=place, **call)
        elif item["type"] == "custom_tool_call":
            item["input"] = text = custom_input(self._calls[place].arguments)
            where = {"item_id": item["id"], "output_index": place}
            self._emit("response.custom_tool_call_input.delta", **where, delta=text)
            self._emit("response.custom_tool_call_input.done", **where, input=text)
        elif item["content"]:
            self._part_done(place)
        if item["type"] == "reasoning" and self._packs:
            fields = {TEXT: "".join(part["text"] for part in item["content"]), DETAILS: self._details}
            self._packed[item["id"]] = packed = pack(fields)
            if self._shows_packed:
                item["encrypted_content"] = packed
            self._details = []
        item["status"] = status
        self._emit("response.output_item.done", output_index=place, item=item)

    def _part_done(self, place: int) -> None:
        part = self._items[place]["content"][-1]
        _, _, event, field = _PARTS[part["type"]]
        self._emit(f"{event}.done", **self._where(place), **{field: part[field]}, **_logprobs(part["type"]))
        self._emit("response.content_part.done", **self._where(place), part=part)

    def _where(self, place: int) -> dict[str, Any]:
        item = self._items[place]
        return {"item_id": item["id"], "output_index": place, "content_index": len(item["content"]) - 1}

    def _emit(self, kind: str, **fields: Any) -> None:
        event = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        self._events.append(sse.encode(orjson.dumps(event), kind))

    def _flush(self) -> bytes:
        events, self._events = self._events, []
        return b"".join(events)

    def _status(self) -> str:
        return "incomplete" if self._message.finish_reason in _INCOMPLETE else "completed"

    def _response(self, status: str) -> dict[str, Any]:
        echoed = {name: default if (value := self._request.get(name)) is None else value for name, default in _ECHOED.items()}
        echoed["text"] = {"format": {"type": "text"}, **mapping(echoed["text"])}
        if self.dropped_tools:  # OpenAI's types allow texts only
            echoed["metadata"] = metadata_with(echoed["metadata"], self.dropped_tools)
            echoed["dropped_tools"] = self.dropped_tools
            tools = echoed["tools"]
            echoed["tools"] = [tool for tool in tools if can_run(tool)] if isinstance(tools, list) else []
        reason = _INCOMPLETE.get(self._message.finish_reason or "") if status == "incomplete" else None
        return echoed | {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "completed_at": int(time.time()) if status == "completed" else None,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "model": self._model,
            "output": self._items,
            "background": False,
            "previous_response_id": self._request.get("previous_response_id"),
            "store": self._stored,
            "truncation": "disabled",
            "usage": self._usage() if status != "in_progress" else None,
        }

    def _usage(self) -> dict[str, Any]:
        usage = self.used().updated(self._message.usage)
        return {
            "input_tokens": usage.prompt_tokens,
            "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": usage.cache_write_tokens},
            "output_tokens": usage.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
            "total_tokens": usage.total_tokens,
        }


def metadata_with(metadata: object, dropped: Sequence[str]) -> dict[str, Any]:
    """The metadata of a response, with the tools that were left out."""
    return {**mapping(metadata), "dropped_tools": ", ".join(dropped)[:_MAX_METADATA]}


def _logprobs(kind: str) -> dict[str, Any]:
    """A required field of the events of the answer's text."""
    return {"logprobs": []} if kind == "output_text" else {}
