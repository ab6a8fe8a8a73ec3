"""Calls of functions that stand for custom tools → calls of custom tools, in answers of chat completions."""

from collections.abc import Mapping
from typing import Any, override

from ...protocol.chunks import Chunk
from ...protocol.request import Request
from ...protocol.values import mapping
from .client_response import OpenAIWriter
from .client_tools import ClientTools, custom_input


class CustomCallsWriter(OpenAIWriter):
    """Forwards chunks, except for those with calls of custom tools.

    The input of a streamed call is sent in one piece, when the call is complete: until then its text is part of a JSON string.
    """

    def __init__(self, request: Request, tools: ClientTools) -> None:
        """`tools` names the custom tools."""
        super().__init__(request)
        self._tools = tools
        self._open: dict[tuple[int, int], str] = {}
        """By indexes of the choice and of the call: the arguments of a custom tool's call so far."""

    @override
    def body(self, completion: Chunk) -> bytes:
        choices = [self._complete(mapping(choice)) for choice in completion.data.get("choices") or ()]
        return super().body(Chunk.of(completion.data | {"choices": choices}))

    @override
    def events(self, batch: list[Chunk]) -> bytes:
        return super().events([new for chunk in batch if (new := self._converted(chunk)) is not None])

    def _complete(self, choice: Mapping[str, Any]) -> Mapping[str, Any]:
        message = mapping(choice.get("message"))
        calls = message.get("tool_calls")
        if not isinstance(calls, list):
            return choice
        return {**choice, "message": {**message, "tool_calls": [self._complete_call(mapping(call)) for call in calls]}}

    def _complete_call(self, call: Mapping[str, Any]) -> Mapping[str, Any]:
        function = mapping(call.get("function"))
        if not self._is_custom(name := function.get("name")):
            return call
        arguments = function.get("arguments")
        text = custom_input(arguments if isinstance(arguments, str) else "")
        return {"id": call.get("id"), "type": "custom", "custom": {"name": name, "input": text}}

    def _converted(self, chunk: Chunk) -> Chunk | None:
        """The chunk with calls of custom tools; None if nothing of it is left."""
        if b'"tool_calls"' not in chunk.raw and not (self._open and chunk.finish_reason):
            return chunk
        choices = chunk.data.get("choices")
        converted = [self._choice(mapping(choice)) for choice in (choices if isinstance(choices, list) else ())]
        if any(left for _, left in converted) or chunk.may_have_usage:
            return Chunk.of(chunk.data | {"choices": [choice for choice, _ in converted]})
        return None

    def _choice(self, choice: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
        """(the converted choice, whether anything of it is left)."""
        delta = dict(mapping(choice.get("delta")))
        given = delta.pop("tool_calls", None)
        number = index if isinstance(index := choice.get("index"), int) else 0
        calls: list[Mapping[str, Any]] = []
        for position, call in enumerate(given if isinstance(given, list) else ()):
            if (piece := self._piece(number, position, mapping(call))) is not None:
                calls.append(piece)
        if choice.get("finish_reason"):
            ended = [key for key in self._open if key[0] == number]
            calls += [{"index": key[1], "custom": {"input": custom_input(self._open.pop(key))}} for key in ended]
        if calls:
            delta["tool_calls"] = calls
        left = bool(choice.get("finish_reason")) or any(value is not None for value in delta.values())
        return {**choice, "delta": delta}, left

    def _piece(self, choice: int, position: int, call: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The piece of a call for the client; None for a piece of a custom tool's input."""
        function = mapping(call.get("function"))
        key = choice, index if isinstance(index := call.get("index"), int) else position
        arguments = function.get("arguments")
        if key in self._open:
            self._open[key] += arguments if isinstance(arguments, str) else ""
            return None
        if not self._is_custom(name := function.get("name")):
            return call
        self._open[key] = arguments if isinstance(arguments, str) else ""
        return {"index": key[1], "id": call.get("id"), "type": "custom", "custom": {"name": name, "input": ""}}

    def _is_custom(self, name: object) -> bool:
        return isinstance(name, str) and self._tools.origin(name).custom
