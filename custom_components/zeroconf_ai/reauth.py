"""When the owner is asked for another key of a provider or of a gateway's backend, and when that is withdrawn."""

from typing import cast

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry, ConfigFlowContext
from homeassistant.core import HomeAssistant, callback

from .const import CONF_SUBENTRY_ID
from .core.routing.pool.pool import Member

_TRANSIENT_REFUSALS = 1


def is_certain(member: Member, *, has_key: bool) -> bool:
    """Whether a refusal is reason enough to ask for a key.

    A provider that is used without a key may refuse a single request by mistake: whether it wants one is for a check to say.
    """
    return has_key or member.refused_requests != _TRANSIENT_REFUSALS


def is_over(member: Member) -> bool:
    """Whether a provider that refused its key takes it now.

    A check alone does not prove that where requests were refused before: many servers list their models without a key.
    """
    return member.known and member.online and member.refused_requests <= _TRANSIENT_REFUSALS


@callback
def start(hass: HomeAssistant, entry: ConfigEntry, backend_id: str | None = None) -> None:
    """Ask for another key, of the entry's provider or of one of the gateway's backends, unless the entry asks for one already."""
    if backend_id is None:
        entry.async_start_reauth(hass)
    else:
        asked = {CONF_SUBENTRY_ID: backend_id}
        entry.async_start_reauth(hass, context=cast(ConfigFlowContext, asked), data=asked)


@callback
def withdraw(hass: HomeAssistant, entry: ConfigEntry, backend_id: str | None = None) -> None:
    """Ask no longer."""
    for flow in list(entry.async_get_active_flows(hass, {SOURCE_REAUTH})):
        if flow["context"].get(CONF_SUBENTRY_ID) == backend_id:
            hass.config_entries.flow.async_abort(flow["flow_id"])
