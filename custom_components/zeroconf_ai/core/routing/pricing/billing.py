"""`Bill`: the usage and cost of one attempt, however the attempt ends."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
import time
from typing import Any

from ...backends.base import Answer
from ...protocol.chunks import Chunk, Delta
from ...protocol.demand import answer_count
from ...protocol.exchange import NO_EXCHANGE, Exchange
from ...protocol.image_requests import image_count, image_tokens
from ...protocol.request import CHARACTERS_PER_TOKEN, Kind, Request, english_length
from ...protocol.usage import Usage, duration_of
from ...protocol.values import mapping
from ..pool.member import Member
from .bounds import Ceiling, answer_tokens, audio_tokens, tokens_in
from .costs import Charge, CostSource, quote, record_measured
from .hosted_calls import with_calls

_SAMPLE = 64
"""Chunks at the beginning of a stream from which its tokens are estimated if the backend reports no usage."""
_THINKING_SPEED = 100
"""Reasoning tokens per second that are assumed before the first token: upstreams bill them although they are not streamed."""


class Bill:
    """Created when a request is sent to a backend, which bills it also if the client does not read the answer."""

    def __init__(self, member: Member, model: str, request: Request, ceiling: Ceiling | None = None) -> None:
        """Uses the current prices. `ceiling`: where the answer is cut off because a budget limits its cost; None: nowhere."""
        self.member = member
        self.model = model
        self.answer: Answer | None = None
        """The backend's answer, once it has begun."""
        self.finished = False
        """Whether the answer is complete."""
        self.usage: Usage | None = None
        """The usage that the backend reported last, with earlier counts where it has zeros."""
        self.charge: Charge | None = None
        """The cost, once the bill is closed; None: unknown."""
        self.health = member.state.value
        """The state of the backend when the request was sent."""
        self.energy: float | None = None
        """Watt-seconds that the meter measured, once the bill is closed; None: unknown."""
        self.sent_at = time.perf_counter()
        """`time.perf_counter()` when the request was sent."""
        self.answered_at: float | None = None
        """`time.perf_counter()` when the backend began to answer: the headers of its response arrived."""
        self.request = request
        self._ceiling = ceiling
        self.late = 0
        """Batches that arrived after the answer exceeded its ceiling."""
        self._tokens = 0
        """Estimated tokens of the answer so far; counted only if there is a ceiling."""
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
        """The usage, once the bill is closed: an estimate from the elapsed time must not grow after it was charged."""

    def count(self, batch: list[Chunk]) -> None:
        """Count a batch of chunks."""
        if len(self._sample) < _SAMPLE:
            self._sample += batch[: _SAMPLE - len(self._sample)]
        self._chunks += len(batch)
        if self._ceiling is not None:
            self._measure(batch)
            self.late += self.overrun
        for chunk in batch:
            if (usage := chunk.usage) is not None:
                self.usage = usage if self.usage is None else self.usage.updated(usage)
                self._guessed = mapping(chunk.data.get("usage")).get("estimated") is True
                self._interim = bool(chunk.data.get("choices")) and chunk.finish_reason is None

    @property
    def overrun(self) -> bool:
        """Whether the answer has reached its ceiling and must be cut off."""
        if self._ceiling is None:
            return False
        reported = 0 if self.usage is None else self.usage.completion_tokens
        return max(reported, self._tokens) >= self._ceiling.tokens

    @property
    def estimated(self) -> bool:
        """Whether `used` is estimated, in whole or in part. A cost by the minute is, if the duration is unknown."""
        if self.request.kind.is_audio:
            return (not self._reported_tokens and self.used.total_tokens > 0) or self._is_unmeasured
        return self.usage is None or self._guessed or self._so_far or self.usage != self.used

    @property
    def used(self) -> Usage:
        """The usage that the backend reported, else an estimate from the prompt and the answer so far."""
        if self._final is not None:
            return self._final
        if self.request.kind.is_audio:
            return self._audio_used
        if self.usage is not None and not self._so_far:
            return self._with_estimates(self.usage)
        reported = self.usage or (None if self.answer is None else self.answer.usage)
        prompt = self.request.estimated_prompt_tokens
        if self._ceiling is not None and self.overrun:
            prompt = self._ceiling.prompt
        if reported is None:
            return Usage(prompt, self._estimated_tokens)
        missing = max(0, self._estimated_tokens - reported.completion_tokens)
        return reported + Usage(0 if reported.prompt_tokens else prompt, missing)

    def close(self, extra: Usage | None = None) -> None:
        """Compute the cost. `extra` is other usage to charge at the same prices (a summary). Safe to call twice."""
        if self._final is not None:
            return
        self._final = self.used
        measured: Charge | None = None
        if self._meter is not None and self._run is not None:
            cost = self._meter.end(self._run, time.monotonic())
            if cost is not None:
                measured = Charge(cost, CostSource.MEASURED, self._meter.currency)
                self.energy = self._run.energy
                record_measured(self.member, cost)
        self.charge = self._quote.charge(self._billed(self._final), measured)
        if extra is not None and self.charge is not None and self.charge.source is not CostSource.MEASURED:
            more = self._quote.charge(extra)
            self.charge = self.charge if more is None else self.charge.plus(more)
        if self.charge is not None and self.charge.source in (CostSource.OWNER, CostSource.LIST):
            self.charge = self.charge._replace(nano=self.charge.nano + self._image_cost)
        self.charge = with_calls(self.charge, self.member, self.model, self.request, self._final)

    @property
    def _reported_tokens(self) -> bool:
        return self.usage is not None and self.usage.total_tokens > 0

    @property
    def _audio_used(self) -> Usage:
        """The usage of a transcript or of speech. The duration is the reported one, else the measured one, else 0: unknown.

        A server that charges by the minute or by the character counts no tokens.
        """
        found = self.usage or Usage()
        prices = self._quote.prices
        if not self._reported_tokens and not (prices is not None and prices.has_audio_unit):
            found += Usage(self.request.estimated_prompt_tokens, self._estimated_tokens)
        if self.request.kind is Kind.SPEECH:
            return replace(found, speech_characters=len(self.request.body["input"]))
        recording = self.request.recording
        measured = 0.0 if recording is None else recording.seconds or 0.0
        reported = duration_of(self._sample[0].data.get("duration")) if self._sample else 0.0
        return replace(found, audio_seconds=found.audio_seconds or reported or measured)

    @property
    def _is_unmeasured(self) -> bool:
        """Whether the cost depends on the duration of a recording, which is unknown."""
        by_minute = self._quote.prices is not None and bool(self._quote.prices.minute)
        return by_minute and self.request.recording is not None and not self.used.audio_seconds

    def _billed(self, usage: Usage) -> Usage:
        """The usage that is charged: of a recording of unknown duration the maximum, which is what was reserved."""
        if not self._is_unmeasured or self.request.recording is None:
            return usage
        return replace(usage, audio_seconds=float(self.request.recording.most_seconds))

    @property
    def _image_cost(self) -> int:
        """The price of the images that were made; of an incomplete answer, of all that were requested."""
        if not self.request.kind.makes_images or self._quote.prices is None:
            return 0
        made = self._sample[0].data.get("data") if self.finished and self._sample else None
        count = len(made) if isinstance(made, list) else image_count(self.request.body)
        return count * (self._quote.prices.image or 0)

    def _with_estimates(self, usage: Usage) -> Usage:
        """The reported usage, with estimates of the counts that it lacks: some servers do not count the prompt."""
        if usage.prompt_tokens and usage.completion_tokens:
            return usage
        return replace(
            usage,
            prompt_tokens=usage.prompt_tokens or self.request.estimated_prompt_tokens,
            completion_tokens=usage.completion_tokens or self._estimated_tokens,
        )

    @property
    def _so_far(self) -> bool:
        """Whether the reported usage is an interim one of an incomplete answer."""
        return self._interim and not self.finished

    @property
    def _estimated_tokens(self) -> int:
        """Estimated tokens of the answer so far; of an incomplete answer without streaming, its maximum."""
        if self.request.kind is Kind.EMBEDDINGS:
            return 0
        if self.request.kind.is_audio:
            return 0 if self._quote.prices is None else audio_tokens(self.request)
        if self.request.kind.makes_images:
            # A server at home that counts no tokens has none; a server that charges for tokens has at most these, and one
            # that charges for images counts none.
            prices = self._quote.prices
            return 0 if prices is None or prices.image is not None else image_tokens(self.request.body)
        if not self.request.stream and not self.finished and self._quote.prices is not None:
            return self._most  # the upstream completes the answer, and bills all of it
        if self._ceiling is not None and self.request.stream:
            tokens = self._tokens
            if not self.finished:
                tokens += round(((self._first_word or time.monotonic()) - self._opened) * _THINKING_SPEED)
            # No more than was reserved: upstreams count reasoning among the tokens that they limit.
            return min(tokens, self._ceiling.tokens)
        if not self._sample:
            return 0
        characters = sum(english_length(text) for chunk in self._sample for text in _texts(chunk.data))
        tokens = max(round(characters * self._chunks / len(self._sample) / CHARACTERS_PER_TOKEN), int(characters > 0))
        # An estimate must not exceed the limit, for which the cost was reserved.
        return tokens if self._ceiling is None else min(tokens, self._most)

    @property
    def _most(self) -> int:
        return answer_tokens(self.request, self.member.served.find(self.model)) * answer_count(self.request.body)

    def _measure(self, batch: list[Chunk]) -> None:
        for chunk in batch:
            self._tokens += sum(map(tokens_in, _texts(chunk.data)))
        if self._tokens and self._first_word is None:
            self._first_word = time.monotonic()


def costs_by_backend(bills: Sequence[Bill], exchange: Exchange = NO_EXCHANGE) -> dict[str, int]:
    """What budgets are charged for all attempts of a request, in nano-units, by backend id."""
    costs: dict[str, int] = {}
    for bill in bills:
        if bill.charge is not None:
            costs[bill.member.id] = costs.get(bill.member.id, 0) + in_budgets(bill.charge, exchange)
    return costs


def in_budgets(charge: Charge, exchange: Exchange) -> int:
    """What budgets are charged for a cost, in nano-units. Without an exchange rate it counts one to one."""
    converted = exchange.convert(charge.nano, charge.currency)
    return charge.nano if converted is None else converted


def converted_total(bills: Sequence[Bill], exchange: Exchange) -> int | None:
    """The cost of all attempts of a request in the currency of budgets; None if it is unknown or a rate is missing."""
    costs = [exchange.convert(bill.charge.nano, bill.charge.currency) for bill in bills if bill.charge is not None]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known and len(known) == len(costs) else None


def total(bills: Sequence[Bill]) -> Charge | None:
    """The cost of all attempts of a request that are billed in the last one's currency; None if no cost is known."""
    charges = [bill.charge for bill in bills if bill.charge is not None]
    if not charges:
        return None
    last = charges.pop()
    for charge in charges:
        last = last.plus(charge) if charge.currency == last.currency else last
    return last


def _texts(data: Mapping[str, Any]) -> list[str]:
    """The texts of a chunk or a complete answer: content, reasoning and tool calls of all choices."""
    choices = data.get("choices")
    found: list[str] = []
    for choice in choices if isinstance(choices, list) else ():
        delta = Delta.parse({"choices": [choice]})
        calls = (text for call in delta.tool_calls for text in (call.name or "", call.arguments))
        found += [text for text in (delta.content, delta.reasoning, *calls) if text]
    return found
