"""`RelayHouse`: the relay of a server with a database: hub, members of the pool, and what administrators control."""

from collections.abc import Awaitable, Callable
import math
from pathlib import Path
import shlex
from typing import TYPE_CHECKING, Final

from yarl import URL

from ..accounting.connectors import PairedConnector
from ..accounting.one_time_codes import OneTimeCode, OneTimeCodes, Purpose
from ..accounting.store import AccountingStore
from ..admin.connectors import ShownCode, ShownConnector, ShownRelay
from ..engine import Engine
from ..protocol.errors import UnavailableError
from .handshake import Welcome
from .hub import RelayHub
from .key_file import KeyFileError, load_or_create
from .members import RelayMembers, member_id

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_FILE: Final = "relay-private.pem"


def house_key(folder: Path) -> "Ed25519PrivateKey":
    """The key of a house in a folder, made the first time. Blocking. Raises KeyFileError."""
    return load_or_create(folder / KEY_FILE)


def connect_command(address: str, pin: str | None) -> str:
    """The command that connects a machine to this server. `address`: https://HOST, http://HOST; `pin`: of its certificate."""
    url = URL(address)
    shown = str(url.origin()) if url.is_absolute() else address
    words = ["zeroconf-ai", "connect", shown, *(() if pin is None else ("--pin", pin))]
    return shlex.join(words)


class RelayHouse:
    """The relay of one server. Implements `RelayControl`."""

    def __init__(
        self,
        engine: Engine,
        store: AccountingStore,
        key: "Ed25519PrivateKey | Callable[[], Awaitable[Ed25519PrivateKey]]",
        house: Welcome,
        codes: OneTimeCodes | None = None,
    ) -> None:
        """`store` is shared and stays open. `key` as for `RelayHub`. `codes`: those of the server, if it has others."""
        self._store = store.connectors
        self.codes = codes or OneTimeCodes()
        self.hub = RelayHub(key, house, self._store, self.codes)
        self.members = RelayMembers(engine, self.hub, self._store)
        self.pin: Callable[[], str | None] = lambda: None
        """The fingerprint of the server's own certificate; None: another program speaks TLS for it, or nothing does."""

    async def start(self) -> None:
        """Add the stored connectors to the pool. Raises DatabaseError, and KeyFileError if the key for them cannot be loaded."""
        await self.members.start()
        if await self._store.list():
            await self.hub.key()

    async def close(self, seconds: float = 0.0) -> None:
        """Let running requests finish, at most for `seconds`, and disconnect all connectors."""
        await self.hub.close(seconds)
        await self.members.close()

    async def describe(self, address: str) -> ShownRelay:
        """All connectors, and the open code."""
        code = self.codes.current(Purpose.RELAY)
        return {
            "connectors": [self._shown(connector) for connector in await self._store.list()],
            "code": None if code is None else self._shown_code(code, address),
        }

    async def make_code(self, address: str, *, actor: str) -> ShownCode:
        """Make a one-time code. Raises UnavailableError if the key of the house cannot be loaded."""
        try:
            await self.hub.key()
        except KeyFileError as err:
            raise UnavailableError(str(err)) from None
        return self._shown_code(self.codes.make(Purpose.RELAY, actor=actor), address)

    async def cancel_code(self) -> None:
        """End the open code."""
        self.codes.close(Purpose.RELAY)

    async def update(
        self, connector_id: str, *, name: str | None = None, enabled: bool | None = None, actor: str
    ) -> PairedConnector:
        """Rename, enable or disable a connector."""
        found = await self._store.update(connector_id, name=name, enabled=enabled, actor=actor)
        await self.members.refresh()
        return found

    async def remove(self, connector_id: str, *, actor: str) -> None:
        """Forget a connector, and disconnect it."""
        await self._store.remove(connector_id, actor=actor)
        await self.members.refresh()

    def _shown(self, connector: PairedConnector) -> ShownConnector:
        offer = self.hub.offer(connector.id)
        return {
            "id": connector.id,
            "name": connector.name,
            "backend_id": member_id(connector.id),
            "enabled": connector.enabled,
            "connected": connector.enabled and self.hub.is_connected(connector.id),
            "created": connector.created,
            "last_seen": connector.last_seen,
            "models": list(offer.models),
            "version": offer.version,
        }

    def _shown_code(self, code: OneTimeCode, address: str) -> ShownCode:
        return {
            "code": code.code,
            "seconds_left": math.ceil(self.codes.seconds_left(code)),
            "command": connect_command(address, self.pin()),
        }
