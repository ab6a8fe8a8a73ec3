"""`zeroconf_ai/chat/…`: a person's own conversations with the providers of the home."""

from typing import Any, Final

import voluptuous as vol

from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.decorators import async_response, websocket_command
from homeassistant.components.websocket_api.messages import event_message
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv

from ..core.accounting.conversations.conversation import Owner
from ..core.admin.chat.answer import Event
from ..core.admin.chat.messages import TEXT_LIMIT, Choice
from ..core.admin.chat.runs import Person
from ..core.engine import Caller, Source
from ..gateway.own_keys import check_not_blocked
from .access import Connection, answered
from .chats import CHATS

_NAME: Final = vol.All(str, vol.Length(1, 512))
_CONVERSATION: Final[dict[str | vol.Marker, Any]] = {vol.Required("conversation_id"): _NAME}
_CHOICE: Final = vol.All(
    {
        vol.Required("backend_id", default=None): vol.Any(None, _NAME),
        vol.Required("model", default="auto"): _NAME,
        vol.Required("tools", default=True): bool,
    },
    Choice.of,
)
_LANGUAGE: Final[dict[str | vol.Marker, Any]] = {vol.Optional("language"): vol.All(str, vol.Length(max=35))}


@callback
def async_setup(hass: HomeAssistant) -> None:
    """Register the commands."""
    for command in (follow, conversations, create, send, retry, stop, rename, delete):
        async_register_command(hass, command)


@websocket_command({vol.Required("type"): "zeroconf_ai/chat/follow", vol.Optional("conversation_id"): _NAME})
@async_response
@answered
async def follow(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Send what can be chosen and what happens in a conversation, until the subscription ends."""
    waiting: list[Event] = []
    ready = False

    def publish(event: Event) -> None:
        if ready:
            connection.send_message(event_message(message["id"], event))
        else:
            waiting.append(event)

    def begin() -> None:
        nonlocal ready
        ready = True
        for event in waiting:
            publish(event)

    owner = _person(connection, message).owner
    connection.subscriptions[message["id"]] = await hass.data[CHATS].follow(owner, message.get("conversation_id"), publish)
    hass.loop.call_soon(begin)  # after the result of the command


@websocket_command(
    {
        vol.Required("type"): "zeroconf_ai/chat/conversations",
        vol.Optional("search", default=""): vol.All(cv.string, vol.Length(max=200)),
        vol.Optional("after"): _NAME,
    }
)
@async_response
@answered
async def conversations(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """A page of the person's conversations, the last used first."""
    owner = _person(connection, message).owner
    return await hass.data[CHATS].conversations(owner, message["search"], message.get("after"))


@websocket_command({vol.Required("type"): "zeroconf_ai/chat/create"})
@async_response
@answered
async def create(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Begin a conversation."""
    return {"conversation_id": await hass.data[CHATS].create(_person(connection, message))}


@websocket_command(
    {
        vol.Required("type"): "zeroconf_ai/chat/send",
        **_CONVERSATION,
        **_LANGUAGE,
        vol.Required("text"): vol.All(str, vol.Length(max=TEXT_LIMIT)),
        vol.Optional("choice", default=dict): _CHOICE,
        vol.Optional("message_id"): _NAME,
    }
)
@async_response
@answered
async def send(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Send a message, and begin to answer it."""
    await check_not_blocked(hass, connection.user.id)
    person, named = _person(connection, message), message.get("message_id")
    sent = await hass.data[CHATS].send(person, message["conversation_id"], message["text"], message["choice"], message_id=named)
    return {"message_id": sent}


@websocket_command(
    {
        vol.Required("type"): "zeroconf_ai/chat/retry",
        **_CONVERSATION,
        **_LANGUAGE,
        vol.Optional("choice", default=dict): _CHOICE,
    }
)
@async_response
@answered
async def retry(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Answer the newest message again."""
    await check_not_blocked(hass, connection.user.id)
    await hass.data[CHATS].retry(_person(connection, message), message["conversation_id"], message["choice"])


@websocket_command({vol.Required("type"): "zeroconf_ai/chat/stop", **_CONVERSATION})
@async_response
@answered
async def stop(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Stop the running answer."""
    hass.data[CHATS].stop(_person(connection, message).owner, message["conversation_id"])


@websocket_command({vol.Required("type"): "zeroconf_ai/chat/rename", **_CONVERSATION, vol.Required("title"): cv.string})
@async_response
@answered
async def rename(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Change the title of a conversation."""
    await hass.data[CHATS].rename(_person(connection, message).owner, message["conversation_id"], message["title"])


@websocket_command({vol.Required("type"): "zeroconf_ai/chat/delete", **_CONVERSATION})
@async_response
@answered
async def delete(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Delete a conversation."""
    await hass.data[CHATS].delete(_person(connection, message).owner, message["conversation_id"])


def _person(connection: Connection, message: dict[str, Any]) -> Person:
    """Who chats: every user for himself, an administrator too."""
    user = connection.user
    caller = Caller(Source.PAGE, user.name or "", user_id=user.id, username=user.name)
    return Person(Owner(user_id=user.id), caller, message.get("language"))
