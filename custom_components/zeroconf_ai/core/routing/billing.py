"""`Bill`: what one sending of a request used, and what that costs, whatever becomes of the answer."""

from collections.abc import Sequence
import time

from ..backends.base import Answer
from ..protocol.chunks import Chunk, Delta
from ..protocol.request import CHARACTERS_PER_TOKEN, Kind, Request
from ..protocol.usage import Usage
from ..protocol.values import mapping
from .costs import Charge, CostSource, note_measured, quote
from .pool import Member

_SAMPLE = 64
"""Chunks at the beginning of a stream by which the tokens of all of it are estimated, where nobody says how many they were."""


class Bill:
    """Opened when a request goes out to a backend: what reached it is billed there, also where nobody reads the answer."""

    def __init__(self, member: Member, model: str, request: Request) -> None:
        """At the prices of this moment."""
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
        self._quote = quote(member, model)
        self._meter = member.meter
        self._run = None if self._meter is None else self._meter.begin(time.monotonic())
        self._sample: list[Chunk] = []
        self._chunks = 0
        self._interim = False
        self._guessed = False
        self._closed = False

    def count(self, batch: list[Chunk]) -> None:
        """Take note of what came."""
        if len(self._sample) < _SAMPLE:
            self._sample += batch[: _SAMPLE - len(self._sample)]
        self._chunks += len(batch)
        for chunk in batch:
            if (usage := chunk.usage) is not None:
                self.usage = usage
                self._guessed = mapping(chunk.data.get("usage")).get("estimated") is True
                self._interim = bool(chunk.data.get("choices")) and chunk.finish_reason is None

    @property
    def estimated(self) -> bool:
        """Whether `used` is not, or not all, the backend's own word."""
        return self.usage is None or self._guessed or self._so_far

    @property
    def used(self) -> Usage:
        """What was used: by the backend's word, else estimated from the prompt and from what was said so far."""
        if self.usage is not None and not self._so_far:
            return self.usage
        told = self.usage or (None if self.answer is None else self.answer.usage)
        if told is None:
            return Usage(self.request.estimated_prompt_tokens, self._said)
        return told + Usage(completion_tokens=max(0, self._said - told.completion_tokens))

    def close(self, extra: Usage | None = None) -> None:
        """No more will come. `extra` is what was used beside it at the same backend and model. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        measured: Charge | None = None
        if self._meter is not None and self._run is not None:
            cost = self._meter.end(self._run, time.monotonic())
            if cost is not None:
                measured = Charge(cost, CostSource.MEASURED, self._meter.currency)
                note_measured(self.member, cost)
        self.charge = self._quote.charge(self.used, measured)
        if extra is not None and self.charge is not None and self.charge.source is not CostSource.MEASURED:
            more = self._quote.charge(extra)
            self.charge = self.charge._replace(nano=self.charge.nano + (0 if more is None else more.nano))

    @property
    def _so_far(self) -> bool:
        """Whether the backend counts as it goes, and was cut off."""
        return self._interim and not self.finished

    @property
    def _said(self) -> int:
        """Tokens that the answer has had so far, by its length."""
        if not self._sample or self.request.kind is Kind.EMBEDDINGS:
            return 0
        said = sum(_characters(Delta.parse(chunk.data)) for chunk in self._sample)
        tokens = said * self._chunks / len(self._sample) / CHARACTERS_PER_TOKEN
        return max(round(tokens), int(said > 0))


def total(bills: Sequence[Bill]) -> Charge | None:
    """What all sendings of a request cost, in the currency of the last; None where nobody knows of any."""
    charges = [bill.charge for bill in bills if bill.charge is not None]
    if not charges:
        return None
    last = charges[-1]
    return last._replace(nano=sum(charge.nano for charge in charges if charge.currency == last.currency))


def _characters(delta: Delta) -> int:
    return (
        len(delta.content) + len(delta.reasoning) + sum(len(call.name or "") + len(call.arguments) for call in delta.tool_calls)
    )
