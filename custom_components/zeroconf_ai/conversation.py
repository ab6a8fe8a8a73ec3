"""A provider's agents in Assist."""

from typing import Literal, override

from homeassistant.components import conversation
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_LLM_HASS_API, CONF_PROMPT, MATCH_ALL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN, SUBENTRY_CONVERSATION
from .core.engine import Source
from .data import AgentConfigEntry
from .entity import AgentEntity

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant, entry: AgentConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """One entity for each agent."""
    for subentry in entry.get_subentries_of_type(SUBENTRY_CONVERSATION):
        async_add_entities([ProviderAgent(entry, subentry)], config_subentry_id=subentry.subentry_id)


class ProviderAgent(AgentEntity, conversation.ConversationEntity):
    """An agent that a provider's model speaks for."""

    _attr_translation_key = "conversation"
    _attr_supports_streaming = True

    def __init__(self, entry: AgentConfigEntry, subentry: ConfigSubentry) -> None:
        """An agent with an LLM API can control the home, and says so."""
        super().__init__(entry, subentry)
        if subentry.data.get(CONF_LLM_HASS_API):
            self._attr_supported_features = conversation.ConversationEntityFeature.CONTROL

    @property
    @override
    def supported_languages(self) -> list[str] | Literal["*"]:
        """Whatever the model speaks."""
        return MATCH_ALL

    @override
    async def _async_handle_message(
        self, user_input: conversation.ConversationInput, chat_log: conversation.ChatLog
    ) -> conversation.ConversationResult:
        """Answer one message."""
        options = self.subentry.data
        try:
            await chat_log.async_provide_llm_data(
                user_input.as_llm_context(DOMAIN),
                options.get(CONF_LLM_HASS_API),
                options.get(CONF_PROMPT),
                user_input.extra_system_prompt,
            )
        except conversation.ConverseError as err:
            return err.as_conversation_result()
        user_id = user_input.context.user_id
        user = await self.hass.auth.async_get_user(user_id) if user_id is not None else None
        await self.talker(Source.ASSIST, user).talk(chat_log)
        return conversation.async_get_result_from_chat_log(user_input, chat_log)
