"""AI task entities of providers and of the gateway: text, structured data and images."""

from dataclasses import replace
from typing import override

from homeassistant.components import ai_task, conversation
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .assist.home_labels import HomeLabels
from .assist.image_task import image_model, make_image, makes_images, read_images
from .const import SUBENTRY_AI_TASK
from .core.engine import Source
from .core.protocol.errors import ApiError
from .core.protocol.home_rule import HomeRule
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
    """Generates data with a provider's model, and images where a provider has a model for them."""

    _attr_translation_key = "ai_task_data"

    @property
    @override
    def supported_features(self) -> ai_task.AITaskEntityFeature:
        """With images as long as a backend that may answer has a model for them."""
        found = ai_task.AITaskEntityFeature.GENERATE_DATA | ai_task.AITaskEntityFeature.SUPPORT_ATTACHMENTS
        if any(map(makes_images, self.members)):
            found |= ai_task.AITaskEntityFeature.GENERATE_IMAGE
        return found

    @override
    async def _async_generate_data(self, task: ai_task.GenDataTask, chat_log: conversation.ChatLog) -> ai_task.GenDataTaskResult:
        """Answer one task."""
        chat_loop = self.chat_loop(Source.AI_TASK)
        try:
            data = await chat_loop.answer(chat_log, structure=task.structure, task=task.name, rounds=MAX_ROUNDS)
        except ApiError as err:
            raise to_home_assistant_error(err, self.entity_id) from err
        return ai_task.GenDataTaskResult(conversation_id=chat_log.conversation_id, data=data)

    @override
    async def _async_generate_image(
        self, task: ai_task.GenImageTask, chat_log: conversation.ChatLog
    ) -> ai_task.GenImageTaskResult:
        """Make one image, from the attached images if there are any."""
        agent = self.chat_loop(Source.AI_TASK)
        try:
            images = await self.hass.async_add_executor_job(read_images, task.attachments or ())
            model = image_model(self.only_member, self.model, edits=bool(images))
            caller = agent.caller
            labels = HomeLabels(self.hass)
            if any(labels.keeps_picture(attachment.media_content_id) for attachment in task.attachments or ()):
                caller = replace(caller, home_rule=HomeRule.PICTURE)
            made = await make_image(agent.engine, caller, task.instructions, model=model, pin=agent.pin, images=images)
        except ApiError as err:
            raise to_home_assistant_error(err, self.entity_id) from err
        return ai_task.GenImageTaskResult(
            image_data=made.content,
            conversation_id=chat_log.conversation_id,
            mime_type=made.mime_type,
            model=made.model,
            revised_prompt=made.revised_prompt,
        )
