"""The system's data on this machine's network: interfaces, routes, neighbours, other programs that use multicast DNS.

Complete on Linux, from `/proc`, `/sys` and the interfaces' flags; elsewhere only the port is checked.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
import errno
from pathlib import Path
import re
import socket
import struct
import sys

from ..protocol.values import clean

if sys.platform == "linux":
    import fcntl

MDNS_PORT = 5353
_ROOT = Path("/")
_UP, _MULTICAST = 0x1, 0x1000
"""IFF_UP and IFF_MULTICAST (linux/if.h)."""
_GET_FLAGS = 0x8913
"""SIOCGIFFLAGS (linux/sockios.h)."""
_MAX_INTERFACES = 64
_ROUTE_UP = 0x1
"""RTF_UP (linux/route.h)."""
_COMPLETE = 0x2
"""ATF_COM: a neighbour that answered (linux/if_arp.h)."""
_MAX_NEIGHBOURS = 1024
_MAX_PROGRAMS = 4


@dataclass(frozen=True, slots=True)
class InterfaceFacts:
    """One interface."""

    up: bool = True
    multicast: bool = True
    """Whether its driver and its settings allow multicast."""
    wireless: bool = False
    neighbours: int = 0
    """Other hosts that have answered at their IPv4 address, at most 1024; the router is one of them."""


@dataclass(frozen=True, slots=True)
class HostNetwork:
    """This machine."""

    interfaces: Mapping[str, InterfaceFacts]
    default_route: str | None = None
    """The interface of the IPv4 default route."""
    wsl: bool = False
    """Whether this is Linux in Windows (WSL 2)."""
    port_busy: bool = False
    """Whether another program keeps UDP port 5353 for itself."""
    programs: tuple[str, ...] = ()
    """Names of programs with UDP port 5353, as far as this user may know, at most 4."""


def read_host_network(root: Path = _ROOT) -> HostNetwork:
    """Read it. Blocking. `root` is the folder of `sys` and `proc`."""
    return HostNetwork(
        dict(_interfaces(root)),
        default_route=_default_route(root),
        wsl="microsoft" in _text(root / "proc/sys/kernel/osrelease").lower(),
        port_busy=_is_port_busy(),
        programs=tuple(sorted(_programs(root)))[:_MAX_PROGRAMS],
    )


def _interfaces(root: Path) -> Iterator[tuple[str, InterfaceFacts]]:
    if sys.platform != "linux":
        return
    neighbours = _neighbours(root)
    wireless = _text(root / "proc/net/wireless")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex()[:_MAX_INTERFACES]:
            try:
                answer = fcntl.ioctl(asked, _GET_FLAGS, struct.pack("16sH14x", name.encode(), 0))
            except OSError:
                continue  # it has just been removed
            (flags,) = struct.unpack_from("H", answer, 16)
            yield (
                name,
                InterfaceFacts(
                    up=bool(flags & _UP),
                    multicast=bool(flags & _MULTICAST),
                    wireless=f"{name}:" in wireless or (root / "sys/class/net" / name / "phy80211").exists(),
                    neighbours=neighbours.get(name, 0),
                ),
            )


def _default_route(root: Path) -> str | None:
    """By `/proc/net/route`: interface, destination, gateway, flags, and so on; numbers are hexadecimal."""
    for line in _text(root / "proc/net/route").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[1] == fields[7] == "00000000" and int(fields[3], 16) & _ROUTE_UP:
            return fields[0]
    return None


def _neighbours(root: Path) -> dict[str, int]:
    """The number of neighbours by interface, by `/proc/net/arp`: address, type, flags, hardware address, mask, interface."""
    found: dict[str, int] = {}
    for line in _text(root / "proc/net/arp").splitlines()[1 : _MAX_NEIGHBOURS + 1]:
        fields = line.split()
        if len(fields) > 5 and int(fields[2], 16) & _COMPLETE:
            found[fields[5]] = found.get(fields[5], 0) + 1
    return found


def _is_port_busy() -> bool:
    """Whether another program uses the port exclusively. Only EADDRINUSE shows that."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            with suppress(OSError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            probe.bind(("", MDNS_PORT))
        except OSError as err:
            return err.errno == errno.EADDRINUSE
    return False


def _programs(root: Path) -> set[str]:
    """The programs whose sockets have the port; without root, only those of this user."""
    inodes = set()
    for name in ("udp", "udp6"):
        for line in _text(root / "proc/net" / name).splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[1].endswith(f":{MDNS_PORT:04X}"):
                inodes.add(f"socket:[{fields[9]}]")
    return {clean(_text(process / "comm"), 32) for process in _processes(root / "proc") if _has_socket(process, inodes)}


def _processes(folder: Path) -> Iterator[Path]:
    return (folder / name for name in _names(folder) if re.fullmatch(r"\d+", name))


def _has_socket(process: Path, inodes: set[str]) -> bool:
    if not inodes:
        return False
    for name in _names(process / "fd"):
        with suppress(OSError):
            if str((process / "fd" / name).readlink()) in inodes:
                return True
    return False


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
