"""The gateway's own connections to its backends.

Home Assistant's shared session has a hundred for each host: the hundred and first stream of one backend would wait for another to
end, unseen by the queues that say who goes first and how long it takes.
"""

import aiohttp

from homeassistant.components import zeroconf
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import HassAsyncDNSResolver, HomeAssistantTCPConnector
from homeassistant.util.ssl import client_context


class GatewaySession:
    """A session with as many connections as are asked for, and with names resolved as everywhere in Home Assistant."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Nothing is connected yet."""
        self._resolver = HassAsyncDNSResolver(async_zeroconf=zeroconf.async_get_async_zeroconf(hass))
        connector = HomeAssistantTCPConnector(limit=0, ssl=client_context(), resolver=self._resolver)
        self.session = aiohttp.ClientSession(connector=connector)

    async def close(self) -> None:
        """Cut off what is still connected."""
        await self.session.close()
        await self._resolver.real_close()
