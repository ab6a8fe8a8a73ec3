"""MAC addresses of neighbours: as people write them, and as the kernel tells them."""

from ipaddress import ip_address
import struct

import pytest

from zeroconf_ai.lan.interfaces import Address
from zeroconf_ai.lan.neighbours import Neighbours, neighbour_of, parse_mac, parts_of, read_table

MAC = "00:00:5e:00:53:01"
REACHABLE, INCOMPLETE, STALE, FAILED, NOARP, PERMANENT = 0x02, 0x01, 0x04, 0x20, 0x40, 0x80


@pytest.mark.parametrize("text", [MAC, MAC.upper(), "00-00-5E-00-53-01", "0000.5e00.5301", "00005E005301", f"  {MAC}\n"])
def test_mac_is_read_in_all_usual_notations(text: str) -> None:
    assert parse_mac(text) == MAC


@pytest.mark.parametrize(
    "text",
    [
        *("", "00:00:5e:00:53", f"{MAC}:01", "00:00-5e:00:53:01", "00:00:5e:00:53:0g", "0:0:5e:0:53:1", "192.0.2.1"),
        *("ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:00:00:00:00:00", "٠٠:00:5e:00:53:01"),
    ],
)
def test_text_that_is_no_mac_of_a_device_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="MAC address"):
        parse_mac(text)


def message(address: str, mac: str, state: int = REACHABLE) -> bytes:
    """The payload of an `RTM_NEWNEIGH`, with an attribute that is not used."""
    packed = ip_address(address).packed
    values = [(1, packed), (2, bytes.fromhex(mac.replace(":", ""))), (3, bytes(16))]
    body = b"".join(struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4) for kind, value in values)
    return struct.pack("=BxxxiHBB", 2 if len(packed) == 4 else 10, 3, state, 0, 1) + body


@pytest.mark.parametrize("address", ["192.0.2.7", "fe80::7", "2001:db8::7"])
@pytest.mark.parametrize("state", [REACHABLE, STALE, PERMANENT])
def test_neighbour_of_both_families_is_read(address: str, state: int) -> None:
    assert neighbour_of(message(address, MAC, state)) == (ip_address(address), MAC)


@pytest.mark.parametrize(
    "payload",
    [
        message("192.0.2.7", MAC, INCOMPLETE),
        message("192.0.2.7", MAC, FAILED),
        message("192.0.2.7", "00:00:00:00:00:00", NOARP),
        message("192.0.2.7", "00:11:22:33:44:55:66:77"),
        b"",
        message("192.0.2.7", MAC)[:20],
        message("192.0.2.7", MAC)[:12] + b"\x00\x00\x01\x00" * 4,
        b"\x07" + message("192.0.2.7", MAC)[1:],
    ],
)
def test_neighbour_without_a_valid_mac_is_left_out(payload: bytes) -> None:
    assert neighbour_of(payload) is None


def test_packet_of_the_kernel_is_split_and_a_truncated_one_ends_it() -> None:
    one = struct.pack("=IHHII", 19, 28, 0, 1, 0) + b"abc\0"
    assert list(parts_of(one + one)) == [(28, b"abc"), (28, b"abc")]
    for broken in (one[:18], one[:8], struct.pack("=IHHII", 8, 28, 0, 1, 0), struct.pack("=IHHII", 99, 28, 0, 1, 0)):
        assert list(parts_of(one + broken)) == [(28, b"abc")]


def test_table_of_this_machine_is_listed() -> None:
    assert all(len(mac) == 17 for mac in read_table().values())


def test_table_is_read_again_after_a_while_or_for_a_new_address() -> None:
    now, reads = 0.0, 0
    known: Address = ip_address("192.0.2.7")
    table: dict[Address, str] = {known: MAC}

    def read() -> dict[Address, str]:
        nonlocal reads
        reads += 1
        return dict(table)

    neighbours = Neighbours(read, lambda: now)
    assert [neighbours.mac_of(known) for _ in range(3)] == [MAC] * 3
    assert (neighbours.mac_of(ip_address("192.0.2.8")), reads) == (None, 1)  # not for each request of a flood
    now = 1.0
    table[ip_address("192.0.2.8")] = "00:00:5e:00:53:02"
    assert (neighbours.mac_of(ip_address("192.0.2.8")), reads) == ("00:00:5e:00:53:02", 2)
    table[known] = "00:00:5e:00:53:03"
    now = 5.9
    assert neighbours.mac_of(known) == MAC
    now = 6.1
    assert neighbours.mac_of(known) == "00:00:5e:00:53:03"


def test_link_local_address_is_found_whatever_its_interface() -> None:
    neighbours = Neighbours(lambda: {ip_address("fe80::7"): MAC})
    assert neighbours.mac_of(ip_address("fe80::7%eth0")) == MAC
    assert not neighbours.is_own(ip_address("fe80::7%eth0"))


def test_table_that_cannot_be_read_knows_nobody_but_this_machine() -> None:
    def read() -> dict[Address, str]:
        raise OSError("none")

    neighbours = Neighbours(read)
    assert neighbours.mac_of(ip_address("192.0.2.7")) is None
    assert neighbours.is_own(ip_address("127.0.0.1"))
    assert neighbours.is_own(ip_address("::1"))
    assert not neighbours.is_own(ip_address("192.0.2.7"))
