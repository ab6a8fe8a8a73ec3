"""`context` of `/api/generate`: the conversation so far, as a list of numbers that clients send back without reading it.

Ollama's contain tokens. Ours contain the texts themselves, so that any backend can continue: nothing has to be stored.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from ...protocol import json
from ..turns import invalid

_MARK = 0x7A6169
"""The first number of our contexts: "zai". Those of other servers cannot be read, and are ignored."""
_BYTES = 3
"""Bytes in one number, so that every client can represent it exactly."""
_ROLES = ("system", "user", "assistant")


def make_context(messages: Iterable[Mapping[str, Any]], answer: str) -> list[int]:
    """The context after an answer: the texts of the messages, and the answer."""
    turns = [[message["role"], text] for message in messages if (text := _text(message.get("content")))]
    raw = orjson.dumps([*turns, ["assistant", answer]])
    return [_MARK, len(raw), *(int.from_bytes(raw[at : at + _BYTES]) for at in range(0, len(raw), _BYTES))]


def read_context(context: object) -> list[dict[str, str]]:
    """The messages of a context; empty for that of another server. Raises InvalidRequestError if it is not a list of numbers."""
    if context is None:
        return []
    if not isinstance(context, list) or not all(type(number) is int for number in context):
        raise invalid("context", "the context of an earlier answer")
    if context[:1] != [_MARK] or len(context) < 2:
        return []
    _, size, *numbers = context
    try:
        last = size - _BYTES * (len(numbers) - 1)  # bytes in the last number
        if not 1 <= last <= _BYTES:
            raise ValueError("another length")
        *full, rest = numbers
        turns = json.loads(b"".join((*(number.to_bytes(_BYTES) for number in full), rest.to_bytes(last))))
    except (ValueError, OverflowError):
        raise invalid("context", "the context of an earlier answer, unchanged") from None
    messages = [turn for turn in turns if _is_turn(turn)] if isinstance(turns, list) else []
    return [{"role": role, "content": content} for role, content in messages]


def _is_turn(turn: object) -> bool:
    if not isinstance(turn, list) or len(turn) != 2:
        return False
    role, content = turn
    return isinstance(role, str) and role in _ROLES and isinstance(content, str)


def _text(content: object) -> str:
    if isinstance(content, list):
        return "\n\n".join(part["text"] for part in content if part["type"] == "text")
    return content if isinstance(content, str) else ""
