"""Fallback to Home Assistant's default agent, which needs no model, if no model answers."""

from dataclasses import replace
import logging

from homeassistant.components import conversation
from homeassistant.components.conversation.agent_manager import async_get_agent
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import intent

_LOGGER = logging.getLogger(__name__)

MAX_SENTENCE = 2_000
"""Characters of a sentence that the default agent gets: the time to match one grows with the square of its length."""
_UNDERSTOOD = (intent.IntentResponseErrorCode.FAILED_TO_HANDLE, intent.IntentResponseErrorCode.UNKNOWN)
"""Errors of recognized intents, as Home Assistant's pipelines distinguish them."""


async def async_ask_default_agent(
    hass: HomeAssistant, user_input: conversation.ConversationInput, chat_log: conversation.ChatLog
) -> conversation.ConversationResult | None:
    """Add the default agent's answer to the chat log; None if it recognized no intent, and the log is then unchanged.

    It does not get a sentence of more than MAX_SENTENCE characters, which is no command, and is treated as not recognized.
    The default agent uses no model, so this cannot loop.
    """
    agent = async_get_agent(hass, conversation.HOME_ASSISTANT_AGENT)
    if not isinstance(agent, conversation.ConversationEntity) or len(user_input.text) > MAX_SENTENCE:
        return None
    begin = len(chat_log.content)
    agent.async_set_context(user_input.context)
    try:
        result = await agent.internal_async_process(replace(user_input, agent_id=conversation.HOME_ASSISTANT_AGENT))
    except HomeAssistantError as err:
        _LOGGER.warning("Home Assistant's own agent failed: %s", err)
        result = None
    if result is None or not _is_understood(result.response):
        del chat_log.content[begin:]
        chat_log.async_trace({"fallback": conversation.HOME_ASSISTANT_AGENT, "understood": False})
        return None
    _LOGGER.info("Home Assistant's own agent answered instead of %s", user_input.agent_id)
    chat_log.async_trace({"fallback": conversation.HOME_ASSISTANT_AGENT, "understood": True})
    return result


def _is_understood(response: intent.IntentResponse) -> bool:
    return response.response_type is not intent.IntentResponseType.ERROR or response.error_code in _UNDERSTOOD
