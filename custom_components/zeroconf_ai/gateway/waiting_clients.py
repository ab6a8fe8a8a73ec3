"""`WaitingClients`: a repair issue for each client that asks for a certificate, until it is decided on or over."""

from collections.abc import Callable
from datetime import datetime

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.event import async_call_later

from ..core.server.gateway import Gateway
from ..issues import show_waiting_clients


class WaitingClients:
    """Keeps the issues as the clients of the gateway's enrolment."""

    def __init__(self, hass: HomeAssistant, gateway: Gateway) -> None:
        """No issue before `refresh`."""
        self._hass = hass
        self._gateway = gateway
        self._cancel: Callable[[], None] | None = None

    @callback
    def refresh(self, _: datetime | None = None) -> None:
        """Create and delete issues, now and when the next client's time is over."""
        self.close()
        enrolment = self._gateway.enrolment
        waiting = [] if enrolment is None else list(enrolment.pending)
        show_waiting_clients(self._hass, waiting)
        if enrolment is not None and waiting:
            soonest = min(map(enrolment.pending.seconds_left, waiting))
            self._cancel = async_call_later(self._hass, soonest + 1.0, self.refresh)

    @callback
    def close(self) -> None:
        """Stop the timer."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
