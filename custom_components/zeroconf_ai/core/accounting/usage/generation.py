"""`Generation`: the usage record of one request."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, override

from ...protocol.usage import Usage

MEASURED = "measured"
"""The `cost_source` of measured energy (`routing.pricing.costs.CostSource`)."""

OVERTAKEN = "hedged"
"""The code of a cancelled attempt: a second backend was asked in parallel and answered first."""


class Outcome(StrEnum):
    """How a request ended."""

    OK = "ok"
    ERROR = "error"
    CANCELLED = "cancelled"
    """The client disconnected."""


class FailedAttempt(NamedTuple):
    """An attempt of a request that failed, also if another attempt answered the request."""

    backend_id: str
    backend_name: str
    model: str
    reason: str = ""
    """`ApiError.message`: what the client may know, without addresses and secrets."""
    code: str | None = None
    """`ApiError.code`."""
    began: float | None = None
    """Seconds from the arrival of the request to the beginning of the attempt; None: unknown (an older record)."""
    ended: float | None = None
    """Seconds from the arrival of the request to the failure."""


@dataclass(frozen=True, slots=True)
class Generation:
    """The usage record of one request, without prompt and answer.

    `created` is `time.time()` of its arrival; durations are seconds; `cost` is nano-units of money, None if unknown.
    """

    id: str
    created: float
    source: str
    """Where the request came from (`routing.caller.Source`)."""
    kind: str
    """The kind of request (`protocol.request.Kind`, `server.audio.AudioTask`)."""
    requested_model: str
    outcome: Outcome
    answer_id: str | None = None
    """The id in the answer that the client got (`chatcmpl-…`, `msg_…`, `resp_…`); None if its format has none."""
    model: str | None = None
    """The model that answered; None if none did."""
    backend_id: str | None = None
    backend_name: str | None = None
    provider_health: str | None = None
    """The state of the backend when the request was sent to it (`protocol.status.ProviderState`)."""
    attempts: int = 0
    stream: bool = False
    usage: Usage = field(default_factory=Usage)
    estimated: bool = False
    """Whether `usage` is an estimate because the upstream reported none."""
    cost: int | None = None
    prompt_cost: int | None = None
    """The part of `cost` for the tokens of the prompt; None if the cost is not one of tokens, or is unknown."""
    cost_source: str | None = None
    """The origin of the cost (`routing.pricing.costs.CostSource`); None if the cost is unknown."""
    currency: str = "USD"
    """The currency of the cost (ISO 4217)."""
    converted_cost: int | None = None
    """`cost` in nano-units of `converted_currency`, at the exchange rate when the request ended; None: not converted."""
    converted_currency: str | None = None
    """The currency of budgets; None without exchange rates."""
    energy: float | None = None
    """Watt-seconds above idle that the machine used for it; None: not measured."""
    duration: float = 0.0
    sent: float | None = None
    """Seconds from arrival until the request was sent to the backend that answered; before it waited, or others failed."""
    first_byte: float | None = None
    """Seconds from arrival until that backend began to answer."""
    first_token: float | None = None
    """Seconds from arrival to the first token."""
    finish_reason: str | None = None
    error_code: str | None = None
    caller: str = ""
    """The caller's display name."""
    key_id: str | None = None
    user_id: str | None = None
    """The Home Assistant id of the user who made the request."""
    address: str | None = None
    failed_attempts: Sequence[FailedAttempt] = ()
    """Attempts in `failures` count in the sums of their backends. Records store the last `ledger.ATTEMPTS_LIMIT` attempts."""

    @property
    def failures(self) -> tuple[FailedAttempt, ...]:
        """The failed attempts. An attempt that was cancelled because another backend answered first is no error."""
        return tuple(attempt for attempt in self.failed_attempts if attempt.code != OVERTAKEN)

    @property
    def budget_cost(self) -> int:
        """What budgets are charged: `converted_cost`, else `cost`, which then counts one to one; 0 if it is unknown."""
        return (self.cost if self.converted_cost is None else self.converted_cost) or 0

    @property
    def energy_cost(self) -> int | None:
        """The part of `cost` for measured energy: all or nothing of it; None if none was measured."""
        return self.cost if self.cost_source == MEASURED else None

    @property
    def completion_cost(self) -> int | None:
        """The part of `cost` for the tokens of the answer; None as for `prompt_cost`."""
        return None if self.cost is None or self.prompt_cost is None else self.cost - self.prompt_cost


@dataclass(frozen=True, slots=True)
class Viewer:
    """A client that asks for a record. It may see the records of its own key, else of its user, else of its address."""

    key_id: str | None
    user_id: str | None
    source: str
    address: str | None

    def may_see(self, record: Generation) -> bool:
        """Whether the record belongs to the viewer."""
        if record.key_id is not None or self.key_id is not None:
            return self.key_id == record.key_id
        if record.user_id is not None or self.user_id is not None:
            return self.user_id == record.user_id
        return self.source == record.source and self.address == record.address


class Recorder(ABC):
    """Receives the engine's usage records."""

    @abstractmethod
    def record(self, generation: Generation) -> None:
        """Accept a record. Must not block or raise: it runs in the clean-up of cancelled requests."""


class Recorders(Recorder):
    """Passes each record to several recorders."""

    def __init__(self, *recorders: Recorder) -> None:
        """The recorders are called in this order."""
        self._recorders = recorders

    @override
    def record(self, generation: Generation) -> None:
        for recorder in self._recorders:
            recorder.record(generation)
