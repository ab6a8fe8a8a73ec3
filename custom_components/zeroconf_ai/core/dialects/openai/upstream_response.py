"""Answers of OpenAI-compatible servers → OpenAI's: valid chunks keep their bytes, others are repaired for strict clients.

What is valid follows OpenAI's API reference and its SDK 3.52 (`lib/streaming/_deltas.py`), which joins repeated ids and names and
refuses a call without a number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...protocol import json
from ...protocol.chunks import Chunk, Delta
from ...protocol.request import Kind
from ...protocol.tool_calls import listed_calls
from ...protocol.usage import usage_of
from ...protocol.values import mapping
from .call_repair import CallRepair
from .completion_repair import are_unchanged
from .expected import Expected
from .finish_reasons import finish_reason
from .valid_chunks import arguments_only, is_valid

_NEWLINE = 0x0A
_MAX_CHOICES = 128
_FEW = 8


@dataclass(slots=True)
class _Choice:
    """The state of one choice of a stream."""

    calls: CallRepair
    spoke: bool = False
    """Whether it had a delta with a token."""
    finished: str | None = None


class ChunkRepair:
    """Repairs the chunks of one stream."""

    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self._choices: dict[int, _Choice] = {}
        self._head: Mapping[str, Any] = {}
        """The newest chunk that was parsed."""
        self._valid: list[bytes] = []
        """The first valid chunks."""
        self.finished = False
        """Whether a choice has its finish reason."""

    def feed(self, raw: bytes) -> list[Chunk]:
        """Return the chunks for one event; none for an event without a choice and usage. Raises ValueError for invalid JSON."""
        if not self.finished and ((self._choices and self._continues_call(raw)) or is_valid(raw, self._expected.kind)):
            if len(self._valid) < _FEW:
                self._valid.append(raw)
            return [Chunk(raw)]
        if _NEWLINE in raw:
            raw = raw.replace(b"\n", b" ")
        return self._repaired(raw)

    def flush(self) -> list[Chunk]:
        """Return what was held back, and a finish reason if there was none, at the end of a complete stream."""
        chunks: list[Chunk] = []
        for index, choice in self._choices.items():
            entries = choice.calls.entries((), final=True, cut=choice.finished == "length")
            finish = "tool_calls" if choice.calls.numbered and choice.finished in (None, "stop") else choice.finished or "stop"
            if entries or (finish != choice.finished and (choice.spoke or self._spoke)):
                choice.finished = finish
                chunks.append(self._extra(index, {"tool_calls": entries} if entries else {}, finish))
        if not self.finished and not chunks and self._spoke:
            chunks.append(self._extra(0, {}, "stop"))
        self.finished = True
        return chunks

    @property
    def _spoke(self) -> bool:
        """Whether a valid chunk had a token; true if there were many."""
        return len(self._valid) >= _FEW or any(Delta.parse(Chunk(raw).data).has_token for raw in self._valid)

    def _continues_call(self, raw: bytes) -> bool:
        """Whether a chunk has only a piece of the arguments of the call that is being sent, which is added to it."""
        if (found := arguments_only(raw)) is None or (state := self._choices.get(found[0])) is None:
            return False
        return state.calls.continues(found[1], found[2])

    def _repaired(self, raw: bytes) -> list[Chunk]:
        try:
            data = json.loads(raw)
        except json.DepthError:
            raise
        except json.JSONDecodeError:
            raise ValueError("an event that is not JSON") from None
        if not isinstance(data, dict):
            raise ValueError("an event that is not a JSON object")
        listed = data.get("choices")
        choices = [choice for choice in listed if isinstance(choice, dict)] if isinstance(listed, list) else []
        if choices:
            self._head = data
        before: list[Chunk] = []
        kept = [new for at, choice in enumerate(choices) if (new := self._choice(choice, at, before)) is not None]
        if not kept and usage_of(data) is None:
            return before
        changes: dict[str, Any] = {}
        if not isinstance(listed, list) or not are_unchanged(kept, listed):
            changes["choices"] = kept
        if self._expected.kind is Kind.CHAT and data.get("object") != "chat.completion.chunk":
            changes["object"] = "chat.completion.chunk"
        return [*before, Chunk.of(data | changes) if changes else Chunk.of(data, raw)]

    def _choice(self, choice: dict[str, Any], position: int, before: list[Chunk]) -> dict[str, Any] | None:
        """The repaired choice, the same object if it is valid; None: the choice is left out.

        `before` gets the chunks to send before it.
        """
        index = choice.get("index")
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < _MAX_CHOICES:
            index = position % _MAX_CHOICES
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = _Choice(CallRepair(self._expected.tools))
        new = choice if choice.get("index") == index else choice | {"index": index}
        if self._expected.kind is Kind.CHAT:
            if (converted := _with_delta(new, spoke=state.spoke or ("message" in new and self._spoke))) is None:
                return None
            if (new := self._with_calls(converted, state, index, before)) is not converted and _is_void(new):
                return None
        delta = Delta.parse({"choices": [new]})
        state.spoke = state.spoke or bool(delta.content or delta.reasoning or delta.tool_calls)
        kept = self._with_finish(new, state)
        self.finished = self.finished or state.finished is not None
        return kept

    def _with_finish(self, choice: dict[str, Any], state: _Choice) -> dict[str, Any] | None:
        """The choice with OpenAI's finish reason; None for what follows it without a call or a finish reason of its own."""
        reason = choice.get("finish_reason")
        finish = finish_reason(reason, called=state.calls.numbered > 0, legacy=self._expected.legacy)
        if state.finished is not None:
            delta = Delta.parse({"choices": [choice]})
            late = bool(delta.tool_calls) or (finish is not None and bool(delta.content or delta.reasoning))
            if not late:
                return None
        if finish is not None:
            state.finished = finish
        return choice if reason == finish else choice | {"finish_reason": finish}

    def _with_calls(self, choice: dict[str, Any], state: _Choice, index: int, before: list[Chunk]) -> dict[str, Any]:
        """The choice with OpenAI's pieces of tool calls. At the end of a call's choice the rest of it is sent."""
        delta: dict[str, Any] = choice["delta"]
        if self._expected.legacy or any("custom" in call for call in listed_calls(delta)):
            return choice
        pieces = listed_calls(delta)
        finish = finish_reason(choice.get("finish_reason"), called=False, legacy=False)
        final, cut = finish is not None, finish == "length"
        if not pieces:
            if final and (entries := state.calls.entries((), final=True, cut=cut)):
                before.append(self._extra(index, {"tool_calls": entries}, None))
            if delta.get("tool_calls"):  # not a list of objects
                return choice | {"delta": {name: value for name, value in delta.items() if name != "tool_calls"}}
            return choice
        entries = state.calls.entries(pieces, final=final, cut=cut)
        if "function_call" not in delta and _are_same(entries, delta.get("tool_calls")):
            return choice
        delta = {name: value for name, value in delta.items() if name not in ("tool_calls", "function_call")}
        return choice | {"delta": delta | {"tool_calls": entries} if entries else delta}

    def _extra(self, index: int, delta: dict[str, Any], finish: str | None) -> Chunk:
        """A chunk that the server did not send."""
        newest = self._head or (Chunk(self._valid[-1]).data if self._valid else {})
        head = {name: value for name, value in newest.items() if name not in ("choices", "usage", "object")}
        part: dict[str, Any] = {"text": ""} if self._expected.kind is Kind.COMPLETION else {"delta": delta}
        kind = "text_completion" if self._expected.kind is Kind.COMPLETION else "chat.completion.chunk"
        return Chunk.of(head | {"object": kind, "choices": [{"index": index, **part, "finish_reason": finish}]})


def _is_void(choice: Mapping[str, Any]) -> bool:
    return not choice["delta"] and not choice.get("finish_reason")


def _with_delta(choice: dict[str, Any], *, spoke: bool) -> dict[str, Any] | None:
    """The choice with a delta; one with a complete message or a text instead is converted. None for one without any of them.

    `spoke`: whether the stream had text before, which a message at its end repeats.
    """
    delta, message = choice.get("delta"), choice.get("message")
    if isinstance(delta, dict) and "message" not in choice:
        return choice
    if not isinstance(delta, dict) or not delta:
        delta = {}
        if isinstance(message, dict):
            delta = {} if spoke and choice.get("finish_reason") else dict(message)
            if isinstance(calls := delta.get("tool_calls"), list):
                delta["tool_calls"] = [{"index": at, **mapping(call)} for at, call in enumerate(calls)]
        elif isinstance(text := choice.get("text"), str) and text:
            delta = {"content": text}
        elif "delta" not in choice and not choice.get("finish_reason"):
            return None
    return {name: value for name, value in choice.items() if name not in ("message", "text")} | {"delta": delta}


def _are_same(entries: list[dict[str, Any]], given: object) -> bool:
    """Whether the pieces are those of the server, which may repeat the type."""
    if not isinstance(given, list) or len(given) != len(entries):
        return False
    return all(
        entry == call or ("id" not in entry and entry | {"type": "function"} == call)
        for entry, call in zip(entries, given, strict=True)
    )
