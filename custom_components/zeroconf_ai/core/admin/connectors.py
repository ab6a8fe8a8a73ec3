"""What people see and change of the connectors of a server, as plain data for the page and the command."""

from collections.abc import Sequence
from typing import Protocol, TypedDict

from ..accounting.connectors import PairedConnector


class ShownCode(TypedDict):
    """An open one-time code, with the command that uses it."""

    code: str
    seconds_left: int
    command: str
    """The command for the machine that is to be connected. It asks for the code."""


class ShownConnector(TypedDict):
    """A paired connector. Times are seconds since the epoch."""

    id: str
    name: str
    backend_id: str
    enabled: bool
    connected: bool
    created: float
    last_seen: float | None
    models: list[str]
    version: str


class ShownRelay(TypedDict):
    """The connectors, and the open code; None: no code is open."""

    connectors: Sequence[ShownConnector]
    code: ShownCode | None


class RelayControl(Protocol):
    """The relay of a server, as far as its administrators control it. Each method raises ApiError and DatabaseError."""

    async def describe(self, address: str) -> ShownRelay:
        """All connectors, and the open code. `address`: of this server, as the administrator reaches it."""

    async def make_code(self, address: str, *, actor: str) -> ShownCode:
        """Make a one-time code, which ends the former one."""

    async def cancel_code(self) -> None:
        """End the open code."""

    async def update(
        self, connector_id: str, *, name: str | None = None, enabled: bool | None = None, actor: str
    ) -> PairedConnector:
        """Rename, enable or disable a connector."""

    async def remove(self, connector_id: str, *, actor: str) -> None:
        """Forget a connector, and disconnect it."""
