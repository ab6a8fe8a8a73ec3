"""Events of backends during routing."""

from dataclasses import dataclass, field
from enum import StrEnum


class EventKind(StrEnum):
    """The kinds of event."""

    OFFLINE = "offline"
    RECOVERED = "recovered"
    FAILOVER = "failover"


@dataclass(frozen=True, slots=True)
class RoutingEvent:
    """An event of the backend `backend_id`; for a failover, `to` is the id of the backend that is tried next."""

    kind: EventKind
    backend_id: str
    reason: str = ""
    to: str | None = None
    log_text: str = field(default="", compare=False)
    """The reason for the log, with the wording of the system or the backend, which `reason` omits."""
