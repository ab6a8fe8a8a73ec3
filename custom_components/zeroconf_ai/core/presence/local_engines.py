"""Inference servers on this machine, found on their usual ports.

A server is used only if it lists its models without an API key.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import aiohttp

from ..backends.bodies import read_limited
from ..config.backend_config import BackendConfig
from ..config.backend_types import BACKEND_TYPES
from ..config.providers_file import found_config
from ..lan.open_port import accepts_connections
from ..protocol.errors import ApiError
from .server_kinds import LOCAL_KINDS, ServerKind, recognize
from .server_signatures import Page

HOST: Final = "127.0.0.1"
LOOK_SECONDS = 5.0
"""The interval between two looks at all ports."""
_ANSWER_SECONDS = 3.0
"""Maximum time for an answer: a server that takes longer is not used until it is faster."""
_CONNECT_SECONDS = 1.0
_MAX_BYTES = 4 * 1024 * 1024
_GONE_AFTER = 2
"""Looks in a row at which its port is closed, or another program answers, after which a server is gone."""
_CONFIRM_EVERY = 12
"""Looks after which a server that is in use is asked again who it is; otherwise it is only checked that its port is open."""


class LocalEngines:
    """Looks for servers on the ports of this machine; remembers those that are there."""

    def __init__(self, session: aiohttp.ClientSession, engines: Sequence[ServerKind] = LOCAL_KINDS) -> None:
        """`session` is shared and stays open."""
        self._session = session
        self._engines = engines
        self._present: dict[str, ServerKind] = {}
        self._missed: dict[str, int] = {}
        self._looks = 0

    @property
    def present(self) -> tuple[ServerKind, ...]:
        """The servers that answered the last search, in the order of `SERVER_KINDS`."""
        return tuple(engine for engine in self._engines if engine.id in self._present)

    async def look(self, without: frozenset[int] = frozenset()) -> bool:
        """Look at all ports at the same time, except those `without`. Returns whether a server came or went."""
        before = set(self._present)
        ports = {engine.port for engine in self._engines} - without
        confirm = self._looks % _CONFIRM_EVERY == 0
        self._looks += 1
        await asyncio.gather(*(self._look_at(port, confirm=confirm) for port in ports))
        return before != set(self._present)

    async def _look_at(self, port: int, *, confirm: bool) -> None:
        here = [engine for engine in self._engines if engine.port == port]
        present = next((engine for engine in here if engine.id in self._present), None)
        reachable = await accepts_connections(HOST, port, _CONNECT_SECONDS)
        if present is None:
            if reachable and (found := await self._recognize(port, here)) is not None:
                self._present[found.id] = found
            return
        # A busy server may answer late: only a closed port, or another answer, is a sign that it has stopped.
        if reachable and (not confirm or await self._recognize(port, [present]) is not None):
            self._missed.pop(present.id, None)
            return
        self._missed[present.id] = self._missed.get(present.id, 0) + 1
        if self._missed[present.id] >= _GONE_AFTER:
            del self._present[present.id], self._missed[present.id]

    async def _recognize(self, port: int, kinds: Sequence[ServerKind]) -> ServerKind | None:
        found = await recognize(partial(self._get, port), kinds)
        return None if found is None or found.is_locked else found.kind

    async def _get(self, port: int, path: str) -> Page | None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                async with self._session.get(f"http://{HOST}:{port}{path}", allow_redirects=False) as response:
                    body = await read_limited(response, _MAX_BYTES)
                    return Page.parse(body, response.status, response.headers.get("Server"))
        except (aiohttp.ClientError, ApiError, TimeoutError, OSError, ValueError):
            return None


def url_of(kind: ServerKind) -> str:
    """The base URL of the API of a local server of this kind."""
    return f"http://{HOST}:{kind.port}{kind.path}"


def backend_of(engine: ServerKind, backend_id: str, environment: Mapping[str, str]) -> BackendConfig | None:
    """The backend of a server on this machine, which is free unless it is a proxy.

    The environment's settings for its id apply (`PROVIDER_{ID}_…`); None if they disable it. Raises ConfigError.
    """
    values = {"id": backend_id, "name": engine.title, "type": BACKEND_TYPES[engine.type], "endpoint": url_of(engine)}
    return found_config(values if engine.is_proxy else {**values, "location": "local"}, environment)
