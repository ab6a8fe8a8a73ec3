"""`Caller`: the origin of a request."""

from dataclasses import dataclass
from enum import StrEnum

from ..protocol.home_rule import HomeRule
from ..protocol.request import Urgency


class Source(StrEnum):
    """The part of the product that a request came through."""

    ASSIST = "assist"
    AI_TASK = "ai_task"
    ACTION = "action"
    HTTP = "http"
    CLI = "cli"
    PAGE = "page"
    """A person who chats on the page."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The origin of a request: its source, key, user and address."""

    source: Source
    name: str = ""
    key_id: str | None = None
    user_id: str | None = None
    """The Home Assistant id of the user."""
    username: str | None = None
    """The Home Assistant name of the user, if known."""
    device_id: str | None = None
    """The Home Assistant id of the device that the user speaks to."""
    address: str | None = None
    models: tuple[str, ...] = ()
    """Patterns of the allowed models; empty: all."""
    llm_apis: tuple[str, ...] = ()
    """Ids of the LLM APIs of Home Assistant whose tools its key may use; empty: none."""
    hosted_tools: tuple[str, ...] = ()
    """What its key is granted of `protocol.hosted_tools.GRANTS`; empty: no hosted tools."""
    background: bool = False
    """Whether other requests have priority."""
    home_rule: HomeRule | None = None
    """Why its requests stay at home; None: they may leave."""
    admin: bool = False
    """Whether it may see the records of others."""

    @property
    def urgency(self) -> Urgency:
        """The urgency of its requests in queues."""
        if self.background:
            return Urgency.BACKGROUND
        return Urgency.VOICE if self.source is Source.ASSIST else Urgency.NORMAL

    @property
    def is_person(self) -> bool:
        """Whether the caller is a person, in Assist or on the page."""
        return self.source in (Source.ASSIST, Source.PAGE)

    @property
    def inside(self) -> bool:
        """Whether the request comes from Home Assistant itself, for a user or an automation."""
        return self.source in (Source.ASSIST, Source.AI_TASK, Source.ACTION)
