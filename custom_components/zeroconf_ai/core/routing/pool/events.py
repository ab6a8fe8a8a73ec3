"""What happens to backends while requests are routed, for whoever wants to know."""

from dataclasses import dataclass, field
from enum import StrEnum


class EventKind(StrEnum):
    """The kinds of event."""

    OFFLINE = "offline"
    RECOVERED = "recovered"
    FAILOVER = "failover"


@dataclass(frozen=True, slots=True)
class RoutingEvent:
    """Something that happened to the backend `backend_id`; for a failover, `to` names the one that was tried next."""

    kind: EventKind
    backend_id: str
    reason: str = ""
    to: str | None = None
    log_text: str = field(default="", compare=False)
    """The reason for the log, with the system's or the backend's own words, which `reason` leaves out."""
