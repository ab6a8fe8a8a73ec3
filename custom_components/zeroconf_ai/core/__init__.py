"""ZeroConf AI: finds, uses and serves LLM providers on the local network. Imports nothing of Home Assistant."""

from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .client import Answer, Client, NoProviderError, Stream, SyncClient
    from .lan.discovery import DiscoveryManager
    from .protocol.errors import ApiError

__all__ = ["Answer", "ApiError", "Client", "DiscoveryManager", "NoProviderError", "Stream", "SyncClient", "__version__"]

_PUBLIC = {
    "ApiError": ".protocol.errors",
    "DiscoveryManager": ".lan.discovery",
    **dict.fromkeys(("Answer", "Client", "NoProviderError", "Stream", "SyncClient"), ".client"),
}
"""The modules of the public names, which are imported when they are used: `zeroconf-ai --help` needs none of them."""


def __getattr__(name: str) -> Any:
    """Import a public name. Raises AttributeError for another one."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_PUBLIC[name], __name__), name)


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return sorted({*globals(), *__all__})
