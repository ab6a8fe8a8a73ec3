"""Answers of OpenAI's Responses → chunks, for a request that was passed on with its hosted tools.

Only what the gateway itself needs is translated: text, reasoning, calls of functions, usage, and how often hosted tools ran.
Events: SDK 3.52, `response_stream_event.py`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, override

from ...protocol.chunks import Chunk, ChunkWriter, Delta, Message
from ...protocol.errors import StreamBrokenError
from ...protocol.reported_errors import reported_error
from ...protocol.usage import Usage
from ...protocol.values import mapping
from ..native_response import NativeTranslator
from ..openai.client_tools import custom_arguments

_TEXTS: Mapping[str, str] = {
    "response.output_text.delta": "content",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "reasoning_content",
    "response.reasoning_summary_text.delta": "reasoning_content",
}
_CALLS: Mapping[str, str] = {
    "web_search_call": "web_search",
    "x_search_call": "web_search",
    "web_fetch_call": "web_fetch",
    "file_search_call": "file_search",
    "code_interpreter_call": "code_execution",
    "image_generation_call": "image_generation",
    "computer_call": "computer_use",
    "mcp_call": "mcp",
}
"""The type of hosted tool by the type of its item."""
_FREE_ACTIONS = ("open_page", "find", "find_in_page")
"""Actions of a web search that are no search: OpenAI charges for searches (developers.openai.com/api/docs/pricing)."""
_BEGINNING = frozenset({"response.created", "response.in_progress", "response.queued"})
_ENDS = ("response.completed", "response.incomplete")


class ResponsesTranslator(NativeTranslator):
    """Translates one answer."""

    def __init__(self, model: str, provider: str, secrets: tuple[str, ...] = ()) -> None:
        """`model` is that of the chunks."""
        super().__init__(provider, secrets)
        self._writer = ChunkWriter(model)
        self._calls = 0
        self._items: list[Mapping[str, Any]] = []

    @property
    @override
    def usage(self) -> Usage | None:
        """How often hosted tools have run so far; tokens are reported at the end."""
        found = calls_of(self._items)
        return Usage(calls=tuple(found.items())) if found else None

    @override
    def event(self, event: Mapping[str, Any]) -> list[Chunk]:
        kind = event.get("type")
        self.begun = self.begun or (isinstance(kind, str) and kind.startswith("response.") and kind not in _BEGINNING)
        if isinstance(kind, str) and (field := _TEXTS.get(kind)):
            text = event.get("delta")
            return [self._writer.chunk({field: text})] if isinstance(text, str) and text else []
        if kind == "response.output_item.done":
            return self._item(mapping(event.get("item")))
        response = mapping(event.get("response"))
        if kind == "response.failed":
            self.begun = True
            raise self._failed(response)
        if kind in _ENDS:
            self.complete = self.done = True
            usage = self._usage(response)
            return [self._writer.chunk({}, self._finish(response)), *([] if usage is None else [self._writer.usage(usage)])]
        return []

    @override
    def completion(self, body: Mapping[str, Any]) -> dict[str, Any]:
        if body.get("status") == "failed" or body.get("error"):
            raise self._failed(body)
        output = body.get("output")
        if not isinstance(output, list):
            raise ValueError("a response without output")
        message = Message()
        for item in map(mapping, output):
            message.add(Delta(content="".join(_texts(item)), reasoning="".join(_reasoning(item))))
            for chunk in self._item(item):
                message.add(Delta.parse(chunk.data))
        message.finish_reason, message.usage = self._finish(body), self._usage(body)
        return self._writer.completion(message)

    def _item(self, item: Mapping[str, Any]) -> list[Chunk]:
        self._items.append(item)
        if (kind := item.get("type")) not in ("function_call", "custom_tool_call"):
            return []
        given = item.get("arguments" if kind == "function_call" else "input")
        text = given if isinstance(given, str) else ""
        function = {"name": item.get("name"), "arguments": text if kind == "function_call" else custom_arguments(text)}
        call = {"index": self._calls, "id": item.get("call_id"), "type": "function", "function": function}
        self._calls += 1
        return [self._writer.chunk({"tool_calls": [call]})]

    def _finish(self, response: Mapping[str, Any]) -> str:
        if response.get("status") == "incomplete":
            reason = mapping(response.get("incomplete_details")).get("reason")
            return "content_filter" if reason == "content_filter" else "length"
        return "tool_calls" if self._calls else "stop"

    def _usage(self, response: Mapping[str, Any]) -> Usage | None:
        """The reported usage, with the calls of hosted tools if the provider does not report them itself."""
        output = response.get("output")
        calls = calls_of(map(mapping, output)) if isinstance(output, list) and output else calls_of(self._items)
        usage = Usage.parse(response.get("usage"))
        if usage is None:
            return Usage(calls=tuple(calls.items())) if calls else None
        return usage if usage.calls else usage.with_calls(calls)

    def _failed(self, response: Mapping[str, Any]) -> Exception:
        if response.get("error"):
            return reported_error(self._provider, response, self._secrets)
        return StreamBrokenError(f"{self._provider} could not complete the answer")


def calls_of(items: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How often hosted tools ran, by type. Code runs in containers, each of which counts once."""
    calls: dict[str, int] = {}
    containers: set[object] = set()
    for item in items:
        kind = _CALLS.get(str(item.get("type")))
        if kind is None or (kind == "web_search" and mapping(item.get("action")).get("type") in _FREE_ACTIONS):
            continue
        if kind == "code_execution" and isinstance(container := item.get("container_id"), str):
            if container in containers:
                continue
            containers.add(container)
        calls[kind] = calls.get(kind, 0) + 1
    return calls


def _texts(item: Mapping[str, Any]) -> list[str]:
    return _parts(item, "content", ("output_text",)) if item.get("type") == "message" else []


def _reasoning(item: Mapping[str, Any]) -> list[str]:
    if item.get("type") != "reasoning":
        return []
    return _parts(item, "content", ("reasoning_text",)) or _parts(item, "summary", ("summary_text",))


def _parts(item: Mapping[str, Any], name: str, kinds: tuple[str, ...]) -> list[str]:
    parts = item.get(name)
    found = (mapping(part) for part in parts) if isinstance(parts, list) else ()
    return [text for part in found if part.get("type") in kinds and isinstance(text := part.get("text"), str)]
