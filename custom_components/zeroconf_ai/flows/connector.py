"""The steps that connect a provider that Home Assistant cannot reach: show a command, wait for its connector, add it."""

import asyncio
from typing import Any, override

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import callback

from ..const import DOMAIN
from ..core.accounting.connectors import PairedConnector
from ..core.backends.base import Endpoint
from ..core.relay.handshake import HANDSHAKE_SECONDS
from ..core.relay.key_file import KeyFileError
from ..core.relay.session import relay_session, relay_url
from ..provider.relay import HomeRelay, Pairing, async_get_relay, connector_data
from .connector_command import async_connector_command
from .new_entry import NewEntryFlow
from .probe import ProbedProvider, Problem, probe_endpoint

CODE_EXPIRED = "code_expired"
CODE_USED_UP = "code_used_up"
CONNECTOR_FAILED = "connector_failed"
KEY_FILE = "relay_key_unusable"


class ConnectorFlow(NewEntryFlow):
    """Pairing within the integration's flow."""

    _pairing: Pairing | None = None
    _waiting: asyncio.Task[tuple[PairedConnector, ProbedProvider]] | None = None
    _command = ""

    @callback
    @override
    def async_remove(self) -> None:
        """Forget the code and the connector with the flow; an entry that was created stores the connector."""
        self._stop()
        super().async_remove()

    def _stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        if self._pairing is not None:
            self._relay.end(self._pairing)
            self._pairing = None

    @property
    def _relay(self) -> HomeRelay:
        return async_get_relay(self.hass)

    async def async_step_connector(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the command and the code, and wait for the connector."""
        if self._pairing is None or self._waiting is None:
            try:
                await self._relay.hub()
            except KeyFileError as err:
                return self.async_abort(reason=KEY_FILE, description_placeholders={"reason": str(err)})
            self._command = await async_connector_command(self.hass)
            self._pairing = self._relay.begin()
            self._waiting = self.hass.async_create_task(
                self._wait(self._pairing), f"{DOMAIN} wait for a connector", eager_start=False
            )
        if not self._waiting.done():
            return self.async_show_progress(
                step_id="connector",
                progress_action="connector",
                description_placeholders={"command": self._command, "code": self._pairing.code.code},
                progress_task=self._waiting,
            )
        failed = self._waiting.cancelled() or self._waiting.exception() is not None
        return self.async_show_progress_done(next_step_id="connector_again" if failed else "connected")

    async def _wait(self, pairing: Pairing) -> tuple[PairedConnector, ProbedProvider]:
        """The connector and its provider. Raises Problem when the time or the tries of the code are over."""
        try:
            async with asyncio.timeout(self._relay.seconds_left(pairing) + 1.0) as limit:

                def used_up() -> None:
                    if pairing.code.tries == 0 and not pairing.connected.done():  # the last try may still succeed
                        limit.reschedule(asyncio.get_running_loop().time() + HANDSHAKE_SECONDS)

                stop = self._relay.codes.listen(used_up)
                try:
                    connector = await pairing.connected
                finally:
                    stop()
        except TimeoutError:
            raise Problem(CODE_USED_UP if pairing.code.tries == 0 else CODE_EXPIRED) from None
        hub = await self._relay.hub()
        session = relay_session(hub.uplink(connector.id))
        try:
            found = await probe_endpoint(session, Endpoint(relay_url(connector.id)), connector.name)
        finally:
            await session.close()
        return connector, found

    async def async_step_connector_again(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Say why no provider was added, and offer a new code."""
        if user_input is not None:
            self._stop()
            return await self.async_step_connector()
        error = None if self._waiting is None or self._waiting.cancelled() else self._waiting.exception()
        problem = error if isinstance(error, Problem) else Problem(CONNECTOR_FAILED, type(error).__name__)
        return self.async_show_form(
            step_id="connector_again",
            errors={"base": problem.key},
            description_placeholders={"reason": problem.placeholders["reason"]},
        )

    async def async_step_connected(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Add the provider of the connector."""
        assert self._waiting is not None  # the only way to this step
        connector, found = self._waiting.result()
        await self.async_set_unique_id(connector.id)
        self._abort_if_unique_id_configured()
        return self._create(connector.name, found, None, None, connector=connector_data(connector))
