"""What happens to a sentence that no model answers: Home Assistant's own agent gets it, which needs none."""

from dataclasses import replace
import logging

from homeassistant.components import conversation
from homeassistant.components.conversation.agent_manager import async_get_agent
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import intent

_LOGGER = logging.getLogger(__name__)

_UNDERSTOOD = (intent.IntentResponseErrorCode.FAILED_TO_HANDLE, intent.IntentResponseErrorCode.UNKNOWN)
"""Errors in doing what was understood; Home Assistant's pipelines tell the two apart in the same way."""


async def async_ask_default_agent(
    hass: HomeAssistant, user_input: conversation.ConversationInput, chat_log: conversation.ChatLog
) -> conversation.ConversationResult | None:
    """The own agent's answer, which is in the chat log then; None where it did not understand, and then the log is as before.

    It asks no model, so this ends here.
    """
    agent = async_get_agent(hass, conversation.HOME_ASSISTANT_AGENT)
    if not isinstance(agent, conversation.ConversationEntity):
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
