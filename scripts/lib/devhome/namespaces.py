"""A LAN of several hosts on one machine, made of Linux network namespaces. Needs root and iproute2.

    machine ──veth── switch namespace ── bridge ──veth── host "home"
            (only if opened)                    └─veth── host "gpu"

Every host is a namespace with one network card, an IPv4 and an IPv6 address, its own host name and a multicast route,
which is how Home Assistant picks its network adapter. The bridge lives in a namespace too, so the machine's own
interfaces have no part in it and multicast DNS cannot leave. A LAN that is opened to the machine is reached over the
switch as a *router*: routers do not forward link-local multicast, so that stays so.

A machine behind a router of its own (`behind_router`) reaches the hosts, and no host reaches it:

    host "router" ──veth── machine "gpu"    192.168.77.0/24, masqueraded, and nothing is forwarded inwards

A name carries the process id of its maker. `remove_leftovers` ends what a dead maker left behind.
"""

from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, ip_network
import json
import os
from pathlib import Path
import re
import signal
import subprocess
import time
from types import TracebackType
from typing import Self

from . import DevHomeError

PREFIX = "zai"
NAMES = re.compile(rf"{PREFIX}-(?P<pid>\d+)-")
FOLDER = Path("/run/netns")
LABEL = re.compile(r"[a-z0-9]+")
INSIDE = "inside"
"""The router's network card on the side of the machine behind it."""
_BEHIND = "192.168.77"
"""The network behind the router, which no host has a route to."""

# ip(8) gives a process a network but no host name, and two hosts that announce their addresses under the same name are one.
RENAMED = ("unshare", "--uts", "sh", "-c", 'echo "$0" >/proc/sys/kernel/hostname; exec "$@"')
# Without duplicate address detection, which would take a second per host; there are no other hosts.
NO_ADDRESS_DETECTION = "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad"


def ip(*arguments: str) -> str:
    """Run ip(8) and return its output. Raises DevHomeError with its error message."""
    result = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if result.returncode:
        raise DevHomeError(f"ip {' '.join(arguments)}: {result.stderr.strip()}")
    return result.stdout


def configure(namespace: str, *lines: str) -> None:
    """Run several ip(8) commands in a namespace at once."""
    text = "".join(f"{line}\n" for line in lines)
    command = ["ip", "-netns", namespace, "-batch", "-"]
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if result.returncode:
        raise DevHomeError(f"ip in {namespace}: {result.stderr.strip()}")


def require_root() -> None:
    """Raise DevHomeError unless this process may make network namespaces."""
    if os.geteuid() != 0:
        raise DevHomeError("creating a network namespace needs root")


class Namespace:
    """One network namespace, made when this is created. Nothing but loopback is in it, on which multicast works."""

    def __init__(self, label: str) -> None:
        """`label` is lower-case letters and digits, and unique in this process, with `-` between its parts."""
        require_root()
        if not all(LABEL.fullmatch(part) for part in label.split("-")):
            raise ValueError(f"not a label: {label!r}")
        self.name = f"{PREFIX}-{os.getpid()}-{label}"
        ip("netns", "add", self.name)
        try:
            self.run("sh", "-c", NO_ADDRESS_DETECTION)
            configure(self.name, "link set lo multicast on up")
        except BaseException:
            self.close()
            raise

    def command(self, *command: str) -> list[str]:
        """`command` with what makes it run in here."""
        return ["ip", "netns", "exec", self.name, *command]

    def run(self, *command: str) -> str:
        """Run a short command in the namespace and return its output."""
        result = subprocess.run(self.command(*command), capture_output=True, text=True, check=False)
        if result.returncode:
            raise DevHomeError(f"{' '.join(command)} in {self.name}: {result.stderr.strip()}")
        return result.stdout

    @contextmanager
    def entered(self) -> Generator[None]:
        """Put the calling thread into this namespace; its sockets, new threads and child processes belong to it."""
        with Path("/proc/thread-self/ns/net").open("rb") as before, (FOLDER / self.name).open("rb") as inside:
            os.setns(inside.fileno(), os.CLONE_NEWNET)
            try:
                yield
            finally:
                os.setns(before.fileno(), os.CLONE_NEWNET)

    def processes(self) -> set[int]:
        """The ids of all processes in here."""
        return {int(pid) for pid in ip("netns", "pids", self.name).split()}

    def close(self) -> None:
        """End whatever still runs in here and remove it. Safe to call twice."""
        remove(self.name)


@dataclass(frozen=True, slots=True)
class Host:
    """A machine on the LAN."""

    name: str
    namespace: Namespace
    ipv4: str
    ipv6: str

    def command(self, *command: str) -> list[str]:
        """`command` with what makes it run on this host, under this host's name."""
        return self.namespace.command(*RENAMED, self.name, *command)


class Lan:
    """Hosts that reach each other, and nothing else. A context manager that removes all of it at the end."""

    def __init__(self, label: str = "lan", *, opened: bool = False) -> None:
        """`opened` lets the machine that this runs on reach every host; for that, the address range is a free one."""
        self._label = label
        self._hosts: dict[str, Host] = {}
        self._cable: str | None = None
        self.switch = Namespace(f"{label}-switch")
        try:
            self._number = self._open() if opened else 0
            configure(
                self.switch.name,
                "link add name lan type bridge mcast_snooping 0",
                f"address add {self._ipv4(1)}/25 dev lan",
                "link set lan up",
            )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def host(self, name: str) -> Host:
        """The host of this name, lower-case letters and digits; connected with the first access."""
        if (known := self._hosts.get(name)) is not None:
            return known
        index = len(self._hosts) + 2
        namespace = Namespace(f"{self._label}-{name}")
        try:
            host = self._connect(name, namespace, index)
        except BaseException:
            namespace.close()
            raise
        self._hosts[name] = host
        return host

    @property
    def hosts(self) -> Iterable[Host]:
        """Every host so far."""
        return self._hosts.values()

    def unplug(self, host: Host) -> None:
        """Pull the host's network cable."""
        configure(host.namespace.name, "link set eth0 down")

    def plug(self, host: Host) -> None:
        """Put the cable in again; addresses and routes are what they were."""
        configure(host.namespace.name, *self._addresses(host.ipv4, host.ipv6))

    def behind_router(self, name: str) -> Host:
        """The machine of this name behind the host "router", as behind one at somebody's home; connected with the first access.

        There is one such machine. Its connections go out under the router's address, and no connection comes in.
        """
        if (known := self._hosts.get(name)) is not None:
            return known
        router = self.host("router")
        namespace = Namespace(f"{self._label}-{name}")
        try:
            ip("-netns", router.namespace.name, "link", "add", "name", INSIDE, "type", "veth", "peer", "name", "eth0",
               "netns", namespace.name)  # fmt: skip
            configure(router.namespace.name, f"address add {_BEHIND}.1/24 dev {INSIDE}", f"link set {INSIDE} up")
            configure(
                namespace.name,
                f"address add {_BEHIND}.2/24 dev eth0",
                "link set eth0 up",
                f"route add default via {_BEHIND}.1",
            )
            router.namespace.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
            for rule in (
                "-t nat -A POSTROUTING -o eth0 -j MASQUERADE",
                "-A FORWARD -i eth0 -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
                "-A FORWARD -i eth0 -j DROP",
            ):
                router.namespace.run("iptables", *rule.split())
        except BaseException:
            namespace.close()
            raise
        host = self._hosts[name] = Host(name, namespace, f"{_BEHIND}.2", "::1")
        return host

    def close(self) -> None:
        """End every process on the LAN and remove its namespaces. Safe to call twice."""
        for host in self._hosts.values():
            host.namespace.close()
        self._hosts.clear()
        if self._cable is not None:
            # It would go with the switch, but a moment later.
            with suppress(DevHomeError):
                ip("link", "delete", "dev", self._cable)
            self._cable = None
        self.switch.close()

    def _connect(self, name: str, namespace: Namespace, index: int) -> Host:
        # A fixed hardware address: part of a provider's identity may be made of it.
        ip("-netns", self.switch.name, "link", "add", "name", f"port{index}", "type", "veth", "peer", "name", "eth0",
           "address", f"02:13:00:00:{self._number:02x}:{index:02x}", "netns", namespace.name)  # fmt: skip
        configure(self.switch.name, f"link set port{index} master lan up")
        host = Host(name, namespace, self._ipv4(index), str(IPv6Address(f"fd00:213:{self._number:x}::{index:x}")))
        configure(namespace.name, *self._addresses(host.ipv4, host.ipv6))
        return host

    def _addresses(self, ipv4: str, ipv6: str) -> Iterable[str]:
        return (
            "link set eth0 up",
            f"address replace {ipv4}/25 dev eth0",
            f"address replace {ipv6}/64 dev eth0 nodad",
            "route replace 224.0.0.0/4 dev eth0",
            f"route replace {self._ipv4(128)}/30 via {self._ipv4(1)}",
        )

    def _ipv4(self, index: int) -> str:
        return f"10.213.{self._number}.{index}"

    def _open(self) -> int:
        """Join the switch to the machine with a cable of its own; the number of the address range that was free.

        The name of the cable's end in the machine is the claim: two that start at once cannot both have it.
        """
        taken = routed_networks()
        for number in range(1, 256):
            if any(network.overlaps(IPv4Network(f"10.213.{number}.0/24")) for network in taken):
                continue
            cable = f"{PREFIX}-lan{number}"
            try:
                ip("link", "add", "name", cable, "type", "veth", "peer", "name", "uplink", "netns", self.switch.name)
            except DevHomeError as error:
                if "File exists" in str(error):
                    continue
                raise
            self._cable = cable
            # No IPv6 and no multicast on the machine's end, so its own mDNS responders pass it by as well.
            ip("link", "set", "dev", cable, "addrgenmode", "none", "multicast", "off", "up")
            ip("address", "add", f"10.213.{number}.130/30", "dev", cable)
            ip("route", "add", f"10.213.{number}.0/25", "via", f"10.213.{number}.129")
            configure(
                self.switch.name,
                "link set uplink addrgenmode none",
                "link set uplink up",
                f"address add 10.213.{number}.129/30 dev uplink",
            )
            self.switch.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
            return number
        raise DevHomeError("no address range 10.213.x.0/24 is free")


@contextmanager
def loopback_host(name: str) -> Generator[Host]:
    """A host with no network but loopback, on which it still talks multicast DNS to itself."""
    namespace = Namespace(name)
    try:
        configure(namespace.name, "route add 224.0.0.0/4 dev lo")
        yield Host(name, namespace, "127.0.0.1", "::1")
    finally:
        namespace.close()


def routed_networks() -> list[IPv4Network]:
    """The networks that the machine has a route to, without the default route and those of other LANs made here."""
    routes = json.loads(ip("-json", "-4", "route", "show"))
    return [
        IPv4Network(ip_network(route["dst"], strict=False))
        for route in routes
        if route["dst"] != "default" and not route.get("dev", "").startswith(f"{PREFIX}-lan")
    ]


def own_namespaces() -> set[str]:
    """The names of all namespaces that this process made and has not removed yet."""
    return {name for name, maker in made_namespaces() if maker == os.getpid()}


def remove_leftovers() -> list[str]:
    """Remove the namespaces of makers that are gone, and end what runs in them; their names."""
    gone = [name for name, maker in made_namespaces() if not Path(f"/proc/{maker}").exists()]
    for name in gone:
        remove(name)
    return gone


def made_namespaces() -> list[tuple[str, int]]:
    """Name and maker's process id of every namespace that was made here, by this process or another."""
    if not FOLDER.is_dir():
        return []
    return [(path.name, int(match["pid"])) for path in FOLDER.iterdir() if (match := NAMES.match(path.name))]


def remove(name: str) -> None:
    """End every process in a namespace and remove it, if it is there."""
    if not (FOLDER / name).exists():
        return
    give_up = time.monotonic() + 10
    while pids := ip("netns", "pids", name).split():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        if time.monotonic() > give_up:
            raise DevHomeError(f"processes {', '.join(pids)} in {name} do not end")
        time.sleep(0.02)
    try:
        ip("netns", "delete", name)
    except DevHomeError:
        # Another start may be removing the same leftovers.
        if (FOLDER / name).exists():
            raise
