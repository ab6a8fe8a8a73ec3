"""The kinds of backends that a configuration may name, and how each is made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import aiohttp

from ..backends.anthropic.backend import BASE_URL as ANTHROPIC_URL, CLOUD_TIMEOUTS, AnthropicBackend, anthropic_info
from ..backends.base import Backend, BackendInfo, Timeouts
from ..backends.ollama.backend import BASE_URL as OLLAMA_URL, LOCAL_TIMEOUTS, OllamaBackend, ollama_info
from ..backends.openai.backend import OpenAIBackend
from ..backends.openai.flavors import FLAVORS, Flavor
from ..backends.zeroconfai import Endpoint, ZeroconfAIBackend

type Make = Callable[[aiohttp.ClientSession, BackendInfo, Endpoint, Timeouts], Backend]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of backend."""

    name: str
    title: str
    make: Make
    info: Callable[[str, str], BackendInfo]
    """Id and name → what such a backend says of itself."""
    endpoint: str | None = None
    """Where it is unless its owner says otherwise."""
    path: str = "/v1"
    """What follows the host where an address names no path."""
    needs_key: bool = False
    timeouts: Timeouts = field(default_factory=Timeouts)


def _openai(flavor: Flavor, session: aiohttp.ClientSession, info: BackendInfo, endpoint: Endpoint, timeouts: Timeouts) -> Backend:
    return OpenAIBackend(session, info, endpoint, flavor, timeouts=timeouts)


def _anthropic(session: aiohttp.ClientSession, info: BackendInfo, endpoint: Endpoint, timeouts: Timeouts) -> Backend:
    return AnthropicBackend(session, info, endpoint, timeouts=timeouts)


def _ollama(session: aiohttp.ClientSession, info: BackendInfo, endpoint: Endpoint, timeouts: Timeouts) -> Backend:
    return OllamaBackend(session, info, endpoint, timeouts=timeouts)


def _zeroconfai(session: aiohttp.ClientSession, info: BackendInfo, endpoint: Endpoint, timeouts: Timeouts) -> Backend:
    return ZeroconfAIBackend(session, info, endpoint, timeouts=timeouts)


_OWN = (
    Kind("anthropic", "Anthropic", _anthropic, anthropic_info, ANTHROPIC_URL, needs_key=True, timeouts=CLOUD_TIMEOUTS),
    Kind("ollama", "Ollama", _ollama, ollama_info, OLLAMA_URL, path="", timeouts=LOCAL_TIMEOUTS),
    Kind("zeroconfai", "ZeroConf AI", _zeroconfai, BackendInfo),
)
KINDS: Mapping[str, Kind] = {
    flavor.name: Kind(
        flavor.name,
        flavor.title,
        partial(_openai, flavor),
        flavor.info,
        flavor.base_url,
        needs_key=flavor.needs_key,
        timeouts=flavor.timeouts,
    )
    for flavor in FLAVORS.values()
} | {kind.name: kind for kind in _OWN}
"""By the name that a configuration gives them."""
