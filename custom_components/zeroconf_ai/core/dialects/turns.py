"""The messages of a chat, put together from the items and blocks of other dialects; and what is checked of those."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..protocol.errors import InvalidRequestError

type Part = dict[str, Any]
_TEXT = ("type", "text")


def wrong(param: str, wanted: str) -> InvalidRequestError:
    """The error for a parameter that is not what it must be."""
    return InvalidRequestError(f"Invalid value for '{param}': it must be {wanted}.", param=param)


def unsupported(param: str, why: str) -> InvalidRequestError:
    """The error for what is right and not offered here."""
    return InvalidRequestError(f"'{param}' {why}.", param=param, code="unsupported_value")


def objects(value: object, param: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(where, object) of each in a list. Raises InvalidRequestError for anything else."""
    if not isinstance(value, list):
        raise wrong(param, "a list of objects")
    for index, item in enumerate(value):
        if not isinstance(item, Mapping):
            raise wrong(f"{param}[{index}]", "an object")
        yield f"{param}[{index}]", item


def text_of(holder: Mapping[str, Any], name: str, where: str) -> str:
    """A text that must be there."""
    if not isinstance(value := holder.get(name), str):
        raise wrong(f"{where}.{name}" if where else name, "a text")
    return value


def text_part(text: str) -> Part:
    """A part that is text."""
    return {"type": "text", "text": text}


def image_part(url: str, detail: object = None) -> Part:
    """A part that is an image, by a data: URL or by address."""
    return {"type": "image_url", "image_url": {"url": url, **({"detail": detail} if isinstance(detail, str) else {})}}


class Turns:
    """Messages in OpenAI's order: the results of tools follow the calls at once, each as text alone.

    What else a tool gave (images, files) goes into the user's next message, where every server that can see looks for it.
    """

    def __init__(self) -> None:
        """Without any message."""
        self._messages: list[dict[str, Any]] = []
        self._media: list[Part] = []

    def say(self, role: str, parts: list[Part]) -> None:
        """A message of the user or the system. Parts that are nothing but text become one text, which every server takes."""
        if role == "user":
            parts, self._media = self._media + parts, []
        if parts:
            self._messages.append({"role": role, "content": _content(parts, "\n\n")})

    def answer(self, parts: list[Part], calls: Iterable[Part] = (), **fields: Any) -> None:
        """What the model said. Tool calls of one turn that came as several items stay together in one message."""
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
            return
        if parts or calls:
            message = {"role": "assistant", "content": _content(parts, "") if parts else None, **fields}
            self._messages.append(message | ({"tool_calls": calls} if calls else {}))

    def result(self, call_id: str, parts: list[Part], **fields: Any) -> None:
        """What a tool gave."""
        texts = [part for part in parts if part["type"] == "text"]
        media = [part for part in parts if part["type"] != "text"]
        if media:
            self._media += [text_part(f"What the tool call {call_id} gave:"), *media]
            texts = texts or [text_part("It follows in the next message.")]
        self._messages.append({"role": "tool", "tool_call_id": call_id, "content": _content(texts, "\n\n"), **fields})

    def finish(self) -> list[dict[str, Any]]:
        """All messages."""
        self._flush()
        return self._messages

    def _flush(self) -> None:
        if self._media:
            self.say("user", [])


def _content(parts: list[Part], between: str) -> str | list[Part]:
    if all(part["type"] == "text" and len(part) == len(_TEXT) for part in parts):  # a mark on one of them would be lost
        return between.join(part["text"] for part in parts)
    return parts


def function_call(call_id: str, name: str, arguments: str) -> Part:
    """A tool call of an assistant's message."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def function_tool(name: str, tool: Mapping[str, Any], parameters: object) -> Part:
    """A tool, with the description and strictness that it has in the client's words too."""
    function: Part = {"name": name}
    if isinstance(description := tool.get("description"), str) and description:
        function["description"] = description
    if isinstance(parameters, Mapping):
        function["parameters"] = dict(parameters)
    if isinstance(strict := tool.get("strict"), bool):
        function["strict"] = strict
    return {"type": "function", "function": function}
