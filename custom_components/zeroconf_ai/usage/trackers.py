"""The usage trackers of a gateway: one for the household, and one for each backend and key."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
import logging
from typing import override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.event import async_track_time_change

from ..const import DOMAIN
from ..core.accounting.budget import BudgetEvent, Scope
from ..core.accounting.keys.client_key import ClientKey
from ..core.accounting.storage.database import DatabaseError
from ..core.accounting.store import AccountingStore
from ..core.accounting.usage.generation import Generation, Recorder
from ..pool_coordinator import MemberCoordinator
from .coordinators import UsageTracker

_LOGGER = logging.getLogger(__name__)

MAX_KEY_DEVICES = 200
"""Only this many keys (the oldest) have a device, since more would slow Home Assistant down. `export_usage` has all."""


def key_device(key_id: str) -> str:
    """The device identifier of a key."""
    return f"key_{key_id}"


class UsageTrackers(Recorder):
    """Creates and removes usage trackers, from `start` to `close`."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        store: AccountingStore,
        backends: Iterable[MemberCoordinator],
        device_id: str,
    ) -> None:
        """`device_id` is the id of the gateway's device in the device registry."""
        self._hass = hass
        self._entry = entry
        self._store = store
        self._backends = backends
        self._device_id = device_id
        self._trackers: dict[tuple[Scope, str], UsageTracker] = {}
        self._listeners: list[Callable[[UsageTracker], None]] = []
        self._unsubscribes: list[Callable[[], None]] = []
        self.household = UsageTracker(hass, entry, store, Scope.HOUSEHOLD, "", device=entry.entry_id, name=entry.title)

    def __iter__(self) -> Iterator[UsageTracker]:
        """All trackers, the household's first."""
        return iter((self.household, *self._trackers.values()))

    def get(self, scope: Scope, subject: str) -> UsageTracker | None:
        """The tracker of a subject, or None. Budgets of users belong to the household's tracker."""
        return self.household if scope in (Scope.HOUSEHOLD, Scope.USER) else self._trackers.get((scope, subject))

    @callback
    def start(self) -> None:
        """Start listening to keys, budgets and midnight."""
        self._remove_stale_devices()
        self.apply()
        self._unsubscribes = [
            self._store.keys.listen(self.apply),
            self._store.budgets.listen(self._on_threshold),
            self._store.budgets.watch(self.update_all),
            async_track_time_change(self._hass, self._on_midnight, hour=0, minute=0, second=0),
        ]

    @callback
    def close(self) -> None:
        """Close all trackers. May be called twice."""
        while self._unsubscribes:
            self._unsubscribes.pop()()
        for tracker in self:
            tracker.close()
        self._trackers.clear()

    @callback
    def listen(self, listener: Callable[[UsageTracker], None]) -> Callable[[], None]:
        """Call `listener` with each existing and each new tracker; returns a function that unsubscribes."""
        self._listeners.append(listener)
        for tracker in self:
            listener(tracker)
        return lambda: self._listeners.remove(listener)

    @override
    def record(self, generation: Generation) -> None:
        self.household.add(generation)
        for attempt in generation.failures:
            if (tracker := self._trackers.get((Scope.BACKEND, attempt.backend_id))) is not None:
                tracker.add_failed_attempt()
        if generation.backend_id is not None and (tracker := self._trackers.get((Scope.BACKEND, generation.backend_id))):
            tracker.add(generation)
        if generation.key_id is not None and (tracker := self._trackers.get((Scope.KEY, generation.key_id))):
            tracker.add(generation)

    @callback
    def update_all(self) -> None:
        """Update all entities after a budget change or at midnight."""
        for tracker in self:
            tracker.async_update_listeners()

    @callback
    def apply(self) -> None:
        """Create and remove trackers so that each backend and each key has one."""
        for _ in self.steps():
            pass

    def steps(self) -> Iterator[None]:
        """The steps of `apply`, between which Home Assistant may do other work."""
        backends = {coordinator.member_id: coordinator for coordinator in self._backends}
        keys = {key.id: key for _, key in zip(range(MAX_KEY_DEVICES), self._store.keys, strict=False)}
        wanted = {(Scope.BACKEND, name) for name in backends} | {(Scope.KEY, name) for name in keys}
        for gone in self._trackers.keys() - wanted:
            self._remove(*gone)
        for backend_id, coordinator in backends.items():
            if (Scope.BACKEND, backend_id) not in self._trackers:
                tracker = UsageTracker(
                    self._hass,
                    self._entry,
                    self._store,
                    Scope.BACKEND,
                    backend_id,
                    device=backend_id,
                    name=coordinator.name,
                    subentry_id=coordinator.subentry_id,
                    is_agent=coordinator.is_agent,
                )
                tracker.follow(coordinator)
                self._add(tracker)
                yield
        for key in keys.values():
            self._put_key(key)

    def _put_key(self, key: ClientKey) -> None:
        device = dr.async_get(self._hass).async_get_or_create(
            config_entry_id=self._entry.entry_id,
            identifiers={(DOMAIN, key_device(key.id))},
            name=key.name,
            manufacturer="ZeroConf AI",
            model="API key",
            entry_type=dr.DeviceEntryType.SERVICE,
            via_device_id=self._device_id,
        )
        tracker = self._trackers.get((Scope.KEY, key.id))
        if tracker is None:
            self._add(
                UsageTracker(self._hass, self._entry, self._store, Scope.KEY, key.id, device=key_device(key.id), name=key.name)
            )
        elif tracker.name != key.name:
            tracker.name = key.name
            dr.async_get(self._hass).async_update_device(device.id, name=key.name)

    def _add(self, tracker: UsageTracker) -> None:
        self._trackers[tracker.scope, tracker.subject] = tracker
        for listener in tuple(self._listeners):
            listener(tracker)

    def _remove(self, scope: Scope, subject: str) -> None:
        """Remove a tracker, its budgets and a key's device. A backend's device is removed with its subentry."""
        self._trackers.pop((scope, subject)).close()
        if scope is Scope.KEY:
            registry = dr.async_get(self._hass)
            if device := registry.async_get_device_by_identifier((DOMAIN, key_device(subject)), self._entry.entry_id):
                registry.async_remove_device(device.id)
            if self._store.keys.get(subject) is not None:
                return
        for budget in self._store.budgets.of(scope, subject):
            self._entry.async_create_task(self._hass, self._remove_budget(budget.id), f"{DOMAIN} remove budget")

    async def _remove_budget(self, budget_id: str) -> None:
        try:
            await self._store.budgets.remove(budget_id)
        except KeyError:
            return
        except DatabaseError as err:
            _LOGGER.warning("The budget %s of a deleted backend or key could not be removed: %s", budget_id, err)

    def _remove_stale_devices(self) -> None:
        """Remove the devices of keys that were revoked while the gateway was not loaded."""
        registry = dr.async_get(self._hass)
        known = {(DOMAIN, key_device(key.id)) for key in self._store.keys}
        prefix = key_device("")
        for device in dr.async_entries_for_config_entry(registry, self._entry.entry_id):
            ours = {(domain, name) for domain, name in device.identifiers if domain == DOMAIN and name.startswith(prefix)}
            if ours and not ours & known:
                registry.async_remove_device(device.id)

    @callback
    def _on_threshold(self, event: BudgetEvent) -> None:
        tracker = self.get(event.budget.scope, event.budget.subject)
        if tracker is not None:
            tracker.notify_threshold(event)

    @callback
    def _on_midnight(self, _: datetime) -> None:
        """Midnight in the home's time zone: totals and budget periods may have changed."""
        self.update_all()
