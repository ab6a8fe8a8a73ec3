"""`DiscoveryWatch`: notices providers on the network that are not set up."""

from collections.abc import Callable

from ..lan.discovery import DiscoveryManager
from ..lan.providers import Change
from ..protocol.status import ProviderState
from ..protocol.values import clean
from .alert import Alert, discovered_alert

_MOST = 256
"""Providers that are remembered as reported; there are no alerts about more."""


class DiscoveryWatch:
    """Watches the discovery from `start` to `close`. A provider is reported once, when it answers for the first time."""

    def __init__(self, discovery: DiscoveryManager, known: Callable[[str], bool], notify: Callable[[Alert], object]) -> None:
        """`known`: whether the provider with an id is set up."""
        self._discovery = discovery
        self._known = known
        self._notify = notify
        self._reported: set[str] = set()
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to watch. What is advertised already is not new."""
        self._reported = {provider.id for provider in self._discovery.providers[:_MOST]}
        self._unsubscribe = self._discovery.watch_for_changes(self._on_change)

    def close(self) -> None:
        """Watch no longer. May be called twice."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def _on_change(self, change: Change) -> None:
        provider = change.provider
        answers = provider.state is not None and provider.state is not ProviderState.OFFLINE
        if not answers or provider.id in self._reported or len(self._reported) >= _MOST or self._known(provider.id):
            return
        self._reported.add(provider.id)
        self._notify(discovered_alert(provider.id, clean(provider.record.name), clean(provider.record.host)))
