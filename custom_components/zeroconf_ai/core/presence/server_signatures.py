"""The signatures of inference servers: answers that only one kind of server gives.

A port proves nothing: llama.cpp and LocalAI share 8080, and any program can answer with 200. Each signature says whether the
server answers without an API key or requires one. A server that requires a key is recognized by the paths that it leaves open.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Self

from ..protocol import json
from ..protocol.values import mapping


class Access(Enum):
    """Whether a recognized server answers without an API key."""

    OPEN = auto()
    LOCKED = auto()
    """It requires a key, or refuses the one that was sent."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: its text, and the parsed JSON or None."""

    text: str
    data: Any
    status: int = 200
    server: str = ""
    """Its `Server` header."""

    @classmethod
    def parse(cls, raw: bytes, status: int = 200, server: str | None = None) -> Self:
        """Parse a body of any kind."""
        data = None
        with suppress(ValueError):
            data = json.loads(raw)
        return cls(raw.decode(errors="replace"), data, status, server or "")

    @property
    def is_refused(self) -> bool:
        """Whether an API key is missing or invalid."""
        return self.status in (401, 403)

    @property
    def object(self) -> Mapping[str, Any]:
        """The JSON object; empty for anything else."""
        return mapping(self.data)

    def entries(self, key: str = "data") -> list[Mapping[str, Any]] | None:
        """The objects in a list of the JSON object; None if it has no such list."""
        listed = self.object.get(key)
        return [mapping(entry) for entry in listed] if isinstance(listed, list) else None


type Get = Callable[[str], Awaitable[Page | None]]
"""Asks a server for a path below its root; None if no answer arrives in time."""

type Signature = Callable[[Get], Awaitable[Access | None]]
"""Asks a server for what only its kind has; None: the server is of another kind."""


async def ollama(get: Get) -> Access | None:
    """Its root says `Ollama is running` (ollama/server/routes.go); `/api/version` and `/api/tags` are its own.

    KoboldCpp and LocalAI have these two paths as well, for clients of Ollama.
    """
    tags = await _found(get, "/api/tags")
    if tags is None or tags.entries("models") is None:
        return None
    if (root := await _found(get, "/")) is not None and root.text.strip() == "Ollama is running":
        return Access.OPEN
    version = await _found(get, "/api/version")
    if version is None or not isinstance(version.object.get("version"), str):
        return None
    others = (await koboldcpp(get), await localai(get))
    return Access.OPEN if others == (None, None) else None


async def lmstudio(get: Get) -> Access | None:
    """`/lmstudio-greeting`, by which its own command recognizes it (lms, createClient.ts), or its native list of models."""
    if (access := await _access(get)) is None:
        return None
    if (greeting := await _found(get, "/lmstudio-greeting")) is not None and greeting.object.get("lmstudio") is True:
        return access
    native = await _found(get, "/api/v0/models")
    entries = native.entries() if native is not None else None
    return access if entries and all("state" in entry and "type" in entry for entry in entries) else None


async def llamacpp(get: Get) -> Access | None:
    """`/props` with its settings, its name in the list of models, or its `Server` header (llama.cpp, tools/server).

    Its list of models needs no key, all other paths of its API do (tools/server/server-http.cpp).
    """
    if await _access(get) is None:
        return None
    listed, props = await _models(get), await get("/props")
    owned = bool(listed) and all(entry.get("owned_by") == "llamacpp" for entry in listed or ())
    if props is not None and props.is_refused:
        return Access.LOCKED if owned or props.server == "llama.cpp" else None
    has_settings = props is not None and isinstance(props.object.get("default_generation_settings"), dict)
    return Access.OPEN if listed is not None and (owned or has_settings) else None


async def localai(get: Get) -> Access | None:
    """Its description of itself, or `/system` with its backends (localai.io, "API discovery", "System information").

    With a key it refuses every path, in its own words (core/http/auth/middleware.go).
    """
    if (access := await _access(get)) is None:
        return None
    described = await _found(get, "/.well-known/localai.json")
    if described is not None and isinstance(described.object.get("endpoints"), dict):
        return access
    if access is Access.LOCKED:
        return access if await _refusal(get) == "An authentication key is required" else None
    system = await _found(get, "/system")
    return access if system is not None and isinstance(system.object.get("backends"), list) else None


async def vllm(get: Get) -> Access | None:
    """Its name in the list of models (vllm, entrypoints/openai/protocol.py).

    With a key it refuses paths below `/v1` only (`AuthenticationMiddleware`, entrypoints/openai/server_utils.py); `/version` and
    `/metrics` stay open.
    """
    if await _access(get) is not Access.LOCKED:
        return await _owned_by(get, "vllm")
    version = await _found(get, "/version")
    if version is None or set(version.object) != {"version"}:
        return None
    metrics = await _found(get, "/metrics")
    named = metrics is not None and "vllm:" in metrics.text
    return Access.LOCKED if named or await _refusal(get) == "Unauthorized" else None


async def sglang(get: Get) -> Access | None:
    """Its name in the list of models, or `/get_model_info` (docs.sglang.ai, "SGLang native APIs").

    With a key all paths are refused but `/health`, which is empty, and `/metrics` (sglang, srt/utils/auth.py).
    """
    access = await _access(get)
    if access is Access.OPEN:
        info = await _found(get, "/get_model_info")
        named = info is not None and {"model_path", "is_generation"} <= set(info.object)
        return access if named else await _owned_by(get, "sglang")
    if access is None or await _refusal(get) != "Unauthorized":
        return None
    if (metrics := await _found(get, "/metrics")) is not None and "sglang:" in metrics.text:
        return access
    health, info = await _found(get, "/health"), await get("/get_model_info")
    return access if health is not None and not health.text and info is not None and info.is_refused else None


async def litellm(get: Get) -> Access | None:
    """`/health/liveliness` says "I'm alive!" without a key (docs.litellm.ai, "Health checks")."""
    alive = await _found(get, "/health/liveliness")
    return await _access(get) if alive is not None and "I'm alive" in alive.text else None


async def jan(get: Get) -> Access | None:
    """The title of its documentation, which needs no key, or the engines that own its models (jan, core/server/proxy.rs)."""
    if (access := await _access(get)) is None:
        return None
    listed = await _models(get)
    if listed and all(entry.get("owned_by") in ("llama.cpp", "mlx", "remote") for entry in listed):
        return access
    described = await _found(get, "/openapi.json")
    title = None if described is None else mapping(described.object.get("info")).get("title")
    return access if isinstance(title, str) and title.startswith("Jan ") else None


async def tabbyapi(get: Get) -> Access | None:
    """`/.well-known/serviceinfo` names it, without a key (tabbyAPI, endpoints/server.py)."""
    info = await _found(get, "/.well-known/serviceinfo")
    named = info is not None and mapping(info.object.get("software")).get("name") == "TabbyAPI"
    return await _access(get) if named else None


async def koboldcpp(get: Get) -> Access | None:
    """`/api/extra/version` names it, and says whether a password protects it. TabbyAPI answers as KoboldCpp there too."""
    version = await _found(get, "/api/extra/version")
    if version is None or version.object.get("result") != "KoboldCpp" or await tabbyapi(get) is not None:
        return None
    return Access.LOCKED if version.object.get("protected") is True else await _access(get)


async def text_generation_webui(get: Get) -> Access | None:
    """`/v1/internal/model/info`; with a key, its place in the documentation, which stays open (modules/api/script.py)."""
    if (access := await _access(get)) is None:
        return None
    path = "/v1/internal/model/info"
    if access is Access.OPEN:
        info = await _found(get, path)
        return access if info is not None and "model_name" in info.object else None
    described = await _found(get, "/openapi.json")
    return access if described is not None and path in mapping(described.object.get("paths")) else None


async def open_webui(get: Get) -> Access | None:
    """`/api/config` names it, also if its owner has renamed it (open_webui/env.py, `WEBUI_NAME`)."""
    config = await _found(get, "/api/config")
    name = None if config is None else config.object.get("name")
    if not isinstance(name, str) or "Open WebUI" not in name:
        return None
    listed = await get("/api/models")
    return Access.OPEN if listed is not None and listed.status == 200 and listed.entries() is not None else Access.LOCKED


async def gpt4all(get: Get) -> Access | None:
    """All its models are owned by "humanity" (gpt4all-chat, src/server.cpp)."""
    return await _owned_by(get, "humanity")


async def llamaswap(get: Get) -> Access | None:
    """Its name in the list of models (llama-swap, proxy/proxymanager.go)."""
    return await _owned_by(get, "llama-swap")


async def compatible(get: Get) -> Access | None:
    """An OpenAI-compatible server of any kind that refuses its list of models with OpenAI's error object."""
    page = await get("/v1/models")
    if page is None or not page.is_refused:
        return None
    return Access.LOCKED if isinstance(mapping(page.object.get("error")).get("message"), str) else None


async def _found(get: Get, path: str) -> Page | None:
    page = await get(path)
    return page if page is not None and page.status == 200 else None


async def _models(get: Get) -> list[Mapping[str, Any]] | None:
    """The entries of OpenAI's list of models; None without a valid list, and for a server of this program."""
    page = await _found(get, "/v1/models")
    entries = None if page is None else page.entries()
    if entries is None or not all(isinstance(entry.get("id"), str) for entry in entries):
        return None
    return None if any("supports_streaming" in entry for entry in entries) else entries


async def _access(get: Get) -> Access | None:
    """OPEN with a valid list of models, LOCKED if the list is refused, else None."""
    page = await get("/v1/models")
    if page is not None and page.is_refused:
        return Access.LOCKED
    return None if await _models(get) is None else Access.OPEN


async def _owned_by(get: Get, owner: str) -> Access | None:
    listed = await _models(get)
    return Access.OPEN if listed and all(entry.get("owned_by") == owner for entry in listed) else None


async def _refusal(get: Get) -> str | None:
    """The words with which the list of models is refused; None if they have another form."""
    page = await get("/v1/models")
    error = None if page is None or not page.is_refused else page.object.get("error")
    text = error if isinstance(error, str) else mapping(error).get("message")
    return text if isinstance(text, str) else None
