"""The options of `serve` for access and limits, and the guard and the accounting store that they configure."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
import logging
from typing import Any

import aiohttp
import click
from click.core import ParameterSource

from ..accounting.admission import RateLimits
from ..accounting.keys.client_key import LARGEST_RATE
from ..accounting.periods import local_zone
from ..accounting.storage.database import DatabaseError, address_digest
from ..accounting.store import KEEP_CHATS_SECONDS, AccountingStore
from ..accounting.usage.generation import Recorders
from ..accounting.usage.influx import InfluxTarget, InfluxWriter
from ..accounting.usage.totals import Totals
from ..engine import Engine
from ..lan.neighbours import is_supported
from ..protocol.record import Auth
from ..routing.accounting import Accounting
from ..server.access.devices import AllowedDevices
from ..server.access.guard import PRIVATE_NETWORKS, Guard
from ..server.access.household import HouseholdTokens
from ..server.metrics import Metrics
from ..server.portal.policy import PortalPolicy
from . import state
from .access_types import Mac, Network, Origin
from .databases import database_option
from .errors import CommandError
from .notices import notice

_DAY = 86_400.0
_CHATS_DAYS = round(KEEP_CHATS_SECONDS / _DAY)
_MAX_DAYS = 3650
FIRST_KEY = "First key"
"""The name of the API key that is made for a new database."""


def options[F: Callable[..., Any]](function: F) -> F:
    """Add the options whose values are the fields of `Admission`."""
    rate = click.IntRange(1, LARGEST_RATE)
    for option in reversed(
        (
            click.option("--key", envvar="ZEROCONF_AI_KEY", help="Require this API key. ZEROCONF_AI_KEY hides it from `ps`."),
            click.option(
                "--keys",
                is_flag=True,
                help="Require an API key of `zeroconf-ai keys`, and record every request. The default without --key and --open.",
            ),
            database_option,
            click.option(
                "--auth",
                type=click.Choice([Auth.TOKEN.value, Auth.NONE.value, Auth.MTLS.value]),
                help="With none, API keys are accepted but not required; with mtls (and --tls), only client certificates of "
                "`zeroconf-ai clients` are accepted.  [default: token; none with --demo]",
            ),
            click.option(
                "--open", is_flag=True, help="Require no API key: everybody on the allowed networks can use all models."
            ),
            click.option(
                "--allow-network",
                "networks",
                multiple=True,
                type=Network(),
                metavar="CIDR",
                help="Allow this network without an API key. Repeatable.  [default: private networks]",
            ),
            click.option(
                "--allow-mac",
                "macs",
                multiple=True,
                type=Mac(),
                metavar="MAC",
                help="Without an API key, allow devices with these MAC addresses only, on Linux. A convenience and no security: "
                "a device can take another one. Repeatable.",
            ),
            click.option(
                "--host-name",
                "host_names",
                multiple=True,
                metavar="NAME",
                help="Also allow this public host name of the server without an API key. Repeatable.",
            ),
            click.option(
                "--trusted-proxy",
                "proxies",
                multiple=True,
                type=Network(),
                metavar="CIDR",
                help="Believe the client addresses (X-Forwarded-For) of proxies in this network. Repeatable.  [default: none]",
            ),
            click.option(
                "--cors-origin",
                "origins",
                multiple=True,
                type=Origin(),
                metavar="ORIGIN",
                help="Allow web pages of this origin (https://chat.example.net, or *). Repeatable.",
            ),
            *(
                click.option(
                    f"--{scope}-{unit}-per-minute",
                    type=rate,
                    metavar="N",
                    help=f"With --keys: maximum {unit} per minute of each {words}.",
                )
                for scope, words in (("address", "address without an API key"), ("user", "user"))
                for unit in ("requests", "tokens")
            ),
            click.option(
                "--address-parallel",
                type=rate,
                metavar="N",
                help="With --keys: maximum concurrent requests of each address without an API key.",
            ),
            click.option(
                "--keep-chats-days",
                type=click.IntRange(1, _MAX_DAYS),
                metavar="N",
                help=f"With --keys: keep the page's conversations for N days after their last use.  [default: {_CHATS_DAYS}]",
            ),
            click.option(
                "--keep-bodies",
                is_flag=True,
                help="With --keys: store prompts and answers as long as the records. Without it, stored ones are deleted.",
            ),
        )
    ):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The access options of the command line. Raises click.UsageError for options that cannot be combined."""

    key: str | None = field(default=None, repr=False)
    keys: bool = False
    database: str | None = field(default=None, repr=False)
    auth: str | None = None
    open: bool = False
    networks: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    host_names: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    address_requests_per_minute: int | None = None
    address_tokens_per_minute: int | None = None
    address_parallel: int | None = None
    user_requests_per_minute: int | None = None
    user_tokens_per_minute: int | None = None
    keep_bodies: bool = False
    keep_chats_days: int | None = None
    demo: bool = False
    """Whether only the built-in model is served, which costs nothing and reaches nothing: it needs no API key."""
    file_auth: Auth | None = None
    """The mode of the configuration file; options go first."""
    tracking: bool | None = None
    """Whether the configuration file records requests; None: with API keys of the database."""

    def __post_init__(self) -> None:
        """Reject options that cannot be combined."""
        if self.open and self.auth in (Auth.TOKEN, Auth.MTLS):
            raise click.UsageError(f"--open means --auth none. Remove --open, or --auth {self.auth}.")
        if self.mode is Auth.MTLS and self.key:
            raise click.UsageError("With --auth mtls, no API key is accepted. Remove --key, or --auth mtls.")
        if self.macs and self.mode is not Auth.NONE:
            raise click.UsageError("--allow-mac is for requests without an API key. Add --open, or remove it.")
        if self.macs and not is_supported():
            raise click.UsageError("--allow-mac works on Linux only: other systems tell no MAC addresses. Use --allow-network.")
        context = click.get_current_context(silent=True)
        named = context is not None and context.get_parameter_source("database") is ParameterSource.COMMANDLINE
        if named and not self.has_store:
            raise click.UsageError("--database requires --keys. Pass --keys, or remove --database.")
        if (self.per_address or self.per_user) and not self.has_store:
            raise click.UsageError("Limits of addresses and users require --keys (and --auth none).")
        if self.keep_bodies and not self.has_store:
            raise click.UsageError("--keep-bodies requires --keys (and --auth none).")
        if self.keep_chats_days is not None and not self.has_store:
            raise click.UsageError("--keep-chats-days requires --keys.")

    @property
    def has_store(self) -> bool:
        """Whether the database of API keys is used."""
        return self.keys or bool(self.tracking) or (self.mode is not Auth.NONE and not self.key)

    @property
    def records(self) -> bool:
        """Whether requests are recorded in the database."""
        return self.has_store and self.tracking is not False

    @property
    def per_address(self) -> RateLimits:
        """The rate limits of each address that sends no API key."""
        return RateLimits(self.address_requests_per_minute, self.address_tokens_per_minute, self.address_parallel)

    @property
    def per_user(self) -> RateLimits:
        """The rate limits of each user."""
        return RateLimits(self.user_requests_per_minute, self.user_tokens_per_minute)

    @property
    def mode(self) -> Auth:
        """How clients must authenticate."""
        if self.auth is not None:
            return Auth(self.auth)
        if self.open:
            return Auth.NONE
        if self.file_auth is not None:
            return self.file_auth
        return Auth.NONE if self.demo and not (self.key or self.keys) else Auth.TOKEN

    async def open_store(self, stack: AsyncExitStack) -> AccountingStore | None:
        """Open the accounting store; None if none is used. Raises click.ClickException if it cannot be opened."""
        if not self.has_store:
            return None
        days = _CHATS_DAYS if self.keep_chats_days is None else self.keep_chats_days
        store = await self._open(stack, keep_bodies=self.keep_bodies, keep_chats=days * _DAY)
        store.limits.per_address, store.limits.per_user = self.per_address, self.per_user
        if store.loss_unconfirmed:
            notice(_lost(store, self.database), logging.ERROR)
        return store

    async def make_first_key(self, store: AccountingStore | None) -> str | None:
        """Create the first API key of a new database if clients need one, and return its secret; None otherwise.

        A database that was lost gets none: its owner creates the keys again, and confirms the loss.
        """
        if store is None or self.mode is not Auth.TOKEN or self.key or len(store.keys) or store.loss_unconfirmed:
            return None
        _, secret = await store.keys.create(FIRST_KEY, actor="serve")
        return secret

    async def enforce_limits(self, stack: AsyncExitStack, engine: Engine) -> None:
        """Enforce the limits of single backends without `--keys`. The database then stores only their monthly costs.

        Raises click.ClickException if the database cannot be opened.
        """
        store = await self._open(stack, keep_bodies=None, keep_chats=None)
        if store.loss_unconfirmed:
            notice(_lost(store, self.database), logging.ERROR)
        stack.callback(await engine.attach(Accounting(admission_control=store.admission_control)))

    async def _open(self, stack: AsyncExitStack, *, keep_bodies: bool | None, keep_chats: float | None) -> AccountingStore:
        where = self.database or str(state.database_file())
        try:
            address = address_digest(where)
            store = await AccountingStore.open(
                where,
                keep_bodies=keep_bodies,
                keep_chats=keep_chats,
                server_image_folder=state.image_folder(),
                known_id=state.known_databases().get(address),
            )
        except DatabaseError as err:
            raise CommandError(str(err), kind="database_failed") from None
        stack.push_async_callback(store.close)
        state.remember_database(address, store.id)
        return store

    def guard(
        self,
        store: AccountingStore | None,
        household: HouseholdTokens | None = None,
        portal: PortalPolicy | None = None,
    ) -> Guard:
        """The guard that checks the API key and the network of every request. `household`: its tokens are accepted too.

        `portal` decides whether the keys of its users count.
        """
        return Guard(
            store.keys if store is not None else None,
            mode=self.mode,
            key=self.key or None,
            networks=self.networks or PRIVATE_NETWORKS,
            host_names=self.host_names,
            origins=self.origins,
            proxies=self.proxies,
            household=household,
            active_user=None if portal is None else portal.is_active,
            blocked_user=None if store is None else store.users.is_blocked,
            devices=AllowedDevices(self.macs),
        )

    def open_guard(self) -> Guard:
        """A guard for what tells nothing of requests and keys: it requires no key, and allows the same networks and names."""
        return Guard(
            mode=Auth.NONE,
            networks=self.networks or PRIVATE_NETWORKS,
            host_names=self.host_names,
            devices=AllowedDevices(self.macs),
        )


def _lost(store: AccountingStore, database: str | None) -> str:
    """The message to the owner after API keys and budgets were lost."""
    command = "zeroconf-ai keys confirm-loss" + (" --database …" if database is not None else "")
    return (
        f"The database was damaged or is missing, with its keys and budgets. The new one has {len(store.keys)} API keys and "
        f"{len(store.budgets)} budgets. Metered backends answer no request until you confirm this: create the missing API "
        f"keys and budgets, then run {command}"
    )


async def record_requests(
    stack: AsyncExitStack, engine: Engine, store: AccountingStore | None, *, records: bool = True
) -> tuple[Metrics, Totals]:
    """Record the engine's requests in the metrics and totals, and with `records` in the accounting store if there is one.

    Otherwise, the totals are in memory and begin at 0; limits and budgets of an accounting store hold all the same.
    """
    metrics = Metrics(engine.pool, engine.limiter)
    stack.callback(metrics.close)
    if store is None or not records:
        totals = Totals(await asyncio.to_thread(local_zone))
        control = None if store is None else store.admission_control
        stack.callback(await engine.attach(Accounting(Recorders(totals, metrics), admission_control=control)))
        return metrics, totals
    stack.callback(await engine.attach(Accounting.of(store, metrics)))
    metrics.watch_budgets(lambda: [store.budgets.state(budget.id) for budget in store.budgets])
    return metrics, store.totals


async def write_to_influx(stack: AsyncExitStack, engine: Engine, target: InfluxTarget) -> None:
    """Also write the usage of the engine's requests to InfluxDB, until `stack` closes."""
    session = await stack.enter_async_context(aiohttp.ClientSession())
    writer = InfluxWriter(session, target)
    writer.start()
    stack.push_async_callback(writer.close)
    stack.callback(await engine.attach(Accounting(writer)))
