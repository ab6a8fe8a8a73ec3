"""The forms for a new API key or household code of a provider."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigFlowResult
from homeassistant.const import CONF_API_KEY
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..const import CONF_BASE_URL, CONF_CLIENT_CERTIFICATE, CONF_FINGERPRINT, CONF_HOUSEHOLD, CONF_PROVIDER_ID
from ..core.presence.own_certificates import OwnCertificate
from ..data import DATA, chosen_type, endpoint_of
from ..household import code_to_store, replace_code
from .enroll import EnrollFlow, EnrolTarget
from .household_probe import entered_code, household_token
from .probe import KnownProvider, Problem, probe_endpoint
from .provider_schemas import KEY, KEY_OR_HOUSEHOLD


class ProviderReauthFlow(EnrollFlow):
    """The reauthentication of a provider within the integration's flow."""

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for a new API key."""
        entry = self._get_reauth_entry()
        if self._wants_certificate(entry):
            data = entry.data
            return await self._enroll(
                EnrolTarget(data[CONF_BASE_URL], entry.title, data.get(CONF_FINGERPRINT), data.get(CONF_PROVIDER_ID))
            )
        if CONF_HOUSEHOLD in entry.data:
            return await self.async_step_reauth_household()
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

    def _wants_certificate(self, entry: ConfigEntry) -> bool:
        """Whether the provider refused the certificate of Home Assistant, or requires one now."""
        if CONF_CLIENT_CERTIFICATE in entry.data:
            return True
        if (shared := self.hass.data.get(DATA)) is None or (member := shared.engine.pool.get(entry.entry_id)) is None:
            return False
        return member.wants_certificate and entry.data[CONF_BASE_URL].startswith("https:")

    async def _update_enrolled(self, held: OwnCertificate) -> ConfigFlowResult:
        """Use the new certificate in place of the former one, or of an API key."""
        entry = self._get_reauth_entry()
        kept = {name: value for name, value in entry.data.items() if name not in (CONF_API_KEY, CONF_HOUSEHOLD)}
        data = {**kept, CONF_CLIENT_CERTIFICATE: True, CONF_FINGERPRINT: held.enrolment.pin}
        return self.async_update_and_abort(entry, data=data)

    async def async_step_reauth_household(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the household code, or an API key instead of it."""
        entry = self._get_reauth_entry()
        errors: dict[str, str] = {}
        placeholders = {"reason": "", "name": entry.title}
        if user_input is not None:
            try:
                data = await self._with_household(entry, user_input)
            except Problem as problem:
                errors, placeholders = {"base": problem.key}, placeholders | problem.placeholders
            else:
                if (code := data.get(CONF_HOUSEHOLD)) is not None:
                    replace_code(self.hass, entry.data[CONF_HOUSEHOLD], code)
                return self.async_update_and_abort(entry, data=data)
        return self.async_show_form(
            step_id="reauth_household", data_schema=KEY_OR_HOUSEHOLD, errors=errors, description_placeholders=placeholders
        )

    async def _with_household(self, entry: ConfigEntry, user_input: Mapping[str, Any]) -> dict[str, Any]:
        """The data of the entry with the code or the API key that was entered, which the provider accepts. Raises Problem."""
        kept = {name: value for name, value in entry.data.items() if name != CONF_HOUSEHOLD}
        key = user_input.get(CONF_API_KEY)
        code = entered_code(user_input) if key is None else None
        endpoint = endpoint_of(entry.data, key=key)
        if key is None:
            provider = self.hass.data[DATA].discovery.get(entry.data.get(CONF_PROVIDER_ID) or "")
            records = () if provider is None else provider.records
            endpoint = replace(endpoint, key=await household_token(self.hass, records, endpoint, code))
        known = KnownProvider(entry.unique_id, entry.data[CONF_BASE_URL], chosen=chosen_type(entry.data))
        await probe_endpoint(async_get_clientsession(self.hass), endpoint, entry.title, known=known)
        if key is not None:
            return kept | {CONF_API_KEY: key}
        return kept | {CONF_HOUSEHOLD: code_to_store(self.hass, code)}
