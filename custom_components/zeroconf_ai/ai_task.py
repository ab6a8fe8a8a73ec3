"""AI task entities of providers and of the gateway: text and structured data."""

from typing import override

from homeassistant.components import ai_task, conversation
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import SUBENTRY_AI_TASK
from .core.engine import Source
from .core.protocol.errors import ApiError
from .entity import AgentEntity
from .errors import to_home_assistant_error
from .runtime import ZeroconfAIConfigEntry

PARALLEL_UPDATES = 0

MAX_ROUNDS = 100
"""Tasks may call many more tools than conversations, since no person waits for a spoken answer."""


async def async_setup_entry(
    hass: HomeAssistant, entry: ZeroconfAIConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """One entity for each AI task subentry."""
    for subentry in entry.get_subentries_of_type(SUBENTRY_AI_TASK):
        async_add_entities([ProviderAITask(entry, subentry)], config_subentry_id=subentry.subentry_id)


class ProviderAITask(AgentEntity, ai_task.AITaskEntity):
    """Generates data with a provider's model."""

    _attr_translation_key = "ai_task_data"
    _attr_supported_features = ai_task.AITaskEntityFeature.GENERATE_DATA | ai_task.AITaskEntityFeature.SUPPORT_ATTACHMENTS

    @override
    async def _async_generate_data(self, task: ai_task.GenDataTask, chat_log: conversation.ChatLog) -> ai_task.GenDataTaskResult:
        """Answer one task."""
        chat_loop = self.chat_loop(Source.AI_TASK)
        try:
            data = await chat_loop.answer(chat_log, structure=task.structure, task=task.name, rounds=MAX_ROUNDS)
        except ApiError as err:
            raise to_home_assistant_error(err, self.entity_id) from err
        return ai_task.GenDataTaskResult(conversation_id=chat_log.conversation_id, data=data)
