"""Alerts of budgets and API keys: notifications and webhooks, and a repair issue for each exceeded budget.

Each threshold alerts once per period (`BudgetStore.listen`), and each API key once per hour (`KeyWatch.listen`), also across
restarts. Alerts never delay a request.
"""

import asyncio
from collections.abc import Callable, Mapping
from ipaddress import ip_address
import logging
from typing import Any

import aiohttp
import voluptuous as vol
from yarl import URL

from homeassistant.components import persistent_notification
from homeassistant.components.notify.const import DOMAIN as NOTIFY_DOMAIN, SERVICE_PERSISTENT_NOTIFICATION, SERVICE_SEND_MESSAGE
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util import dt as dt_util

from .. import issues
from ..const import DOMAIN
from ..core.accounting.budget import BudgetEvent
from ..core.accounting.keys.key_watch import DEFAULT_FACTOR, KeyWatch, UnusualUse
from ..core.accounting.store import AccountingStore
from ..core.protocol.values import NANO
from ..markdown import escape
from .display_names import budget_owner
from .trackers import UsageTrackers

_LOGGER = logging.getLogger(__name__)

CONF_ALERTS = "alerts"
CONF_NOTIFY_ENTITIES = "notify_entities"
CONF_NOTIFY_ACTIONS = "notify_actions"
"""Notify actions without an entity, such as `mobile_app_phone`."""
CONF_WEBHOOK_URL = "webhook_url"
CONF_ALERT_FROM = "alert_from"
"""The minimum threshold for alerts, in per cent."""
DEFAULT_ALERT_FROM = 80
CONF_KEY_FACTOR = "key_factor"
"""How many times the usual use of an API key is reported (`KeyWatch.factor`); 0: none is."""

_WEBHOOK_SECONDS = 10.0
_HOME_ENDINGS = (".local", ".lan", ".home", ".internal", ".home.arpa")


def key_factor(options: Mapping[str, Any]) -> float:
    """`CONF_KEY_FACTOR` of the gateway's options."""
    factor: float = options.get(CONF_ALERTS, {}).get(CONF_KEY_FACTOR, DEFAULT_FACTOR)
    return factor


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

    @callback
    def start(self) -> None:
        """Start sending alerts."""
        self._update_issues()
        issues.keep_budgets(self._hass, self._exceeded)
        self._unsubscribes = [
            self._store.budgets.listen(self._on_threshold),
            self._store.budgets.watch(self._update_issues),
            self._trackers.household.async_add_listener(self._update_issues),
            self._key_watch.listen(self._on_unusual_use),
        ]

    @callback
    def close(self) -> None:
        """Stop. Issues stay, including their ignored state. May be called twice."""
        while self._unsubscribes:
            self._unsubscribes.pop()()

    @callback
    def _on_threshold(self, event: BudgetEvent) -> None:
        budget_id = event.budget.id
        if budget_id not in self._pending:
            self._hass.loop.call_soon(self._notify_owner, budget_id)
        self._pending[budget_id] = event
        if event.threshold >= 100:
            self._hass.loop.call_soon(self._update_issues)

    @callback
    def _notify_owner(self, budget_id: str) -> None:
        event = self._pending.pop(budget_id)
        alerts: Mapping[str, Any] = self._entry.options.get(CONF_ALERTS, {})
        if event.threshold >= alerts.get(CONF_ALERT_FROM, DEFAULT_ALERT_FROM):
            # A task of Home Assistant instead of the entry, so that a reload does not cancel the last alert.
            self._hass.async_create_background_task(self._send(event, alerts), "zeroconf_ai budget alert")

    @callback
    def _on_unusual_use(self, report: UnusualUse) -> None:
        alerts: Mapping[str, Any] = self._entry.options.get(CONF_ALERTS, {})
        key = self._store.keys.get(report.key_id)
        name = report.key_id if key is None else key.name
        title = "AI API key: unusual use"

        def message(name: str) -> str:
            return (
                f"The API key {name} made {report.requests} requests with {report.tokens} tokens in this hour; usual are "
                f"{report.usual.requests:.1f} requests with {report.usual.tokens:.0f} tokens per hour. If you do not know why, "
                "disable the API key or replace its secret in the options of the gateway."
            )

        facts: dict[str, Any] = {
            "event": "key_unusual_use",
            "key": report.key_id,
            "name": name,
            "hour": dt_util.utc_from_timestamp(report.hour).isoformat(),
            "requests": report.requests,
            "tokens": report.tokens,
            "usual_requests": round(report.usual.requests, 3),
            "usual_tokens": round(report.usual.tokens, 3),
        }
        if any(alerts.get(name) for name in (CONF_NOTIFY_ENTITIES, CONF_NOTIFY_ACTIONS, CONF_WEBHOOK_URL)):
            sending = self._deliver(title, message, name, facts, alerts)
            self._hass.async_create_background_task(sending, "zeroconf_ai key alert")
        else:
            notification_id = f"{DOMAIN}_key_{report.key_id}"
            persistent_notification.async_create(self._hass, message(escape(name)), title, notification_id)

    async def _send(self, event: BudgetEvent, alerts: Mapping[str, Any]) -> None:
        budget = event.budget
        owner = await budget_owner(self._hass, self._store.keys, budget)
        tracker = self._trackers.get(budget.scope, budget.subject) or self._trackers.household
        facts: dict[str, Any] = {
            "event": "budget_exceeded" if event.threshold >= 100 else "budget_threshold",
            "budget": budget.id,
            "scope": budget.scope.value,
            "name": owner,
            "period": budget.period.value,
            "threshold": event.threshold,
            "amount": budget.amount / NANO,
            "spent": event.spent / NANO,
            "currency": tracker.currency,
            "action": budget.action.value,
            "renews": dt_util.utc_from_timestamp(event.period.end).isoformat(),
        }
        title = "AI budget: exceeded" if event.refused else f"AI budget: {event.threshold} % spent"
        digits = 2 if budget.amount >= NANO else 4
        also = ", and what is left does not pay for another request" if event.refused else ""

        def message(name: str) -> str:
            return (
                f"{facts['spent']:.{digits}f} of {facts['amount']:.{digits}f} {tracker.currency} of {name}'s budget for this "
                f"{budget.period} are spent{also}. It renews on "
                f"{dt_util.as_local(dt_util.utc_from_timestamp(event.period.end)):%Y-%m-%d}."
            )

        await self._deliver(title, message, owner, facts, alerts)

    async def _deliver(
        self, title: str, message: Callable[[str], str], owner: str, facts: Mapping[str, Any], alerts: Mapping[str, Any]
    ) -> None:
        """Send to all that are set up. `message` makes the text from the name of what it is about, `owner`."""

        def data_for(action: str) -> dict[str, Any]:
            # Home Assistant renders persistent notifications as Markdown.
            rendered = action.removeprefix(f"{NOTIFY_DOMAIN}.") == SERVICE_PERSISTENT_NOTIFICATION
            return {"title": title, "message": message(escape(owner) if rendered else owner)}

        sends = [
            self._notify(SERVICE_SEND_MESSAGE, {ATTR_ENTITY_ID: entity, "title": title, "message": message(owner)})
            for entity in alerts.get(CONF_NOTIFY_ENTITIES, ())
        ]
        sends += [self._notify(name, data_for(name)) for name in alerts.get(CONF_NOTIFY_ACTIONS, ())]
        if url := alerts.get(CONF_WEBHOOK_URL):
            sends.append(self._post(url, facts))
        await asyncio.gather(*sends)

    async def _notify(self, action: str, data: dict[str, Any]) -> None:
        name = action.removeprefix(f"{NOTIFY_DOMAIN}.")
        try:
            await self._hass.services.async_call(NOTIFY_DOMAIN, name, data, blocking=True)
        except (HomeAssistantError, vol.Invalid) as err:
            _LOGGER.warning("The alert could not be sent by notify.%s: %s", name, err)
        except Exception:  # a failing notify integration must not stop the other alerts
            _LOGGER.exception("The alert could not be sent by notify.%s", name)

    async def _post(self, url: str, facts: Mapping[str, Any]) -> None:
        """Post to the webhook. Only its host is logged: the URL may contain a secret."""
        try:
            async with async_get_clientsession(self._hass).post(
                url, json=facts, allow_redirects=False, timeout=aiohttp.ClientTimeout(_WEBHOOK_SECONDS)
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as err:
            _LOGGER.warning("The alert could not be posted to %s: %s", URL(url).host, type(err).__name__)
            return
        if status >= 300:
            _LOGGER.warning("The alert was refused by %s with status %d", URL(url).host, status)

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


def is_webhook(text: str) -> bool:
    """Whether the URL is allowed as a webhook: any HTTPS URL, or HTTP to a host on the local network."""
    try:
        url = URL(text)
        host = url.host
    except ValueError:
        return False
    if not host or url.scheme not in ("http", "https"):
        return False
    if url.scheme == "https":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.casefold().rstrip(".").endswith(_HOME_ENDINGS)
    return address.is_private or address.is_link_local
