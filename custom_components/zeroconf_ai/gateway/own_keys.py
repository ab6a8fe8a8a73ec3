"""The owner's settings for API keys that users create for themselves."""

from typing import Final

from homeassistant.core import HomeAssistant, callback

from ..core.admin.own_keys import OwnKeysPolicy, own_keys_policy
from ..core.protocol.errors import PermissionDeniedError
from ..core.server.access.guard import BLOCKED
from ..data import gateway_entry

CONF_OWN_KEYS: Final = "own_keys"
"""The option of the gateway: the fields of `own_keys_policy`."""

CONF_BLOCKED: Final = "blocked"


@callback
def own_keys_of(hass: HomeAssistant) -> OwnKeysPolicy:
    """What the owner allows; without a gateway, users create no keys."""
    entry = gateway_entry(hass)
    return own_keys_policy({} if entry is None else entry.options.get(CONF_OWN_KEYS, {}))


async def is_blocked(hass: HomeAssistant, blocked: frozenset[str], user_id: str) -> bool:
    """Whether a user is among the blocked ones. Administrators cannot be blocked: they could unblock themselves."""
    if user_id not in blocked:
        return False
    user = await hass.auth.async_get_user(user_id)
    return user is not None and not user.is_admin


async def check_not_blocked(hass: HomeAssistant, user_id: str) -> None:
    """Raise PermissionDeniedError for a user whom the owner has blocked."""
    if await is_blocked(hass, own_keys_of(hass).blocked, user_id):
        raise PermissionDeniedError(BLOCKED, code="user_blocked")
