"""Fix flow for the offer of an assistant that may use any provider: one confirmation adds it."""

from types import MappingProxyType
from typing import Any

import voluptuous as vol

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_MODEL

from ..assist.pipelines import async_add_any_assistant
from ..const import SUBENTRY_CONVERSATION, SUBENTRY_STT, SUBENTRY_TTS
from ..core.protocol.models import AUTO
from ..data import DATA, gateway_entry, provider_entries
from ..flows.agents import default_data, speech_model
from ..flows.titles import free_title
from ..issues import offers_any_provider
from ..markdown import MarkdownFlow

_TITLE = "Any provider"


class AnyProviderFlow(MarkdownFlow[RepairsFlowResult], RepairsFlow):
    """Adds the agent to the gateway, or without a gateway to the oldest provider."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Show the confirmation."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask for confirmation, then add the agent and its assistant."""
        count = offers_any_provider(self.hass)
        if not count:
            return self.async_abort(reason="gone")
        if user_input is None:
            return self.async_show_form(
                step_id="confirm", data_schema=vol.Schema({}), description_placeholders={"count": str(count)}
            )
        gateway = gateway_entry(self.hass)
        if gateway is None or gateway.disabled_by is not None:
            enabled = (entry for entry in provider_entries(self.hass, include_ignore=False) if entry.disabled_by is None)
            entry = min(enabled, key=lambda one: one.created_at)
        else:
            entry = gateway
        title = free_title(_TITLE, {other.title for other in entry.subentries.values()})
        data = MappingProxyType(default_data(SUBENTRY_CONVERSATION, None))
        agent = ConfigSubentry(data=data, subentry_type=SUBENTRY_CONVERSATION, title=title, unique_id=None)
        await async_add_any_assistant(self.hass, entry, agent, self._engines(title))
        return self.async_create_entry(data={})

    def _engines(self, title: str) -> list[ConfigSubentry]:
        """Engines for speech that may use any provider: of each kind that a provider serves and for which there is none yet."""
        models = [model for member in self.hass.data[DATA].engine.pool for model in member.models]
        entries = (*provider_entries(self.hass), *filter(None, (gateway_entry(self.hass),)))
        there = {
            kind
            for entry in entries
            for kind in (SUBENTRY_STT, SUBENTRY_TTS)
            for engine in entry.get_subentries_of_type(kind)
            if (engine.data.get(CONF_MODEL) or AUTO) == AUTO
        }
        data = MappingProxyType(default_data(SUBENTRY_STT, None))
        return [
            ConfigSubentry(data=data, subentry_type=kind, title=title, unique_id=None)
            for kind in (SUBENTRY_STT, SUBENTRY_TTS)
            if kind not in there and speech_model(models, kind) is not None
        ]
