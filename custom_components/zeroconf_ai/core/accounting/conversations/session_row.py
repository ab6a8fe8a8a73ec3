"""`SessionRow`: where one session is. A file of its own, so that routing needs no database."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One conversation."""

    key: str
    backend_id: str
    model: str
    last_used: float
    """Seconds since the epoch."""
