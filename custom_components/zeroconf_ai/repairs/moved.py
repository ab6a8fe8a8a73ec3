"""Fix flow for a provider that is advertised at another address or with another certificate without proof of its identity."""

from functools import partial
from typing import Any

import voluptuous as vol

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntry
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..certificates import async_get_certificates
from ..const import (
    CONF_ADVERTISED,
    CONF_BASE_URL,
    CONF_CLIENT_CERTIFICATE,
    CONF_FINGERPRINT,
    CONF_PROVIDER_ID,
    CONF_REFUSED,
    CONF_SERVICE_NAME,
)
from ..core.protocol.record import names_public_host
from ..data import endpoint_of
from ..flows.household_probe import token_for_entry
from ..flows.probe import KnownProvider, Problem, probe_endpoint
from ..markdown import MarkdownFlow, code

MOST_REFUSED = 8
"""Maximum number of refused addresses stored per provider."""


class ProviderMovedFlow(MarkdownFlow[RepairsFlowResult], RepairsFlow):
    """Offers to accept the advertised address or to keep the confirmed one."""

    def __init__(self, issue: dict[str, str | int | float | None]) -> None:
        """`issue`: `entry_id` and the advertised data: `provider_id`, `service_name`, `base_url`, `fingerprint`."""
        super().__init__()
        self._issue = issue
        self._base_url = str(issue[CONF_BASE_URL])

    @property
    def _entry(self) -> ConfigEntry:
        """The provider's entry. Raises AbortFlow if it was removed or has another identity now."""
        entry = self.hass.config_entries.async_get_entry(str(self._issue["entry_id"]))
        if entry is None or entry.data.get(CONF_PROVIDER_ID) != self._issue[CONF_PROVIDER_ID]:
            raise AbortFlow("gone")
        return entry

    @property
    def _placeholders(self) -> dict[str, str]:
        entry = self._entry
        return {"provider": entry.title, "address": code(self._base_url), "former": code(entry.data[CONF_BASE_URL])}

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Show the menu."""
        return self.async_show_menu(step_id="init", menu_options=["accept", "keep"], description_placeholders=self._placeholders)

    async def async_step_accept(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Use the advertised address, to which the stored key will be sent."""
        entry, placeholders = self._entry, self._placeholders | {"reason": ""}
        errors: dict[str, str] = {}
        if user_input is not None:
            data = self._accepted(entry)
            endpoint = endpoint_of(data)
            token = partial(token_for_entry, self.hass, data)
            known = KnownProvider(data[CONF_PROVIDER_ID], endpoint.base_url, token=token)
            try:
                await probe_endpoint(async_get_clientsession(self.hass), endpoint, entry.title, known=known)
            except Problem as problem:
                # It has the right id, and gives no certificate for its new one: reauthentication asks for enrolment next.
                if not problem.wants_certificate:
                    errors, placeholders = {"base": problem.key}, placeholders | problem.placeholders
            if not errors:
                if entry.data.get(CONF_CLIENT_CERTIFICATE):
                    certificates, pin = await async_get_certificates(self.hass), data.get(CONF_FINGERPRINT)
                    await certificates.move(data[CONF_PROVIDER_ID], base_url=endpoint.base_url, pin=pin)
                self.hass.config_entries.async_update_entry(entry, data=data)
                return self.async_create_entry(data={})
        return self.async_show_form(
            step_id="accept", data_schema=vol.Schema({}), errors=errors, description_placeholders=placeholders
        )

    async def async_step_keep(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Keep the confirmed address and store the advertised one as refused."""
        entry = self._entry
        refused = [url for url in entry.data.get(CONF_REFUSED, ()) if url != self._base_url]
        data = {**entry.data, CONF_REFUSED: [*refused, self._base_url][-MOST_REFUSED:]}
        self.hass.config_entries.async_update_entry(entry, data=data)
        return self.async_create_entry(data={})

    def _accepted(self, entry: ConfigEntry) -> dict[str, Any]:
        """The entry's data with the advertised address."""
        accepted = {name: self._issue.get(name) for name in (CONF_BASE_URL, CONF_SERVICE_NAME, CONF_FINGERPRINT)}
        refused = [url for url in entry.data.get(CONF_REFUSED, ()) if url != self._base_url]
        advertised = names_public_host(self._base_url) or None  # a public host must not resolve to a private address
        data = {**entry.data, **accepted, CONF_REFUSED: refused or None, CONF_ADVERTISED: advertised}
        return {name: value for name, value in data.items() if value is not None}
