"""`AllowedDevices`: devices that may use the server without a key, by their MAC addresses.

A convenience and no security: every device of the network can take another MAC address. The address is known only of
devices in the same network: those behind a router or a proxy are not admitted.
"""

from collections.abc import Iterable

from ...lan.interfaces import Address
from ...lan.neighbours import Neighbours, parse_mac
from ...protocol.errors import PermissionDeniedError


class AllowedDevices:
    """The allowed devices; without any, all are allowed."""

    def __init__(self, macs: Iterable[str] = (), neighbours: Neighbours | None = None) -> None:
        """Raises ValueError for a text that is no MAC address of a device."""
        self._macs = frozenset(map(parse_mac, macs))
        self._neighbours = neighbours or Neighbours()

    def check(self, address: Address) -> None:
        """Raise PermissionDeniedError for the address of a device that is not allowed. This machine always is."""
        if not self._macs or self._neighbours.is_own(address):
            return
        mac = self._neighbours.mac_of(address)
        if mac in self._macs:
            return
        if mac is None:
            message = f"The MAC address of {address} is not known: it is behind a router or a proxy. Send a key."
        else:
            message = f"The device {mac} at {address} is not allowed without an API key. Send a key, or allow its MAC address."
        raise PermissionDeniedError(message, code="network_not_allowed")
