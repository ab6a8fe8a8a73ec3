"""Shortens the conversation of a session that moves to a model with a smaller context window.

System messages and the newest turns that fit are kept; older ones are replaced by a summary from the new model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import logging
from typing import Any

import orjson

from ...backends.base import Backend
from ...protocol.chunks import Delta
from ...protocol.errors import ApiError
from ...protocol.home_rule import HomeRule
from ...protocol.request import CHARACTERS_PER_TOKEN, Kind, Request, english_length
from ...protocol.usage import Usage

_LOGGER = logging.getLogger(__name__)

FILL = 0.7
"""Maximum share of the context window for the prompt; the rest is for the answer and for errors of the estimate."""
_SUMMARY_SHARE = 8
"""A summary has at most 1/8 of the context window, and at most `_SUMMARY_TOKENS`."""
_SUMMARY_TOKENS = 512
_MARK = "Summary of the earlier conversation, which is too long to be repeated here:"
_DROPPED = "The earlier part of this conversation is too long to be repeated here, and there is no summary of it."
_ASK = (
    "Summarise the following conversation for an assistant that goes on with it. Keep names, numbers, decisions, open questions "
    "and what the user wants. Answer with the summary alone."
)

type Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SessionHandover:
    """A session's change to another backend or model."""

    origin: str
    """The name of the former backend; its id if the backend was removed."""
    target: str
    reason: str
    home_rule: HomeRule | None = None
    """The rule because of which the former backend may not answer; None: another reason."""
    summarized: int = 0
    """The number of messages that a summary, or a note that they are missing, replaces."""
    usage: Usage = field(default_factory=Usage)
    """The usage of the summary."""


@dataclass(frozen=True, slots=True)
class Split:
    """A conversation in three parts: system messages, older messages to shorten, and the newest turns that fit."""

    head: tuple[Message, ...]
    older: tuple[Message, ...]
    newest: tuple[Message, ...]


def split(request: Request, window: int) -> Split:
    """Split a chat so that its newest messages and a summary of the others fit into `window` tokens.

    A tool call is never separated from its results. The last of these units is kept even if it does not fit.
    """
    messages: Sequence[Message] = request.body["messages"]
    head = tuple(message for message in messages if message["role"] in ("system", "developer"))
    units: list[list[Message]] = []
    for message in messages:
        if message["role"] in ("tool", "function") and units:
            units[-1].append(message)  # it belongs to the call before it
        elif message["role"] not in ("system", "developer"):
            units.append([message])
    left = int(window * FILL) - _tokens(request, head) - _summary_tokens(window)
    first = len(units)
    while first > 0 and ((left := left - _tokens(request, units[first - 1], tools=False)) >= 0 or first == len(units)):
        first -= 1
    begins = next((index for index in range(first, len(units)) if units[index][0]["role"] == "user"), first)
    return Split(
        head,
        tuple(message for unit in units[:begins] for message in unit),
        tuple(message for unit in units[begins:] for message in unit),
    )


def shortest(request: Request) -> Request:
    """The shortest form of a chat: a model for which this is too long cannot continue the session."""
    if request.kind is not Kind.CHAT:
        return request
    kept = split(request, 0)
    return request.with_body(messages=[*kept.head, *kept.newest])


async def shorten(request: Request, window: int, backend: Backend | None, model: str) -> tuple[Request, int, Usage]:
    """Shorten a chat to `window` tokens; also returns the number of replaced messages and the usage of their summary.

    Without a backend there is no summary, and the messages are removed.
    """
    parts = split(request, window)
    if not parts.older:
        return request, 0, Usage()
    summary, used = "", Usage()
    if backend is not None:
        summary, used = await _summarize(request, parts.older, window, backend, model)
    note = f"{_MARK}\n{summary}" if summary else _DROPPED
    return request.with_body(messages=[*_with_note(parts, note), *parts.newest]), len(parts.older), used


def _with_note(parts: Split, note: str) -> tuple[Message, ...]:
    """The system messages with a note at their end: many chat templates support only one system message, at the beginning.

    If the kept turns do not begin with a user message, as some models require, the note becomes one.
    """
    head = parts.head
    if parts.newest[0]["role"] != "user":
        return (*head, {"role": "user", "content": note})
    if head and isinstance(text := head[-1].get("content"), str):
        return (*head[:-1], {**head[-1], "content": f"{text}\n\n{note}"})
    return (*head, {"role": "system", "content": note})


async def _summarize(
    request: Request, older: tuple[Message, ...], window: int, backend: Backend, model: str
) -> tuple[str, Usage]:
    """The model's summary (empty if the request fails) and its usage."""
    tokens = _summary_tokens(window)
    room = max(0, (int(window * FILL) - tokens) * CHARACTERS_PER_TOKEN - len(_ASK))
    text = "\n".join(f"{message['role']}: {_message_text(message)}" for message in older)
    if (length := english_length(text)) > room:
        text = "[…]" + text[len(text) - room * len(text) // length :]
    body = {
        "model": model,
        "messages": [{"role": "user", "content": f"{_ASK}\n\n{text}"}],
        "max_tokens": tokens,
        "temperature": 0,
    }
    asked = Request(
        Kind.CHAT,
        body,
        request_id=request.request_id,
        via=request.via,
        user_id=request.user_id,
        inside=request.inside,
        home_rule=request.home_rule,
    )
    try:
        answer = await backend.send(asked)
        try:
            chunk = await answer.completion()
        finally:
            await answer.close()
    except ApiError as err:
        _LOGGER.info("%s could not summarize a conversation that exceeds its context window: %s", backend.info.name, err.log_text)
        return "", Usage()
    summary = Delta.parse(chunk.data).content.strip()
    estimated = Usage(asked.estimated_prompt_tokens, english_length(summary) // CHARACTERS_PER_TOKEN)
    return summary[: tokens * CHARACTERS_PER_TOKEN * 2], chunk.usage or estimated


def _summary_tokens(window: int) -> int:
    return min(_SUMMARY_TOKENS, window // _SUMMARY_SHARE)


def _tokens(request: Request, messages: Sequence[Message], *, tools: bool = True) -> int:
    """Estimated tokens of messages, with or without the request's tools."""
    body = {"messages": list(messages), "tools": request.body.get("tools") if tools else None}
    return Request(Kind.CHAT, body).estimated_prompt_tokens


def _message_text(message: Message) -> str:
    """The text of a message with its tool calls; other content parts are replaced by their type."""
    content = message.get("content")
    if isinstance(content, list):
        said = (part.get("text") if part.get("type") == "text" else f"[{part.get('type')}]" for part in content)
        content = " ".join(text for text in said if isinstance(text, str))
    calls = message.get("tool_calls")
    return " ".join(filter(None, (content, orjson.dumps(calls).decode() if calls else "")))
