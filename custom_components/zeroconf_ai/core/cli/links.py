"""What a connector offers under its rules, and its links to the houses."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
import logging
from typing import Any, Self, override

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
import orjson

from ..accounting.overall_limits import OverallLimits
from ..alerts.alert import LINK_KINDS, Alert, link_alert, link_restored_alert
from ..alerts.dispatcher import AlertDispatcher
from ..config.alert_fields import SmtpSettings
from ..config.connector_fields import ConnectorRules
from ..presence.advertised_record import AdvertisedRecord, describe_engine
from ..protocol.record import ServiceRecord
from ..relay.connector import Connector, Listener
from ..relay.link_metrics import LinkCollector
from ..relay.paired_houses import PairedHouse
from ..relay.relayed_requests import RelayedRequests
from ..routing.accounting import Accounting
from ..server.access.relayed import RelayedAccess
from ..server.endpoints.models import listed
from ..server.gateway import Gateway
from ..server.in_process import InProcess
from ..version import __version__
from . import paired
from .alert_senders import AlertSenders
from .errors import CommandError
from .notices import notice

_LOGGER = logging.getLogger(__name__)
_MOST_MODELS = 1000
_MODEL_BYTES = 48 * 1024
"""Maximum size of the list of models in a `hello`, whose JSON has at most 64 KiB."""


class Offering:
    """The models of an engine under the rules of a connector."""

    def __init__(self, gateway: Gateway, access: RelayedAccess, rules: ConnectorRules) -> None:
        """`begin` is for callers."""
        self.limits = OverallLimits(rules.rates)
        self.rules = rules
        self.gateway = gateway
        self.changed: Callable[[], None] = lambda: None
        """Called when other rules apply."""
        self._access = access
        self.apply(rules)

    @classmethod
    async def begin(cls, stack: AsyncExitStack, gateway: Gateway, access: RelayedAccess, rules: ConnectorRules) -> Self:
        """Apply the rules to a gateway whose access is `access`, until `stack` closes."""
        found = cls(gateway, access, rules)
        stack.callback(await gateway.engine.attach(Accounting(overall=found.limits)))
        return found

    def apply(self, rules: ConnectorRules) -> None:
        """Use other rules from now on. Running requests go on."""
        self.rules = rules
        self._access.models = rules.models
        self.gateway.opening = rules.hours
        self.gateway.engine.limiter.limit = rules.rates.parallel
        self.limits.limiter.overall = rules.rates
        self.changed()

    def models(self) -> list[str]:
        """The ids of the models that a house may use now."""
        return [str(model["id"]) for model in listed(self.gateway.engine, self.rules.models) if not model.get("virtual")]

    def hello(self) -> Mapping[str, Any]:
        """What a connector says of itself."""
        record = describe_engine(self.base_record, self.gateway.engine)
        rates = self.rules.rates
        limits = {
            "parallel": rates.parallel,
            "requests_per_minute": rates.requests_per_minute,
            "tokens_per_minute": rates.tokens_per_minute,
            "hours": [str(one) for one in self.rules.hours.ranges] or None,
        }
        return {
            "id": self.gateway.id,
            "name": self.gateway.name,
            "version": __version__,
            "models": _fitting(self.models()),
            "capabilities": sorted(capability.value for capability in record.capabilities),
            "limits": {name: value for name, value in limits.items() if value is not None},
        }

    @property
    def base_record(self) -> ServiceRecord:
        """The record of the connector without its models."""
        return ServiceRecord(name=self.gateway.name, host="connector.invalid.", port=1, id=self.gateway.id)


class Links(Listener):
    """The connectors to all houses, and what their owner is told."""

    def __init__(self, requests: RelayedRequests, offering: Offering, senders: AlertSenders) -> None:
        """`open` is for callers."""
        self._requests = requests
        self._offering = offering
        self._senders = senders
        self._told = offering.rules.notify
        self._alerts = self._dispatcher()
        self._connectors: list[Connector] = []
        self.collector = LinkCollector(self._connectors)

    @classmethod
    async def open(cls, stack: AsyncExitStack, server: InProcess, offering: Offering, smtp: SmtpSettings | None) -> Self:
        """The links until `stack` closes."""
        senders = await AlertSenders.open(stack, smtp or SmtpSettings())
        found = cls(RelayedRequests(server), offering, senders)
        offering.changed = found._rules_changed
        engine = offering.gateway.engine
        described = AdvertisedRecord(offering.base_record, engine, lambda _: found.say_hello())
        described.start()
        stack.callback(described.close)
        stack.push_async_callback(found._stop)
        return found

    def start(self, session: aiohttp.ClientSession, house: PairedHouse, key: Ed25519PrivateKey) -> None:
        """Connect to a house, and keep the link."""
        connector = Connector(session, house, key, self._requests.answer, self._offering.hello, self)
        self._connectors.append(connector)
        connector.start()

    @property
    def any_open(self) -> bool:
        """Whether a house can send requests."""
        return any(connector.is_open for connector in self._connectors)

    def say_hello(self) -> None:
        """Tell all houses what is offered now."""
        for connector in self._connectors:
            connector.say_hello()

    async def drain(self, seconds: float) -> None:
        """Take no more requests, and wait for the running ones, at most `seconds`."""
        await asyncio.gather(*(connector.drain(seconds) for connector in self._connectors))

    async def _stop(self) -> None:
        await asyncio.gather(*(connector.stop() for connector in self._connectors))

    def _rules_changed(self) -> None:
        if self._told != self._offering.rules.notify:
            self._told = self._offering.rules.notify
            self._alerts = self._dispatcher()
        self.say_hello()

    def _dispatcher(self) -> AlertDispatcher:
        return self._senders.dispatcher(self._told, lambda kind: kind in LINK_KINDS)

    @override
    def house_changed(self, house: PairedHouse) -> None:
        self._senders.run(asyncio.to_thread(_store, house), "zeroconf_ai paired house")

    @override
    def link_opened(self, house: PairedHouse) -> None:
        notice(f'Connected to "{house.name}"')

    @override
    def link_closed(self, house: PairedHouse, reason: str) -> None:
        notice(f'The link to "{house.name}" has ended: {reason}')

    @override
    def link_failing(self, house: PairedHouse, reason: str, attempts: int) -> None:
        self._tell(link_alert(house.id, house.name, reason, attempts), logging.ERROR)

    @override
    def link_steady(self, house: PairedHouse) -> None:
        self._tell(link_restored_alert(house.id, house.name), logging.INFO)

    def _tell(self, alert: Alert, level: int) -> None:
        notice(alert.text(), level)
        self._alerts.notify(alert)


def _fitting(models: list[str]) -> list[str]:
    """As many models as fit into a frame; `/v1/models` has all of them."""
    found, size = [], 0
    for model in models[:_MOST_MODELS]:
        size += len(orjson.dumps(model)) + 1
        if size > _MODEL_BYTES:
            break
        found.append(model)
    return found


def _store(house: PairedHouse) -> None:
    """Store what has changed of a house. Without it, the next start finds it out again."""
    try:
        paired.update(house)
    except CommandError as err:
        _LOGGER.warning("%s", err)
