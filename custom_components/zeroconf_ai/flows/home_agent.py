"""The flow of Home Assistant agents: conversation agents and AI tasks that the gateway serves as models."""

from typing import Any

import voluptuous as vol

from homeassistant.components.conversation import HOME_ASSISTANT_AGENT
from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigSubentry, ConfigSubentryFlow, SubentryFlowResult
from homeassistant.const import CONF_ENTITY_ID, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.selector import EntitySelector, EntitySelectorConfig

from ..const import CONF_PRIORITY, DOMAIN, SUBENTRY_HOME_AGENT
from ..core.protocol.record import DEFAULT_PRIORITY
from ..markdown import MarkdownFlow
from .gateway import DEFAULT_AGENT_TITLE
from .provider_schemas import whole

ALREADY_CHOSEN = "already_chosen"
_DOMAINS = (Platform.CONVERSATION.value, Platform.AI_TASK.value)


class HomeAgentSubentryFlow(MarkdownFlow[SubentryFlowResult], ConfigSubentryFlow):
    """Adds or changes a Home Assistant agent. An empty field stands for Home Assistant's default agent, which needs no LLM."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Add an agent."""
        return self._step("user", user_input)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Change an agent."""
        return self._step("reconfigure", user_input)

    def _step(self, step_id: str, user_input: dict[str, Any] | None) -> SubentryFlowResult:
        former = self._get_reconfigure_subentry() if self.source == SOURCE_RECONFIGURE else None
        taken = self._taken(former)
        errors: dict[str, str] = {}
        if user_input is not None:
            entity_id: str | None = user_input.get(CONF_ENTITY_ID)
            if entity_id == HOME_ASSISTANT_AGENT:
                entity_id = None
            if entity_id not in taken:
                return self._save(former, entity_id, {CONF_PRIORITY: user_input[CONF_PRIORITY]})
            errors = {"base": ALREADY_CHOSEN}
        schema = _schema([*filter(None, taken), *_own_entities(self.hass)])
        values = user_input if user_input is not None or former is None else former.data
        return self.async_show_form(
            step_id=step_id, data_schema=self.add_suggested_values_to_schema(schema, values), errors=errors
        )

    def _taken(self, former: ConfigSubentry | None) -> set[str | None]:
        """The agents that are chosen already; None stands for Home Assistant's default agent."""
        others = self._get_entry().get_subentries_of_type(SUBENTRY_HOME_AGENT)
        return {other.data.get(CONF_ENTITY_ID) for other in others if former is None or other.subentry_id != former.subentry_id}

    def _save(self, former: ConfigSubentry | None, entity_id: str | None, data: dict[str, Any]) -> SubentryFlowResult:
        title = DEFAULT_AGENT_TITLE
        if entity_id is not None:
            data[CONF_ENTITY_ID] = entity_id
            state = self.hass.states.get(entity_id)
            title = state.name if state is not None else entity_id
        if former is None:
            return self.async_create_entry(title=title, data=data)
        kept = {key: value for key, value in former.data.items() if key not in (CONF_ENTITY_ID, CONF_PRIORITY)}
        return self.async_update_and_abort(self._get_entry(), former, title=title, data=kept | data)


def _schema(excluded: list[str]) -> vol.Schema:
    """The form."""
    entities = EntitySelector(EntitySelectorConfig(filter=[{"domain": list(_DOMAINS)}], exclude_entities=excluded))
    return vol.Schema(
        {
            vol.Optional(CONF_ENTITY_ID): entities,
            vol.Required(CONF_PRIORITY, default=DEFAULT_PRIORITY): whole(0, 65535),
        }
    )


def _own_entities(hass: HomeAssistant) -> list[str]:
    """The agents of this integration, which send requests to the engine: as its backends they would cause request loops."""
    return [
        entity.entity_id
        for entity in er.async_get(hass).entities.values()
        if entity.platform == DOMAIN and entity.domain in _DOMAINS
    ]
