"""The LAN of the end-to-end tests: hosts reach each other, and no multicast leaves it."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager, suppress
import os
from pathlib import Path
import socket
import subprocess
import sys
import time

import pytest

from devhome import REPOSITORY
from devhome.namespaces import FOLDER, Host, Lan, loopback_host, own_namespaces, remove_leftovers

MDNS = ("224.0.0.251", 5353)
MDNS_V6 = "ff02::fb"

MAKER = """
import subprocess, sys, time
from devhome.namespaces import Lan
host = Lan("orphan").host("child")
child = subprocess.Popen(host.command("sleep", "600"), start_new_session=True)
while not host.namespace.processes():
    time.sleep(0.01)
print(child.pid, flush=True)
time.sleep(600)
"""


@contextmanager
def mdns_listener(host: Host) -> Generator[socket.socket]:
    """A socket on the host that receives the packets of the mDNS group."""
    with host.namespace.entered():
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind(("", MDNS[1]))
        membership = socket.inet_aton(MDNS[0]) + socket.inet_aton(host.ipv4)
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    listener.settimeout(5)
    with listener:
        yield listener


def announce(host: Host, words: bytes, destination: tuple[str, int] = MDNS) -> None:
    """Send a datagram from the host, by its route."""
    family = socket.AF_INET6 if ":" in destination[0] else socket.AF_INET
    with host.namespace.entered(), socket.socket(family, socket.SOCK_DGRAM) as sender:
        if family == socket.AF_INET6:
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("eth0"))
        sender.sendto(words, destination)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_namespace_hosts_are_reachable(lan: Lan, family: socket.AddressFamily) -> None:
    server_host, other = lan.host("one"), lan.host("two")
    address = server_host.ipv4 if family == socket.AF_INET else server_host.ipv6
    with server_host.namespace.entered(), socket.create_server((address, 8000), family=family) as server:
        server.settimeout(5)
        for visitor in (other, lan.host("tester")):
            with visitor.namespace.entered(), socket.create_connection((address, 8000), timeout=5) as connection:
                accepted, peer = server.accept()
                accepted.close()
                assert peer[0] == (visitor.ipv4 if family == socket.AF_INET else visitor.ipv6)
                assert connection.recv(1) == b""


def test_multicast_dns_reaches_the_other_hosts(lan: Lan) -> None:
    with mdns_listener(lan.host("two")) as listener:
        announce(lan.host("one"), b"hello")
        words, sender = listener.recvfrom(100)
    assert (words, sender[0]) == (b"hello", lan.host("one").ipv4)


def test_namespace_opened_lan_is_reachable_and_keeps_its_multicast() -> None:
    with Lan("opened", opened=True) as opened:
        home, inside = opened.host("home"), opened.host("inside")
        (cable,) = (name for _, name in socket.if_nameindex() if name.startswith("zai-lan"))
        # Every frame that comes out of the cable, as a packet sniffer would see it.
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003)) as sniffer:
            sniffer.bind((cable, 0))
            sniffer.settimeout(5)
            with mdns_listener(inside) as listener:
                announce(home, b"for the LAN")
                announce(home, b"for the LAN", (MDNS_V6, 5353))
                assert listener.recv(100) == b"for the LAN"
            with home.namespace.entered():
                server = socket.create_server((home.ipv4, 8000))
            with server, socket.create_connection((home.ipv4, 8000), timeout=5):
                pass
            frames = [sniffer.recv(2000)]
            sniffer.settimeout(0.2)
            with suppress(TimeoutError):
                while True:
                    frames.append(sniffer.recv(2000))
    # The connection went through the cable, so the sniffer works; a multicast frame has the lowest bit of byte 0 set.
    assert any(socket.inet_aton(home.ipv4) in frame for frame in frames)
    assert not [frame for frame in frames if frame[0] & 1 and frame[:6] != b"\xff" * 6]
    assert not [frame for frame in frames if b"for the LAN" in frame]


def test_namespace_two_opened_lans_have_different_addresses() -> None:
    with Lan("first", opened=True) as first, Lan("second", opened=True) as second:
        addresses = {lan.host(name).ipv4 for lan in (first, second) for name in ("one", "two")}
        assert len(addresses) == 4


def test_namespace_host_without_its_cable_is_unreachable(lan: Lan) -> None:
    host = lan.host("one")
    with host.namespace.entered():
        server = socket.create_server((host.ipv4, 8000))
    with server:
        lan.unplug(host)
        with pytest.raises(OSError):
            socket.create_connection((host.ipv4, 8000), timeout=0.3)
        lan.plug(host)
        socket.create_connection((host.ipv4, 8000), timeout=5).close()
        with host.namespace.entered(), mdns_listener(lan.host("two")) as listener:
            announce(host, b"back")
            assert listener.recv(100) == b"back"


def test_namespace_host_with_loopback_only_receives_its_multicast() -> None:
    with loopback_host("alone") as host, mdns_listener(host) as listener:
        announce(host, b"hello")
        assert listener.recv(100) == b"hello"


def test_namespace_hosts_have_unique_names(lan: Lan) -> None:
    names = [subprocess.check_output(lan.host(name).command("hostname"), text=True).strip() for name in ("one", "two")]
    assert names == ["one", "two"]
    assert socket.gethostname() not in names


async def test_namespace_leftovers_are_removed_with_their_processes() -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "scripts" / "lib")}
    command = (sys.executable, "-c", MAKER)
    maker = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
    assert maker.stdout is not None
    child = int(await maker.stdout.readline())
    expected = {f"zai-{maker.pid}-orphan-{name}" for name in ("switch", "child")}
    before = own_namespaces()

    assert not expected & set(remove_leftovers()), "those of a running process are kept"
    maker.kill()
    await maker.wait()
    assert set(remove_leftovers()) == expected

    assert not {path.name for path in FOLDER.iterdir()} & expected
    assert own_namespaces() == before
    assert ended(child)


def ended(pid: int) -> bool:
    """Whether this process, a grandchild, ends within a second."""
    for _ in range(100):
        try:
            status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        except FileNotFoundError, ProcessLookupError:
            return True
        if status.rpartition(")")[2].split()[0] in "ZX":
            return True
        time.sleep(0.01)
    return False
