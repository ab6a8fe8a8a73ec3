"""The promise that the fixture `loopback_only` makes for all tests of this folder."""

from collections.abc import Iterator
import socket

import pytest
import pytest_socket

MDNS = ("224.0.0.251", 5353)
ELSEWHERE = ("192.0.2.1", 9)


@pytest.fixture
def datagrams() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        yield made


@pytest.mark.parametrize("target", [MDNS, ELSEWHERE])
def test_no_datagram_leaves_the_machine(datagrams: socket.socket, target: tuple[str, int]) -> None:
    with pytest.raises(PermissionError):
        datagrams.sendto(b"", target)


def test_multicast_may_be_sent_over_loopback(datagrams: socket.socket) -> None:
    datagrams.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    assert datagrams.sendto(b"", MDNS) == 0


def test_no_connection_leaves_the_machine(datagrams: socket.socket) -> None:
    with pytest.raises(pytest_socket.SocketConnectBlockedError), pytest.warns(UserWarning, match=r"192\.0\.2\.1"):
        datagrams.connect(ELSEWHERE)
