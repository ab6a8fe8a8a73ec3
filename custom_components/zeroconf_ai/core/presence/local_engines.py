"""Inference servers on this machine, found on their usual ports.

A port proves nothing: llama.cpp and LocalAI share 8080, and any program can answer with 200. Each server is recognized by
something that only it says, and is used only if it also lists its models without an API key.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from ..backends.bodies import read_limited
from ..config.backend_config import BackendConfig
from ..config.backend_types import BACKEND_TYPES
from ..config.providers_file import found_config
from ..protocol import json
from ..protocol.errors import ApiError
from ..protocol.values import mapping

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


@dataclass(frozen=True, slots=True)
class _Page:
    """What a path answered: status, text, and the parsed JSON or None."""

    status: int
    text: str
    data: Any

    @property
    def object(self) -> Mapping[str, Any]:
        """The JSON object of a successful answer; empty for anything else."""
        return mapping(self.data) if self.status == 200 else {}

    def entries(self, key: str = "data") -> list[Mapping[str, Any]] | None:
        """The objects in a list of a successful answer; None if it has no such list."""
        listed = self.object.get(key)
        return [mapping(entry) for entry in listed] if isinstance(listed, list) else None


type _Get = Callable[[str], Awaitable[_Page | None]]
"""Asks for a path; None if nothing valid answers in time."""


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """One kind of server, and how it is recognized."""

    id: str
    title: str
    port: int
    type: str
    recognize: Callable[[_Get], Awaitable[bool]]
    path: str = "/v1"
    """The path of the base URL."""
    is_proxy: bool = False
    """Whether it forwards requests, also to clouds that cost money."""

    @property
    def url(self) -> str:
        """The base URL of the API."""
        return f"http://{HOST}:{self.port}{self.path}"


async def _is_ollama(get: _Get) -> bool:
    """Its root says `Ollama is running` (ollama/server/routes.go); `/api/version` and `/api/tags` are its own."""
    tags = await get("/api/tags")
    if tags is None or tags.entries("models") is None:
        return False
    if (root := await get("/")) is not None and root.status == 200 and root.text.strip() == "Ollama is running":
        return True
    version = await get("/api/version")
    return version is not None and isinstance(version.object.get("version"), str)


async def _is_lmstudio(get: _Get) -> bool:
    """`/lmstudio-greeting`, by which its own command recognizes it (lms, createClient.ts), or its native list of models."""
    if not await _lists_models(get):
        return False
    if (greeting := await get("/lmstudio-greeting")) is not None and greeting.object.get("lmstudio") is True:
        return True
    native = await get("/api/v0/models")
    entries = native.entries() if native is not None else None
    return bool(entries) and all("state" in entry and "type" in entry for entry in entries or ())


async def _is_llamacpp(get: _Get) -> bool:
    """`/props` with its settings, or its name in the list of models (llama.cpp, tools/server)."""
    listed = await _models(get)
    if listed is None:
        return False
    if listed and all(entry.get("owned_by") == "llamacpp" for entry in listed):
        return True
    props = await get("/props")
    return props is not None and isinstance(props.object.get("default_generation_settings"), dict)


async def _is_localai(get: _Get) -> bool:
    """Its description of itself, or `/system` with its backends (localai.io, "API discovery", "System information")."""
    if not await _lists_models(get):
        return False
    described = await get("/.well-known/localai.json")
    if described is not None and isinstance(described.object.get("endpoints"), dict):
        return True
    system = await get("/system")
    return system is not None and isinstance(system.object.get("backends"), list)


async def _is_vllm(get: _Get) -> bool:
    """Its name in the list of models (vllm, entrypoints/openai/protocol.py)."""
    listed = await _models(get)
    return bool(listed) and all(entry.get("owned_by") == "vllm" for entry in listed or ())


async def _is_litellm(get: _Get) -> bool:
    """`/health/liveliness` says "I'm alive!" (docs.litellm.ai, "Health checks")."""
    alive = await get("/health/liveliness")
    return alive is not None and alive.status == 200 and "I'm alive" in alive.text and await _lists_models(get)


async def _is_jan(get: _Get) -> bool:
    """The title of its documentation, or the engines that own its models (jan, src-tauri/src/core/server/proxy.rs)."""
    listed = await _models(get)
    if listed is None:
        return False
    if listed and all(entry.get("owned_by") in ("llama.cpp", "mlx", "remote") for entry in listed):
        return True
    described = await get("/openapi.json")
    title = None if described is None else mapping(described.object.get("info")).get("title")
    return isinstance(title, str) and title.startswith("Jan ")


async def _models(get: _Get) -> list[Mapping[str, Any]] | None:
    """The entries of OpenAI's list of models; None without a valid list, and for a server of this program."""
    page = await get("/v1/models")
    entries = None if page is None else page.entries()
    if entries is None or not all(isinstance(entry.get("id"), str) for entry in entries):
        return None
    return None if any("supports_streaming" in entry for entry in entries) else entries


async def _lists_models(get: _Get) -> bool:
    return await _models(get) is not None


ENGINES: tuple[LocalEngine, ...] = (
    LocalEngine("ollama", "Ollama", 11434, "ollama", _is_ollama, path=""),
    LocalEngine("lmstudio", "LM Studio", 1234, "lmstudio", _is_lmstudio),
    LocalEngine("llamacpp", "llama.cpp", 8080, "llamacpp", _is_llamacpp),
    LocalEngine("localai", "LocalAI", 8080, "openai_compatible", _is_localai),
    LocalEngine("vllm", "vLLM", 8000, "vllm", _is_vllm),
    LocalEngine("litellm", "LiteLLM", 4000, "litellm", _is_litellm, is_proxy=True),
    LocalEngine("jan", "Jan", 1337, "openai_compatible", _is_jan),
)
"""In the order in which servers on one port are asked for."""


class LocalEngines:
    """Looks for servers on the ports of this machine; remembers those that are there."""

    def __init__(self, session: aiohttp.ClientSession, engines: Sequence[LocalEngine] = ENGINES) -> None:
        """`session` is shared and stays open."""
        self._session = session
        self._engines = engines
        self._present: dict[str, LocalEngine] = {}
        self._missed: dict[str, int] = {}
        self._looks = 0

    @property
    def present(self) -> tuple[LocalEngine, ...]:
        """The servers that were there at the last look, in the order of `ENGINES`."""
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
        reachable = await _is_open(port)
        if present is None:
            if reachable and (found := await self._recognize(here)) is not None:
                self._present[found.id] = found
            return
        # A busy server may answer late: only a closed port, or another answer, is a sign that it has stopped.
        if reachable and (not confirm or await self._recognize([present]) is not None):
            self._missed.pop(present.id, None)
            return
        self._missed[present.id] = self._missed.get(present.id, 0) + 1
        if self._missed[present.id] >= _GONE_AFTER:
            del self._present[present.id], self._missed[present.id]

    async def _recognize(self, engines: Sequence[LocalEngine]) -> LocalEngine | None:
        for engine in engines:
            if await engine.recognize(lambda path, port=engine.port: self._get(port, path)):  # type: ignore[misc]
                return engine
        return None

    async def _get(self, port: int, path: str) -> _Page | None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                async with self._session.get(f"http://{HOST}:{port}{path}", allow_redirects=False) as response:
                    raw = await read_limited(response, _MAX_BYTES)
        except (aiohttp.ClientError, ApiError, TimeoutError, OSError, ValueError):
            return None
        data = None
        with suppress(ValueError):
            data = json.loads(raw)
        return _Page(response.status, raw.decode(errors="replace"), data)


def backend_of(engine: LocalEngine, backend_id: str, environment: Mapping[str, str]) -> BackendConfig | None:
    """The backend of a server on this machine, which is free unless it is a proxy.

    The environment's settings for its id apply (`PROVIDER_{ID}_…`); None if they disable it. Raises ConfigError.
    """
    values = {"id": backend_id, "name": engine.title, "type": BACKEND_TYPES[engine.type], "endpoint": engine.url}
    return found_config(values if engine.is_proxy else {**values, "location": "local"}, environment)


async def _is_open(port: int) -> bool:
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(HOST, port)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
