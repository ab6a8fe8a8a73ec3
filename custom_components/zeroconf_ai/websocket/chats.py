"""The chats of the page in this Home Assistant."""

from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.util.hass_dict import HassKey

from ..assist.page_chat import HomeAnswerer
from ..const import DOMAIN
from ..core.accounting.conversations.conversation_store import ConversationStore
from ..core.admin.chat.answerer import EngineAnswerer
from ..core.admin.chat.chats import Chats
from ..core.admin.images import HomeImages
from ..core.engine import Engine
from ..core.protocol.errors import NotFoundError
from ..images import PATH
from ..usage.shared_store import SharedStore

CHATS: Final[HassKey[Chats]] = HassKey(f"{DOMAIN}_chats")


async def async_open_chats(hass: HomeAssistant, engine: Engine, shared: SharedStore) -> Chats:
    """Open the chats. They work while a provider or the gateway is set up. `close` must be called."""

    def store() -> ConversationStore:
        if shared.store is None:
            raise NotFoundError("No conversation can be stored yet: add a provider or the gateway.", code="not_recorded")
        return shared.store.conversations

    def images() -> HomeImages | None:
        return None if shared.store is None else HomeImages(shared.store.images, PATH)

    answerer = HomeAnswerer(hass, engine, EngineAnswerer(engine, images), images)
    chats = hass.data[CHATS] = Chats(engine, store, answerer, images)
    await chats.open()
    return chats
