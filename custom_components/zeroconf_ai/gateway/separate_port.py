"""The gateway's separate port: the paths of Home Assistant's port, and Ollama's, which conflict with Home Assistant's own."""

import asyncio
import errno
import logging

from aiohttp import web

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from ..const import DOMAIN
from ..core.server.app import create_app, create_runner
from ..core.server.gateway import Gateway
from ..issues import MORE_URL

_LOGGER = logging.getLogger(__name__)

OWN_PORT_CLOSED = "own_port_closed"
"""The repair issue for a port that cannot be opened."""
_RETIRE_SECONDS = 600.0
"""How long running requests may continue on a port that is replaced."""
_CLOSE_SECONDS = 5.0
_EVERYWHERE: tuple[str | None, ...] = (None,)
"""All addresses of this machine."""


class SeparatePort:
    """Serves a gateway on the configured port, if any."""

    def __init__(self, hass: HomeAssistant, gateway: Gateway) -> None:
        """No port is open before `apply`."""
        self._hass = hass
        self._gateway = gateway
        self._runner: web.AppRunner | None = None
        self._wanted: int | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self.port: int | None = None
        """The open port, or None."""

    async def apply(self, wanted: int | None) -> None:
        """Serve on the port `wanted`, or on none. Requests that run on the former port continue.

        If the port cannot be opened, a repair issue is created, and the gateway is served on Home Assistant's port only.
        """
        if wanted == self.port == self._wanted:
            return
        self._wanted = wanted
        self._retire()
        ir.async_delete_issue(self._hass, DOMAIN, OWN_PORT_CLOSED)
        if wanted is None:
            return
        app = create_app(self._gateway, drain_seconds=None)
        runner = create_runner(app, cancel_seconds=_RETIRE_SECONDS)
        await runner.setup()
        try:
            for host in self._hass.http.server_host or _EVERYWHERE:
                await web.TCPSite(runner, host, wanted).start()
        except OSError as err:
            await runner.cleanup()
            self._report(wanted, err)
            return
        self._runner, self.port = runner, wanted

    async def close(self) -> None:
        """Close the port. Remaining requests are cancelled after a few seconds; the gateway is drained before."""
        self._retire()
        ir.async_delete_issue(self._hass, DOMAIN, OWN_PORT_CLOSED)
        if self._retiring:
            _, late = await asyncio.wait(self._retiring, timeout=_CLOSE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _retire(self) -> None:
        """Accept no new connections, and close the runner when the last request has ended."""
        runner, self._runner, self.port = self._runner, None, None
        if runner is not None:
            task = self._hass.async_create_background_task(runner.cleanup(), name=f"{DOMAIN} close port")
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    def _report(self, port: int, err: OSError) -> None:
        reason = "another program uses it" if err.errno == errno.EADDRINUSE else "the system does not allow it"
        _LOGGER.warning("The gateway's separate port %d cannot be opened: %s", port, err)
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            OWN_PORT_CLOSED,
            is_fixable=False,
            learn_more_url=MORE_URL,
            severity=ir.IssueSeverity.ERROR,
            translation_key=OWN_PORT_CLOSED,
            translation_placeholders={"port": str(port), "reason": reason},
        )
