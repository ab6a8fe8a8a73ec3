"""Conversion of other dialects' requests to messages of a chat: `Turns`, parts, tools and validation."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..protocol.errors import InvalidRequestError
from .reasoning import join_reasoning

type Part = dict[str, Any]
MEDIA_FOLLOW = "The result follows in the next message."
"""The result of a tool that returned images or files only."""
_TEXT = ("type", "text")


def invalid(param: str, wanted: str) -> InvalidRequestError:
    """The error for an invalid parameter; `wanted` describes valid values."""
    return InvalidRequestError(f"Invalid value for '{param}': it must be {wanted}.", param=param)


def unsupported(param: str, why: str) -> InvalidRequestError:
    """The error for a valid but unsupported parameter; `why` is a predicate."""
    return InvalidRequestError(f"'{param}' {why}.", param=param, code="unsupported_value")


def objects(value: object, param: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(path, object) of each item of a list. Raises InvalidRequestError for anything else."""
    if not isinstance(value, list):
        raise invalid(param, "a list of objects")
    for index, item in enumerate(value):
        if not isinstance(item, Mapping):
            raise invalid(f"{param}[{index}]", "an object")
        yield f"{param}[{index}]", item


def text_of(holder: Mapping[str, Any], name: str, where: str) -> str:
    """A required text. Raises InvalidRequestError if it is missing."""
    if not isinstance(value := holder.get(name), str):
        raise invalid(f"{where}.{name}" if where else name, "a text")
    return value


def text_part(text: str) -> Part:
    """A text part."""
    return {"type": "text", "text": text}


def image_part(url: str, detail: object = None) -> Part:
    """An image part; `url` is a data URL or a web address."""
    return {"type": "image_url", "image_url": {"url": url, **({"detail": detail} if isinstance(detail, str) else {})}}


def media_heading(call_id: str) -> str:
    """The text before the images and files of a tool's result."""
    return f"Result of the tool call {call_id}:"


class Turns:
    """Builds messages in OpenAI's order: the results of tools follow the calls directly, each as text only.

    Images and files of a tool's result are moved to the next user message, where all servers accept them.
    """

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = []
        self._media: list[Part] = []

    def add_message(self, role: str, parts: list[Part]) -> None:
        """Add a message of the user or the system. Plain text parts are joined, because all servers accept one text."""
        if role == "user":
            parts, self._media = self._media + parts, []
        if parts:
            self._messages.append({"role": role, "content": _content(parts, "\n\n")})

    def add_assistant(self, parts: list[Part], calls: Iterable[Part] = (), **fields: Any) -> None:
        """Add an assistant message. Several items with tool calls of one turn become one; `fields`: its reasoning."""
        self._flush()
        calls = list(calls)
        last = self._messages[-1] if self._messages else {}
        if last.get("role") == "assistant" and (calls or last.get("tool_calls")):
            if parts:
                before = last["content"] or []
                before = [text_part(before)] if isinstance(before, str) else before
                last["content"] = _content(before + parts, "\n\n")
            if calls:
                last["tool_calls"] = last.get("tool_calls", []) + calls
            join_reasoning(last, fields)
            return
        if parts or calls:
            message = {"role": "assistant", "content": _content(parts, "") if parts else None, **fields}
            self._messages.append(message | ({"tool_calls": calls} if calls else {}))

    def add_tool_result(self, call_id: str, parts: list[Part], **fields: Any) -> None:
        """Add the result of a tool call."""
        texts = [part for part in parts if part["type"] == "text"]
        media = [part for part in parts if part["type"] != "text"]
        if media:
            self._media += [text_part(media_heading(call_id)), *media]
            texts = texts or [text_part(MEDIA_FOLLOW)]
        self._messages.append({"role": "tool", "tool_call_id": call_id, "content": _content(texts, "\n\n"), **fields})

    def messages(self) -> list[dict[str, Any]]:
        """Return all messages."""
        self._flush()
        return self._messages

    def _flush(self) -> None:
        if self._media:
            self.add_message("user", [])


def _content(parts: list[Part], between: str) -> str | list[Part]:
    if all(part["type"] == "text" and len(part) == len(_TEXT) for part in parts):  # not with cache_control
        return between.join(part["text"] for part in parts)
    return parts


def function_call(call_id: str, name: str, arguments: str) -> Part:
    """A tool call of an assistant message."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def function_tool(name: str, tool: Mapping[str, Any], parameters: object) -> Part:
    """A function tool with `tool`'s description and `strict`."""
    function: Part = {"name": name}
    if isinstance(description := tool.get("description"), str) and description:
        function["description"] = description
    if isinstance(parameters, Mapping):
        function["parameters"] = dict(parameters)
    if isinstance(strict := tool.get("strict"), bool):
        function["strict"] = strict
    return {"type": "function", "function": function}
