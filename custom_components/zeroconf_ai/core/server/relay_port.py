"""`GET /v1/relay` on a port, with or without a gateway."""

from aiohttp import web

from ..protocol.errors import ApiError, NotFoundError
from .dispatch import begin
from .gateway import Gateway
from .relay_entrance import RelayEntrance


async def admit_connector(gateway: Gateway, request: web.Request) -> web.StreamResponse:
    """Answer a request to `RELAY_PATH` on a port of a gateway."""
    return await enter(gateway.relay, gateway, request, gateway.access.client_address(request))


async def admit_broker(gateway: Gateway, request: web.Request) -> web.StreamResponse:
    """Answer a request below `BROKERS_PATH` on a port of a gateway."""
    return await enter(gateway.brokers, gateway, request, gateway.access.client_address(request))


async def enter(
    relay: RelayEntrance | None, gateway: Gateway | None, request: web.Request, address: str | None
) -> web.StreamResponse:
    """Answer a request to `RELAY_PATH`. `relay` None: no connectors are taken; `gateway` None: no gateway is running.

    `address`: where the request comes from.
    """
    try:
        if relay is None:
            raise NotFoundError("This server takes no connectors.", code="not_found")
        return await relay.answer(request, address)
    except ApiError as err:
        return begin(gateway, request).error_response(err)
