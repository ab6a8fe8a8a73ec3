"""`DiscoveryWatch`: notices providers on the network that are not set up."""

import asyncio
from collections.abc import Callable

from ..lan.discovery import DiscoveryManager
from ..lan.providers import Change, ChangeKind
from ..protocol.values import clean
from .alert import Alert, discovered_alert

SETTLE = 60.0
"""Seconds after the start in which what is found is not new: it was there before a restart."""
_MOST = 256
"""Providers that are remembered as reported; there are no alerts about more."""


class DiscoveryWatch:
    """Watches the discovery from `start` to `close`. Each provider is reported once."""

    def __init__(
        self,
        discovery: DiscoveryManager,
        known: Callable[[str], bool],
        notify: Callable[[Alert], object],
        settle: float = SETTLE,
    ) -> None:
        """`known`: whether the provider with an id is set up."""
        self._discovery = discovery
        self._known = known
        self._notify = notify
        self._settle = settle
        self._settled_at = 0.0
        self._found: set[str] = set()
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._settled_at = asyncio.get_running_loop().time() + self._settle
        self._found = {provider.id for provider in self._discovery.providers[:_MOST]}
        self._unsubscribe = self._discovery.watch_for_changes(self._on_change)

    def close(self) -> None:
        """Watch no longer. May be called twice."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def _on_change(self, change: Change) -> None:
        provider = change.provider
        if change.kind is not ChangeKind.ADDED or provider.id in self._found or len(self._found) >= _MOST:
            return
        self._found.add(provider.id)
        if asyncio.get_running_loop().time() >= self._settled_at and not self._known(provider.id):
            self._notify(discovered_alert(provider.id, clean(provider.record.name), clean(provider.record.host)))
