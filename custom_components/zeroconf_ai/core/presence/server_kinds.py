"""The kinds of inference servers, and how each is recognized.

A port proves nothing: llama.cpp and LocalAI share 8080, and any program can answer with 200. Each server is recognized by
something that only it says.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from ..protocol import json
from ..protocol.values import mapping


@dataclass(frozen=True, slots=True)
class Page:
    """The body of an answer with status 200: its text, and the parsed JSON or None."""

    text: str
    data: Any

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Parse a body of any kind."""
        data = None
        with suppress(ValueError):
            data = json.loads(raw)
        return cls(raw.decode(errors="replace"), data)

    @property
    def object(self) -> Mapping[str, Any]:
        """The JSON object; empty for anything else."""
        return mapping(self.data)

    def entries(self, key: str = "data") -> list[Mapping[str, Any]] | None:
        """The objects in a list of the JSON object; None if it has no such list."""
        listed = self.object.get(key)
        return [mapping(entry) for entry in listed] if isinstance(listed, list) else None


type Get = Callable[[str], Awaitable[Page | None]]
"""Asks a server for a path below its root; None for any answer but a 200 that arrives in time."""


@dataclass(frozen=True, slots=True)
class ServerKind:
    """One kind of server, and how it is recognized."""

    id: str
    title: str
    port: int
    """The usual port."""
    type: str
    """The backend type that uses its native API."""
    recognize: Callable[[Get], Awaitable[bool]]
    path: str = "/v1"
    """The path of the base URL."""
    is_proxy: bool = False
    """Whether it forwards requests, also to clouds that cost money."""


async def _is_ollama(get: Get) -> bool:
    """Its root says `Ollama is running` (ollama/server/routes.go); `/api/version` and `/api/tags` are its own."""
    tags = await get("/api/tags")
    if tags is None or tags.entries("models") is None:
        return False
    if (root := await get("/")) is not None and root.text.strip() == "Ollama is running":
        return True
    version = await get("/api/version")
    return version is not None and isinstance(version.object.get("version"), str)


async def _is_lmstudio(get: Get) -> bool:
    """`/lmstudio-greeting`, by which its own command recognizes it (lms, createClient.ts), or its native list of models."""
    if not await _lists_models(get):
        return False
    if (greeting := await get("/lmstudio-greeting")) is not None and greeting.object.get("lmstudio") is True:
        return True
    native = await get("/api/v0/models")
    entries = native.entries() if native is not None else None
    return bool(entries) and all("state" in entry and "type" in entry for entry in entries or ())


async def _is_llamacpp(get: Get) -> bool:
    """`/props` with its settings, or its name in the list of models (llama.cpp, tools/server)."""
    listed = await _models(get)
    if listed is None:
        return False
    if listed and all(entry.get("owned_by") == "llamacpp" for entry in listed):
        return True
    props = await get("/props")
    return props is not None and isinstance(props.object.get("default_generation_settings"), dict)


async def _is_localai(get: Get) -> bool:
    """Its description of itself, or `/system` with its backends (localai.io, "API discovery", "System information")."""
    if not await _lists_models(get):
        return False
    described = await get("/.well-known/localai.json")
    if described is not None and isinstance(described.object.get("endpoints"), dict):
        return True
    system = await get("/system")
    return system is not None and isinstance(system.object.get("backends"), list)


async def _is_vllm(get: Get) -> bool:
    """Its name in the list of models (vllm, entrypoints/openai/protocol.py)."""
    listed = await _models(get)
    return bool(listed) and all(entry.get("owned_by") == "vllm" for entry in listed or ())


async def _is_litellm(get: Get) -> bool:
    """`/health/liveliness` says "I'm alive!" (docs.litellm.ai, "Health checks")."""
    alive = await get("/health/liveliness")
    return alive is not None and "I'm alive" in alive.text and await _lists_models(get)


async def _is_jan(get: Get) -> bool:
    """The title of its documentation, or the engines that own its models (jan, src-tauri/src/core/server/proxy.rs)."""
    listed = await _models(get)
    if listed is None:
        return False
    if listed and all(entry.get("owned_by") in ("llama.cpp", "mlx", "remote") for entry in listed):
        return True
    described = await get("/openapi.json")
    title = None if described is None else mapping(described.object.get("info")).get("title")
    return isinstance(title, str) and title.startswith("Jan ")


async def _models(get: Get) -> list[Mapping[str, Any]] | None:
    """The entries of OpenAI's list of models; None without a valid list, and for a server of this program."""
    page = await get("/v1/models")
    entries = None if page is None else page.entries()
    if entries is None or not all(isinstance(entry.get("id"), str) for entry in entries):
        return None
    return None if any("supports_streaming" in entry for entry in entries) else entries


async def _lists_models(get: Get) -> bool:
    return await _models(get) is not None


SERVER_KINDS: tuple[ServerKind, ...] = (
    ServerKind("ollama", "Ollama", 11434, "ollama", _is_ollama, path=""),
    ServerKind("lmstudio", "LM Studio", 1234, "lmstudio", _is_lmstudio),
    ServerKind("llamacpp", "llama.cpp", 8080, "llamacpp", _is_llamacpp),
    ServerKind("localai", "LocalAI", 8080, "openai_compatible", _is_localai),
    ServerKind("vllm", "vLLM", 8000, "vllm", _is_vllm),
    ServerKind("litellm", "LiteLLM", 4000, "litellm", _is_litellm, is_proxy=True),
    ServerKind("jan", "Jan", 1337, "openai_compatible", _is_jan),
)
"""In the order in which servers on one port are asked for."""


def kind_of(kind_id: str | None) -> ServerKind | None:
    """The kind with this id; None if there is no such kind."""
    return next((kind for kind in SERVER_KINDS if kind.id == kind_id), None)


async def recognize(get: Get, kinds: Sequence[ServerKind] = SERVER_KINDS) -> ServerKind | None:
    """What answers: the first of `kinds` whose signature the server has; None for a server of another kind.

    Each path is asked for once.
    """
    pages: dict[str, Page | None] = {}

    async def get_once(path: str) -> Page | None:
        if path not in pages:
            pages[path] = await get(path)
        return pages[path]

    for kind in kinds:
        if await kind.recognize(get_once):
            return kind
    return None
