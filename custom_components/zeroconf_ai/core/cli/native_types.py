"""Recognizes the kind of the servers that `serve` knows only as OpenAI-compatible, and uses their native API.

OpenAI's API hides what a server's own reports: Ollama's context window, and the queue of vLLM or llama.cpp.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import aiohttp

from ..backends.base import BackendInfo, Endpoint
from ..config.backend_config import BackendConfig
from ..config.backend_types import BACKEND_TYPES
from ..presence.provider_backend import ProviderBackend
from ..presence.server_kinds import ServerKind
from ..protocol.errors import ApiError
from .notices import notice

ANY_TYPE: Final = "openai_compatible"
_LOOK_SECONDS = 3.0
"""Maximum time for all servers: the start waits for it."""
_PATH = "/v1"


class NativeTypes:
    """The kinds of the servers that answered when they were asked; each is asked until it has answered once."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """`session` is shared and stays open."""
        self._session = session
        self._known: dict[tuple[str, str], ServerKind | None] = {}

    async def look(self, configs: Iterable[BackendConfig]) -> None:
        """Ask the servers that have not answered yet, all at the same time. Prints which are used through their native API."""
        unknown = (config for config in configs if config.enabled and config.type.name == ANY_TYPE)
        asked = [config for config in unknown if _name(config) not in self._known]
        async with asyncio.TaskGroup() as group:
            for config in asked:
                group.create_task(self._ask(config))

    def of(self, config: BackendConfig) -> BackendConfig:
        """The configuration with the native type of its server, if that is known. A proxy stays a server of any kind."""
        kind = self._known.get(_name(config)) if config.type.name == ANY_TYPE else None
        if kind is None or kind.is_proxy or kind.type == ANY_TYPE:
            return config
        return replace(config, type=BACKEND_TYPES[kind.type], endpoint=f"{config.endpoint.removesuffix(_PATH)}{kind.path}")

    async def _ask(self, config: BackendConfig) -> None:
        endpoint = Endpoint(config.endpoint, config.key, config.verify_ssl, config.headers)
        backend = ProviderBackend(self._session, BackendInfo(config.id, config.name), endpoint)
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await backend.health()
        except (ApiError, TimeoutError):
            return
        self._known[_name(config)] = backend.kind
        if (used := self.of(config)) is not config and backend.kind is not None:
            notice(f"{config.id} is {backend.kind.title}: it is used as the type '{used.type.name}'")


def _name(config: BackendConfig) -> tuple[str, str]:
    return config.id, config.endpoint
