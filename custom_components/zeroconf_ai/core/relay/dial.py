"""Opens the WebSocket of a connector to a house, and pairs the two."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..backends.zeroconfai import fingerprint_ssl
from ..protocol.key_proof import encode
from ..protocol.reasons import connection_reason
from .frames import MAX_FRAME_BYTES, SUBPROTOCOL
from .handshake import HandshakeError, pair_with_house
from .paired_houses import PairedHouse

CONNECT_SECONDS = 20.0
"""Maximum time for name resolution, TCP, TLS and the upgrade to a WebSocket."""


class ConnectError(Exception):
    """No link was opened. The message says why, without secrets."""

    def __init__(self, message: str, *, refused: bool = False, presented: str | None = None) -> None:
        """`refused`: by the house, so that another attempt helps only after its owner has done something.

        `presented`: the fingerprint of the certificate that was presented in place of the pinned one.
        """
        super().__init__(message)
        self.refused = refused
        self.presented = presented


async def pair(
    session: aiohttp.ClientSession, url: str, pin: str | None, key: Ed25519PrivateKey, name: str, code: str
) -> PairedHouse:
    """Pair with a house by a one-time code. Raises ConnectError, and CodeError for a text that cannot be a code."""
    async with open_socket(session, url, pin) as socket:
        try:
            found = await pair_with_house(socket, key, name, code)
        except HandshakeError as err:
            raise ConnectError(str(err), refused=True) from None
    return PairedHouse(url, found.house_key, found.house_name, found.id, pin)


@asynccontextmanager
async def open_socket(
    session: aiohttp.ClientSession, url: str, pin: str | None
) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
    """The WebSocket to a house. Raises ConnectError."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            socket = await session.ws_connect(
                url,
                protocols=(SUBPROTOCOL,),
                proxy=await asyncio.to_thread(_proxy_for, url),
                ssl=True if pin is None else fingerprint_ssl(pin),
                max_msg_size=MAX_FRAME_BYTES,
                compress=0,
            )
    except aiohttp.ServerFingerprintMismatch as err:
        message = "the certificate is not the pinned one, which has not signed it. If its owner made it anew, pass its --pin"
        raise ConnectError(message, refused=True, presented=encode(err.got)) from None
    except aiohttp.ClientConnectorCertificateError:
        message = "no authority that this system trusts has issued the certificate. Pass its fingerprint as --pin"
        raise ConnectError(message, refused=True) from None
    except aiohttp.ClientHttpProxyError as err:
        raise ConnectError(f"the proxy of this machine's network refuses the connection (status {err.status})") from None
    except aiohttp.WSServerHandshakeError as err:
        raise ConnectError(_rejected(err.status)) from None
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as err:
        raise ConnectError(f"no connection ({connection_reason(err)})") from None
    try:
        if socket.protocol != SUBPROTOCOL:
            raise ConnectError("the server at this address does not speak the relay's protocol")
        if url.startswith("wss:") and socket.get_extra_info("ssl_object") is None:
            raise ConnectError("the server redirects to an address without TLS", refused=True)
        yield socket
    finally:
        await socket.close()


def _proxy_for(url: str) -> str | None:
    """The proxy of this machine's environment (`HTTPS_PROXY`, `NO_PROXY`, or the system's settings) for a URL; None: no proxy.

    aiohttp's `trust_env` looks for a proxy for `wss`, which is not usually set, and would send passwords of `~/.netrc`. Blocking.
    """
    parts = urlsplit(url)
    if parts.scheme != "wss" or proxy_bypass(parts.netloc):
        return None
    return getproxies().get("https")


def _rejected(status: int) -> str:
    """Why a server that answers is no house."""
    if status == HTTPStatus.NOT_FOUND:
        return "there is no relay at this address: check it, and that the house has its gateway enabled"
    if status in (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT):
        return f"the house does not answer (status {status})"
    return f"the house refuses the connection (status {status})"
