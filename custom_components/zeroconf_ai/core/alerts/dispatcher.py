"""`AlertDispatcher`: sends each alert once, to all senders, in the background."""

from abc import ABC, abstractmethod
import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
import logging
import time
from typing import Any

from .alert import Alert, AlertKind

_LOGGER = logging.getLogger(__name__)

REPEAT_SECONDS = 600.0
"""An alert of the same kind and subject is not sent again for so long."""
MAX_ALERTS = 30
"""Alerts in `REPEAT_SECONDS`; more are dropped, so that a fault that repeats floods nobody."""
SEND_SECONDS = 30.0
"""How long one sender may take."""


class AlertError(Exception):
    """An alert was not delivered; the message says why, without secrets."""


class Sender(ABC):
    """A way in which alerts reach people or programs."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What people know it by, without secrets: `notify.phone`, or the host of a webhook."""

    @abstractmethod
    async def send(self, alert: Alert) -> None:
        """Deliver an alert. Raises AlertError."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result of one sender. `error`: None if it was delivered."""

    sender: str
    error: str | None


type Run = Callable[[Coroutine[Any, Any, Any], str], object]


class AlertDispatcher:
    """Sends the alerts of the wanted kinds. Used on one event loop."""

    def __init__(
        self,
        senders: Callable[[Alert], Sequence[Sender]],
        wanted: Callable[[AlertKind], bool],
        run: Run,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`senders` are those for an alert; `run` runs a coroutine with a name in the background."""
        self._senders = senders
        self._wanted = wanted
        self._run = run
        self._clock = clock
        self._sent: OrderedDict[tuple[AlertKind, str], float] = OrderedDict()
        """The time of each alert of the last `REPEAT_SECONDS`, the oldest first."""

    def notify(self, alert: Alert) -> bool:
        """Send an alert in the background; returns whether it is sent. Never blocks and never raises."""
        if not self._wanted(alert.kind):
            return False
        now, key = self._clock(), (alert.kind, alert.subject)
        while self._sent and next(iter(self._sent.values())) <= now - REPEAT_SECONDS:
            self._sent.popitem(last=False)
        if key in self._sent:
            return False
        if len(self._sent) >= MAX_ALERTS:
            _LOGGER.warning(
                "More than %d alerts in %d minutes: one is not sent (%s)", MAX_ALERTS, REPEAT_SECONDS / 60, alert.kind
            )
            return False
        self._sent[key] = now
        self._run(self.deliver(alert), f"zeroconf_ai alert {alert.kind}")
        return True

    async def deliver(self, alert: Alert) -> list[Delivery]:
        """Send an alert now, whatever its kind; the results of all senders. Failures are logged."""
        senders = self._senders(alert)
        return list(await asyncio.gather(*(_deliver(sender, alert) for sender in senders)))


async def _deliver(sender: Sender, alert: Alert) -> Delivery:
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await sender.send(alert)
    except AlertError as err:
        _LOGGER.warning("The alert could not be sent by %s: %s", sender.name, err)
        return Delivery(sender.name, str(err))
    except TimeoutError:
        _LOGGER.warning("The alert could not be sent by %s: no answer in %d s", sender.name, SEND_SECONDS)
        return Delivery(sender.name, f"It did not answer in {SEND_SECONDS:.0f} s.")
    except Exception:  # a faulty sender must not stop the others
        _LOGGER.exception("The alert could not be sent by %s", sender.name)
        return Delivery(sender.name, "It failed. The log has the error.")
    return Delivery(sender.name, None)
