"""The alerts of `serve` and `connect`: costs of a month, by mail, webhook and ntfy, as the file says."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
import logging
from typing import Any

from ..accounting.usage.totals import Totals
from ..alerts.alert import Alert, AlertKind
from ..alerts.cost_watch import CostWatch, Told
from ..config.alert_fields import CostAlert, SmtpSettings
from ..config.server_fields import UsageSettings
from ..engine import Engine
from ..routing.accounting import Accounting
from . import state
from .alert_senders import AlertSenders

_LOGGER = logging.getLogger(__name__)


async def watch_costs(stack: AsyncExitStack, engine: Engine, totals: Totals, usage: UsageSettings) -> None:
    """Send the alerts of a file until `stack` closes. `totals` are filled by recorders that are attached already."""
    if not usage.alerts:
        return
    senders = await AlertSenders.open(stack, usage.smtp or SmtpSettings())
    dispatchers = {alert: senders.dispatcher(alert.notify, _is_cost) for alert in usage.alerts}

    def notify(threshold: CostAlert, alert: Alert) -> None:
        _LOGGER.warning("%s", alert.text())
        dispatchers[threshold].notify(alert)

    told = await asyncio.to_thread(state.cost_alerts_told)
    watch = CostWatch(totals, usage.alerts, notify, told=told, remember=partial(_remember, senders.run))
    stack.callback(await engine.attach(Accounting(watch)))
    watch.check()


def _is_cost(kind: AlertKind) -> bool:
    return kind is AlertKind.COST_THRESHOLD


def _remember(run: Callable[[Coroutine[Any, Any, Any], str], object], told: Told) -> None:
    plain = {month: sorted(values) for month, values in told.items()}
    run(asyncio.to_thread(state.save_cost_alerts_told, plain), "zeroconf_ai alerts told")
