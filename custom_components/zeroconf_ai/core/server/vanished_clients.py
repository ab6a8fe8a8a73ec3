"""Ends the connections of clients that vanished without closing them: a pulled cable, a phone out of range, a crash."""

import asyncio
from contextlib import suppress
import socket

VANISHED_SECONDS = 60
"""After this time without a sign of the client, its connection ends, and so does the upstream request."""
_IDLE_SECONDS, _INTERVAL_SECONDS, _PROBES = 30, 10, 3
_OPTIONS = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", _IDLE_SECONDS),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", _INTERVAL_SECONDS),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", _PROBES),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", VANISHED_SECONDS * 1000),
)
"""Probes find a client that vanished while it waits; the user timeout, in ms, one that no longer confirms what is sent to it.
A system has those that it names."""


def watch_client(transport: asyncio.BaseTransport | None) -> None:
    """Let the system watch the client of a connection; costs one system call if it does so already."""
    connection = None if transport is None else transport.get_extra_info("socket")
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with suppress(OSError):  # it was closed meanwhile
        for level, name, value in reversed(_OPTIONS):
            option = getattr(socket, name, None)
            if option is None:
                continue
            if connection.getsockopt(level, option) == value and name != "SO_KEEPALIVE":
                return
            connection.setsockopt(level, option, value)
