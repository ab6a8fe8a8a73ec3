"""The form for the address of a provider, which adds it or changes its connection."""

from collections.abc import Mapping
from typing import Any

from yarl import URL

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntry, ConfigFlowResult
from homeassistant.const import CONF_API_KEY, CONF_HOST, CONF_PORT, CONF_SSL, CONF_VERIFY_SSL
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..const import CONF_ADVERTISED, CONF_BASE_URL, CONF_FINGERPRINT, CONF_PROVIDER_ID
from ..data import endpoint_of
from .known import is_own, unconfigured
from .new_entry import NewEntryFlow
from .probe import KnownProvider, Problem, base_urls, probe_urls
from .provider_schemas import ADDRESS, flatten, suggest


class AddressFlow(NewEntryFlow):
    """The form for an address within the integration's flow."""

    async def _ask_address(self, step_id: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        errors: dict[str, str] = {}
        placeholders = {"reason": ""}
        shown = user_input
        entry = self._get_reconfigure_entry() if self.source == SOURCE_RECONFIGURE else None
        if user_input is not None:
            values = flatten(user_input)
            try:
                return await (self._add(values) if entry is None else self._move(entry, values))
            except Problem as problem:
                errors, placeholders = {"base": problem.key}, problem.placeholders
        elif entry is not None:
            url: str = entry.data[CONF_BASE_URL]
            verify = entry.data.get(CONF_VERIFY_SSL, True)
            shown = suggest({CONF_HOST: url, CONF_SSL: url.startswith("https://"), CONF_VERIFY_SSL: verify})
        if entry is not None:
            placeholders["name"] = entry.title
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(ADDRESS, shown),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _add(self, values: Mapping[str, Any]) -> ConfigFlowResult:
        """Add the provider at an entered address. Raises Problem."""
        found = await probe_urls(
            async_get_clientsession(self.hass),
            base_urls(values[CONF_HOST], values.get(CONF_PORT), tls=values[CONF_SSL]),
            key=values.get(CONF_API_KEY),
            ssl=values[CONF_VERIFY_SSL],
        )
        url, record = found.endpoint.base_url, None
        if found.id is not None:
            if is_own(self.hass, found.id):
                raise AbortFlow("own_advertisement")
            await self.async_set_unique_id(found.id, raise_on_progress=False)
            self._abort_if_unique_id_configured()
            advertised = unconfigured(self.hass).get(found.id)
            if advertised is not None and url in advertised.record.base_urls():
                record = advertised.record
        self._async_abort_entries_match({CONF_BASE_URL: url})
        host = URL(url).host or url
        title = f"{found.health.provider} ({host})" if found.health.provider else host
        verify = None if values[CONF_VERIFY_SSL] else False
        return self._create(record.name if record else title, found, record, values.get(CONF_API_KEY), verify=verify)

    async def _move(self, entry: ConfigEntry, values: Mapping[str, Any]) -> ConfigFlowResult:
        """Change the address or API key of a provider, which must be the same one. Raises Problem."""
        verify: bool = values[CONF_VERIFY_SSL]
        known = KnownProvider(entry.unique_id, entry.data[CONF_BASE_URL], entry.data.get(CONF_API_KEY))
        # A pinned certificate stays pinned until its verification is turned off.
        pinned = endpoint_of(entry.data).ssl if verify and entry.data.get(CONF_FINGERPRINT) else verify
        found = await probe_urls(
            async_get_clientsession(self.hass),
            base_urls(values[CONF_HOST], values.get(CONF_PORT), tls=values[CONF_SSL]),
            key=values.get(CONF_API_KEY),
            ssl=pinned,
            known=known,
        )
        identity = entry.unique_id or found.id
        if entry.unique_id is None and identity is not None:
            await self.async_set_unique_id(identity, raise_on_progress=False)
            self._abort_if_unique_id_configured()
        data = {**entry.data, CONF_BASE_URL: found.endpoint.base_url, CONF_VERIFY_SSL: verify}
        data.pop(CONF_ADVERTISED, None)
        if not verify:
            data.pop(CONF_FINGERPRINT, None)
        if identity is not None:
            data[CONF_PROVIDER_ID] = identity
        if found.endpoint.key is not None:
            data[CONF_API_KEY] = found.endpoint.key
        return self.async_update_and_abort(entry, unique_id=identity, data=data)
