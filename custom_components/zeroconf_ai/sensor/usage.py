"""Usage, cost and budget sensors of the household, of the gateway's backends and of keys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorEntityDescription, SensorStateClass
from homeassistant.const import PERCENTAGE, EntityCategory, UnitOfTime
from homeassistant.helpers.typing import StateType
from homeassistant.util import dt as dt_util

from ..core.accounting.budget import Scope
from ..core.accounting.budgets.budget_store import BudgetState
from ..core.accounting.usage.summary import Aggregate
from ..core.accounting.usage.totals import UsageSummary
from ..core.protocol.values import NANO
from ..usage.coordinators import UsageTracker
from ..usage.entity import UsageEntity, budget_attributes
from .counts import COUNTS, FAILED_REQUESTS, TOKENS, UsageCount

_MEASUREMENT = SensorStateClass.MEASUREMENT
_DIAGNOSTIC = EntityCategory.DIAGNOSTIC


def _month_start() -> datetime:
    return dt_util.start_of_local_day(dt_util.now().replace(day=1))


def _last_used(tracker: UsageTracker) -> datetime | None:
    key = tracker.store.keys.get(tracker.subject)
    return None if key is None or key.last_used is None else dt_util.utc_from_timestamp(key.last_used)


def _cost_per_request(tracker: UsageTracker) -> float | None:
    """The mean cost of this month's requests with a known cost."""
    month = tracker.summary.month
    cost = _cost(tracker, month)
    return None if cost is None or not month.priced else cost / month.priced


def _cost(tracker: UsageTracker, aggregate: Aggregate) -> float | None:
    """The cost in the tracker's currency; None before the first cost."""
    currency = tracker.cost_currency
    if currency is None or not tracker.summary.total.priced:
        return None
    return aggregate.costs.get(currency, 0) / NANO


@dataclass(frozen=True, kw_only=True)
class UsageSensorDescription(SensorEntityDescription):
    """A sensor of a usage tracker."""

    value_fn: Callable[[UsageTracker], StateType | datetime]


@dataclass(frozen=True, kw_only=True)
class CostDescription(SensorEntityDescription):
    """A cost sensor of one period."""

    aggregate_fn: Callable[[UsageSummary], Aggregate]
    last_reset_fn: Callable[[], datetime | None]


LAST_USED = UsageSensorDescription(
    key="last_used", translation_key="last_used", device_class=SensorDeviceClass.TIMESTAMP, value_fn=_last_used
)

RECENT = (
    UsageSensorDescription(
        key="tokens_per_second",
        translation_key="tokens_per_second",
        entity_category=_DIAGNOSTIC,
        entity_registry_enabled_default=False,
        state_class=_MEASUREMENT,
        suggested_display_precision=1,
        value_fn=lambda tracker: tracker.recent.tokens_per_second,
    ),
    UsageSensorDescription(
        key="first_token_p50",
        translation_key="first_token_p50",
        entity_category=_DIAGNOSTIC,
        entity_registry_enabled_default=False,
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        state_class=_MEASUREMENT,
        suggested_display_precision=2,
        value_fn=lambda tracker: tracker.recent.first_token(50),
    ),
    UsageSensorDescription(
        key="first_token_p95",
        translation_key="first_token_p95",
        entity_category=_DIAGNOSTIC,
        entity_registry_enabled_default=False,
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        state_class=_MEASUREMENT,
        suggested_display_precision=2,
        value_fn=lambda tracker: tracker.recent.first_token(95),
    ),
    UsageSensorDescription(
        key="error_rate",
        translation_key="error_rate",
        entity_category=_DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=PERCENTAGE,
        state_class=_MEASUREMENT,
        suggested_display_precision=1,
        value_fn=lambda tracker: tracker.recent.error_rate,
    ),
)

COSTS = (
    CostDescription(
        key="cost_today",
        translation_key="cost_today",
        device_class=SensorDeviceClass.MONETARY,
        state_class=SensorStateClass.TOTAL,
        aggregate_fn=lambda summary: summary.today,
        last_reset_fn=dt_util.start_of_local_day,
    ),
    CostDescription(
        key="cost_month",
        translation_key="cost_month",
        device_class=SensorDeviceClass.MONETARY,
        state_class=SensorStateClass.TOTAL,
        aggregate_fn=lambda summary: summary.month,
        last_reset_fn=_month_start,
    ),
    CostDescription(
        key="cost_total",
        translation_key="cost_total",
        device_class=SensorDeviceClass.MONETARY,
        state_class=SensorStateClass.TOTAL,
        aggregate_fn=lambda summary: summary.total,
        last_reset_fn=lambda: None,
    ),
)

COST_PER_REQUEST = UsageSensorDescription(
    key="cost_per_request",
    translation_key="cost_per_request",
    entity_category=_DIAGNOSTIC,
    entity_registry_enabled_default=False,
    device_class=SensorDeviceClass.MONETARY,
    suggested_display_precision=4,
    value_fn=_cost_per_request,
)

BUDGET = SensorEntityDescription(key="budget", translation_key="budget", device_class=SensorDeviceClass.MONETARY)
BUDGET_LEFT = SensorEntityDescription(
    key="budget_left", translation_key="budget_left", native_unit_of_measurement=PERCENTAGE, suggested_display_precision=0
)


class UsageSensor(UsageEntity, SensorEntity):
    """A sensor from one of the tables."""

    entity_description: UsageSensorDescription

    @property
    @override
    def native_value(self) -> StateType | datetime:
        return self.entity_description.value_fn(self.coordinator)


class CostPerRequest(UsageSensor):
    """The mean cost per request of this month."""

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        return self.coordinator.cost_currency


class CostSensor(UsageEntity, SensorEntity):
    """A cost sensor; costs in other currencies are an attribute."""

    entity_description: CostDescription

    @property
    @override
    def native_value(self) -> float | None:
        return _cost(self.coordinator, self.entity_description.aggregate_fn(self.coordinator.summary))

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        return self.coordinator.cost_currency

    @property
    @override
    def last_reset(self) -> datetime | None:
        """When the period began, in Home Assistant's time zone."""
        return self.entity_description.last_reset_fn()

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        costs = self.entity_description.aggregate_fn(self.coordinator.summary).costs
        others = {name: cost / NANO for name, cost in sorted(costs.items()) if cost and name != self.coordinator.cost_currency}
        return {"other_currencies": others} if others else None


class _BudgetSensor(UsageEntity, SensorEntity):
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


def usage_sensors(tracker: UsageTracker) -> list[SensorEntity]:
    """Create the sensors of a usage tracker."""
    of_key = tracker.scope is Scope.KEY
    sensors: list[SensorEntity] = [UsageCount(tracker, count) for count in COUNTS]
    sensors += [UsageSensor(tracker, figure) for figure in RECENT]
    if tracker.scope is not Scope.BACKEND:  # a backend has a sensor of its failed attempts instead
        sensors.append(UsageCount(tracker, replace(FAILED_REQUESTS, entity_registry_enabled_default=not of_key)))
    if tracker.scope is Scope.HOUSEHOLD:
        sensors.append(UsageCount(tracker, TOKENS))
    if of_key:
        sensors.append(UsageSensor(tracker, LAST_USED))
    if not tracker.is_agent:
        sensors += [CostSensor(tracker, cost) for cost in COSTS]
        sensors.append(CostPerRequest(tracker, COST_PER_REQUEST))
        sensors += [BudgetSensor(tracker, BUDGET), BudgetLeftSensor(tracker, BUDGET_LEFT)]
    return sensors
