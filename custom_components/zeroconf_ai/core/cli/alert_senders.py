"""Where the alerts of a command go: mail, webhooks and ntfy."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Self

import aiohttp

from ..alerts.alert import Alert, AlertKind
from ..alerts.dispatcher import AlertDispatcher, Sender
from ..alerts.mail import Mail
from ..alerts.ntfy import Ntfy
from ..alerts.webhook import Webhook, is_webhook
from ..config.alert_fields import NTFY, SmtpSettings, is_mail_address
from .notices import warn

_FINISH_SECONDS = 5.0


class AlertSenders:
    """Makes dispatchers, whose alerts are sent in the background."""

    def __init__(self, session: aiohttp.ClientSession, smtp: SmtpSettings) -> None:
        """`open` is for callers."""
        self._session = session
        self._smtp = smtp
        self._sending: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(cls, stack: AsyncExitStack, smtp: SmtpSettings) -> Self:
        """The senders until `stack` closes, which waits a moment for alerts that are being sent."""
        found = cls(await stack.enter_async_context(aiohttp.ClientSession()), smtp)
        stack.push_async_callback(found._finish)
        return found

    def dispatcher(self, targets: Iterable[str], wanted: Callable[[AlertKind], bool]) -> AlertDispatcher:
        """Sends alerts of the kinds that `wanted` says to mail addresses, URLs of webhooks and topics of ntfy."""
        return AlertDispatcher(partial(_always, self._senders(targets)), wanted, self.run)

    def run(self, sent: Coroutine[Any, Any, Any], name: str) -> None:
        """Run a coroutine in the background."""
        task = asyncio.create_task(sent, name=name)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def _senders(self, targets: Iterable[str]) -> list[Sender]:
        found: list[Sender] = []
        for target in targets:
            if is_mail_address(target):
                found.append(Mail(self._smtp, target))
            elif NTFY.fullmatch(target):
                found.append(Ntfy(self._session, target))
            elif is_webhook(target):
                found.append(Webhook(self._session, target))
            else:
                warn("a webhook of an alert is not used: it must be https://, or http:// to a local host.")
        return found

    async def _finish(self) -> None:
        if self._sending:
            await asyncio.wait(self._sending, timeout=_FINISH_SECONDS)


def _always(senders: list[Sender], _: Alert) -> list[Sender]:
    return senders
