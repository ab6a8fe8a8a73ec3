"""API keys and budgets as plain data."""

from datetime import UTC, datetime
import time
from typing import Any

from ..accounting.budget import Budget, Scope, budget_id
from ..accounting.budgets.budget_store import BudgetState
from ..accounting.keys.client_key import ClientKey
from ..accounting.periods import Period
from ..accounting.store import AccountingStore
from ..accounting.usage.totals import Subject
from ..protocol.errors import InvalidRequestError
from ..protocol.values import NANO
from .examples import examples
from .live import money_of
from .names import Names

LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""The latest time at which a key may expire, in seconds since the epoch."""


def list_keys(store: AccountingStore, names: Names, user_id: str | None = None) -> list[dict[str, Any]]:
    """The API keys with limits, budgets and usage, without their secrets; those of a user if `user_id` is set.

    Money is in whole units. `disabled_by_owner`: the key's own user disabled it, and may enable it again.
    """
    found = []
    for key in store.keys:
        if user_id is None or key.user_id == user_id:
            used = store.totals.of(Subject.KEY, key.id)
            found.append(
                describe_key(key)
                | {
                    "user_name": names.user(key.user_id) if key.user_id else None,
                    "disabled_by_owner": key.user_id is not None and key.disabled_by == key.user_id,
                    "budgets": _budgets(store, key),
                    "requests_today": used.today.requests,
                    "requests_month": used.month.requests,
                    "requests_total": used.total.requests,
                    "tokens_today": used.today.prompt_tokens + used.today.completion_tokens,
                    "tokens_month": used.month.prompt_tokens + used.month.completion_tokens,
                    "cost_today": money_of(used.today.costs),
                    "cost_month": money_of(used.month.costs),
                }
            )
    return found


def describe_new_key(key: ClientKey, secret: str, base_url: str) -> dict[str, Any]:
    """An API key with its secret, which can be shown only once, and examples."""
    return {**describe_key(key), "key": secret, **examples(base_url, secret)}


def describe_key(key: ClientKey) -> dict[str, Any]:
    """An API key without its secret. Times are ISO 8601 in UTC, or None."""
    return {
        "key_id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "user_id": key.user_id,
        "models": list(key.models),
        "endpoints": list(key.endpoints),
        "background": key.background,
        "home_only": key.home_only,
        "enabled": key.enabled,
        "created": iso_time(key.created),
        "expires": iso_time(key.expires),
        "certificate_expires": iso_time(key.certificate_expires),
        "last_used": iso_time(key.last_used),
        "former_until": iso_time(key.former_until),
        "labels": list(key.labels),
        "llm_apis": list(key.llm_apis),
        "hosted_tools": list(key.hosted_tools),
        "requests_per_minute": key.requests_per_minute,
        "tokens_per_minute": key.tokens_per_minute,
        "parallel": key.parallel,
    }


def _budgets(store: AccountingStore, key: ClientKey) -> list[dict[str, Any]]:
    return [describe_budget(store.budgets.state(budget.id), key.name) for budget in store.budgets.of(Scope.KEY, key.id)]


def monthly_budget(store: AccountingStore, key_id: str) -> Budget | None:
    """The monthly budget of a key."""
    return store.budgets.get(budget_id(Scope.KEY, key_id, Period.MONTH))


async def set_monthly_budget(store: AccountingStore, key_id: str, amount: float | None, *, actor: str = "") -> None:
    """Set the monthly budget of a key in whole units, or remove it; its action when exceeded is kept. Raises DatabaseError."""
    known = monthly_budget(store, key_id)
    if amount is None:
        if known is not None:
            await store.budgets.remove(known.id, actor=actor)
    elif known is None or known.amount != round(amount * NANO):
        await store.budgets.set(Scope.KEY, key_id, round(amount * NANO), Period.MONTH, actor=actor)


def check_expiry(expires: float | None) -> None:
    """Raises InvalidRequestError for a time (seconds since the epoch) that is past or later than `LATEST`."""
    if expires is not None and not time.time() < expires <= LATEST:
        raise InvalidRequestError("The time at which the API key expires must be in the future.", param="expires")


def describe_budget(state: BudgetState, owner: str) -> dict[str, Any]:
    """A budget with what was spent of it in the running period. Money is in whole units; `owner` is the name of its subject.

    `spent_on`: when all of it is spent at the rate of the period so far (ISO 8601); None: not within the period.
    """
    budget = state.budget
    return {
        "budget_id": budget.id,
        "scope": budget.scope.value,
        "subject": budget.subject,
        "owner": owner,
        "amount": budget.amount / NANO,
        "spent": state.spent / NANO,
        "left": state.left / NANO,
        "percent": round(state.percent, 1),
        "period": budget.period.value,
        "action": budget.action.value,
        "thresholds": list(budget.thresholds),
        "renews": iso_time(state.period.end),
        "spent_on": iso_time(state.spent_at(time.time())),
    }


def iso_time(seconds: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC; None stays None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
