"""The runtime of a provider's config entry."""

from collections.abc import Callable
from dataclasses import dataclass

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import callback

from ..core.presence.provider_backend import ProviderBackend
from ..core.routing.pool.member import Member
from ..pool_coordinator import MemberCoordinator
from .coordinator import ProviderCoordinator


@dataclass(frozen=True, slots=True)
class ProviderRuntime:
    """The runtime data of a provider's entry."""

    backend: ProviderBackend
    member: Member
    coordinator: ProviderCoordinator
    device_id: str
    """The id of the provider's device in the device registry."""

    @property
    def gateway(self) -> None:
        """A provider's entry has no gateway."""
        return None

    @property
    def only_member(self) -> Member:
        """The backend that answers the entry's own agents."""
        return self.member

    @callback
    def listen_members(self, listener: Callable[[MemberCoordinator], None]) -> Callable[[], None]:
        """Call `listener` with the coordinator of the entry's one backend. Returns a function that does nothing."""
        listener(self.coordinator)
        return lambda: None


type ProviderConfigEntry = ConfigEntry[ProviderRuntime]
