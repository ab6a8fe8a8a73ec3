"""The gateway's HTTP session for its backends.

Home Assistant's shared session is limited to a hundred connections per host, so further streams of a backend would wait outside
the gateway's queues, which know priorities and estimated waits.
"""

import aiohttp

from homeassistant.components import zeroconf
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import HassAsyncDNSResolver, HomeAssistantTCPConnector
from homeassistant.util.ssl import client_context


class GatewaySession:
    """A session without a connection limit, with Home Assistant's name resolution."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._resolver = HassAsyncDNSResolver(async_zeroconf=zeroconf.async_get_async_zeroconf(hass))
        connector = HomeAssistantTCPConnector(limit=0, ssl=client_context(), resolver=self._resolver)
        self.session = aiohttp.ClientSession(connector=connector)

    async def close(self) -> None:
        """Close all connections."""
        await self.session.close()
        await self._resolver.real_close()
