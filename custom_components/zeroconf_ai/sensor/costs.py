"""Cost sensors of a provider, from its status and from the costs in its answers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.components.sensor import (
    RestoreSensor,
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.core import callback
from homeassistant.util import dt as dt_util

from ..core.protocol.status import Period, ProviderStatus
from ..core.protocol.values import NANO, money
from ..core.routing.pool.pool import Tally
from ..entity import ProviderEntity
from ..pool_coordinator import MemberCoordinator
from ..usage.currency import CostCurrency

DEFAULT_CURRENCY = "USD"
"""The currency of costs in answers, which OpenRouter and LiteLLM report without one."""


@dataclass(frozen=True, kw_only=True)
class ProviderCostDescription(SensorEntityDescription):
    """A cost that the provider reports for a period."""

    period_fn: Callable[[ProviderStatus], Period | None]
    last_reset_fn: Callable[[], datetime]


COSTS = (
    ProviderCostDescription(
        key="cost_today",
        translation_key="cost_today",
        device_class=SensorDeviceClass.MONETARY,
        state_class=SensorStateClass.TOTAL,
        period_fn=lambda status: status.today,
        last_reset_fn=dt_util.start_of_local_day,
    ),
    ProviderCostDescription(
        key="cost_month",
        translation_key="cost_month",
        device_class=SensorDeviceClass.MONETARY,
        state_class=SensorStateClass.TOTAL,
        period_fn=lambda status: status.month,
        last_reset_fn=lambda: dt_util.start_of_local_day(dt_util.now().replace(day=1)),
    ),
)

COST_TOTAL = SensorEntityDescription(
    key="cost_total",
    translation_key="cost_total",
    device_class=SensorDeviceClass.MONETARY,
    state_class=SensorStateClass.TOTAL,
)


class _Cost(ProviderEntity, SensorEntity):
    """A cost in the provider's fixed currency (`CostCurrency`)."""

    def __init__(self, coordinator: MemberCoordinator, description: SensorEntityDescription, currency: CostCurrency) -> None:
        """`currency` is shared by all cost sensors of the provider."""
        super().__init__(coordinator, description)
        self._currency = currency

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        return self._currency.of(_reported_costs(_status(self)))


class ProviderCost(_Cost):
    """The cost of today or this month as reported by the provider."""

    entity_description: ProviderCostDescription

    @property
    def _period(self) -> Period | None:
        status = _status(self)
        return self.entity_description.period_fn(status) if status else None

    @property
    def offered(self) -> bool:
        """Whether the provider reports it."""
        return self._period is not None and self._period.usage.cost is not None

    @property
    @override
    def available(self) -> bool:
        """Only online: otherwise yesterday's report would be shown as today's."""
        return super().available and self.member.online

    @property
    @override
    def native_value(self) -> float | None:
        """None if nothing is reported in the sensor's currency."""
        period = self._period
        if period is None or period.usage.cost is None or period.currency != self.native_unit_of_measurement:
            return None
        return period.usage.cost / NANO

    @property
    @override
    def last_reset(self) -> datetime:
        """When the period began, in Home Assistant's time zone."""
        return self.entity_description.last_reset_fn()


class ProviderTotalCost(_Cost, RestoreSensor):
    """The total cost: reported by the provider, else the sum of the costs in its answers, restored after restarts."""

    _base: int | None = None
    """Nano-units in addition to the tally."""
    _restored_currency: str | None = None
    _tally: Tally | None = None
    _before = 0

    @override
    async def async_added_to_hass(self) -> None:
        if self._base is None:  # a renamed entity is added again and keeps its value
            restored = await self.async_get_last_sensor_data()
            self._base = (money(restored.native_value) if restored else None) or 0
            self._restored_currency = restored.native_unit_of_measurement if restored else None
        self._follow_report()
        await super().async_added_to_hass()

    @property
    def offered(self) -> bool:
        """Whether the provider reports costs in its status or answers."""
        member = self.coordinator.member
        return self._reported is not None or (member is not None and member.tally.usage.cost is not None)

    @property
    def _reported(self) -> Period | None:
        status = _status(self)
        total = status.total if status else None
        return None if total is None or total.usage.cost is None else total

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        self._follow_report()
        super()._handle_coordinator_update()

    def _follow_report(self) -> None:
        """Align the sum with the reported total, so that it continues from there if the reports end."""
        if (total := self._reported) is not None and total.currency == self.native_unit_of_measurement:
            self._base = (total.usage.cost or 0) - self._tallied

    @property
    def _tallied(self) -> int:
        """The cost of the current and all former tallies: a backend added to the pool again gets a new tally."""
        member = self.coordinator.member
        tally = self._tally if member is None else member.tally
        if tally is not self._tally:
            self._before += _cost(self._tally)
            self._tally = tally
        return self._before + _cost(tally)

    @property
    @override
    def native_value(self) -> float | None:
        """None before the first cost."""
        if self.native_unit_of_measurement is None:
            return None
        return ((self._base or 0) + self._tallied) / NANO

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        costs = {self._restored_currency or DEFAULT_CURRENCY: (self._base or 0) + self._tallied}
        return self._currency.of(_reported_costs(_status(self)) or costs)


def _reported_costs(status: ProviderStatus | None) -> dict[str, int]:
    """The reported costs in nano-units by currency."""
    periods = () if status is None else (status.total, status.month, status.today)
    return {period.currency: period.usage.cost for period in periods if period is not None and period.usage.cost}


def _status(entity: ProviderEntity) -> ProviderStatus | None:
    return entity.coordinator.member.status if entity.coordinator.member is not None else None


def _cost(tally: Tally | None) -> int:
    return 0 if tally is None else tally.usage.cost or 0
