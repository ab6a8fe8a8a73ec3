"""Conversation agents of providers and of the gateway."""

from collections.abc import AsyncGenerator
from typing import Literal, override

from homeassistant.components import conversation
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_LLM_HASS_API, CONF_PROMPT, MATCH_ALL
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import intent
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .assist.answer_text import AnswerProgress
from .assist.local_fallback import async_ask_default_agent
from .assist.pipelines import is_spoken
from .assist.situation import situation
from .assist.spoken import async_done, async_sentence
from .const import CONF_ADD_SITUATION, CONF_LOCAL_FALLBACK, CONF_PLAIN_SPEECH, DOMAIN, SUBENTRY_CONVERSATION
from .core.engine import Source
from .core.protocol.errors import ApiError
from .entity import AgentEntity
from .errors import log_failure, sentence_key
from .home_agents.backend import is_asked_by_client
from .runtime import ZeroconfAIConfigEntry

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant, entry: ZeroconfAIConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """One entity for each agent."""
    for subentry in entry.get_subentries_of_type(SUBENTRY_CONVERSATION):
        async_add_entities([ProviderAgent(entry, subentry)], config_subentry_id=subentry.subentry_id)


class ProviderAgent(AgentEntity, conversation.ConversationEntity):
    """A conversation agent that answers with a provider's model."""

    _attr_translation_key = "conversation"
    _attr_supports_streaming = True

    def __init__(self, entry: ZeroconfAIConfigEntry, subentry: ConfigSubentry) -> None:
        """An agent with an LLM API has the feature CONTROL."""
        super().__init__(entry, subentry)
        if subentry.data.get(CONF_LLM_HASS_API):
            self._attr_supported_features = conversation.ConversationEntityFeature.CONTROL

    @property
    @override
    def supported_languages(self) -> list[str] | Literal["*"]:
        """All languages: the model decides."""
        return MATCH_ALL

    @override
    async def _async_handle_message(
        self, user_input: conversation.ConversationInput, chat_log: conversation.ChatLog
    ) -> conversation.ConversationResult:
        """Answer one message, with Home Assistant's default agent as the fallback."""
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
        loop = self.chat_loop(Source.ASSIST, user).for_answer(
            language=user_input.language,
            device_id=user_input.device_id or user_input.satellite_id,
            spoken=is_spoken(self.hass, chat_log.conversation_id),
            plain=options.get(CONF_PLAIN_SPEECH, True),
        )
        moment = situation(self.hass, user_input, user) if options.get(CONF_ADD_SITUATION, True) else ""
        begin, progress = len(chat_log.content), AnswerProgress()
        try:
            answer = await loop.answer(chat_log, progress=progress, situation=moment)
        except (ApiError, HomeAssistantError) as err:
            chat_log.async_trace({"error": log_failure(self.entity_id, err)})
            if not progress.begun:
                del chat_log.content[begin:]  # reasoning without an answer
                if options.get(CONF_LOCAL_FALLBACK, True) and (
                    result := await async_ask_default_agent(self.hass, user_input, chat_log)
                ):
                    return result
            return await self._async_failed(user_input, chat_log, sentence_key(err), begun=progress.begun)
        if not answer:
            done = await async_done(self.hass, user_input.language)
            async for _ in chat_log.async_add_delta_content_stream(self.entity_id, _message(done)):
                pass
        return conversation.async_get_result_from_chat_log(user_input, chat_log)

    async def _async_failed(
        self, user_input: conversation.ConversationInput, chat_log: conversation.ChatLog, key: str, *, begun: bool
    ) -> conversation.ConversationResult:
        """The error result with one sentence in the conversation's language.

        `begun`: a part of the answer was streamed, or tools were called.
        """
        response = intent.IntentResponse(language=user_input.language)
        sentence = await async_sentence(self.hass, key, user_input.language)
        response.async_set_error(intent.IntentResponseErrorCode.UNKNOWN, sentence)
        if begun and chat_log.delta_listener is not None and not is_asked_by_client():
            # Streaming text-to-speech gets the sentence only this way. Clients of the gateway get an error instead.
            chat_log.delta_listener(chat_log, {"role": "assistant", "content": sentence})
        return conversation.ConversationResult(response, chat_log.conversation_id)


async def _message(text: str) -> AsyncGenerator[conversation.AssistantContentDeltaDict]:
    """A message of one delta."""
    yield {"role": "assistant", "content": text}
