"""The commands of the portal's page: `POST /portal/api/NAME` with a JSON object.

A person sees and changes only their own keys.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ...accounting.keys.client_key import ClientKey
from ...accounting.keys.key_changes import DAY
from ...accounting.store import AccountingStore
from ...accounting.users.user import User
from ...admin.keys import describe_key, describe_new_key, list_keys
from ...admin.names import Names
from ...admin.own_keys import create_own_key, enable_own_key, own_keys
from ...admin.requests import find_words
from ...protocol.errors import NotFoundError, PermissionDeniedError
from ..access.guard import BLOCKED
from ..administration.fields import Body, flag, text, texts
from ..administration.reports import request_page, usage_report
from .policy import PortalPolicy

_NAME_LIMIT: Final = 100


@dataclass(frozen=True, slots=True)
class PortalContext:
    """What a command of the portal works on."""

    store: AccountingStore
    policy: PortalPolicy
    user: User
    body: Body
    contact: str | None
    """Whom to ask for more; None: unknown."""

    @property
    def base_url(self) -> str:
        """The base URL for programs."""
        return f"{self.policy.settings.public_url}/v1"

    @property
    def names(self) -> Names:
        """The names of keys and users."""
        return Names(self.store.keys, self.store.users.name)


type PortalCommand = Callable[[PortalContext], Awaitable[Any]]


async def _keys(context: PortalContext) -> Any:
    user = context.user
    asked = [] if context.contact is None else [context.contact]
    return {
        "keys": list_keys(context.store, context.names, user.id),
        "base_url": context.base_url,
        "users": [],
        "llm_apis": [],
        "own": own_keys(context.store, context.policy.own_keys(user), user.id, asked),
    }


async def _create(context: PortalContext) -> Any:
    policy, labels = context.policy.own_keys(context.user), texts(context.body, "labels", 100)
    name = text(context.body, "name", _NAME_LIMIT)
    key, secret = await create_own_key(context.store, policy, context.user.id, name, labels)
    return describe_new_key(key, secret, context.base_url)


async def _update(context: PortalContext) -> Any:
    key = _own_key(context)
    changes: dict[str, Any] = {}
    if "name" in context.body:
        changes["name"] = text(context.body, "name", _NAME_LIMIT)
    if "labels" in context.body:
        changes["labels"] = tuple(texts(context.body, "labels", 100))
    return describe_key(await context.store.keys.update(key.id, **changes, actor=context.user.id))


async def _enable(context: PortalContext) -> Any:
    key, policy = _own_key(context), context.policy.own_keys(context.user)
    return describe_key(await enable_own_key(context.store, policy, key, enabled=flag(context.body, "enabled")))


async def _rotate(context: PortalContext) -> Any:
    key, secret = await context.store.keys.rotate(_own_key(context).id, DAY, actor=context.user.id)
    return describe_new_key(key, secret, context.base_url)


async def _revoke(context: PortalContext) -> Any:
    await context.store.keys.revoke(_own_key(context).id, actor=context.user.id)


async def _usage(context: PortalContext) -> Any:
    return await usage_report(context.store, context.names, context.body, context.user.id)


async def _requests(context: PortalContext) -> Any:
    return await request_page(context.store, context.names, context.body, context.user.id)


async def _words(context: PortalContext) -> Any:
    return {"words": await find_words(context.store.exchanges, text(context.body, "request_id"), context.user.id)}


READS: Final[Mapping[str, PortalCommand]] = {
    "keys": _keys,
    "usage": _usage,
    "requests": _requests,
    "requests/words": _words,
}
"""The commands that change nothing, by name; also for a person who is blocked."""
_CHANGES: Final[Mapping[str, PortalCommand]] = {
    "keys/create": _create,
    "keys/update": _update,
    "keys/enable": _enable,
    "keys/rotate": _rotate,
    "keys/revoke": _revoke,
}
COMMANDS: Final = {**READS, **_CHANGES}
"""All commands by name. Each returns what its answer contains; None: nothing."""


async def run(name: str, context: PortalContext) -> Any:
    """Carry out a command. Raises PermissionDeniedError for a change by a blocked person, ApiError, DatabaseError."""
    if name in _CHANGES and context.user.blocked:
        raise PermissionDeniedError(BLOCKED, code="user_blocked")
    try:
        return await COMMANDS[name](context)
    except KeyError:
        raise _no_key() from None


def _own_key(context: PortalContext) -> ClientKey:
    """The key of a command. Raises NotFoundError if it does not exist or belongs to another user."""
    key = context.store.keys.get(text(context.body, "key_id"))
    if key is None or key.user_id != context.user.id:
        raise _no_key()
    return key


def _no_key() -> NotFoundError:
    return NotFoundError("There is no such API key.")
