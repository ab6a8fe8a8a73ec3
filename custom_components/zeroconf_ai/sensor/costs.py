"""Cost sensors of the household, of the gateway's backends and of keys, from the ledger; the periods of all cost sensors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorEntityDescription, SensorStateClass
from homeassistant.const import EntityCategory
from homeassistant.util import dt as dt_util

from ..core.accounting.usage.summary import Aggregate
from ..core.accounting.usage.totals import UsageSummary
from ..core.protocol.status import Period, ProviderStatus
from ..core.protocol.values import NANO
from ..usage.coordinators import UsageTracker
from ..usage.entity import UsageEntity


@dataclass(frozen=True, kw_only=True)
class CostDescription(SensorEntityDescription):
    """A cost of one period: from the ledger, or as a provider reports it."""

    device_class: SensorDeviceClass = SensorDeviceClass.MONETARY
    state_class: SensorStateClass = SensorStateClass.TOTAL
    aggregate_fn: Callable[[UsageSummary], Aggregate]
    reported_fn: Callable[[ProviderStatus], Period | None]
    last_reset_fn: Callable[[], datetime | None]


COST_TODAY = CostDescription(
    key="cost_today",
    translation_key="cost_today",
    aggregate_fn=lambda summary: summary.today,
    reported_fn=lambda status: status.today,
    last_reset_fn=dt_util.start_of_local_day,
)
COST_MONTH = CostDescription(
    key="cost_month",
    translation_key="cost_month",
    aggregate_fn=lambda summary: summary.month,
    reported_fn=lambda status: status.month,
    last_reset_fn=lambda: dt_util.start_of_local_day(dt_util.now().replace(day=1)),
)
COST_TOTAL = CostDescription(
    key="cost_total",
    translation_key="cost_total",
    entity_registry_enabled_default=False,
    aggregate_fn=lambda summary: summary.total,
    reported_fn=lambda status: status.total,
    last_reset_fn=lambda: None,
)

COST_PER_REQUEST = SensorEntityDescription(
    key="cost_per_request",
    translation_key="cost_per_request",
    entity_category=EntityCategory.DIAGNOSTIC,
    entity_registry_enabled_default=False,
    device_class=SensorDeviceClass.MONETARY,
    suggested_display_precision=4,
)


class _UsageCost(UsageEntity, SensorEntity):
    """A cost in the tracker's currency, which is offered once a request had a cost."""

    @property
    @override
    def offered(self) -> bool:
        return self.coordinator.cost_currency is not None

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        return self.coordinator.cost_currency

    def _cost(self, aggregate: Aggregate) -> float | None:
        """The cost in whole units of the currency; None before the first cost."""
        currency = self.coordinator.cost_currency
        if currency is None or not self.coordinator.summary.total.priced:
            return None
        return aggregate.costs.get(currency, 0) / NANO


class UsageCost(_UsageCost):
    """The cost of a period; costs in other currencies are an attribute."""

    entity_description: CostDescription

    @property
    @override
    def native_value(self) -> float | None:
        return self._cost(self._aggregate)

    @property
    @override
    def last_reset(self) -> datetime | None:
        """When the period began, in Home Assistant's time zone."""
        return self.entity_description.last_reset_fn()

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        costs = sorted(self._aggregate.costs.items())
        others = {name: cost / NANO for name, cost in costs if cost and name != self.coordinator.cost_currency}
        return {"other_currencies": others} if others else None

    @property
    def _aggregate(self) -> Aggregate:
        return self.entity_description.aggregate_fn(self.coordinator.summary)


class CostPerRequest(_UsageCost):
    """The mean cost of this month's requests with a known cost."""

    @property
    @override
    def native_value(self) -> float | None:
        month = self.coordinator.summary.month
        cost = self._cost(month)
        return None if cost is None or not month.priced else cost / month.priced


def usage_costs(tracker: UsageTracker) -> list[UsageEntity]:
    """Create the cost sensors of a usage tracker."""
    periods = (COST_TODAY, COST_MONTH, COST_TOTAL)
    return [*(UsageCost(tracker, period) for period in periods), CostPerRequest(tracker, COST_PER_REQUEST)]
