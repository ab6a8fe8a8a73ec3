"""The situation of a request for the model: date, time, area and the speaker's name.

It follows the user's sentence and is not part of the instructions: servers cache a prompt up to its first changed character,
and instructions with the time change with each question. For the same reason, an earlier sentence keeps its situation.
"""

from collections import OrderedDict
from datetime import datetime
import re
from typing import Final

from homeassistant.auth.models import User
from homeassistant.components import conversation
from homeassistant.core import HomeAssistant
from homeassistant.helpers import area_registry as ar, device_registry as dr, entity_registry as er
from homeassistant.util import dt as dt_util

_MOST: Final = 500
"""Maximum sentences with a stored situation; a conversation ends after five minutes."""
_NAME: Final = 80
_TIME_OF_HOME_ASSISTANT: Final = re.compile(r"\n?Current time is \d\d:\d\d:\d\d\. Today's date is \d{4}-\d\d-\d\d\.\n?")
"""The text that Home Assistant adds to instructions if the agent has no tool for the time (`llm.DATE_TIME_PROMPT`)."""


class Conversations:
    """The latest conversations of an agent: the situation of each sentence, and whether a provider change was announced."""

    def __init__(self) -> None:
        self._texts: OrderedDict[tuple[str, datetime], str] = OrderedDict()
        self._told: OrderedDict[str, None] = OrderedDict()

    def tell(self, conversation_id: str) -> bool:
        """Record that a conversation's change of provider is announced; returns whether it was not announced before."""
        if conversation_id in self._told:
            return False
        self._told[conversation_id] = None
        while len(self._told) > _MOST:
            self._told.popitem(last=False)
        return True

    def put(self, chat_log: conversation.ChatLog, text: str) -> None:
        """Record the situation of the user's latest sentence."""
        said = next((one for one in reversed(chat_log.content) if isinstance(one, conversation.UserContent)), None)
        if said is None or not text:
            return
        self._texts[chat_log.conversation_id, said.created] = text
        while len(self._texts) > _MOST:
            self._texts.popitem(last=False)

    def get(self, conversation_id: str, said: conversation.UserContent) -> str:
        """The situation of a sentence; empty if none is stored."""
        return self._texts.get((conversation_id, said.created), "")


def situation(hass: HomeAssistant, user_input: conversation.ConversationInput, user: User | None) -> str:
    """One or two sentences for the model, in English like the instructions of Home Assistant."""
    parts = [f"It is {dt_util.now():%A, %Y-%m-%d, %H:%M}."]
    area, name = _area(hass, user_input), None if user is None or user.system_generated else _short(user.name)
    if area and name:
        parts.append(f"The user, {name}, is in the area {area}.")
    elif area:
        parts.append(f"The user is in the area {area}.")
    elif name:
        parts.append(f"The user is {name}.")
    return f"({' '.join(parts)})"


def without_time(instructions: str) -> str:
    """The instructions without the time that Home Assistant adds to them."""
    return _TIME_OF_HOME_ASSISTANT.sub("\n", instructions).rstrip()


def _area(hass: HomeAssistant, user_input: conversation.ConversationInput) -> str:
    """The name of the area of the user's device; empty if the device has no area."""
    area_id, device_id = None, user_input.device_id
    if user_input.satellite_id is not None and (entity := er.async_get(hass).async_get(user_input.satellite_id)) is not None:
        area_id, device_id = entity.area_id, entity.device_id or device_id
    if area_id is None and device_id is not None and (device := dr.async_get(hass).async_get(device_id)) is not None:
        area_id = dr.async_get_effective_area_id(hass, device)
    area = None if area_id is None else ar.async_get(hass).async_get_area(area_id)
    return "" if area is None else _short(area.name)


def _short(name: str | None) -> str:
    return " ".join((name or "").split())[:_NAME]
