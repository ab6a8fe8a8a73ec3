"""`Caller`: for whom a request runs, and how it came."""

from dataclasses import dataclass
from enum import StrEnum

from ..protocol.request import Urgency


class Source(StrEnum):
    """Through which door a request came."""

    ASSIST = "assist"
    AI_TASK = "ai_task"
    ACTION = "action"
    HTTP = "http"
    CLI = "cli"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    source: Source
    name: str = ""
    key_id: str | None = None
    user_id: str | None = None
    """Home Assistant's id of the user on whose behalf it asks."""
    username: str | None = None
    """Home Assistant's name of that user, where it is known."""
    address: str | None = None
    models: tuple[str, ...] = ()
    """Patterns of the models that it may use; empty: all."""
    background: bool = False
    """Whether others go first."""
    admin: bool = False
    """Whether it may see what others did."""

    @property
    def urgency(self) -> Urgency:
        """Its place where requests wait."""
        if self.background:
            return Urgency.BACKGROUND
        return Urgency.VOICE if self.source is Source.ASSIST else Urgency.NORMAL

    @property
    def inside(self) -> bool:
        """Whether Home Assistant itself asks, for a user or an automation."""
        return self.source in (Source.ASSIST, Source.AI_TASK, Source.ACTION)
