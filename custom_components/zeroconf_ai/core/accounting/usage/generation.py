"""`Generation`: the record of one request that was answered, refused or given up."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import StrEnum
from typing import override

from ...protocol.usage import Usage


class Outcome(StrEnum):
    """How a request ended."""

    OK = "ok"
    ERROR = "error"
    CANCELLED = "cancelled"
    """The caller went away."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One request. No prompt and no answer: only who, where, how much and how long.

    `created` is `time.time()` of its arrival; durations are seconds; `cost` is nano-units of money, None where nobody knows.
    """

    id: str
    created: float
    source: str
    """Through which door it came (`routing.caller.Source`)."""
    kind: str
    """What was asked for (`protocol.request.Kind`, `server.audio.AudioTask`)."""
    requested_model: str
    outcome: Outcome
    model: str | None = None
    """The one that answered; None where none did."""
    backend_id: str | None = None
    backend_name: str | None = None
    attempts: int = 0
    stream: bool = False
    usage: Usage = field(default_factory=Usage)
    estimated: bool = False
    """Whether `usage` was counted here because the upstream did not say."""
    cost: int | None = None
    cost_source: str | None = None
    """Who named it (`routing.costs.CostSource`): "upstream", "owner", "measured", "list" or "free"; None where nobody did."""
    currency: str = "USD"
    """What the cost is in (ISO 4217)."""
    duration: float = 0.0
    first_token: float | None = None
    """Seconds from its arrival to the first token."""
    finish_reason: str | None = None
    error_code: str | None = None
    caller: str = ""
    """The caller's name, for people."""
    key_id: str | None = None
    user_id: str | None = None
    """Home Assistant's id of the user on whose behalf it came."""
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks for a record, and sees only one's own: of one's key, else of one's user, else of one's address."""

    key_id: str | None
    user_id: str | None
    source: str
    address: str | None

    def may_see(self, record: Generation) -> bool:
        """Whether a record is the viewer's own."""
        if record.key_id is not None or self.key_id is not None:
            return self.key_id == record.key_id
        if record.user_id is not None or self.user_id is not None:
            return self.user_id == record.user_id
        return self.source == record.source and self.address == record.address


class Recorder(ABC):
    """Where the engine leaves its records."""

    @abstractmethod
    def record(self, generation: Generation) -> None:
        """Take a record in. Never blocks and never raises: it runs in the clean-up of cancelled requests."""


class Recorders(Recorder):
    """Leaves every record with each of several."""

    def __init__(self, *recorders: Recorder) -> None:
        """They are told in this order."""
        self._recorders = recorders

    @override
    def record(self, generation: Generation) -> None:
        for recorder in self._recorders:
            recorder.record(generation)
