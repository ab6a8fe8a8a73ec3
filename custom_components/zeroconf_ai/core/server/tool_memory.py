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
from .tool_runner import ToolResult

type Message = Mapping[str, Any]

KEPT_SECONDS = 600.0
"""Clients repeat a request within seconds; people approve within minutes."""
MAX_REQUESTS = 256
MAX_BYTES = 32 * 1024 * 1024


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


class ToolMemory:
    """The transcripts of the latest requests, and the results of turns that were divided between the house and the client."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds from any start."""
        self._clock = clock
        self._requests: OrderedDict[tuple[str, str, bytes], Transcript] = OrderedDict()
        self._divided: OrderedDict[tuple[str, str], tuple[float, Message, tuple[Message, ...]]] = OrderedDict()

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

    def divide(self, key_id: str, message: Message, results: Sequence[Message], client_calls: Sequence[ToolCall]) -> None:
        """Keep a turn whose calls are partly the client's: the client will return only its own calls and their results."""
        self._trim()
        kept = (self._clock() + KEPT_SECONDS, message, tuple(results))
        self._divided |= {(key_id, call.id): kept for call in client_calls}

    def rejoined(self, key_id: str, messages: Sequence[Message]) -> list[Message]:
        """The messages of a request, with the house's calls and results in the turns that were divided."""
        self._trim()
        found: list[Message] = []
        for message in messages:
            calls = message.get("tool_calls") if message.get("role") == "assistant" else None
            first = calls[0] if isinstance(calls, list) and calls else None
            call_id = first.get("id") if isinstance(first, Mapping) else None
            kept = self._divided.get((key_id, call_id)) if isinstance(call_id, str) else None
            found += [message] if kept is None else [{**message, "tool_calls": kept[1]["tool_calls"]}, *kept[2]]
        return found

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
            if kept[0] > now and len(self._divided) < MAX_REQUESTS:
                break
            del self._divided[call]
