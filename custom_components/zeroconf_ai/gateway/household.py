"""The household of the gateway: its tokens, and their hourly limit."""

from collections.abc import Callable, Mapping
import logging
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.dispatcher import async_dispatcher_send

from ..const import CONF_HOUSEHOLD, CONF_HOUSEHOLD_COST_PER_HOUR, CONF_HOUSEHOLD_TOKENS_PER_HOUR, SIGNAL_HOUSEHOLD_CHANGED
from ..core.accounting.household_cap import DEFAULT_COST, DEFAULT_TOKENS, HouseholdCap
from ..core.engine import Engine
from ..core.protocol.household import HouseholdCode, HouseholdError, HouseholdKey
from ..core.protocol.values import NANO
from ..core.routing.accounting import Accounting
from ..core.server.access.household import HouseholdTokens

_LOGGER = logging.getLogger(__name__)


class GatewayHousehold:
    """Issues the household's tokens while the options have a code."""

    def __init__(self, hass: HomeAssistant, engine: Engine, gateway_id: str) -> None:
        """No token is issued before `apply`."""
        self._hass = hass
        self._engine = engine
        self._gateway_id = gateway_id
        self._code: str | None = None
        self._cap = HouseholdCap(DEFAULT_TOKENS, round(DEFAULT_COST * NANO))
        self._detach: Callable[[], None] | None = None
        self.tokens: HouseholdTokens | None = None
        """None without a code."""

    async def apply(self, options: Mapping[str, Any], rotated: Callable[[], None]) -> None:
        """Apply the options. `rotated` is called after each new token."""
        self._cap.tokens = int(options.get(CONF_HOUSEHOLD_TOKENS_PER_HOUR, DEFAULT_TOKENS))
        self._cap.cost = round(options.get(CONF_HOUSEHOLD_COST_PER_HOUR, DEFAULT_COST) * NANO)
        code = options.get(CONF_HOUSEHOLD)
        if code == self._code:
            return
        await self.close()
        self._code = code
        async_dispatcher_send(self._hass, SIGNAL_HOUSEHOLD_CHANGED)  # providers of the household are used with it too
        if code is None:
            return
        try:
            parsed = HouseholdCode.parse(code)
        except HouseholdError as err:
            _LOGGER.error("The household code of the gateway cannot be used: %s", err)
            return
        key = await self._hass.async_add_executor_job(HouseholdKey, parsed)
        self._detach = await self._engine.attach(Accounting(household=self._cap))
        self.tokens = HouseholdTokens(key, self._gateway_id)
        self.tokens.start(rotated)

    async def close(self) -> None:
        """Accept no token any more."""
        tokens, self.tokens = self.tokens, None
        detach, self._detach = self._detach, None
        self._code = None
        if tokens is not None:
            await tokens.close()
        if detach is not None:
            detach()
