"""Budget sensors of the household, of the gateway's backends and of keys."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorEntityDescription
from homeassistant.const import PERCENTAGE

from ..core.accounting.budgets.budget_store import BudgetState
from ..core.protocol.values import NANO
from ..usage.coordinators import UsageTracker
from ..usage.entity import BudgetEntity, UsageEntity, budget_attributes

BUDGET = SensorEntityDescription(
    key="budget", translation_key="budget", entity_registry_enabled_default=False, device_class=SensorDeviceClass.MONETARY
)
BUDGET_LEFT = SensorEntityDescription(
    key="budget_left", translation_key="budget_left", native_unit_of_measurement=PERCENTAGE, suggested_display_precision=0
)


class _BudgetSensor(BudgetEntity, SensorEntity):
    """Shows the budget with the highest spent share."""

    @property
    def _state(self) -> BudgetState | None:
        return next(iter(self.coordinator.budgets), None)

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        return None if (state := self._state) is None else budget_attributes(state)


class BudgetSensor(_BudgetSensor):
    """The amount of the budget; unknown without one."""

    @property
    @override
    def native_value(self) -> float | None:
        return None if (state := self._state) is None else state.budget.amount / NANO

    @property
    @override
    def native_unit_of_measurement(self) -> str:
        return self.coordinator.currency


class BudgetLeftSensor(_BudgetSensor):
    """The remaining share of the budget; unknown without one."""

    @property
    @override
    def native_value(self) -> float | None:
        return None if (state := self._state) is None else max(0.0, 100.0 - state.percent)


def usage_budgets(tracker: UsageTracker) -> list[UsageEntity]:
    """Create the budget sensors of a usage tracker."""
    return [BudgetSensor(tracker, BUDGET), BudgetLeftSensor(tracker, BUDGET_LEFT)]
