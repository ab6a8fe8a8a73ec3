"""The caller as whom the page asks where a request would go."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
import time

from ..accounting.keys.client_key import ClientKey
from ..accounting.keys.key_store import KeyStore
from ..engine import Caller, Source
from ..protocol.errors import ApiError, NotFoundError, PermissionDeniedError
from .names import Names


@dataclass(frozen=True, slots=True)
class PlannedCaller:
    """A caller, its name (empty if neither a key nor a user was named), and why its requests would be refused, or None."""

    caller: Caller
    name: str = ""
    refusal: ApiError | None = None


ANYBODY = PlannedCaller(Caller(Source.HTTP, admin=True))


def planned_caller(
    names: Names,
    scope: str,
    *,
    key_id: str | None = None,
    user_id: str | None = None,
    secret: str | None = None,
    active_user: Callable[[str], bool] = lambda _: True,
) -> PlannedCaller:
    """Return the caller with this key, or the Home Assistant user who asks an assistant, or the caller of the key `secret`.

    `scope` is the permission that a key needs; `active_user` says whether the user with an id is still active. Raises
    NotFoundError for an unknown key or user.
    """
    keys = names.keys
    if key_id:
        key = None if keys is None else keys.get(key_id)
        if key is None:
            raise NotFoundError("There is no such API key.")
        return _of_key(key, scope, active_user)
    if user_id:
        name = names.user(user_id)
        if name is None:
            raise NotFoundError("There is no such user.")
        return PlannedCaller(Caller(Source.ASSIST, name, user_id=user_id, username=name), name)
    found = None if secret is None or keys is None else keys.find(secret)
    return ANYBODY if found is None else _of_key(found, scope, active_user)


def _of_key(key: ClientKey, scope: str, active_user: Callable[[str], bool]) -> PlannedCaller:
    caller = Caller(
        Source.HTTP,
        key.name,
        key_id=key.id,
        user_id=key.user_id,
        models=key.models,
        hosted_tools=key.hosted_tools,
        background=key.background,
        home_rule=key.home_rule,
        admin=key.admin,
    )
    return PlannedCaller(caller, key.name, _refusal(key, scope, active_user))


def _refusal(key: ClientKey, scope: str, active_user: Callable[[str], bool]) -> PermissionDeniedError | None:
    try:
        key.check(time.time())
    except PermissionDeniedError as err:
        return err
    if key.user_id is not None and not active_user(key.user_id):
        return PermissionDeniedError("The user of this key is deactivated or deleted. Use another key.", code="key_disabled")
    if key.endpoints and scope not in key.endpoints:
        message = f"This key may not send such requests, only: {', '.join(key.endpoints)}."
        return PermissionDeniedError(message, code="endpoint_not_allowed")
    return None


def list_callers(keys: KeyStore | None, users: Mapping[str, str]) -> dict[str, list[dict[str, str]]]:
    """The names of all API keys and users, for a choice. `users`: names by id."""
    named = [] if keys is None else [(key.id, key.name) for key in keys]
    return {"keys": _choices(named), "users": _choices(users.items())}


def _choices(named: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"id": one, "name": name} for one, name in sorted(named, key=lambda item: item[1].casefold())]
