"""The complete answer that the chunks of a stream make, for a caller that did not request a stream."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .chunks import Chunk, Delta, Message
from .values import mapping


@dataclass(slots=True)
class _Choice:
    """One choice, assembled."""

    message: Message = field(default_factory=Message)
    refusal: str = ""
    is_text: bool = False
    """Whether it is one of a text completion."""
    lists: dict[str, list[Any]] = field(default_factory=dict)
    """The joined lists of a delta, such as `reasoning_details`."""
    logprobs: dict[str, Any] | None = None

    def add(self, choice: Mapping[str, Any]) -> None:
        """Add a choice of a chunk."""
        self.message.add(Delta.parse({"choices": [choice]}))
        delta = mapping(choice.get("delta"))
        self.is_text = self.is_text or isinstance(choice.get("text"), str)
        if isinstance(refusal := delta.get("refusal"), str):
            self.refusal += refusal
        for name, value in delta.items():
            if isinstance(value, list) and name not in ("tool_calls", "content"):
                self.lists.setdefault(name, []).extend(value)
        for name, value in mapping(choice.get("logprobs")).items():
            self.logprobs = self.logprobs or {}
            if isinstance(value, list) and isinstance(known := self.logprobs.get(name), list):
                known.extend(value)
            else:
                self.logprobs[name] = value

    def to_json(self, index: int) -> dict[str, Any]:
        """OpenAI's object."""
        message = self.message
        calls = [call.to_json() for call in message.tool_calls]
        rest = {"logprobs": self.logprobs, "finish_reason": message.finish_reason or "stop"}
        if self.is_text:
            return {"index": index, "text": message.content, **rest}
        body: dict[str, Any] = {"role": "assistant", "content": message.content or None}
        if message.reasoning:
            body["reasoning_content"] = message.reasoning
        if calls:
            body["tool_calls"] = calls
        if self.refusal:
            body["refusal"] = self.refusal
        return {"index": index, "message": body | self.lists, **rest}


def completion_of(chunks: Iterable[Chunk]) -> dict[str, Any]:
    """The complete answer; `choices` is empty if no chunk has a choice."""
    head: dict[str, Any] = {}
    choices: dict[int, _Choice] = {}
    for chunk in chunks:
        data = chunk.data
        head |= {name: value for name, value in data.items() if name != "choices" and value is not None}
        listed = data.get("choices")
        for position, choice in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(choice, Mapping):
                index = choice.get("index")
                choices.setdefault(index if isinstance(index, int) else position, _Choice()).add(choice)
    kind = "text_completion" if any(choice.is_text for choice in choices.values()) else "chat.completion"
    return head | {"object": kind, "choices": [choice.to_json(index) for index, choice in sorted(choices.items())]}
