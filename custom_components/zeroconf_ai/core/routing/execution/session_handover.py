"""A session moves to another model: what of its conversation goes along where that model's context is smaller.

The system's words and the newest turns go as they are, as many as fit; the older ones as a summary that the new model makes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import logging
from typing import Any

import orjson

from ...backends.base import Backend
from ...protocol.chunks import Delta
from ...protocol.errors import ApiError
from ...protocol.request import CHARACTERS_PER_TOKEN, Kind, Request
from ...protocol.usage import Usage

_LOGGER = logging.getLogger(__name__)

FILL = 0.7
"""Share of the context window that the prompt may take: the rest is for the answer, and for an estimate that was too low."""
_SUMMARY_SHARE = 8
"""A summary has at most so small a part of the window, and at most so many tokens:"""
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
    """The name of the backend that it was with; its id where it is not known any more."""
    target: str
    reason: str
    summarized: int = 0
    """Messages that a summary, or a note that they are missing, stands for."""
    usage: Usage = field(default_factory=Usage)
    """What the summary took."""


@dataclass(frozen=True, slots=True)
class Split:
    """A conversation in three: what the system says, what must be shortened, and the newest turns that fit."""

    head: tuple[Message, ...]
    older: tuple[Message, ...]
    newest: tuple[Message, ...]


def split(request: Request, window: int) -> Split:
    """Which messages of a chat fit into a context of `window` tokens, a summary of the others included.

    A tool call and its results are never parted. The last of these units is kept even where it does not fit.
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
    """A chat with all that can be left out left out: who cannot take this cannot take any of it."""
    if request.kind is not Kind.CHAT:
        return request
    kept = split(request, 0)
    return request.with_body(messages=[*kept.head, *kept.newest])


async def shorten(request: Request, window: int, backend: Backend | None, model: str) -> tuple[Request, int, Usage]:
    """A chat that fits into `window` tokens: with how many messages replaced, and what it took to make their summary.

    Without a backend there is none: the messages are left out.
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
    """The system's words and a note: at their end, since many models' templates know one system message alone and that first.

    Where the turns that are kept do not begin with the user's words, as they must for some, the note takes their place.
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
    """The model's summary, or "" where it makes none, and what was used for it."""
    tokens = _summary_tokens(window)
    room = max(0, (int(window * FILL) - tokens) * CHARACTERS_PER_TOKEN - len(_ASK))
    text = "\n".join(f"{message['role']}: {_words(message)}" for message in older)
    if len(text) > room:
        text = "[…]" + text[len(text) - room :]
    body = {
        "model": model,
        "messages": [{"role": "user", "content": f"{_ASK}\n\n{text}"}],
        "max_tokens": tokens,
        "temperature": 0,
    }
    asked = Request(
        Kind.CHAT, body, request_id=request.request_id, via=request.via, user_id=request.user_id, inside=request.inside
    )
    try:
        answer = await backend.send(asked)
        try:
            chunk = await answer.whole()
        finally:
            await answer.close()
    except ApiError as err:
        _LOGGER.info("%s made no summary of a conversation that is too long for it: %s", backend.info.name, err.log_text)
        return "", Usage()
    summary = Delta.parse(chunk.data).content.strip()
    estimated = Usage(asked.estimated_prompt_tokens, len(summary) // CHARACTERS_PER_TOKEN)
    return summary[: tokens * CHARACTERS_PER_TOKEN * 2], chunk.usage or estimated


def _summary_tokens(window: int) -> int:
    return min(_SUMMARY_TOKENS, window // _SUMMARY_SHARE)


def _tokens(request: Request, messages: Sequence[Message], *, tools: bool = True) -> int:
    """The estimated size of some messages, with the request's tools or without."""
    body = {"messages": list(messages), "tools": request.body.get("tools") if tools else None}
    return Request(Kind.CHAT, body).estimated_prompt_tokens


def _words(message: Message) -> str:
    """What a message says, calls of tools included; pictures and sounds are named."""
    content = message.get("content")
    if isinstance(content, list):
        said = (part.get("text") if part.get("type") == "text" else f"[{part.get('type')}]" for part in content)
        content = " ".join(text for text in said if isinstance(text, str))
    calls = message.get("tool_calls")
    return " ".join(filter(None, (content, orjson.dumps(calls).decode() if calls else "")))
