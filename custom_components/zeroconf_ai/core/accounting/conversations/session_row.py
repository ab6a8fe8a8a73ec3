"""`SessionRow`: the backend of one session. A separate module, so that routing does not import the database."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionRow:
    """The stored session of one conversation."""

    key: str
    backend_id: str
    model: str
    last_used: float
    """Seconds since the epoch."""
