"""The MAC addresses of this machine's neighbours, from the kernel's neighbour table (ARP for IPv4, NDP for IPv6). Linux only.

One netlink request lists both (RFC 3549, `RTM_GETNEIGH`; linux/neighbour.h), which waits for nothing on the network.
"""

from collections.abc import Callable, Iterator
from ipaddress import ip_address
import re
import socket
import struct
import sys
import time

from .interfaces import Address, interface_addresses

_DUMP = 0x0301  # NLM_F_REQUEST | NLM_F_DUMP
_RTM_NEWNEIGH, _RTM_GETNEIGH = 28, 30
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NDA_DST, _NDA_LLADDR = 1, 2
_UNUSABLE = 0x01 | 0x20  # NUD_INCOMPLETE | NUD_FAILED
_HEADER = struct.Struct("=IHHII")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_ATTRIBUTE = struct.Struct("=HH")
_MAC_BYTES = 6
_BUFFER = 256 * 1024
_MOST_PARTS = 1024
"""Maximum number of parts of an answer."""
_TIMEOUT_SECONDS = 1.0

FRESH_SECONDS = 5.0
"""How long a table is used before it is read again."""
_PAUSE_SECONDS = 0.5
"""The pause before it is read again for an address that is not in it, so that a flood of requests does not read it each time."""

_SEPARATED = re.compile(r"[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}|[0-9a-f]{12}")


def parse_mac(text: str) -> str:
    """A MAC address as `aa:bb:cc:dd:ee:ff`, from any usual notation. Raises ValueError for another text or a group's address."""
    found = _SEPARATED.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"{text!r} is not a MAC address, such as 00:00:5e:00:53:01")
    digits = re.sub(r"[^0-9a-f]", "", found[0])
    raw = bytes.fromhex(digits)
    if raw[0] & 1 or not any(raw):
        raise ValueError(f"{text!r} is not the MAC address of a device")
    return raw.hex(":")


def is_supported() -> bool:
    """Whether the table of neighbours can be read on this system."""
    return sys.platform == "linux"


def read_table() -> dict[Address, str]:
    """The MAC addresses of the neighbours by their addresses. Raises OSError."""
    if sys.platform != "linux":
        raise OSError("MAC addresses of clients are known on Linux only")
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(_TIMEOUT_SECONDS)
        body = _NEIGHBOUR.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        kernel.send(_HEADER.pack(_HEADER.size + len(body), _RTM_GETNEIGH, _DUMP, 1, 0) + body)
        found: dict[Address, str] = {}
        for _ in range(_MOST_PARTS):
            for kind, payload in parts_of(kernel.recv(_BUFFER)):
                if kind == _NLMSG_DONE:
                    return found
                if kind == _NLMSG_ERROR:
                    raise OSError("the kernel does not list its neighbours")
                if kind == _RTM_NEWNEIGH and (neighbour := neighbour_of(payload)) is not None:
                    found[neighbour[0]] = neighbour[1]
    raise OSError("the list of neighbours does not end")


def parts_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The messages in a netlink packet: kind and payload. A truncated one ends them."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if not _HEADER.size <= length <= len(data) - at:
            return
        yield kind, data[at + _HEADER.size : at + length]
        at += _aligned(length)


def neighbour_of(payload: bytes) -> tuple[Address, str] | None:
    """Address and MAC address in the payload of an `RTM_NEWNEIGH`; None if it has no MAC address, as of a tunnel."""
    if len(payload) < _NEIGHBOUR.size:
        return None
    family, _, state, *_ = _NEIGHBOUR.unpack_from(payload)
    if family not in (socket.AF_INET, socket.AF_INET6) or state & _UNUSABLE:
        return None
    values: dict[int, bytes] = {}
    at = _NEIGHBOUR.size
    while at + _ATTRIBUTE.size <= len(payload):
        length, kind = _ATTRIBUTE.unpack_from(payload, at)
        if length < _ATTRIBUTE.size:
            break
        values[kind] = payload[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)
    address, mac = values.get(_NDA_DST, b""), values.get(_NDA_LLADDR, b"")
    if len(address) not in (4, 16) or len(mac) != _MAC_BYTES or not any(mac):
        return None
    return ip_address(address), mac.hex(":")


class Neighbours:
    """The MAC addresses of neighbours, read again after FRESH_SECONDS, or for an address that is new."""

    def __init__(self, read: Callable[[], dict[Address, str]] = read_table, clock: Callable[[], float] = time.monotonic) -> None:
        """`read` raises OSError if there is no table."""
        self._read = read
        self._clock = clock
        self._table: dict[Address, str] = {}
        self._own: frozenset[Address] = frozenset()
        self._read_at = float("-inf")

    def mac_of(self, address: Address) -> str | None:
        """The MAC address of a neighbour; None if the address is not of a neighbour, or has no known MAC address."""
        address = _unscoped(address)
        self._refresh(address)
        return self._table.get(address)

    def is_own(self, address: Address) -> bool:
        """Whether an address is one of this machine's, which is no neighbour of itself."""
        address = _unscoped(address)
        self._refresh(address)
        return address.is_loopback or address in self._own

    def _refresh(self, address: Address) -> None:
        age = self._clock() - self._read_at
        if age < _PAUSE_SECONDS or (age < FRESH_SECONDS and (address in self._table or address in self._own)):
            return
        self._read_at = self._clock()
        self._own = frozenset(_unscoped(entry.address) for entry in interface_addresses())
        try:
            self._table = self._read()
        except OSError:
            self._table = {}


def _unscoped(address: Address) -> Address:
    """The address without its interface (`fe80::1%eth0`), which the table does not have."""
    return ip_address(address.packed)


def _aligned(length: int) -> int:
    return (length + 3) & ~3
