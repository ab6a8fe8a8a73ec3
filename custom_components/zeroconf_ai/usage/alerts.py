"""The gateway's alerts: where they go, which are wanted, and a repair issue for each exceeded budget.

Each threshold alerts once per period (`BudgetStore.listen`), and each API key once per hour (`KeyWatch.listen`), also across
restarts. Alerts never delay a request.
"""

from collections.abc import Callable, Mapping
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from .. import issues
from ..const import CONF_PROVIDER_ID
from ..core.accounting.budget import EXCEEDED, BudgetEvent
from ..core.accounting.keys.key_watch import DEFAULT_FACTOR, KeyWatch, UnusualUse
from ..core.accounting.store import AccountingStore
from ..core.alerts.alert import CHOICES, DEFAULT_KINDS, Alert, AlertKind, budget_alert, key_alert, loss_alert, trial_alert
from ..core.alerts.discovery_watch import DiscoveryWatch
from ..core.alerts.dispatcher import AlertDispatcher, Delivery, Sender
from ..core.alerts.provider_watch import ProviderWatch
from ..core.alerts.webhook import is_webhook
from ..data import DATA, provider_entries
from .display_names import budget_owner
from .notifiers import CONF_WEBHOOK_URL, PersistentNotification, senders_of
from .trackers import UsageTrackers

CONF_ALERTS = "alerts"
WEBHOOK_INVALID = "webhook_invalid"
CONF_ALERT_KINDS = "alert_kinds"
"""The kinds of alerts (`AlertKind`)."""
CONF_ALERT_FROM = "alert_from"
"""The minimum threshold for alerts, in per cent."""
DEFAULT_ALERT_FROM = 80
CONF_KEY_FACTOR = "key_factor"
"""How many times the usual use of an API key is reported (`KeyWatch.factor`); 0: none is."""


def key_factor(options: Mapping[str, Any]) -> float:
    """`CONF_KEY_FACTOR` of the gateway's options."""
    factor: float = options.get(CONF_ALERTS, {}).get(CONF_KEY_FACTOR, DEFAULT_FACTOR)
    return factor


def alert_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The option `CONF_ALERTS` of what was entered in a form or on the page. Raises ValueError (`WEBHOOK_INVALID`)."""
    url = given.get(CONF_WEBHOOK_URL, "").strip()
    if url and not is_webhook(url):
        raise ValueError(WEBHOOK_INVALID)
    kept = {name: value for name, value in given.items() if name != CONF_WEBHOOK_URL}
    return kept | ({CONF_WEBHOOK_URL: url} if url else {})


def alert_kinds(alerts: Mapping[str, Any]) -> frozenset[AlertKind]:
    """The kinds of alerts that the owner wants; those of budgets and API keys if none were chosen."""
    return frozenset(AlertKind(kind) for kind in alerts.get(CONF_ALERT_KINDS, DEFAULT_KINDS) if kind in CHOICES)


class Alerts:
    """Sends alerts, from `start` to `close`."""

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, store: AccountingStore, trackers: UsageTrackers, key_watch: KeyWatch
    ) -> None:
        """`trackers` provide the currencies."""
        self._key_watch = key_watch
        self._hass = hass
        self._entry = entry
        self._store = store
        self._trackers = trackers
        self._pending: dict[str, BudgetEvent] = {}
        """Pending alerts by budget: only the highest of thresholds reached at the same time."""
        self._exceeded: frozenset[str] = frozenset()
        self._unsubscribes: list[Callable[[], None]] = []
        # Tasks of Home Assistant instead of the entry, so that a reload does not cancel the last alert.
        self.dispatcher = AlertDispatcher(self._senders, self._wants, hass.async_create_background_task)

    @callback
    def start(self) -> None:
        """Start sending alerts."""
        self._update_issues()
        issues.keep_budgets(self._hass, self._exceeded)
        shared = self._hass.data[DATA]
        providers = ProviderWatch(shared.engine.pool, self.dispatcher.notify)
        discovered = DiscoveryWatch(shared.discovery, self._is_known, self.dispatcher.notify)
        providers.start()
        discovered.start()
        self._unsubscribes = [
            self._store.budgets.listen(self._on_threshold),
            self._store.budgets.watch(self._update_issues),
            self._trackers.household.async_add_listener(self._update_issues),
            self._key_watch.listen(self._on_unusual_use),
            self._store.listen_loss(self._on_loss),
            providers.close,
            discovered.close,
        ]
        self._on_loss()

    @callback
    def close(self) -> None:
        """Stop. Issues stay, including their ignored state. May be called twice."""
        while self._unsubscribes:
            self._unsubscribes.pop()()

    async def send_test(self) -> list[Delivery]:
        """Send a test alert to all that are set up; the result of each."""
        return await self.dispatcher.deliver(trial_alert(self._entry.title))

    @property
    def _settings(self) -> Mapping[str, Any]:
        settings: Mapping[str, Any] = self._entry.options.get(CONF_ALERTS, {})
        return settings

    def _wants(self, kind: AlertKind) -> bool:
        return kind in alert_kinds(self._settings)

    def _senders(self, alert: Alert) -> list[Sender]:
        """Those that are set up. Without any, Home Assistant notifies; an exceeded budget is a repair, so of that it does not."""
        found = senders_of(self._hass, self._settings)
        of_budget = alert.kind in (AlertKind.BUDGET_THRESHOLD, AlertKind.BUDGET_EXCEEDED)
        return found if found or of_budget else [PersistentNotification(self._hass)]

    def _is_known(self, provider_id: str) -> bool:
        return any(entry.data.get(CONF_PROVIDER_ID) == provider_id for entry in provider_entries(self._hass))

    @callback
    def _on_threshold(self, event: BudgetEvent) -> None:
        budget_id = event.budget.id
        if budget_id not in self._pending:
            self._hass.loop.call_soon(self._notify_owner, budget_id)
        self._pending[budget_id] = event
        if event.threshold >= EXCEEDED:
            self._hass.loop.call_soon(self._update_issues)

    @callback
    def _notify_owner(self, budget_id: str) -> None:
        event = self._pending.pop(budget_id)
        if event.threshold >= self._settings.get(CONF_ALERT_FROM, DEFAULT_ALERT_FROM):
            self._hass.async_create_background_task(self._notify_of_budget(event), "zeroconf_ai budget alert")

    async def _notify_of_budget(self, event: BudgetEvent) -> None:
        budget = event.budget
        owner = await budget_owner(self._hass, self._store.keys, budget)
        tracker = self._trackers.get(budget.scope, budget.subject) or self._trackers.household
        self.dispatcher.notify(budget_alert(event, owner, tracker.currency, self._store.budgets.zone))

    @callback
    def _on_unusual_use(self, report: UnusualUse) -> None:
        key = self._store.keys.get(report.key_id)
        self.dispatcher.notify(key_alert(report, report.key_id if key is None else key.name))

    @callback
    def _on_loss(self) -> None:
        if self._store.loss_unconfirmed:
            self.dispatcher.notify(loss_alert())

    @callback
    def _update_issues(self) -> None:
        """Create or delete issues so that exactly the exceeded budgets have one."""
        budgets = self._store.budgets
        exceeded = frozenset(budget.id for budget in (*budgets, *budgets.limits) if budgets.state(budget.id).exceeded)
        for budget_id in self._exceeded - exceeded:
            issues.budget_fine(self._hass, budget_id)
        new = exceeded - self._exceeded
        self._exceeded = exceeded
        if new:
            self._entry.async_create_task(self._hass, self._create_issues(new), "zeroconf_ai budget repairs")

    async def _create_issues(self, new: frozenset[str]) -> None:
        for budget_id in sorted(new):
            try:
                budget = self._store.budgets.state(budget_id).budget
            except KeyError:
                continue
            owner = await budget_owner(self._hass, self._store.keys, budget)
            if budget_id in self._exceeded:  # it may have changed during the await
                tracker = self._trackers.get(budget.scope, budget.subject) or self._trackers.household
                state = self._store.budgets.state(budget_id)
                issues.budget_exceeded(self._hass, state, owner, tracker.currency)
