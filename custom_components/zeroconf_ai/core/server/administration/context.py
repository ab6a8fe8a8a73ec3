"""`Context`: what a command of the page works on."""

from dataclasses import dataclass

from ...accounting.store import AccountingStore
from ...admin.chat.chats import Chats
from ...admin.names import Names
from ...admin.server_models import ServerModels
from ...engine import Engine
from ...protocol.errors import NotFoundError
from ..gateway import Gateway
from .fields import Body
from .program import Program
from .sessions import Session


@dataclass(frozen=True, slots=True)
class Context:
    """What a command works on."""

    engine: Engine
    gateway: Gateway
    store: AccountingStore | None
    """None: the server has one key for all clients and keeps no records."""
    household: str
    """The name of the server, which owns the budget of all requests."""
    session: Session
    body: Body
    program: Program
    server_models: ServerModels
    chats: Chats | None = None
    """None without a database."""

    @property
    def accounting(self) -> AccountingStore:
        """The accounting store. Raises NotFoundError on a server without a database."""
        if self.store is None:
            raise NotFoundError("API keys, budgets and records need `zeroconf-ai serve --keys`.", code="not_recorded")
        return self.store

    @property
    def names(self) -> Names:
        """The names of keys and of users of the portal."""
        return Names() if self.store is None else Names(self.store.keys, self.store.users.name)

    @property
    def actor(self) -> str:
        """Who changes something, for the audit log."""
        return self.session.key_id or ""
