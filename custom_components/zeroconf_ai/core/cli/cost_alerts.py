"""The alerts of `serve`: costs of a month, by mail, webhook and ntfy, as its file says."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
import logging
from typing import Any

import aiohttp

from ..accounting.usage.totals import Totals
from ..alerts.alert import Alert, AlertKind
from ..alerts.cost_watch import CostWatch, Told
from ..alerts.dispatcher import AlertDispatcher, Sender
from ..alerts.mail import Mail
from ..alerts.ntfy import Ntfy
from ..alerts.webhook import Webhook, is_webhook
from ..config.alert_fields import NTFY, CostAlert, SmtpSettings, is_mail_address
from ..config.server_fields import UsageSettings
from ..engine import Engine
from ..routing.accounting import Accounting
from . import state
from .notices import warn

_LOGGER = logging.getLogger(__name__)


async def watch_costs(stack: AsyncExitStack, engine: Engine, totals: Totals, usage: UsageSettings) -> None:
    """Send the alerts of a file until `stack` closes. `totals` are filled by recorders that are attached already."""
    if not usage.alerts:
        return
    session = await stack.enter_async_context(aiohttp.ClientSession())
    sending: set[asyncio.Task[Any]] = set()

    def run(sent: Coroutine[Any, Any, Any], name: str) -> None:
        task = asyncio.create_task(sent, name=name)
        sending.add(task)
        task.add_done_callback(sending.discard)

    async def finish() -> None:
        if sending:
            await asyncio.wait(sending, timeout=5.0)

    dispatchers: dict[CostAlert, AlertDispatcher] = {}
    for alert in usage.alerts:
        senders = _senders(alert, session, usage.smtp or SmtpSettings())
        dispatchers[alert] = AlertDispatcher(partial(_always, senders), _is_cost, run)

    def notify(threshold: CostAlert, alert: Alert) -> None:
        _LOGGER.warning("%s", alert.text())
        dispatchers[threshold].notify(alert)

    stack.push_async_callback(finish)
    told = await asyncio.to_thread(state.cost_alerts_told)
    watch = CostWatch(totals, usage.alerts, notify, told=told, remember=partial(_remember, run))
    stack.callback(await engine.attach(Accounting(watch)))
    watch.check()


def _always(senders: list[Sender], _: Alert) -> list[Sender]:
    return senders


def _is_cost(kind: AlertKind) -> bool:
    return kind is AlertKind.COST_THRESHOLD


def _senders(alert: CostAlert, session: aiohttp.ClientSession, smtp: SmtpSettings) -> list[Sender]:
    found: list[Sender] = []
    for target in alert.notify:
        if is_mail_address(target):
            found.append(Mail(smtp, target))
        elif NTFY.fullmatch(target):
            found.append(Ntfy(session, target))
        elif is_webhook(target):
            found.append(Webhook(session, target))
        else:
            warn("a webhook of an alert is not used: it must be https://, or http:// to a local host.")
    return found


def _remember(run: Callable[[Coroutine[Any, Any, Any], str], object], told: Told) -> None:
    plain = {month: sorted(values) for month, values in told.items()}
    run(asyncio.to_thread(state.save_cost_alerts_told, plain), "zeroconf_ai alerts told")
