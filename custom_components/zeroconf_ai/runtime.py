"""The one interface of the runtimes of both kinds of config entry."""

from homeassistant.config_entries import ConfigEntry

from .gateway.runtime import GatewayRuntime
from .provider.runtime import ProviderRuntime

type ZeroconfAIConfigEntry = ConfigEntry[ProviderRuntime] | ConfigEntry[GatewayRuntime]
"""A config entry of either kind. Its `runtime_data` has `gateway`, `only_member`, `device_id` and `listen_members`."""
