"""Tells TLS from plain HTTP on a TLS port by the first byte of a connection, which stays in the socket until it is known.

A TLS handshake begins with the byte 22 (RFC 8446, 5.1); no HTTP method does. The byte is read with MSG_PEEK from the socket,
which is taken from its first transport (uvloop's reads in any case). Then the event loop's own TLS gets the socket, or a server
that answers plain HTTP. Nothing of this remains in the data path.
"""

import asyncio
from collections.abc import Callable
import logging
import socket
import ssl
from typing import cast, override

from ...protocol.addresses import subscriber
from ..connections import ConnectionLimits

_LOGGER = logging.getLogger(__name__)

_HANDSHAKE = b"\x16"
WAIT_SECONDS = 15.0
"""Maximum time from the connection until its first byte."""
HANDSHAKE_SECONDS = 15.0


class FirstByte(asyncio.Protocol):
    """A new connection, until its first byte has arrived and the handshake, if any, has ended."""

    def __init__(
        self,
        context: ssl.SSLContext,
        limits: ConnectionLimits,
        secure: Callable[[], asyncio.Protocol],
        plain: Callable[[], asyncio.Protocol],
        running: set[asyncio.Task[None]],
    ) -> None:
        """`limits` counts the connections in this state; `secure` and `plain` make the protocol that a connection then gets.

        `running` has the tasks of all connections in this state: a server that closes cancels them.
        """
        self._context = context
        self._limits = limits
        self._secure = secure
        self._plain = plain
        self._running = running
        self._loop = asyncio.get_running_loop()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection = cast("asyncio.Transport", transport)  # uvloop's has the methods, not the class
        peer = transport.get_extra_info("peername")
        address = subscriber(str(peer[0])) if isinstance(peer, tuple) else ""
        if self._limits.admit(address):
            try:
                taken = cast("socket.socket", transport.get_extra_info("socket")).dup()
            except OSError as err:  # too many open files
                _LOGGER.debug("A connection is refused: %s", err)
                self._limits.leave(address)
            else:
                task = self._loop.create_task(self._hand_on(taken, address), name="zeroconf_ai TLS handshake")
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        connection.abort()

    async def _hand_on(self, taken: socket.socket, address: str) -> None:
        """Give the socket to the protocol for its first byte, or close it."""
        try:
            taken.setblocking(False)
            async with asyncio.timeout(WAIT_SECONDS):
                first = await self._first_byte(taken)
            if first == _HANDSHAKE:
                await self._loop.connect_accepted_socket(
                    self._secure, taken, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_SECONDS
                )
            elif first:
                await self._loop.connect_accepted_socket(self._plain, taken)
            else:
                taken.close()
        except (OSError, TimeoutError) as err:  # ssl.SSLError is an OSError
            _LOGGER.debug("A connection ended before its first request: %s", err)
            taken.close()
        except asyncio.CancelledError:
            taken.close()
            raise
        finally:
            self._limits.leave(address)

    async def _first_byte(self, taken: socket.socket) -> bytes:
        """The first byte, which stays in the socket; empty if the client has disconnected. Raises OSError."""
        readable: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(taken.fileno(), _finish, readable)
        try:
            await readable
        finally:
            self._loop.remove_reader(taken.fileno())
        return taken.recv(1, socket.MSG_PEEK)


def _finish(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)
