"""A machine behind a NAT, whose connector opens a link to Home Assistant and passes its requests to a real server."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from yarl import URL

from custom_components.zeroconf_ai.core.protocol.relayed import response_headers
from custom_components.zeroconf_ai.core.relay.frames import MAX_FRAME_BYTES, SUBPROTOCOL
from custom_components.zeroconf_ai.core.relay.handshake import Paired, authenticate_to_house, pair_with_house
from custom_components.zeroconf_ai.core.relay.link import Link, Role
from custom_components.zeroconf_ai.core.relay.stream import Stream

from ..fakes.provider import FakeProvider


class Machine:
    """The machine. `provider` is its server."""

    def __init__(self, url: URL, provider: FakeProvider) -> None:
        """`url`: of Home Assistant's `/v1/relay`."""
        self.key = Ed25519PrivateKey.generate()
        self.paired: Paired | None = None
        self._url = url
        self._provider = provider
        self._session: aiohttp.ClientSession | None = None
        self._link: Link | None = None

    @asynccontextmanager
    async def connected(self, code: str | None = None) -> AsyncGenerator[Link]:
        """A link of the machine, which is paired by a code before. Raises HandshakeError."""
        async with aiohttp.ClientSession() as session:
            self._session = session
            socket = await session.ws_connect(self._url, protocols=(SUBPROTOCOL,), max_msg_size=MAX_FRAME_BYTES)
            try:
                if code is not None:
                    self.paired = await pair_with_house(socket, self.key, "GPU *box*", code)
                assert self.paired is not None
                await authenticate_to_house(socket, self.key, self.paired.house_key)
            except BaseException:
                await socket.close()
                raise
            link = self._link = Link(socket, Role.CONNECTOR, accept=self._answer)
            running = asyncio.create_task(link.run())
            try:
                yield link
            finally:
                await link.close()
                await running

    async def _answer(self, stream: Stream) -> None:
        assert self._session is not None
        assert self._link is not None
        body = b"".join([part async for part in stream])
        request = stream.request
        url = f"{self._provider.base_url.removesuffix('/v1')}{request.path}"
        async with self._session.request(request.method, url, data=body or None, headers=dict(request.headers)) as response:
            self._link.answer(stream, response.status, tuple(response_headers(response.headers.items())))
            async for part in response.content.iter_any():
                await stream.send(part)
            stream.end()
