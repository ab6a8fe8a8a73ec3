"""The client certificate of a connection."""

import asyncio
from collections.abc import Callable
import ssl

from ...accounting.keys.certificates import certificate_digest


def peer_digest(transport: asyncio.BaseTransport | None) -> bytes | None:
    """The hash (`certificate_digest`) of the certificate that the client has proved in the handshake; None if it has none."""
    secure: ssl.SSLObject | None = None if transport is None else transport.get_extra_info("ssl_object")
    der = None if secure is None else secure.getpeercert(binary_form=True)
    return None if der is None else certificate_digest(der)


class CertifiedConnections:
    """The open connections with a client certificate, so that they end with it. Belongs to the event loop."""

    def __init__(self) -> None:
        """No connection."""
        self._open: dict[asyncio.Transport, bytes] = {}

    def opened(self, transport: asyncio.Transport) -> None:
        """Remember a connection after its handshake, if its client has a certificate."""
        if (digest := peer_digest(transport)) is not None:
            self._open[transport] = digest

    def closed(self, transport: asyncio.BaseTransport | None) -> None:
        """Forget a connection."""
        self._open.pop(transport, None)  # type: ignore[call-overload] # those without a certificate are not in it

    def close_invalid(self, is_valid: Callable[[bytes], bool]) -> None:
        """Close the connections whose certificate (its hash) is not valid any more, with the requests that run on them."""
        for transport in [transport for transport, digest in self._open.items() if not is_valid(digest)]:
            transport.abort()
