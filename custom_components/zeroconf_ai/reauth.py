"""Start and end of reauthentication flows, for a provider or a backend of the gateway."""

from typing import cast

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry, ConfigFlowContext
from homeassistant.core import HomeAssistant, callback

from .const import CONF_SUBENTRY_ID
from .core.routing.pool.member import Member

_TRANSIENT_REFUSALS = 1


def is_certain(member: Member, *, has_key: bool) -> bool:
    """Whether a refusal justifies a reauthentication flow.

    A provider that is used without a key may refuse a single request by mistake, so a health check must confirm it.
    """
    return has_key or member.refused_requests != _TRANSIENT_REFUSALS


def is_over(member: Member) -> bool:
    """Whether a provider that refused its key accepts it now.

    If requests were refused, a successful health check is not sufficient, because many servers list their models without a key.
    """
    return member.known and member.online and member.refused_requests <= _TRANSIENT_REFUSALS


@callback
def start(hass: HomeAssistant, entry: ConfigEntry, backend_id: str | None = None) -> None:
    """Start a reauthentication flow for the entry's provider or one of the gateway's backends, unless the entry has one."""
    if backend_id is None:
        entry.async_start_reauth(hass)
    else:
        asked = {CONF_SUBENTRY_ID: backend_id}
        entry.async_start_reauth(hass, context=cast(ConfigFlowContext, asked), data=asked)


@callback
def withdraw(hass: HomeAssistant, entry: ConfigEntry, backend_id: str | None = None) -> None:
    """Abort the reauthentication flow."""
    for flow in list(entry.async_get_active_flows(hass, {SOURCE_REAUTH})):
        if flow["context"].get(CONF_SUBENTRY_ID) == backend_id:
            hass.config_entries.flow.async_abort(flow["flow_id"])
