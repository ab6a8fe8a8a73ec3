"""What was run for the requests of the last minutes, so that a repeated request runs no tool twice. In memory, bounded."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
import hashlib
import time
from typing import Any

import orjson

from ..protocol.home_rule import HomeRule
from ..protocol.tool_calls import ToolCall
from ..protocol.values import mapping
from .tool_runner import ToolResult

type Message = Mapping[str, Any]

KEPT_SECONDS = 600.0
"""Clients repeat a request within seconds; people approve within minutes."""
MAX_REQUESTS = 256
MAX_BYTES = 32 * 1024 * 1024
ANSWER_SECONDS = 24 * 3600.0
"""How long a conversation is known to stay at home after its latest answer that a labelled entity led to."""
MAX_ANSWERS = 4096


@dataclass(frozen=True, slots=True)
class RanCall:
    """A call that was run."""

    call: ToolCall
    result: ToolResult


@dataclass(slots=True)
class Transcript:
    """What a request has added to its conversation: the model's messages with calls, and the results."""

    until: float = 0.0
    messages: list[Message] = field(default_factory=list, repr=False)
    pending: list[ToolCall] = field(default_factory=list, repr=False)
    """Calls of the newest message that have not been run."""
    rounds: int = 0
    calls: int = 0
    size: int = 0
    """Bytes of the messages, about."""
    home_rule: HomeRule | None = None
    """Why the request stays at home because of a result; None: it may leave."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the request that runs; a repeated one waits."""
    running: asyncio.Task[RanCall] | None = None
    """The call that runs. It is not interrupted, so that its result is known if the request is repeated."""

    def add(self, *messages: Message) -> None:
        """Add messages."""
        self.messages += messages
        self.size += sum(len(orjson.dumps(message)) for message in messages)


@dataclass(frozen=True, slots=True)
class _Divided:
    """A turn with calls of the house and of the client."""

    until: float
    message: Message
    results: tuple[Message, ...]
    home_rule: HomeRule | None


class ToolMemory:
    """The transcripts of the latest requests, the results of divided turns, and the answers that stay at home.

    A divided turn has calls of the house and calls of the client.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds from any start."""
        self._clock = clock
        self._requests: OrderedDict[tuple[str, str, bytes], Transcript] = OrderedDict()
        self._divided: OrderedDict[tuple[str, str], _Divided] = OrderedDict()
        self._answers: OrderedDict[tuple[str, bytes], tuple[float, HomeRule]] = OrderedDict()
        """By key and digest of the question and the answer: until when the answer is known, and its rule."""

    def __len__(self) -> int:
        """The number of transcripts."""
        return len(self._requests)

    def transcript(self, key_id: str, name: str | None, body: Mapping[str, Any]) -> Transcript:
        """The transcript of a key's request with that name (the client's id of it) and body; without a name, a new one."""
        if name is None:
            return Transcript()
        self._trim()
        asked = {field: value for field, value in body.items() if field not in ("stream", "stream_options")}
        digest = hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).digest()
        found = self._requests.setdefault((key_id, name, digest), Transcript())
        found.until = self._clock() + KEPT_SECONDS
        self._requests.move_to_end((key_id, name, digest))
        return found

    def divide(
        self,
        key_id: str,
        message: Message,
        results: Sequence[Message],
        client_calls: Sequence[ToolCall],
        home_rule: HomeRule | None,
    ) -> None:
        """Keep a turn whose calls are partly the client's: the client will return only its own calls and their results.

        `home_rule`: why the conversation stays at home, None if it may leave.
        """
        self._trim()
        kept = _Divided(self._clock() + KEPT_SECONDS, message, tuple(results), home_rule)
        self._divided |= {(key_id, call.id): kept for call in client_calls}

    def rejoined(self, key_id: str, messages: Sequence[Message]) -> tuple[list[Message], HomeRule | None]:
        """The messages of a request, with the house's calls and results in the turns that were divided.

        The second value is why the request stays at home because of one of these results; None: it may leave.
        """
        self._trim()
        found: list[Message] = []
        rule: HomeRule | None = None
        for message in messages:
            calls = message.get("tool_calls") if message.get("role") == "assistant" else None
            first = calls[0] if isinstance(calls, list) and calls else None
            call_id = first.get("id") if isinstance(first, Mapping) else None
            kept = self._divided.get((key_id, call_id)) if isinstance(call_id, str) else None
            if kept is None:
                found.append(message)
                continue
            found += [{**message, "tool_calls": kept.message["tool_calls"]}, *kept.results]
            rule = rule or kept.home_rule
        return found, rule

    def keep_answer(self, key_id: str, messages: Sequence[Message], text: str, home_rule: HomeRule) -> None:
        """Remember that an answer to these messages stays at home: the client sends it again with its next request."""
        question = next((_text(message) for message in reversed(messages) if message.get("role") == "user"), "")
        if not text.strip():
            return
        name = (key_id, _digest(question, text))
        self._answers[name] = (self._clock() + ANSWER_SECONDS, home_rule)
        self._answers.move_to_end(name)
        while len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)

    def rule_of(self, key_id: str, messages: Sequence[Message]) -> HomeRule | None:
        """Why a conversation stays at home because of an answer in it; None: it may leave."""
        question = ""
        for message in messages if self._answers else ():
            if message.get("role") == "user":
                question = _text(message)
            elif message.get("role") == "assistant" and (text := _text(message)).strip():
                until, rule = self._answers.get((key_id, _digest(question, text)), (0.0, None))
                if rule is not None and until > self._clock():
                    return rule
        return None

    def _trim(self) -> None:
        now = self._clock()
        size = sum(transcript.size for transcript in self._requests.values())
        for name, transcript in tuple(self._requests.items()):
            if transcript.until > now and len(self._requests) < MAX_REQUESTS and size <= MAX_BYTES:
                break
            if not transcript.lock.locked():
                size -= transcript.size
                del self._requests[name]
        for call, kept in tuple(self._divided.items()):
            if kept.until > now and len(self._divided) < MAX_REQUESTS:
                break
            del self._divided[call]


def _text(message: Message) -> str:
    """The text of a message, also of one in parts."""
    content = message.get("content")
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    return "\n\n".join(text for part in content if isinstance(text := mapping(part).get("text"), str))


def _digest(question: str, answer: str) -> bytes:
    return hashlib.sha256(orjson.dumps([question.strip(), answer.strip()])).digest()
