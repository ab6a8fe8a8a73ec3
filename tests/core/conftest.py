"""The core's tests: no Home Assistant, and real sockets that reach nothing but this machine."""

import asyncio
from collections.abc import AsyncGenerator, Generator
import ipaddress
import socket
import struct
from typing import Any, override

import pytest
import pytest_socket
from zeroconf._handlers.multicast_outgoing_queue import MulticastOutgoingQueue

from devhome import DevHomeError
from devhome.namespaces import Namespace

from ..support import steady  # noqa: F401

LOOPBACK = ["127.0.0.1", "::1"]


class LoopbackSocket(socket.socket):
    """A socket whose datagrams stay on the loopback interface.

    pytest-socket watches `connect` alone; multicast DNS never connects.
    """

    @override
    def sendto(self, data: Any, *args: Any) -> int:
        """Send, or raise `PermissionError` if the datagram would leave the machine."""
        address = args[-1]
        if isinstance(address, tuple) and not self._stays_here(ipaddress.ip_address(address[0].partition("%")[0])):
            raise PermissionError(f"a test would have sent a datagram to {address[0]}")
        return super().sendto(data, *args)

    def _stays_here(self, target: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        if not target.is_multicast:
            return target.is_loopback
        if target.version == 4:
            interface = self.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, 4)
            return ipaddress.IPv4Address(interface).is_loopback
        (index,) = struct.unpack("@i", self.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, 4))
        return bool(index) and socket.if_indextoname(index) == "lo"


@pytest.fixture(scope="module")
def own_loopback() -> Generator[None]:
    """Put the tests of a module on a loopback interface of their own, where the machine lets them have one.

    Multicast on the machine's is heard by every other program on it, another test run included.
    """
    try:
        namespace = Namespace("core")
    except DevHomeError:  # not root, or a container that may not make namespaces
        yield
        return
    try:
        with namespace.entered():
            yield
    finally:
        namespace.close()


@pytest.fixture(autouse=True)
async def closed_responders_timers() -> AsyncGenerator[None]:
    """Cancel the timers of multicast answers, which a closed responder of python-zeroconf leaves behind."""
    loop = asyncio.get_running_loop()
    yield
    scheduled: list[asyncio.TimerHandle] = loop._scheduled  # type: ignore[attr-defined]
    for handle in scheduled:
        if isinstance(getattr(handle._callback, "__self__", None), MulticastOutgoingQueue):  # type: ignore[attr-defined]
            handle.cancel()


@pytest.fixture(autouse=True)
def custom_integrations() -> None:
    """Replace the fixture of the same name: there is no Home Assistant here."""


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow sockets, which Home Assistant's test plugin forbids, to loopback addresses."""
    pytest_socket.enable_socket()
    pytest_socket.socket_allow_hosts(LOOPBACK, allow_unix_socket=True)
    # A class for each test: a test that allows other hosts replaces `connect` of what `socket.socket` is then.
    monkeypatch.setattr(socket, "socket", type("LoopbackSocket", (LoopbackSocket,), {}))
