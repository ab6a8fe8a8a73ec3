"""The discovered providers for the page, each with its state and the flow that adds it."""

from homeassistant.config_entries import SOURCE_IGNORE, SOURCE_INTEGRATION_DISCOVERY, SOURCE_ZEROCONF
from homeassistant.core import HomeAssistant, callback

from ..const import CONF_BASE_URL, CONF_PROVIDER_ID, CONF_SERVICE_NAME, DOMAIN
from ..core.admin.discovered import (
    CHANGED,
    IGNORED,
    NEW,
    SET_UP,
    UNANSWERED,
    Discovered,
    backend_kinds,
    describe_discovered,
    in_order,
)
from ..core.lan.providers import Provider
from ..data import DATA, gateway_entry, provider_entries
from .offers import OFFERS


@callback
def discovered(hass: HomeAssistant) -> Discovered:
    """All discovered providers except this home's own gateway."""
    flows = {
        flow["context"].get("unique_id"): flow["flow_id"]
        for flow in hass.config_entries.flow.async_progress_by_handler(DOMAIN)
        if flow["context"]["source"] in (SOURCE_ZEROCONF, SOURCE_INTEGRATION_DISCOVERY)
    }
    gateway = gateway_entry(hass)
    return {
        "providers": in_order(
            describe_discovered(provider, _state(hass, provider), flows.get(provider.id))
            for provider in hass.data[DATA].discovery.providers
        ),
        "kinds": backend_kinds(),
        "gateway": None if gateway is None else gateway.entry_id,
    }


def _state(hass: HomeAssistant, provider: Provider) -> str:
    entry = hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, provider.id)
    if entry is not None:
        return IGNORED if entry.source == SOURCE_IGNORE else SET_UP
    urls, entries = provider.record.base_urls(), provider_entries(hass, include_ignore=False)
    if any(other.data[CONF_BASE_URL] in urls for other in entries):
        return SET_UP
    if any(other.data.get(CONF_SERVICE_NAME) == provider.record.name and CONF_PROVIDER_ID in other.data for other in entries):
        return CHANGED
    outcome = hass.data[OFFERS].latest(provider.id) if OFFERS in hass.data else None
    return UNANSWERED if outcome is not None and not outcome.answered else NEW
