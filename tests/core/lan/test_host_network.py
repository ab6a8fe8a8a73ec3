"""What is read of the system."""

from pathlib import Path
import socket

import pytest

from zeroconf_ai.lan.host_network import MDNS_PORT, InterfaceFacts, read_host_network

ARP = """\
IP address       HW type     Flags       HW address            Mask     Device
192.0.2.1        0x1         0x2         02:00:00:00:00:01     *        lo
192.0.2.7        0x1         0x2         02:00:00:00:00:07     *        lo
192.0.2.9        0x1         0x0         00:00:00:00:00:00     *        lo
"""
ROUTE = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
wlan0	00000000	010200C0	0002	0	0	600	00000000	0	0	0
wg0	00000000	00000000	0001	0	0	0	00000000	0	0	0
wlan0	000200C0	00000000	0001	0	0	600	00FFFFFF	0	0	0
"""
UDP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  77: 00000000:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000   107        0 4711 2 0000000000000000 0
"""


def write(root: Path, name: str, text: str) -> None:
    """A file below the root."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


@pytest.mark.usefixtures("own_loopback")
def test_host_network_is_read_from_the_system(tmp_path: Path) -> None:
    write(tmp_path, "proc/net/wireless", "Inter-| sta-|\n face | tus |\n    lo: 0000   54.  -56.  -256\n")
    write(tmp_path, "proc/net/arp", ARP)
    write(tmp_path, "proc/net/route", ROUTE)
    write(tmp_path, "proc/net/udp", UDP)
    write(tmp_path, "proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n")
    write(tmp_path, "proc/812/comm", "avahi-\x1bdaemon\n")
    (tmp_path / "proc/812/fd").mkdir()
    (tmp_path / "proc/812/fd/12").symlink_to("socket:[4711]")
    write(tmp_path, "proc/813/comm", "other\n")
    found = read_host_network(tmp_path)
    assert found.interfaces["lo"] == InterfaceFacts(wireless=True, neighbours=2)
    assert (found.default_route, found.wsl, found.programs) == ("wg0", True, ("avahi-daemon",))


def test_host_network_of_a_system_that_says_nothing_is_empty(tmp_path: Path) -> None:
    found = read_host_network(tmp_path)
    assert (found.default_route, found.wsl, found.programs) == (None, False, ())
    assert not found.interfaces["lo"].wireless


@pytest.mark.usefixtures("own_loopback")
def test_host_network_names_the_port_that_is_not_shared(tmp_path: Path) -> None:
    assert read_host_network(tmp_path).port_busy is False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("", MDNS_PORT))
        assert read_host_network(tmp_path).port_busy is True
