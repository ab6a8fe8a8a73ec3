"""What the entities of the accounts have in common: those of the household, of the gateway's backends and of the keys."""

from typing import Any, override

from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..core.accounting.budgets.budget_store import BudgetState
from ..core.protocol.values import NANO
from .coordinators import UsageTracker


class UsageEntity(CoordinatorEntity[UsageTracker]):
    """An entity that shows or sets something of an account."""

    _attr_has_entity_name = True

    def __init__(self, account: UsageTracker, description: EntityDescription) -> None:
        """`description.key` is unique among the entities of the account's device."""
        super().__init__(account)
        self.entity_description = description
        self._attr_unique_id = f"{account.device}_{description.key}"
        # Only which device it is: what the device is like is kept true elsewhere.
        self._attr_device_info = dr.DeviceInfo(identifiers={(DOMAIN, account.device)})

    @property
    @override
    def available(self) -> bool:
        """Always: what was used stays known."""
        return True


def budget_attributes(state: BudgetState) -> dict[str, Any]:
    """What there is to say of a budget. Money in whole units."""
    return {
        "period": state.budget.period.value,
        "amount": state.budget.amount / NANO,
        "spent": state.spent / NANO,
        "action": state.budget.action.value,
        "renews": dt_util.utc_from_timestamp(state.period.end).isoformat(),
    }
