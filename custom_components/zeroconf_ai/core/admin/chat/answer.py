"""`LiveAnswer`: an answer while it is written. Collects what arrives, and publishes it a few times a second."""

import asyncio
from collections.abc import Callable
from typing import Any

from ...protocol.home_rule import HomeRule
from .messages import ANSWER_LIMIT, TOOL_LIMIT, Details, MessageData, ToolData

INTERVAL = 0.06
"""Seconds between two messages with new text: at most 17 per second, however fast a model writes."""

type Event = dict[str, Any]


class AnswerTooLongError(Exception):
    """The answer has reached `ANSWER_LIMIT`."""


class LiveAnswer:
    """The text, reasoning and tool calls of an answer so far.

    Adding text costs an append to a list; it is joined and published every `INTERVAL` seconds.
    """

    def __init__(self, message_id: str, created: float, publish: Callable[[Event], None]) -> None:
        """`publish` gets events of the page: `delta`, `tools`, `reached`."""
        self.id = message_id
        self.created = created
        self.backend_id = self.backend = self.model = ""
        """The provider that answers; "" until it is known."""
        self.on_reached: Callable[[], None] | None = None
        """Called when the provider becomes known, or another one takes over."""
        self.home_rule: HomeRule | None = None
        """Why the conversation stays at home from here on; None: it may leave."""
        self._publish = publish
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._new_text: list[str] = []
        self._new_thinking: list[str] = []
        self._length = self._thinking_length = 0
        self._tools: dict[str, ToolData] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._text)

    @property
    def thinking(self) -> str:
        """The reasoning so far."""
        return "".join(self._thinking)

    @property
    def tools(self) -> list[ToolData]:
        """The tool calls so far."""
        return list(self._tools.values())

    def add_text(self, text: str) -> None:
        """Add text. Raises AnswerTooLongError if there is too much of it."""
        self._text.append(text)
        self._new_text.append(text)
        self._length += len(text)
        self._schedule()
        if self._length > ANSWER_LIMIT:
            raise AnswerTooLongError

    def add_thinking(self, text: str) -> None:
        """Add reasoning; what exceeds the limit is not kept."""
        if self._thinking_length <= ANSWER_LIMIT:
            self._thinking.append(text)
            self._new_thinking.append(text)
            self._thinking_length += len(text)
            self._schedule()

    def replace_text(self, text: str, thinking: str) -> None:
        """Replace text and reasoning: what looked like text was reasoning."""
        self._text, self._thinking = [text], [thinking]
        self._new_text, self._new_thinking = [], []
        self._length, self._thinking_length = len(text), len(thinking)
        self._publish({"type": "text", "id": self.id, "content": text, "thinking": thinking})

    def set_tool(self, tool: ToolData) -> None:
        """Add a tool call, or its result."""
        if tool["id"] in self._tools or len(self._tools) < TOOL_LIMIT:
            self._tools[tool["id"]] = tool
            self.flush()
            self._publish({"type": "tools", "id": self.id, "tools": self.tools})

    def tool(self, tool_id: str) -> ToolData | None:
        """A tool call by its id."""
        return self._tools.get(tool_id)

    def reached(self, backend_id: str, backend: str, model: str) -> None:
        """A provider answers."""
        self.backend_id, self.backend, self.model = backend_id, backend, model
        if self.on_reached is not None:
            self.on_reached()
        self._publish({"type": "reached", "id": self.id, "backend_id": backend_id, "backend": backend, "model": model})

    def flush(self) -> None:
        """Publish what has not been published yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._new_text or self._new_thinking:
            content, thinking = "".join(self._new_text), "".join(self._new_thinking)
            self._new_text, self._new_thinking = [], []
            self._publish({"type": "delta", "id": self.id, "content": content, "thinking": thinking})

    def message(self) -> MessageData:
        """The message so far, without what has not been published yet: call `flush` first."""
        return {
            "id": self.id,
            "role": "assistant",
            "content": self.text,
            "created": self.created,
            "images": [],
            "details": self.details(),
        }

    def details(self) -> Details:
        """What is known while it is written."""
        found: Details = {}
        if thinking := self.thinking:
            found["thinking"] = thinking
        if tools := self.tools:
            found["tools"] = tools
        if self.home_rule is not None:
            found["home_rule"] = self.home_rule.value
        if self.backend_id:
            found |= {"backend_id": self.backend_id, "backend": self.backend, "model": self.model}
        return found

    def _schedule(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self.flush()
