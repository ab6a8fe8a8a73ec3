"""API keys that users without administrator rights create for themselves, as far as the owner of the home allows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import time
from typing import Any, Final

from ..accounting.budget import Action, Scope
from ..accounting.keys.client_key import ClientKey
from ..accounting.keys.key_changes import DAY, KeyLimitError
from ..accounting.periods import Period
from ..accounting.store import AccountingStore
from ..protocol.errors import PermissionDeniedError
from ..protocol.values import NANO
from .keys import describe_budget, iso_time

MOST_OWN_KEYS: Final = 100
"""The largest number of keys per user that the owner can allow."""


@dataclass(frozen=True, slots=True)
class OwnKeysPolicy:
    """What users may do for themselves. The limits apply to each key from its creation; administrators can change them later."""

    limit: int = 0
    """How many keys a user may have, whoever created them. 0: users create none."""
    models: tuple[str, ...] = ()
    """Patterns of allowed models; empty: all."""
    endpoints: tuple[str, ...] = ()
    """Allowed scopes; empty: all, never `ADMIN`."""
    background: bool = False
    home_only: bool = False
    """Whether requests with the keys stay at home."""
    valid_days: int | None = None
    """Days until a key expires; None: never."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel: int | None = None
    monthly_budget: int | None = None
    """Nano-units per user and month. It is the user's, not the key's: a new key brings no new budget."""
    blocked: frozenset[str] = frozenset()
    """Ids of users whose keys and requests are refused, and who create none."""

    def describe(self) -> dict[str, Any]:
        """The limits as plain data. Money is in whole units."""
        return {
            "limit": self.limit,
            "models": list(self.models),
            "endpoints": list(self.endpoints),
            "background": self.background,
            "home_only": self.home_only,
            "valid_days": self.valid_days,
            "requests_per_minute": self.requests_per_minute,
            "tokens_per_minute": self.tokens_per_minute,
            "parallel": self.parallel,
            "monthly_budget": None if self.monthly_budget is None else self.monthly_budget / NANO,
        }


def own_keys(store: AccountingStore, policy: OwnKeysPolicy, user_id: str, administrators: Sequence[str]) -> dict[str, Any]:
    """What a user may do, how much of it is used, and whom to ask for more.

    `refusal` is why the user can create no key now: "blocked", "off", "limit" or None. `exhausted` are the user's and the
    household's budgets that are spent and stop all requests, without amounts: those of the household are not the user's.
    """
    used = sum(key.user_id == user_id for key in store.keys)
    refusal = None
    if user_id in policy.blocked:
        refusal = "blocked"
    elif not policy.limit:
        refusal = "off"
    elif used >= policy.limit:
        refusal = "limit"
    own = [store.budgets.state(budget.id) for budget in store.budgets.of(Scope.USER, user_id)]
    shared = [store.budgets.state(budget.id) for budget in store.budgets.of(Scope.HOUSEHOLD)]
    return {
        **policy.describe(),
        "used": used,
        "refusal": refusal,
        "administrators": list(administrators),
        "budgets": [describe_budget(state, "") for state in own],
        "exhausted": [
            {
                "scope": state.budget.scope.value,
                "period": state.budget.period.value,
                "renews": iso_time(state.period.end),
            }
            for state in (*own, *shared)
            if state.budget.action is Action.REFUSE and state.left <= 0
        ],
    }


async def create_own_key(
    store: AccountingStore, policy: OwnKeysPolicy, user_id: str, name: str, labels: Sequence[str] = ()
) -> tuple[ClientKey, str]:
    """Create a key of a user with the limits of the policy; returns it with its secret.

    Raises PermissionDeniedError if the policy does not allow it (KeyLimitError: the user has too many), InvalidRequestError for
    invalid labels, DatabaseError.
    """
    if user_id in policy.blocked:
        raise PermissionDeniedError("An administrator has blocked you. Ask an administrator.", code="user_blocked")
    if not policy.limit:
        raise PermissionDeniedError("Users create no API keys here. Ask an administrator for one.", code="own_keys_off")
    if sum(key.user_id == user_id for key in store.keys) >= policy.limit:
        raise KeyLimitError(policy.limit)
    await _set_budget(store, policy, user_id)
    return await store.keys.create(
        name,
        user_id=user_id,
        models=policy.models,
        endpoints=policy.endpoints,
        background=policy.background,
        home_only=policy.home_only,
        expires=None if policy.valid_days is None else time.time() + policy.valid_days * DAY,
        requests_per_minute=policy.requests_per_minute,
        tokens_per_minute=policy.tokens_per_minute,
        parallel=policy.parallel,
        labels=tuple(labels),
        most_of_user=policy.limit,
        actor=user_id,
    )


async def enable_own_key(store: AccountingStore, policy: OwnKeysPolicy, key: ClientKey, *, enabled: bool) -> ClientKey:
    """Disable a user's own key, or enable it again.

    Raises PermissionDeniedError if an administrator disabled it or has blocked the user, KeyError if it was revoked,
    DatabaseError.
    """
    if enabled == key.enabled:
        return key
    if enabled and (key.user_id in policy.blocked or key.disabled_by != key.user_id):
        message = "An administrator has disabled this API key. Ask an administrator to enable it."
        raise PermissionDeniedError(message, code="disabled_by_administrator")
    return await store.keys.update(key.id, enabled=enabled, actor=key.user_id or "")


async def _set_budget(store: AccountingStore, policy: OwnKeysPolicy, user_id: str) -> None:
    """Set the user's monthly budget unless the user has one. Before the key is created, so that no key exists without it."""
    if policy.monthly_budget is None:
        return
    if all(budget.period is not Period.MONTH for budget in store.budgets.of(Scope.USER, user_id)):
        await store.budgets.set(Scope.USER, user_id, policy.monthly_budget, Period.MONTH)


def own_keys_policy(stored: Mapping[str, Any]) -> OwnKeysPolicy:
    """The policy of stored settings: the fields of `OwnKeysPolicy`, money in whole units; without any, users create no keys."""
    budget = stored.get("monthly_budget")
    return OwnKeysPolicy(
        limit=int(stored.get("limit", 0)),
        models=tuple(stored.get("models", ())),
        endpoints=tuple(stored.get("endpoints", ())),
        background=bool(stored.get("background", False)),
        home_only=bool(stored.get("home_only", False)),
        valid_days=_whole(stored.get("valid_days")),
        requests_per_minute=_whole(stored.get("requests_per_minute")),
        tokens_per_minute=_whole(stored.get("tokens_per_minute")),
        parallel=_whole(stored.get("parallel")),
        monthly_budget=None if budget is None else round(budget * NANO),
        blocked=frozenset(stored.get("blocked", ())),
    )


def _whole(number: float | None) -> int | None:
    """Forms return whole numbers as floats."""
    return None if number is None else int(number)
