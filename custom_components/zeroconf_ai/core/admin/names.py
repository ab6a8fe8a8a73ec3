"""The names of those who send requests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..accounting.budget import Budget, Scope
from ..accounting.keys.key_store import KeyStore


def _unnamed(_: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Names:
    """Finds display names by id."""

    keys: KeyStore | None = None
    """None without a gateway."""
    user: Callable[[str], str | None] = _unnamed
    """The name of a Home Assistant user; None if unknown."""

    def key(self, key_id: str) -> str | None:
        """The name of an API key; None if it was deleted."""
        key = None if self.keys is None else self.keys.get(key_id)
        return None if key is None else key.name

    def labels(self, key_id: str | None) -> tuple[str, ...]:
        """The labels of an API key; none without a key, or if it was deleted."""
        key = None if self.keys is None or key_id is None else self.keys.get(key_id)
        return () if key is None else key.labels

    def masked(self, key_id: str) -> str | None:
        """The beginning of an API key, by which people recognize it; None if it was deleted."""
        key = None if self.keys is None else self.keys.get(key_id)
        return None if key is None else f"{key.prefix}…"

    def of(self, *, key_id: str | None, user_id: str | None, fallback: str, address: str | None) -> str:
        """The name of a caller: of its key, else of its user, else its own name, else its address; "" if all are unknown."""
        named = (self.key(key_id) if key_id else None) or (self.user(user_id) if user_id else None)
        return named or fallback or address or ""


def budget_owner(budget: Budget, names: Names, backends: Mapping[str, str], household: str) -> str:
    """The name of a budget's owner; its id if the owner was deleted. `backends` are names by id."""
    match budget.scope:
        case Scope.KEY:
            return names.key(budget.subject) or budget.subject
        case Scope.USER:
            return names.user(budget.subject) or budget.subject
        case Scope.BACKEND:
            return backends.get(budget.subject, budget.subject)
        case Scope.HOUSEHOLD:
            return household
