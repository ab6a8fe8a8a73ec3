"""Totals of a backend that continue after restarts: an opening balance plus the ledger's total."""

from abc import abstractmethod
from typing import override

from homeassistant.components.sensor import RestoreSensor, SensorExtraStoredData
from homeassistant.core import callback

from ..core.accounting.store import AccountingStore
from ..core.accounting.usage.opening_balances import OpeningBalance
from ..core.accounting.usage.summary import Aggregate
from ..core.accounting.usage.totals import Subject
from ..entity import ProviderEntity
from ..usage.shared_store import SHARED_STORE
from .counts import CountDescription


class BackendTotal(ProviderEntity, RestoreSensor):
    """A total of a backend, unavailable while the accounting store is not open.

    Older versions counted in memory and restored the count from Home Assistant's saved states. The restored value becomes an
    opening balance when no other is recorded; it also bridges a lost database. So the total neither drops nor starts again.
    """

    _added = False
    _store: AccountingStore | None = None
    _shown: int | None = None
    """The value by a former store, else the restored one; None if neither is known."""
    _opening = OpeningBalance(0)

    @override
    async def async_added_to_hass(self) -> None:
        if not self._added:  # a renamed entity is added again and keeps its value
            self._added = True
            if (restored := await self.async_get_last_sensor_data()) is not None:
                self.restore(restored)
        shared = self.hass.data[SHARED_STORE]
        self.async_on_remove(shared.listen(self.coordinator.member_id, self.coordinator.note))
        self._follow_store()
        await super().async_added_to_hass()

    @property
    @override
    def available(self) -> bool:
        return super().available and self.is_known

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        self._follow_store()
        super()._handle_coordinator_update()

    @property
    def is_known(self) -> bool:
        """Whether there is a source for the total."""
        return self._store is not None

    @property
    def total(self) -> int | None:
        """The opening balance plus the ledger's total; while the store is not open, the last known total."""
        return self._shown if self._store is None else self._opening.amount + self._counted(self._store)

    @property
    def currency(self) -> str:
        """The currency of the total; empty for counts."""
        return ""

    @abstractmethod
    def restore(self, restored: SensorExtraStoredData) -> None:
        """Set `_shown` from the restored value."""

    @abstractmethod
    def of(self, aggregate: Aggregate) -> int:
        """The figure of an aggregate: a count, or nano-units of money."""

    def _follow_store(self) -> None:
        """Continue the total with the accounting store that is open now."""
        store = self.hass.data[SHARED_STORE].store
        if store is self._store:
            return
        self._shown, self._store = self.total, store
        if store is not None:
            balances, key = store.opening_balances, self.entity_description.key
            member_id, counted = self.coordinator.member_id, self._counted(store)
            self._opening = balances.continue_from(member_id, key, self._shown, counted, self.currency)

    def _counted(self, store: AccountingStore) -> int:
        return self.of(store.totals.of(Subject.BACKEND, self.coordinator.member_id).total)


class BackendCount(BackendTotal):
    """A count of requests, failed attempts or tokens of a backend."""

    entity_description: CountDescription

    @property
    @override
    def native_value(self) -> int | None:
        return self.total

    @override
    def restore(self, restored: SensorExtraStoredData) -> None:
        if isinstance(restored.native_value, int):
            self._shown = restored.native_value

    @override
    def of(self, aggregate: Aggregate) -> int:
        return self.entity_description.count_fn(aggregate)
