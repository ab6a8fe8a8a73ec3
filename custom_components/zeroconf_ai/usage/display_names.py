"""Display names of budget owners and of devices without a key."""

from ipaddress import ip_address
import time

from homeassistant.components.device_tracker.const import ATTR_IP, ATTR_MAC, DOMAIN as DEVICE_TRACKER_DOMAIN
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr

from ..core.accounting.budget import Budget, Scope
from ..core.accounting.keys.key_store import KeyStore
from ..core.admin.names import Names, budget_owner as owner_of
from ..core.protocol.values import clean
from ..data import DATA, gateway_entry

_MOST_ADMINISTRATORS = 5
_FRESH_SECONDS = 60.0
"""How long the mapping of addresses to devices is cached."""


async def budget_owner(hass: HomeAssistant, keys: KeyStore, budget: Budget) -> str:
    """The name of a budget's owner; its id if the owner was deleted."""
    user = await hass.auth.async_get_user(budget.subject) if budget.scope is Scope.USER else None
    entry = gateway_entry(hass)
    names = Names(keys, lambda _: None if user is None else user.name)
    return owner_of(budget, names, backend_names(hass), "" if entry is None else entry.title)


@callback
def backend_names(hass: HomeAssistant) -> dict[str, str]:
    """The names of all backends that can cost money, by id."""
    return {member.id: member.name for member in hass.data[DATA].engine.pool if not member.backend.info.agent}


async def user_names(hass: HomeAssistant) -> dict[str, str]:
    """The names of Home Assistant's users, by id."""
    users = await hass.auth.async_get_users()
    return {user.id: user.name or user.id for user in users if user.is_active and not user.system_generated}


async def administrator_names(hass: HomeAssistant) -> list[str]:
    """The names of up to five administrators, the owner of the home first."""
    users = await hass.auth.async_get_users()
    found = [user for user in users if user.is_active and user.is_admin and not user.system_generated and user.name]
    return [user.name or "" for user in sorted(found, key=lambda user: not user.is_owner)[:_MOST_ADMINISTRATORS]]


class DeviceNames:
    """Finds device names by IP address, from router-based device trackers and the device registry."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Reads on demand, at most once a minute."""
        self._hass = hass
        self._names: dict[str, str] = {}
        self._read_at = float("-inf")

    @callback
    def __call__(self, address: str) -> str | None:
        """The name of the device with an address; None if unknown."""
        now = time.monotonic()
        if now - self._read_at >= _FRESH_SECONDS:
            self._read_at = now
            self._names = self._read()
        return self._names.get(address)

    def _read(self) -> dict[str, str]:
        devices = dr.async_get(self._hass)
        names: dict[str, str] = {}
        for state in self._hass.states.async_all(DEVICE_TRACKER_DOMAIN):
            try:
                address = str(ip_address(state.attributes.get(ATTR_IP, "")))
            except ValueError:
                continue
            named = None
            if isinstance(mac := state.attributes.get(ATTR_MAC), str):
                connection = (dr.CONNECTION_NETWORK_MAC, dr.format_mac(mac))
                found = devices.async_get_devices(connections={connection})
                named = next((name for device in found if (name := device.name_by_user or device.name)), None)
            names[address] = clean(named or state.name)
        return names
