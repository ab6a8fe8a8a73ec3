"""The chats of the page in this Home Assistant."""

from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.util.hass_dict import HassKey

from ..assist.page_chat import HomeAnswerer
from ..const import DOMAIN
from ..core.accounting.conversations.conversation_store import ConversationStore
from ..core.admin.chat.answerer import EngineAnswerer
from ..core.admin.chat.chats import Chats
from ..core.engine import Engine
from ..core.protocol.errors import NotFoundError
from ..usage.shared_store import SharedStore

CHATS: Final[HassKey[Chats]] = HassKey(f"{DOMAIN}_chats")


async def async_open_chats(hass: HomeAssistant, engine: Engine, shared: SharedStore) -> Chats:
    """Open the chats. They work while a provider or the gateway is set up. `close` must be called."""

    def store() -> ConversationStore:
        if shared.store is None:
            raise NotFoundError("No conversation can be stored yet: add a provider or the gateway.", code="not_recorded")
        return shared.store.conversations

    chats = hass.data[CHATS] = Chats(engine, store, HomeAnswerer(hass, engine, EngineAnswerer(engine)))
    await chats.open()
    return chats
