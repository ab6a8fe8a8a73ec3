"""The fix flows of the repairs that `issues.py` creates."""

from functools import partial
from typing import Any

import voluptuous as vol

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_API_KEY, CONF_MODEL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..const import CONF_BASE_URL, CONF_FINGERPRINT, CONF_HOUSEHOLD, CONF_PROVIDER_ID, CONF_SERVICE_NAME, DOMAIN
from ..core.protocol.models import AUTO
from ..data import endpoint_of
from ..flows.household_probe import token_for_entry
from ..flows.probe import KnownProvider, Problem, probe_endpoint
from ..flows.provider_schemas import CONF_KEEP_KEY, identity_schema, model_ids, model_selector
from ..issues import (
    ANY_PROVIDER,
    BUDGET_EXCEEDED,
    CERTIFICATE_CHANGED,
    CLIENT_WAITING,
    DATABASE_LOST,
    IDENTITY_CHANGED,
    PROVIDER_MOVED,
)
from ..markdown import MarkdownFlow, code
from ..provider.runtime import ProviderConfigEntry
from .any_provider import AnyProviderFlow
from .budget import BudgetExceededFlow
from .client import ClientWaitingFlow
from .database import DatabaseLostFlow
from .moved import ProviderMovedFlow

type IssueData = dict[str, str | int | float | None]


async def async_create_fix_flow(hass: HomeAssistant, issue_id: str, data: IssueData | None) -> RepairsFlow:
    """The fix flow of an issue; only issues with data are fixable."""
    if issue_id.startswith(IDENTITY_CHANGED):
        moved = (data or {}).get("question") in (PROVIDER_MOVED, CERTIFICATE_CHANGED)
        return ProviderMovedFlow(data or {}) if moved else IdentityChangedFlow(data or {})
    if issue_id.startswith(BUDGET_EXCEEDED):
        return BudgetExceededFlow(data or {})
    if issue_id.startswith(CLIENT_WAITING):
        return ClientWaitingFlow(data or {})
    if issue_id == ANY_PROVIDER:
        return AnyProviderFlow()
    if issue_id == DATABASE_LOST:
        return DatabaseLostFlow()
    return ModelVanishedFlow(data or {})


class ModelVanishedFlow(MarkdownFlow[RepairsFlowResult], RepairsFlow):
    """Offers another model for an agent whose model no longer exists."""

    def __init__(self, issue: IssueData) -> None:
        """`issue`: `entry_id`, `subentry_id`."""
        super().__init__()
        self._issue = issue

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Choose a model."""
        entry = _entry(self.hass, self._issue)
        subentry = entry.subentries.get(str(self._issue["subentry_id"])) if entry else None
        if entry is None or subentry is None:
            return self.async_abort(reason="gone")
        if user_input and CONF_MODEL in user_input:
            self.hass.config_entries.async_update_subentry(entry, subentry, data={**subentry.data, **user_input})
            return self.async_create_entry(data={})
        models = model_ids(entry.runtime_data.member.models) if entry.state is ConfigEntryState.LOADED else []
        return self.async_show_form(
            step_id="init",
            data_schema=vol.Schema({vol.Required(CONF_MODEL, default=(models or [AUTO])[0]): model_selector(models)}),
            description_placeholders={
                "agent": subentry.title,
                "provider": entry.title,
                "model": subentry.data.get(CONF_MODEL) or AUTO,
            },
        )


class IdentityChangedFlow(MarkdownFlow[RepairsFlowResult], RepairsFlow):
    """Asks for confirmation that the provider at the address replaces the entry's."""

    def __init__(self, issue: IssueData) -> None:
        """`issue`: `entry_id` and the new data of the entry: `provider_id`, `service_name`, `base_url`, `fingerprint`."""
        super().__init__()
        self._issue = issue

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Show the confirmation."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask for confirmation, and whether the stored key may be sent to the new provider."""
        entry, provider_id = _entry(self.hass, self._issue), str(self._issue["provider_id"])
        if entry is None:
            return self.async_abort(reason="gone")
        errors: dict[str, str] = {}
        placeholders = {"provider": entry.title, "address": code(str(self._issue["base_url"])), "reason": ""}
        if user_input is not None:
            other = self.hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, provider_id)
            if other is not None and other is not entry:
                return self.async_abort(reason="already_configured")
            key = user_input.get(CONF_API_KEY)
            if key is None and user_input.get(CONF_KEEP_KEY):
                key = entry.data.get(CONF_API_KEY)
            data = self._new_data(entry, key)
            endpoint = endpoint_of(data)
            known = KnownProvider(provider_id, endpoint.base_url, token=partial(token_for_entry, self.hass, data))
            try:
                await probe_endpoint(async_get_clientsession(self.hass), endpoint, entry.title, known=known)
            except Problem as problem:
                errors, placeholders = {"base": problem.key}, placeholders | problem.placeholders
            else:
                self.hass.config_entries.async_update_entry(entry, unique_id=provider_id, data=data)
                self._dismiss_discovery(provider_id)
                return self.async_create_entry(data={})
        return self.async_show_form(
            step_id="confirm",
            data_schema=identity_schema(has_key=CONF_API_KEY in entry.data),
            errors=errors,
            description_placeholders=placeholders,
        )

    def _new_data(self, entry: ProviderConfigEntry, key: str | None) -> dict[str, Any]:
        """The entry's data with the new identity and `key`."""
        identity = (CONF_PROVIDER_ID, CONF_SERVICE_NAME, CONF_BASE_URL, CONF_FINGERPRINT)
        household = None if key is not None else entry.data.get(CONF_HOUSEHOLD)
        data = {**entry.data, **{name: self._issue.get(name) for name in identity}, CONF_API_KEY: key, CONF_HOUSEHOLD: household}
        return {name: value for name, value in data.items() if value is not None}

    def _dismiss_discovery(self, provider_id: str) -> None:
        """Abort the discovery flows of the provider."""
        flows = self.hass.config_entries.flow
        for flow in flows.async_progress_by_handler(DOMAIN, match_context={"unique_id": provider_id}):
            flows.async_abort(flow["flow_id"])


def _entry(hass: HomeAssistant, issue: IssueData) -> ProviderConfigEntry | None:
    return hass.config_entries.async_get_entry(str(issue["entry_id"]))
