"""Messages in the forms that servers with a chat template, and strict clouds, require.

Sources: the templates of Qwen ("System message must be at the beginning"), Mistral and Gemma ("Conversation roles must alternate
user/assistant"; "System role not supported"), and the errors of DeepSeek ("unknown variant `developer`"), Mistral's API
("Expected last role User or Tool"), Moonshot ("must not be empty") and OpenAI ("messages with role 'tool' must be a response to a
preceding message with 'tool_calls'").
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from ..reasoning import DETAILS, TEXT, join_reasoning
from ..turns import text_part

type Message = Mapping[str, Any]

_SYSTEM = frozenset({"system", "developer"})
_BLANK = "…"
"""The text of a turn that a server requires and the client did not write."""
_CONTINUE = "Continue."
_NO_RESULT = "No result."


class Form(IntEnum):
    """How strictly messages are formed. Each form includes those before it."""

    AS_SENT = 0
    TIDY = 1
    """One system message, first; no consecutive messages of one role; no empty messages; results directly after their calls."""
    STRICT = 2
    """Texts instead of lists of text parts; the conversation begins with the user."""
    USER_LAST = 3
    """The conversation does not end with an assistant message, which most servers would continue."""
    NO_SYSTEM = 4
    """The system message is a part of the user's first message."""


def formed(messages: Sequence[Message], form: Form) -> Sequence[Message]:
    """The messages in a form; the same object if they have it. Messages of OpenAI's first tools (`function`) are left as sent."""
    if any(message["role"] == "function" for message in messages):
        return messages
    changed = messages
    for step, change in _STEPS:
        if form >= step:
            changed = change(changed)
    return messages if list(changed) == list(messages) else changed


def with_results_after_calls(messages: Sequence[Message]) -> Sequence[Message]:
    """Each result of a tool directly after the message with its call, in the order of the calls.

    A result without a known id belongs to the first open call; a result without a call becomes a user message, and a call without
    a result gets an empty one, unless it is in the last message. Messages whose calls have no distinct ids are left as sent.
    """
    if not any(message["role"] == "tool" or message.get("tool_calls") for message in messages):
        return messages
    callers = {position: _Caller.of(message) for position, message in enumerate(messages) if message.get("tool_calls")}
    if not all(caller.is_distinct for caller in callers.values()):
        return messages
    placed = _place(messages, callers)
    ordered: list[Message] = []
    for position, message in enumerate(messages):
        if message["role"] != "tool":
            ordered.append(message)
        elif position not in placed:
            ordered.append(_as_user(message))
        caller = callers.get(position)
        if caller is not None and (caller.results or position < len(messages) - 1):
            ordered += [caller.results.get(call_id) or _no_result(call_id) for call_id in caller.ids]
    return ordered


@dataclass(slots=True)
class _Caller:
    """The calls of one message."""

    ids: list[str]
    is_distinct: bool
    """Whether each call has an id of its own."""
    results: dict[str, Message] = field(default_factory=dict)
    """The results, by the call's id."""
    asked: int = 0
    """The number of calls, from the first one, that are known to have a result."""

    @classmethod
    def of(cls, message: Message) -> "_Caller":
        calls = message["tool_calls"]
        listed = calls if message["role"] == "assistant" and isinstance(calls, list) else []
        ids = [call.get("id") for call in listed if isinstance(call, Mapping)]
        named = [call_id for call_id in ids if isinstance(call_id, str) and call_id]
        return cls(named, len(set(named)) == len(ids))

    def first_open(self) -> str | None:
        """The first call without a result."""
        while self.asked < len(self.ids):
            if (call_id := self.ids[self.asked]) not in self.results:
                return call_id
            self.asked += 1
        return None


def _place(messages: Sequence[Message], callers: Mapping[int, _Caller]) -> set[int]:
    """Give each caller its results: the nearest one before a result that has the id, else after it. Returns their positions.

    Linear in the number of messages and calls.
    """
    open_by_id: dict[str, list[int]] = {}
    for position, caller in callers.items():
        for call_id in caller.ids:
            open_by_id.setdefault(call_id, []).append(position)
    placed: set[int] = set()
    latest: _Caller | None = None
    for position, message in enumerate(messages):
        latest = callers.get(position, latest)
        if message["role"] != "tool":
            continue
        given = message.get("tool_call_id")
        if isinstance(given, str) and given in open_by_id:
            if not (positions := open_by_id[given]):
                continue  # another result of the same call
            nearest = max(0, bisect_left(positions, position) - 1)
            callers[positions.pop(nearest)].results[given] = message
        elif latest is not None and (unanswered := latest.first_open()) is not None:
            latest.results[unanswered] = {**message, "tool_call_id": unanswered}
            open_by_id[unanswered].pop(max(0, bisect_left(open_by_id[unanswered], position) - 1))
        else:
            continue
        placed.add(position)
    return placed


def _no_result(call_id: str) -> Message:
    return {"role": "tool", "tool_call_id": call_id, "content": _NO_RESULT}


def _as_user(result: Message) -> Message:
    parts = _parts(result.get("content")) or [text_part(_NO_RESULT)]
    return {"role": "user", "content": [text_part("Result of a tool:"), *parts]}


def _with_one_system(messages: Sequence[Message]) -> Sequence[Message]:
    systems = [message for message in messages if message["role"] in _SYSTEM]
    others = [message for message in messages if message["role"] not in _SYSTEM]
    contents = [content for message in systems if (content := message.get("content"))]
    if not contents:
        return others or [{**systems[0], "role": "system"}]
    return [{**systems[0], "role": "system", "content": _joined(contents)}, *others]


def _without_empty(messages: Sequence[Message]) -> Sequence[Message]:
    """Without messages that say nothing. The last one is kept, because the model answers it."""
    *before, last = messages
    return [*(message for message in before if message["role"] == "tool" or not _is_empty(message)), last]


def _is_empty(message: Message) -> bool:
    return not message.get("tool_calls") and not any(
        part.get("type") != "text" or str(part.get("text") or "").strip() for part in _parts(message.get("content"))
    )


def _without_repeated_roles(messages: Sequence[Message]) -> Sequence[Message]:
    merged: list[Message] = []
    for message in messages:
        last = merged[-1] if merged else {}
        if message["role"] == last.get("role") in ("user", "assistant") and not last.get("tool_calls"):
            merged[-1] = _merged(last, message)
        else:
            merged.append(message)
    return merged


def _merged(first: Message, second: Message) -> Message:
    contents = [content for message in (first, second) if (content := message.get("content"))]
    rest = {name: value for name, value in second.items() if name not in (TEXT, DETAILS)}
    merged = {**rest, **first, "content": _joined(contents) if contents else None}
    join_reasoning(merged, second)
    if calls := second.get("tool_calls"):
        merged["tool_calls"] = calls
    return merged


def _joined(contents: list[str | list[Any]]) -> str | list[Any]:
    if all(isinstance(content, str) for content in contents):
        return "\n\n".join(map(str, contents))
    return [part for content in contents for part in _parts(content)]


def _parts(content: object) -> list[Any]:
    if isinstance(content, str):
        return [text_part(content)] if content else []
    return content if isinstance(content, list) else []


def _strict(messages: Sequence[Message]) -> Sequence[Message]:
    systems, others = _split(messages)
    if not others:  # templates fail without a user message
        systems, others = [], [{**message, "role": "user"} for message in systems]
    elif others[0]["role"] == "assistant":
        others.insert(0, {"role": "user", "content": _BLANK})
    return [_plain(message) for message in [*systems, *others]]


def _plain(message: Message) -> Message:
    """The message with text instead of a list of text parts, and with text instead of nothing."""
    content = message.get("content")
    if isinstance(content, list) and all(part.get("type") == "text" and isinstance(part.get("text"), str) for part in content):
        content = "\n\n".join(part["text"] for part in content)
    if not content or (isinstance(content, str) and not content.strip()):
        content = _BLANK if message["role"] in ("user", "assistant") and not message.get("tool_calls") else ""
    return message if content is message.get("content") else {**message, "content": content}


def with_user_last(messages: Sequence[Message]) -> Sequence[Message]:
    """The messages with a request to continue, if the last one is an answer: some models do not continue an answer (prefill)."""
    if messages[-1]["role"] != "assistant" or messages[-1].get("tool_calls"):
        return messages
    return [*messages, {"role": "user", "content": _CONTINUE}]


def _without_system(messages: Sequence[Message]) -> Sequence[Message]:
    systems, others = _split(messages)
    if not systems:
        return messages
    if not others or others[0]["role"] != "user":
        return [{**systems[0], "role": "user"}, *others]
    return [{**others[0], "content": _joined([systems[0]["content"], others[0]["content"]])}, *others[1:]]


def _split(messages: Iterable[Message]) -> tuple[list[Message], list[Message]]:
    """(system messages, others)."""
    systems: list[Message] = []
    others: list[Message] = []
    for message in messages:
        (systems if message["role"] in _SYSTEM else others).append(message)
    return systems, others


_STEPS: tuple[tuple[Form, Callable[[Sequence[Message]], Sequence[Message]]], ...] = (
    (Form.TIDY, with_results_after_calls),
    (Form.TIDY, _with_one_system),
    (Form.TIDY, _without_empty),
    (Form.TIDY, _without_repeated_roles),
    (Form.STRICT, _strict),
    (Form.USER_LAST, with_user_last),
    (Form.NO_SYSTEM, _without_system),
)
"""The changes, with the form from which each applies."""
