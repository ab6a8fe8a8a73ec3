"""The base class of usage entities, which belong to the household, a backend of the gateway or a key."""

from typing import Any, override

from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..core.accounting.budget import Scope
from ..core.accounting.budgets.budget_store import BudgetState
from ..core.protocol.values import NANO
from .coordinators import UsageTracker


class UsageEntity(CoordinatorEntity[UsageTracker]):
    """An entity of a usage tracker."""

    _attr_has_entity_name = True

    def __init__(self, tracker: UsageTracker, description: EntityDescription) -> None:
        """`description.key` is unique among the entities of the tracker's device."""
        super().__init__(tracker)
        self.entity_description = description
        self._attr_unique_id = f"{tracker.device}_{description.key}"
        # A home may have 200 API keys with 20 entities each.
        by_default = description.entity_registry_enabled_default and tracker.scope is not Scope.KEY
        self._attr_entity_registry_enabled_default = by_default
        # Identifiers only: the device's other properties are maintained elsewhere.
        self._attr_device_info = dr.DeviceInfo(identifiers={(DOMAIN, tracker.device)})

    @property
    def offered(self) -> bool:
        """Whether it has a value to show. An entity that is not in the registry is added only then."""
        return True

    @property
    @override
    def available(self) -> bool:
        """Always: usage is known even if the backend is offline."""
        return True


class BudgetEntity(UsageEntity):
    """An entity of the budgets of a usage tracker, which is offered once a budget exists."""

    @property
    @override
    def offered(self) -> bool:
        return bool(self.coordinator.budgets)


def budget_attributes(state: BudgetState) -> dict[str, Any]:
    """The state attributes of a budget, with money in whole units."""
    return {
        "period": state.budget.period.value,
        "amount": state.budget.amount / NANO,
        "spent": state.spent / NANO,
        "action": state.budget.action.value,
        "renews": dt_util.utc_from_timestamp(state.period.end).isoformat(),
    }
