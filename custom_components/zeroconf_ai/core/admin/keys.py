"""API keys and budgets as plain data."""

from datetime import UTC, datetime
from typing import Any

from ..accounting.budgets.budget_store import BudgetState
from ..accounting.keys.client_key import ClientKey
from ..accounting.store import AccountingStore
from ..accounting.usage.totals import Subject
from ..protocol.values import NANO
from .examples import examples
from .live import money_of
from .names import Names


def list_keys(store: AccountingStore, names: Names, user_id: str | None = None) -> list[dict[str, Any]]:
    """The API keys with their usage, without their secrets; those of a user if `user_id` is set. Money is in whole units."""
    found = []
    for key in store.keys:
        if user_id is None or key.user_id == user_id:
            used = store.totals.of(Subject.KEY, key.id)
            found.append(
                describe_key(key)
                | {
                    "user_name": names.user(key.user_id) if key.user_id else None,
                    "requests_month": used.month.requests,
                    "requests_total": used.total.requests,
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
        "enabled": key.enabled,
        "created": iso_time(key.created),
        "expires": iso_time(key.expires),
        "last_used": iso_time(key.last_used),
        "former_until": iso_time(key.former_until),
        "labels": list(key.labels),
    }


def describe_budget(state: BudgetState, owner: str) -> dict[str, Any]:
    """A budget with what was spent of it in the running period. Money is in whole units; `owner` is the name of its subject."""
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
    }


def iso_time(seconds: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC; None stays None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
