"""`OpenCalls`: the tool calls of an Ollama chat without a result yet.

Ollama sends no ids, and its clients name the tool of a result, or nothing at all: Home Assistant sends results in the order of
the calls. Ollama accepts every order of messages, but most other APIs need each result directly after its call.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from ..turns import Part, Turns, function_call, invalid, objects, text_of, text_part

_NO_RESULT = "The tool has returned no result."


class _Call(NamedTuple):
    """A call: its id in the translated chat, the id that the client sent, and the tool."""

    id: str
    sent: object
    name: str


class OpenCalls:
    """Gives each call an id, and each result its call."""

    def __init__(self) -> None:
        """Belongs to one chat."""
        self._open: list[_Call] = []
        self._ids: set[str] = set()
        self._answered = False
        """Whether the calls of the current turn have a result already."""

    def made(self, message: Mapping[str, Any], where: str, turns: Turns) -> list[Part]:
        """The calls of an assistant message. Raises InvalidRequestError, which names the invalid parameter."""
        self.finish(turns)
        made: list[Part] = []
        for place, call in objects(message.get("tool_calls") or [], f"{where}.tool_calls"):
            function = call.get("function")
            if not isinstance(function, Mapping):
                raise invalid(f"{place}.function", "an object with name and arguments")
            name = text_of(function, "name", f"{place}.function")
            opened = _Call(self._new_id(call.get("id")), call.get("id"), name)
            self._open.append(opened)
            made.append(function_call(opened.id, name, _arguments(function.get("arguments"))))
        return made

    def answer(self, message: Mapping[str, Any], parts: list[Part], turns: Turns) -> None:
        """Add a result: to the open call with its id, else to the first one of its tool, else to the first open call.

        Without an open call, such as after a client has left out the beginning of the chat, it becomes a message of the user.
        """
        given = message.get("tool_call_id")
        name = message.get("tool_name") or message.get("name")
        by_id = (call for call in self._open if isinstance(given, str) and given == call.sent)
        by_name = (call for call in self._open if call.name == name)
        found = next(by_id, None) or next(by_name, None) or next(iter(self._open), None)
        if found is None:
            tool = f" {name}" if isinstance(name, str) else ""
            turns.add_message("user", [text_part(f"Result of the tool{tool}:"), *parts])
            return
        self._open.remove(found)
        self._answered = True
        turns.add_tool_result(found.id, parts)

    def abandon(self, turns: Turns) -> None:
        """Add a result to each open call, because the chat goes on without one."""
        for call in self._open:
            turns.add_tool_result(call.id, [text_part(_NO_RESULT)])
        self._open.clear()
        self._answered = False

    def finish(self, turns: Turns) -> None:
        """Add a result to the open calls at the end of a turn, if others of it have one."""
        if self._answered:
            self.abandon(turns)

    def _new_id(self, given: object) -> str:
        """The client's id if it is new, else one from the number of the call."""
        number = len(self._ids)
        call_id = given if isinstance(given, str) and given else f"call_{number}"
        while call_id in self._ids:
            call_id = f"call_{number}"
            number += 1
        self._ids.add(call_id)
        return call_id


def _arguments(given: object) -> str:
    """The arguments as JSON text. A client may send an object, its text, or nothing."""
    if isinstance(given, str):
        return given if given.strip() not in ("", "null") else "{}"
    return orjson.dumps(given or {}).decode()
