"""The form for a new API key of a provider."""

from typing import Any

from homeassistant.config_entries import ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_API_KEY
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..const import CONF_BASE_URL
from ..data import chosen_type, endpoint_of
from ..markdown import MarkdownFlow
from .probe import KnownProvider, Problem, probe_endpoint
from .provider_schemas import KEY


class ProviderReauthFlow(MarkdownFlow[ConfigFlowResult], ConfigFlow):
    """The reauthentication of a provider within the integration's flow."""

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for a new API key."""
        entry = self._get_reauth_entry()
        errors: dict[str, str] = {}
        placeholders = {"reason": "", "name": entry.title}  # not left to Home Assistant, which would not escape it
        if user_input is not None:
            key = user_input[CONF_API_KEY]
            known = KnownProvider(entry.unique_id, entry.data[CONF_BASE_URL], chosen=chosen_type(entry.data))
            session = async_get_clientsession(self.hass)
            try:
                await probe_endpoint(session, endpoint_of(entry.data, key=key), entry.title, known=known)
            except Problem as problem:
                errors, placeholders = {"base": problem.key}, placeholders | problem.placeholders
            else:
                return self.async_update_and_abort(entry, data_updates={CONF_API_KEY: key})
        return self.async_show_form(
            step_id="reauth_confirm", data_schema=KEY, errors=errors, description_placeholders=placeholders
        )
