"""The backend types of a configuration, and how to create each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import aiohttp

from ..backends.anthropic.backend import BASE_URL as ANTHROPIC_URL, CLOUD_TIMEOUTS, AnthropicBackend, anthropic_info
from ..backends.base import Backend, BackendInfo, Endpoint, Timeouts
from ..backends.ollama.backend import BASE_URL as OLLAMA_URL, LOCAL_TIMEOUTS, OllamaBackend, ollama_info
from ..backends.openai.backend import OpenAIBackend
from ..backends.openai.flavors import FLAVORS, Flavor
from ..backends.zeroconfai import ZeroconfAIBackend

type BackendFactory = Callable[[aiohttp.ClientSession, BackendInfo, Endpoint, Timeouts], Backend]


@dataclass(frozen=True, slots=True)
class BackendType:
    """One backend type."""

    name: str
    title: str
    make: BackendFactory
    info: Callable[[str, str], BackendInfo]
    """Id and name → the type's `BackendInfo`."""
    endpoint: str | None = None
    """The default endpoint."""
    path: str = "/v1"
    """The path appended to addresses without a path."""
    needs_key: bool = False
    key_header: str = "Authorization"
    """The header for the API key."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    flavor: Flavor | None = None
    """The flavor of an OpenAI-compatible server; None for other dialects."""

    def asked_at(self, path: str) -> BackendType:
        """The same type with another health path. Raises ValueError unless it is OpenAI-compatible."""
        if self.flavor is None:
            raise ValueError(f"a backend of type {self.name} is asked for its health in its own way")
        return _of(self.flavor.asked_at(path))


def _openai(flavor: Flavor, session: aiohttp.ClientSession, info: BackendInfo, endpoint: Endpoint, timeouts: Timeouts) -> Backend:
    return OpenAIBackend(session, info, endpoint, flavor, timeouts=timeouts)


def _anthropic(session: aiohttp.ClientSession, info: BackendInfo, endpoint: Endpoint, timeouts: Timeouts) -> Backend:
    return AnthropicBackend(session, info, endpoint, timeouts=timeouts)


def _ollama(session: aiohttp.ClientSession, info: BackendInfo, endpoint: Endpoint, timeouts: Timeouts) -> Backend:
    return OllamaBackend(session, info, endpoint, timeouts=timeouts)


def _zeroconfai(session: aiohttp.ClientSession, info: BackendInfo, endpoint: Endpoint, timeouts: Timeouts) -> Backend:
    return ZeroconfAIBackend(session, info, endpoint, timeouts=timeouts)


def _of(flavor: Flavor) -> BackendType:
    return BackendType(
        flavor.name,
        flavor.title,
        partial(_openai, flavor),
        flavor.info,
        flavor.base_url,
        needs_key=flavor.needs_key,
        timeouts=flavor.timeouts,
        flavor=flavor,
    )


_OWN = (
    BackendType(
        "anthropic",
        "Anthropic",
        _anthropic,
        anthropic_info,
        ANTHROPIC_URL,
        needs_key=True,
        key_header="x-api-key",
        timeouts=CLOUD_TIMEOUTS,
    ),
    BackendType("ollama", "Ollama", _ollama, ollama_info, OLLAMA_URL, path="", timeouts=LOCAL_TIMEOUTS),
    BackendType("zeroconfai", "ZeroConf AI", _zeroconfai, BackendInfo),
)
BACKEND_TYPES: Mapping[str, BackendType] = {kind.name: kind for kind in (*map(_of, FLAVORS.values()), *_OWN)}
"""By the name used in configurations."""
