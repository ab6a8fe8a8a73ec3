"""Pairs of links over a real WebSocket on loopback."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from zeroconf_ai.relay.frames import MAX_FRAME_BYTES, SUBPROTOCOL
from zeroconf_ai.relay.link import DEAD_SECONDS, HEARTBEAT_SECONDS, Accept, Link, Role


@dataclass(slots=True)
class Pair:
    """The two sides of a link. `house` is the server's side."""

    house: Link
    connector: Link
    house_run: asyncio.Task[None]
    connector_run: asyncio.Task[None]


@asynccontextmanager
async def linked(
    accept: Accept | None = None, *, heartbeat: float = HEARTBEAT_SECONDS, dead: float = DEAD_SECONDS
) -> AsyncGenerator[Pair]:
    """Two links that talk to each other. `accept` answers the house's requests."""
    opened: asyncio.Future[Link] = asyncio.get_running_loop().create_future()
    ended = asyncio.Event()

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=(SUBPROTOCOL,), compress=False, max_msg_size=MAX_FRAME_BYTES, timeout=1.0)
        await socket.prepare(request)
        opened.set_result(Link(socket, Role.HOUSE, heartbeat=heartbeat, dead=dead))
        await ended.wait()
        return socket

    app = web.Application()
    app.router.add_get("/v1/relay", handle)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(server.make_url("/v1/relay"), protocols=(SUBPROTOCOL,), max_msg_size=MAX_FRAME_BYTES)
        connector = Link(socket, Role.CONNECTOR, accept=accept, heartbeat=heartbeat, dead=dead)
        house = await opened
        pair = Pair(house, connector, asyncio.create_task(house.run()), asyncio.create_task(connector.run()))
        try:
            yield pair
        finally:
            await house.close()
            await connector.close()
            await asyncio.gather(pair.house_run, pair.connector_run, return_exceptions=True)
            ended.set()
