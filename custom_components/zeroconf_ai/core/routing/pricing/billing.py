"""`Bill`: what one sending of a request used, and what that costs, whatever becomes of the answer."""

from collections.abc import Mapping, Sequence
import time
from typing import Any

from ...backends.base import Answer
from ...protocol.chunks import Chunk, Delta
from ...protocol.demand import answer_count
from ...protocol.request import CHARACTERS_PER_TOKEN, Kind, Request
from ...protocol.usage import Usage
from ...protocol.values import mapping
from ..pool.member import Member
from .bounds import Ceiling, answer_tokens
from .costs import Charge, CostSource, note_measured, quote

_SAMPLE = 64
"""Chunks at the beginning of a stream by which the tokens of all of it are estimated, where nobody says how many they were."""
_THINKING_SPEED = 100
"""Tokens a second that a model may think before its first word, which an upstream bills and nobody has seen."""


class Bill:
    """Opened when a request goes out to a backend: what reached it is billed there, also where nobody reads the answer."""

    def __init__(self, member: Member, model: str, request: Request, ceiling: Ceiling | None = None) -> None:
        """At the prices of this moment. `ceiling`: where the answer is cut off, as a budget limits what it may cost."""
        self.member = member
        self.model = model
        self.answer: Answer | None = None
        """What the backend said that it has begun to answer."""
        self.finished = False
        """Whether the answer came to its end."""
        self.usage: Usage | None = None
        """As the backend told it, at the latest."""
        self.charge: Charge | None = None
        """What it costs, once it is closed; None: nobody knows."""
        self.request = request
        self._ceiling = ceiling
        self.late = 0
        """Batches that came after the answer was longer than its ceiling."""
        self._size = 0
        """Bytes of what was said, where there is a ceiling."""
        self._speaking = 0
        """Chunks that said something, where there is a ceiling."""
        self._opened = time.monotonic()
        self._first_word: float | None = None
        self._quote = quote(member, model)
        self._meter = member.meter
        self._run = None if self._meter is None else self._meter.begin(time.monotonic())
        self._sample: list[Chunk] = []
        self._chunks = 0
        self._interim = False
        self._guessed = False
        self._final: Usage | None = None
        """What was used, once it is closed: an estimate by the time that has passed must not grow after it was charged."""

    def count(self, batch: list[Chunk]) -> None:
        """Take note of what came."""
        if len(self._sample) < _SAMPLE:
            self._sample += batch[: _SAMPLE - len(self._sample)]
        self._chunks += len(batch)
        if self._ceiling is not None:
            self._measure(batch)
            self.late += self.overrun
        for chunk in batch:
            if (usage := chunk.usage) is not None:
                self.usage = usage
                self._guessed = mapping(chunk.data.get("usage")).get("estimated") is True
                self._interim = bool(chunk.data.get("choices")) and chunk.finish_reason is None

    @property
    def overrun(self) -> bool:
        """Whether the answer has as many tokens as were set aside: it is to be cut off here."""
        if self._ceiling is None:
            return False
        told = 0 if self.usage is None else self.usage.completion_tokens
        return max(told, Ceiling.tokens_in(self._speaking, self._size)) >= self._ceiling.tokens

    @property
    def estimated(self) -> bool:
        """Whether `used` is not, or not all, the backend's own word."""
        return self.usage is None or self._guessed or self._so_far

    @property
    def used(self) -> Usage:
        """What was used: by the backend's word, else estimated from the prompt and from what was said until it was closed."""
        if self._final is not None:
            return self._final
        if self.usage is not None and not self._so_far:
            return self.usage
        told = self.usage or (None if self.answer is None else self.answer.usage)
        if told is None:
            return Usage(self.request.estimated_prompt_tokens, self._said)
        return told + Usage(completion_tokens=max(0, self._said - told.completion_tokens))

    def close(self, extra: Usage | None = None) -> None:
        """No more will come. `extra` is what was used beside it at the same backend and model. Safe to call twice."""
        if self._final is not None:
            return
        self._final = self.used
        measured: Charge | None = None
        if self._meter is not None and self._run is not None:
            cost = self._meter.end(self._run, time.monotonic())
            if cost is not None:
                measured = Charge(cost, CostSource.MEASURED, self._meter.currency)
                note_measured(self.member, cost)
        self.charge = self._quote.charge(self._final, measured)
        if extra is not None and self.charge is not None and self.charge.source is not CostSource.MEASURED:
            more = self._quote.charge(extra)
            self.charge = self.charge._replace(nano=self.charge.nano + (0 if more is None else more.nano))

    @property
    def _so_far(self) -> bool:
        """Whether the backend counts as it goes, and was cut off."""
        return self._interim and not self.finished

    @property
    def _said(self) -> int:
        """Tokens that the answer has had so far, by its length; of one that comes whole, those that it may have."""
        if self.request.kind is Kind.EMBEDDINGS:
            return 0
        if not self.request.stream and not self.finished and self._quote.prices is not None:
            return self._most  # the upstream goes on to the end, and bills all of it
        if self._ceiling is not None and self.request.stream:
            said = Ceiling.tokens_in(self._speaking, self._size)
            if self.finished:
                return said
            thought = ((self._first_word or time.monotonic()) - self._opened) * _THINKING_SPEED
            return said + round(min(thought, self._most))
        if not self._sample:
            return 0
        said = sum(len(text) for chunk in self._sample for text in _texts(chunk.data))
        tokens = said * self._chunks / len(self._sample) / CHARACTERS_PER_TOKEN
        tokens = max(round(tokens), int(said > 0))
        # An estimate is no reason to charge more than the limit, which was set aside.
        return tokens if self._ceiling is None else min(tokens, self._most)

    @property
    def _most(self) -> int:
        return answer_tokens(self.request, self.member.served.find(self.model)) * answer_count(self.request.body)

    def _measure(self, batch: list[Chunk]) -> None:
        for chunk in batch:
            texts = _texts(chunk.data)
            self._speaking += bool(texts)
            self._size += sum(len(text) if text.isascii() else len(text.encode(errors="replace")) for text in texts)
        if self._speaking and self._first_word is None:
            self._first_word = time.monotonic()


def costs_by_backend(bills: Sequence[Bill]) -> dict[str, int]:
    """Nano-units that all sendings of a request cost, by the ids of the backends, whatever their currencies."""
    costs: dict[str, int] = {}
    for bill in bills:
        if bill.charge is not None:
            costs[bill.member.id] = costs.get(bill.member.id, 0) + bill.charge.nano
    return costs


def total(bills: Sequence[Bill]) -> Charge | None:
    """What all sendings of a request cost, in the currency of the last; None where nobody knows of any."""
    charges = [bill.charge for bill in bills if bill.charge is not None]
    if not charges:
        return None
    last = charges[-1]
    return last._replace(nano=sum(charge.nano for charge in charges if charge.currency == last.currency))


def _texts(data: Mapping[str, Any]) -> list[str]:
    """What a chunk or a whole answer says, in all of its choices."""
    choices = data.get("choices")
    found: list[str] = []
    for choice in choices if isinstance(choices, list) else ():
        delta = Delta.parse({"choices": [choice]})
        calls = (text for call in delta.tool_calls for text in (call.name or "", call.arguments))
        found += [text for text in (delta.content, delta.reasoning, *calls) if text]
    return found
