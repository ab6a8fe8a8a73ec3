"""The accounts of a gateway: one of the household, and one of each backend and key, as they come and go."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
import logging
from typing import override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.event import async_track_time_change
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..core.accounting.budget import BudgetEvent, Scope
from ..core.accounting.keys.client_key import ClientKey
from ..core.accounting.storage.database import DatabaseError
from ..core.accounting.store import AccountingStore
from ..core.accounting.usage.generation import Generation, Recorder
from ..pool_coordinator import MemberCoordinator
from .coordinators import UsageTracker

_LOGGER = logging.getLogger(__name__)

KEY_DEVICES = 200
"""So many keys, the oldest, have a device: with more, Home Assistant would be slow. The others are in `export_usage`."""


def key_device(key_id: str) -> str:
    """What the device of a key goes by."""
    return f"key_{key_id}"


class UsageTrackers(Recorder):
    """Lives from `start` to `close`."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        store: AccountingStore,
        backends: Iterable[MemberCoordinator],
        device_id: str,
    ) -> None:
        """`device_id` is the device registry's, of the gateway's device."""
        self._hass = hass
        self._entry = entry
        self._store = store
        self._backends = backends
        self._device_id = device_id
        self._running: dict[tuple[Scope, str], UsageTracker] = {}
        self._listeners: list[Callable[[UsageTracker], None]] = []
        self._stops: list[Callable[[], None]] = []
        self.household = UsageTracker(hass, entry, store, Scope.HOUSEHOLD, "", device=entry.entry_id, name=entry.title)

    def __iter__(self) -> Iterator[UsageTracker]:
        """Those that there are, the household's first."""
        return iter((self.household, *self._running.values()))

    def get(self, scope: Scope, subject: str) -> UsageTracker | None:
        """An account; None where there is none. The household has those of users."""
        return self.household if scope in (Scope.HOUSEHOLD, Scope.USER) else self._running.get((scope, subject))

    @callback
    def start(self) -> None:
        """Begin to follow keys, budgets and days."""
        self._forget_keys()
        self.apply()
        self._stops = [
            self._store.keys.listen(self.apply),
            self._store.budgets.listen(self._on_threshold),
            self._store.budgets.watch(self.show),
            async_track_time_change(self._hass, self._on_midnight, hour=0, minute=0, second=0),
        ]

    @callback
    def close(self) -> None:
        """End them all. Safe to call twice."""
        while self._stops:
            self._stops.pop()()
        for account in self:
            account.close()
        self._running.clear()

    @callback
    def listen(self, listener: Callable[[UsageTracker], None]) -> Callable[[], None]:
        """Call `listener` with each that there is, and with each that comes. Returns what ends it."""
        self._listeners.append(listener)
        for account in self:
            listener(account)
        return lambda: self._listeners.remove(listener)

    @override
    def record(self, generation: Generation) -> None:
        self.household.add(generation)
        if generation.backend_id is not None and (account := self._running.get((Scope.BACKEND, generation.backend_id))):
            account.add(generation)
        if generation.key_id is not None and (account := self._running.get((Scope.KEY, generation.key_id))):
            account.add(generation)

    @callback
    def show(self) -> None:
        """Show all anew: a budget was changed, or a day is over."""
        for account in self:
            account.async_update_listeners()

    @callback
    def apply(self) -> None:
        """Have one for each backend and each key that there is."""
        backends = {coordinator.member_id: coordinator for coordinator in self._backends}
        keys = {key.id: key for _, key in zip(range(KEY_DEVICES), self._store.keys, strict=False)}
        wanted = {(Scope.BACKEND, name) for name in backends} | {(Scope.KEY, name) for name in keys}
        for gone in self._running.keys() - wanted:
            self._drop(*gone)
        for backend_id, coordinator in backends.items():
            if (Scope.BACKEND, backend_id) not in self._running:
                account = UsageTracker(
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
                account.follow(coordinator)
                self._add(account)
        for key in keys.values():
            self._put_key(key)

    def _put_key(self, key: ClientKey) -> None:
        device = dr.async_get(self._hass).async_get_or_create(
            config_entry_id=self._entry.entry_id,
            identifiers={(DOMAIN, key_device(key.id))},
            name=key.name,
            manufacturer="ZeroConf AI",
            model="Key",
            entry_type=dr.DeviceEntryType.SERVICE,
            via_device_id=self._device_id,
        )
        account = self._running.get((Scope.KEY, key.id))
        if account is None:
            self._add(
                UsageTracker(self._hass, self._entry, self._store, Scope.KEY, key.id, device=key_device(key.id), name=key.name)
            )
        elif account.name != key.name:
            account.name = key.name
            dr.async_get(self._hass).async_update_device(device.id, name=key.name)

    def _add(self, account: UsageTracker) -> None:
        self._running[account.scope, account.subject] = account
        for listener in tuple(self._listeners):
            listener(account)

    def _drop(self, scope: Scope, subject: str) -> None:
        """It is gone, and so are its budgets. What Home Assistant keeps of a backend goes with its subentry."""
        self._running.pop((scope, subject)).close()
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
            _LOGGER.warning("The budget %s of what is gone could not be removed: %s", budget_id, err)

    def _forget_keys(self) -> None:
        """Remove the devices of keys that were revoked while this was not running."""
        registry = dr.async_get(self._hass)
        known = {(DOMAIN, key_device(key.id)) for key in self._store.keys}
        prefix = key_device("")
        for device in dr.async_entries_for_config_entry(registry, self._entry.entry_id):
            ours = {(domain, name) for domain, name in device.identifiers if domain == DOMAIN and name.startswith(prefix)}
            if ours and not ours & known:
                registry.async_remove_device(device.id)

    @callback
    def _on_threshold(self, event: BudgetEvent) -> None:
        account = self.get(event.budget.scope, event.budget.subject)
        if account is not None:
            account.tell(event)

    @callback
    def _on_midnight(self, _: datetime) -> None:
        """A new day, maybe a new week and month. By the clock on the wall of the home."""
        self._store.zone = dt_util.get_default_time_zone()
        self.show()
