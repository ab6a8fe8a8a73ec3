"""Cost sensors of a provider: as its status reports them, else from the ledger."""

from datetime import datetime
from typing import override

from homeassistant.components.sensor import SensorEntity, SensorEntityDescription, SensorExtraStoredData

from ..core.accounting.usage.opening_balances import OpeningBalance
from ..core.accounting.usage.summary import Aggregate
from ..core.protocol.prices import DEFAULT_CURRENCY
from ..core.protocol.status import Period, ProviderStatus
from ..core.protocol.values import NANO, money
from ..entity import ProviderEntity
from ..pool_coordinator import MemberCoordinator
from ..usage.currency import CostCurrency
from ..usage.shared_store import SHARED_STORE
from .costs import CostDescription
from .totals import BackendTotal


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

    entity_description: CostDescription

    @property
    def _period(self) -> Period | None:
        status = _status(self)
        return self.entity_description.reported_fn(status) if status else None

    @property
    @override
    def offered(self) -> bool:
        """Whether the provider reports it, and has reported a cost that sets the currency."""
        return self.coordinator.member is not None and self.native_value is not None

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
    def last_reset(self) -> datetime | None:
        """When the period began, in Home Assistant's time zone."""
        return self.entity_description.last_reset_fn()


class ProviderTotalCost(_Cost, BackendTotal):
    """The total cost: reported by the provider, else the ledger's total with its opening balance."""

    _restored_currency: str | None = None

    @property
    @override
    def offered(self) -> bool:
        """Whether the provider reports costs, or its requests had a cost."""
        total = self.coordinator.hass.data[SHARED_STORE].total(self.coordinator.member_id)
        return self._reported is not None or (total is not None and any(total.costs.values()))

    @property
    @override
    def is_known(self) -> bool:
        return super().is_known or self._report is not None

    @property
    @override
    def native_value(self) -> float | None:
        """None before the first cost."""
        if self.native_unit_of_measurement is None:
            return None
        total = self.total if self._report is None else self._report
        return None if total is None else total / NANO

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        costs = _reported_costs(_status(self))
        if not costs and self._added:
            costs = self._ledger_costs
            if self._shown:
                costs.setdefault(self._restored_currency or DEFAULT_CURRENCY, self._shown)
        return self._currency.of(costs, self._restored_currency or DEFAULT_CURRENCY)

    @property
    @override
    def currency(self) -> str:
        return self.native_unit_of_measurement or ""

    @override
    def restore(self, restored: SensorExtraStoredData) -> None:
        self._shown = money(restored.native_value)
        self._restored_currency = restored.native_unit_of_measurement

    @override
    def of(self, aggregate: Aggregate) -> int:
        """Costs in answers name no currency, and the ledger uses the default one: they are in the provider's currency."""
        return sum(aggregate.costs.get(currency, 0) for currency in {self.currency, DEFAULT_CURRENCY})

    @override
    def _follow_store(self) -> None:
        super()._follow_store()
        self._follow_report()

    def _follow_report(self) -> None:
        """Align the opening balance with the reported total, so that the total continues from there if the reports end."""
        if self._store is not None and (reported := self._report) is not None:
            self._opening = OpeningBalance(reported - self._counted(self._store), self.currency)
            self._store.opening_balances.put(self.coordinator.member_id, self.entity_description.key, self._opening)

    @property
    def _reported(self) -> Period | None:
        status = _status(self)
        total = status.total if status else None
        return None if total is None or total.usage.cost is None else total

    @property
    def _report(self) -> int | None:
        """The reported total in nano-units of the sensor's currency; None if none is reported in it."""
        total = self._reported
        return None if total is None or total.currency != self.native_unit_of_measurement else total.usage.cost

    @property
    def _ledger_costs(self) -> dict[str, int]:
        total = self.coordinator.hass.data[SHARED_STORE].total(self.coordinator.member_id)
        return {} if total is None else total.costs


def _reported_costs(status: ProviderStatus | None) -> dict[str, int]:
    """The reported costs in nano-units by currency."""
    periods = () if status is None else (status.total, status.month, status.today)
    return {period.currency: period.usage.cost for period in periods if period is not None and period.usage.cost}


def _status(entity: ProviderEntity) -> ProviderStatus | None:
    return entity.coordinator.member.status if entity.coordinator.member is not None else None
