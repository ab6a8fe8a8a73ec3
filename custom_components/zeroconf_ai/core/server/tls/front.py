"""What a TLS port has before its HTTP server: the first byte decides between TLS and an answer that names the https address."""

import asyncio
from collections.abc import Callable
import logging
import re
import ssl
from typing import override

from aiohttp import web

from ...protocol.errors import InvalidRequestError
from ..connections import MAX_CONNECTIONS, ConnectionLimits, Front, LimitedConnection
from .first_byte import FirstByte

_LOGGER = logging.getLogger(__name__)

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(?::\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?")
_CLOSE_SECONDS = 1.0
"""Limit for answers to plain HTTP that are being sent when the server closes."""


class TlsFront(Front):
    """Makes the protocols of a TLS port's connections."""

    def __init__(self, context: ssl.SSLContext) -> None:
        """`context`: the server's, with its certificate. New connections use the certificate that was loaded into it last."""
        self._context = context
        self._limits = ConnectionLimits(MAX_CONNECTIONS)
        self._plain_limits = ConnectionLimits(MAX_CONNECTIONS)
        self._plain = web.Server(_refer_to_https)
        self._running: set[asyncio.Task[None]] = set()

    @override
    def __call__(self, secure: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        """The protocol of a new connection, which becomes that of `secure` after the handshake."""
        return FirstByte(self._context, self._limits, secure, self._make_plain, self._running)

    @override
    async def close(self) -> None:
        running = [*self._running]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._plain.pre_shutdown()
        await self._plain.shutdown(_CLOSE_SECONDS)

    def _make_plain(self) -> asyncio.Protocol:
        return LimitedConnection(self._plain, self._plain_limits, _LOGGER, None)


async def _refer_to_https(request: web.BaseRequest) -> web.Response:
    """400 for plain HTTP, with the https address at which the client reached this port."""
    where = f"https://{_reached_at(request)}"
    path = request.path if re.fullmatch(r"[\w./-]{1,200}", request.path, re.ASCII) else "/"
    error = InvalidRequestError(f"This port speaks HTTPS, not HTTP. Use {where}{path}", code="https_required")
    answer = web.json_response(error.to_json(), status=error.status)
    answer.force_close()
    return answer


def _reached_at(request: web.BaseRequest) -> str:
    """Host and port of the request's `Host`, or else of the connection."""
    host = request.headers.get("Host", "")
    if _HOST.fullmatch(host):
        return host
    own = None if request.transport is None else request.transport.get_extra_info("sockname")
    if not isinstance(own, tuple):
        return "localhost"
    return f"[{own[0]}]:{own[1]}" if ":" in own[0] else f"{own[0]}:{own[1]}"
