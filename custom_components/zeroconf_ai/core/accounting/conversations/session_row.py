"""The backend and model of one conversation, as they are stored."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionRow:
    """The stored session of one conversation."""

    key: str
    backend_id: str
    model: str
    last_used: float
    """Seconds since the epoch."""
