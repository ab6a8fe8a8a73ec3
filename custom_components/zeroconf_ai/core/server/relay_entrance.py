"""`RelayEntrance`: what admits connectors at `GET /v1/relay`, where they open their WebSocket (`core/relay/hub.py`)."""

from typing import Protocol

from aiohttp import web

RELAY_PATH = "/v1/relay"
BROKERS_PATH = "/v1/relay/brokers"
"""Below it, by the id of a connector, other brokers of a cluster open links (`core/relay/cluster.py`)."""


class RelayEntrance(Protocol):
    """Admits connectors. It has an admission of its own and needs no API key."""

    async def answer(self, request: web.Request, address: str | None) -> web.StreamResponse:
        """Serve the link of a connector until it ends. Raises an ApiError before the WebSocket is open."""
