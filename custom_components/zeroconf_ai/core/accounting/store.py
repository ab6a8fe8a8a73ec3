"""`AccountingStore`: the open database with the stores that use it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import date, datetime, timedelta, tzinfo
from functools import partial
import logging
from pathlib import Path
import time

from sqlalchemy import Connection, delete

from . import audit
from .admission_control import StoreAdmissionControl
from .audit import Audit, AuditEvent
from .broker_links import BrokerLinks
from .budgets.budget_store import BudgetStore
from .connectors import ConnectorStore
from .conversations import deletion, sessions
from .conversations.conversation_store import ConversationStore
from .conversations.exchanges import ExchangeStore
from .conversations.image_store import ImageStore
from .conversations.response_store import ResponseStore
from .conversations.sessions import SessionTable
from .keys import labels
from .keys.key_store import KeyStore
from .limits.rate_limits import limits_of
from .periods import local_zone
from .shared_admission import SharedAdmission
from .storage import loss
from .storage.database import Database, DatabaseError, FileChange
from .storage.leases import EXPIRE_SECONDS, Leases
from .storage.loss import Loss
from .storage.statements import DELETE_ROWS
from .storage.tables import accounts, buckets, reservations
from .storage.write_queue import WriteQueue
from .usage import export, ledger, rollups
from .usage.export import Format, Rows
from .usage.ledger import COLUMNS, Ledger
from .usage.opening_balances import OpeningBalances
from .usage.rollups import FORGOTTEN, Group, UsageFilter
from .usage.summary import day_of
from .usage.totals import Totals
from .users.user_store import UserStore

_LOGGER = logging.getLogger(__name__)

KEEP_SECONDS = 7 * 86_400.0
KEEP_CHATS_SECONDS = 90 * 86_400.0
REFRESH_SECONDS = 0.75
"""How soon a key revoked by another process is rejected here."""
TIDY_SECONDS = 3_600.0
_SHARED_SECONDS = 60.0
"""How often the totals are reloaded if other gateways write to the same database."""
_PAUSE_SECONDS = 0.1
"""The pause between two batches of deletions, so that other writers proceed."""


class AccountingStore:
    """Keys, records, sums, limits, budgets and sessions. Used on one event loop, from `open` to `close`."""

    def __init__(
        self,
        database: Database,
        zone: tzinfo,
        clock: Callable[[], float],
        *,
        keep: float,
        keep_rollups: float | None,
        keep_bodies: bool,
        keep_chats: float | None,
        image_folder: Path | None,
    ) -> None:
        """Use `open` instead."""
        self._database = database
        self._keep = keep
        self._keep_chats = keep_chats
        self._keep_rollups = keep_rollups
        self._write_queue = WriteQueue(database)
        self.keys = KeyStore(database, self._write_queue)
        self.users = UserStore(database)
        self.totals = Totals(zone, lambda zone: datetime.fromtimestamp(clock(), zone))
        self._totals_read = time.monotonic()
        self.ledger = Ledger(database, self._write_queue, self.totals)
        self.opening_balances = OpeningBalances(database, self._write_queue)
        self.audit = Audit(database, self._write_queue)
        self.connectors = ConnectorStore(database, self.audit)
        self.broker_links = BrokerLinks(database)
        self.exchanges = ExchangeStore(database, self._write_queue, keep=keep_bodies)
        self.responses = ResponseStore(database, self._write_queue, self.exchanges)
        self.images = ImageStore(database, image_folder)
        self.conversations = ConversationStore(database, self.images)
        self.sessions = SessionTable(database, self._write_queue)
        self._leases = Leases(database) if database.shared else None
        self.budgets = BudgetStore(database, self._write_queue, zone, self._leases, clock=clock)
        self.limits = limits_of(database, self._write_queue, self.keys, self._leases)
        shared = None
        if self._leases is not None and database.is_postgresql:  # dialect spot
            shared = SharedAdmission(database, self._leases, self.limits, self.budgets)
        self.admission_control = StoreAdmissionControl(self.limits, self.budgets, self._write_queue, shared)
        self._tasks: list[asyncio.Task[None]] = []
        self._loss_unconfirmed = False
        self._loss_listeners: list[Callable[[], None]] = []

    @classmethod
    async def open(
        cls,
        url: str | Path,
        *,
        zone: tzinfo | None = None,
        keep: float = KEEP_SECONDS,
        keep_rollups: float | None = None,
        keep_bodies: bool | None = None,
        keep_chats: float | None = KEEP_CHATS_SECONDS,
        image_folder: Path | None = None,
        server_image_folder: Path | None = None,
        set_damaged_aside: bool = True,
        known_id: str | None = None,
        used_before: bool = False,
        clock: Callable[[], float] | None = None,
    ) -> "AccountingStore":
        """Open the database at `url` (`sqlite:///FILE`, `postgresql://…`, or a file path), creating it if missing.

        `zone` is the home's time zone, which defines the days (None: that of this machine). `keep` and `keep_rollups` are the
        retention times of records and daily sums in seconds (None: unlimited). `keep_bodies`: whether to store prompts and
        answers as long as the records; False deletes stored ones, None keeps them. `keep_chats`: for how many seconds after their
        last use the page's chats are kept (None: unlimited). `image_folder`: where their images are (None: in the folder `images`
        beside an SQLite file, and in `server_image_folder` with PostgreSQL). A damaged SQLite file is moved aside and replaced
        by a new one (`loss`), or raises an error without `set_damaged_aside`. `known_id` is the `id` of the database opened there
        before; `used_before`: there was one with an unknown id. `clock` returns seconds since the epoch (None: the system's), by
        which days and budget periods begin. Raises DatabaseError with a message that says what to do.
        """
        home = zone if zone is not None else await asyncio.to_thread(local_zone)

        async def make(*, is_damaged: bool) -> AccountingStore:
            database = await Database.open(
                url,
                set_damaged_aside=set_damaged_aside,
                known_id=known_id,
                used_before=used_before,
                is_damaged=is_damaged,
            )
            made = cls(
                database,
                home,
                clock or _system_clock,
                keep=keep,
                keep_rollups=keep_rollups,
                keep_bodies=keep_bodies is True,
                keep_chats=keep_chats,
                image_folder=image_folder or database.default_folder("images") or server_image_folder,
            )
            try:
                await made._load()
                if keep_bodies is False:
                    await database.write(deletion.clear_exchanges)
            except BaseException:
                await made.close()
                raise
            return made

        try:
            store = await make(is_damaged=False)
        except DatabaseError as err:
            if not (set_damaged_aside and err.damage):
                raise
            store = await make(is_damaged=True)
        store._start("keys", store.keys.refresh, REFRESH_SECONDS)
        store._start("users", store.users.refresh, REFRESH_SECONDS)
        store._start("budgets", store.budgets.refresh, REFRESH_SECONDS)
        if store._leases is not None:
            store._start("leases", store._leases.upkeep, EXPIRE_SECONDS)
        store._start("limits", store.limits.buckets.upkeep, TIDY_SECONDS / 60)
        store._start("totals", store._refresh_totals, REFRESH_SECONDS)
        store._start("retention", store.tidy, TIDY_SECONDS)
        store._start("file", store._follow_file, REFRESH_SECONDS)
        return store

    @property
    def id(self) -> str:
        """The identifier of this database, to pass to the next `open` as `known_id`."""
        return self._database.id

    @property
    def loss(self) -> Loss | None:
        """Set if `open` found the former database damaged or missing."""
        return self._database.loss

    @property
    def loss_unconfirmed(self) -> bool:
        """Whether keys and budgets were lost and the owner has not confirmed the loss.

        Until then, backends that cost money are not used.
        """
        return self._loss_unconfirmed

    async def confirm_loss(self, *, actor: str = "") -> None:
        """Record that the owner knows of the loss, which allows backends that cost money again. Raises DatabaseError."""

        def confirm(connection: Connection) -> None:
            loss.confirm(connection)
            audit.add(connection, AuditEvent(time.time(), actor, "database.confirm", ""))

        await self._database.write(confirm)
        self._set_unconfirmed(unconfirmed=False)

    def listen_loss(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when `loss_unconfirmed` changes, in any process; returns a function that unsubscribes."""
        self._loss_listeners.append(callback)
        return lambda: self._loss_listeners.remove(callback)

    @property
    def zone(self) -> tzinfo:
        """The home's time zone. Days and budget periods begin at its midnight; stored days do not change."""
        return self.totals.zone

    @zone.setter
    def zone(self, zone: tzinfo) -> None:
        self.totals.zone = zone
        self.budgets.zone = zone

    async def flush(self) -> None:
        """Write what waits to be written."""
        await self.budgets.balances.flush()
        await self.limits.flush()
        await self._write_queue.flush()

    async def tidy(self) -> None:
        """Delete expired rows in small batches and return the space to the disk. Raises DatabaseError."""
        now = time.time()
        await self._delete_in_batches(partial(ledger.prune, until=now - self._keep))
        chats_until = None if self._keep_chats is None else now - self._keep_chats
        expired = partial(deletion.prune, until=now - self._keep, chats_until=chats_until, now=now)
        await self._delete_in_batches(expired)
        await self.images.sweep()
        await self._delete_in_batches(partial(audit.prune, until=now - audit.KEEP_SECONDS))
        if self._keep_rollups is not None:
            first = day_of(now - self._keep_rollups, self.totals.zone)
            await self._database.write(lambda connection: rollups.prune(connection, first))
        await self._database.write(labels.prune)
        await self._database.write(sessions.prune)
        await self.users.tidy()
        await self.budgets.tidy()
        await self._repeat(self._database.shrink)

    async def forget(self, *, key_id: str | None = None, user_id: str | None = None, actor: str = "") -> None:
        """Delete all data of a key or a user, and revoke the key or the user's keys.

        The sums keep the usage anonymously. `actor` goes into the audit log. Raises DatabaseError, in which case the call must be
        repeated.
        """
        if (key_id is None) == (user_id is None):
            raise TypeError("Either key_id or user_id is required")
        whose = [key for key in self.keys if (key.id == key_id if key_id is not None else key.user_id == user_id)]
        for key in whose:
            await self.keys.revoke(key.id, actor=actor)
        subjects = {*(key.id for key in whose), *(name for name in (key_id, user_id) if name is not None)}
        for budget in [budget for budget in self.budgets if budget.subject in subjects]:
            await self.budgets.remove(budget.id, actor=actor)
        await self.flush()

        def anonymize(connection: Connection) -> None:
            rollups.forget(connection, key_id=key_id, user_id=user_id)
            for subject in subjects:
                audit.forget(connection, subject)
                labels.forget(connection, subject)
                # These names contain the id. The order is that of admissions, so that no two transactions wait for each other.
                for name in (reservations.c.budget_id, accounts.c.budget_id, buckets.c.name):
                    connection.execute(delete(name.table).where(name.contains(subject, autoescape=True)))

        await self._database.write(anonymize)
        if user_id is not None:
            await self.users.remove(user_id)
        await self._delete_in_batches(partial(ledger.forget, key_id=key_id, user_id=user_id))
        await self._delete_in_batches(partial(deletion.forget, key_id=key_id, user_id=user_id))
        await self.images.sweep()
        await self.ledger.refresh(self._is_key)
        self.audit.record(actor if actor != user_id else FORGOTTEN, "forget", "key" if key_id is not None else "user")
        await self.flush()

    async def export(
        self,
        file: Path,
        start: date,
        end: date,
        *,
        group_by: Sequence[Group] | None = None,
        label: str | None = None,
        written: Format = Format.CSV,
    ) -> int:
        """Export the usage from `start` to `end`, inclusive, to a file; returns the number of rows.

        With `group_by`, one row per group, of keys with a `label` only if it is set; without, one per stored request. Raises
        DatabaseError, OSError.
        """
        if group_by is None:
            moments = [datetime.combine(day, datetime.min.time(), self.totals.zone) for day in (start, end + timedelta(days=1))]
            pages = self.ledger.pages(moments[0].timestamp(), moments[1].timestamp())
            return await export.write(file, COLUMNS, pages, written)
        uses = export.usage_cells(await self.ledger.usage(start, end, group_by, only=UsageFilter(label=label)))
        columns = list(uses[0]) if uses else export.usage_columns(group_by)
        return await export.write(file, columns, _single_page(uses), written)

    async def close(self) -> None:
        """Write pending changes and close the database."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        try:
            await self.budgets.balances.close()
            await self.limits.close()
            await self._write_queue.close()
        finally:
            await self._database.close()

    def _is_key(self, key_id: str) -> bool:
        return self.keys.get(key_id) is not None

    async def _load(self) -> None:
        """Load the data that is cached in memory. Raises DatabaseError."""
        try:
            await self.keys.refresh()
            await self.users.refresh()
            await self.budgets.refresh()
            await self.ledger.refresh(self._is_key)
            await self.opening_balances.load()
            await self._read_loss()
        except (ValueError, TypeError) as err:
            message = f"The database {self._database.name} contains invalid data ({type(err).__name__})."
            raise DatabaseError(message, damage=not self._database.shared) from None

    async def _read_loss(self) -> None:
        self._set_unconfirmed(unconfirmed=await self._database.read(loss.is_unconfirmed))

    def _set_unconfirmed(self, *, unconfirmed: bool) -> None:
        self.admission_control.loss_unconfirmed = unconfirmed
        if unconfirmed != self._loss_unconfirmed:
            self._loss_unconfirmed = unconfirmed
            for listener in tuple(self._loss_listeners):
                listener()

    async def _follow_file(self) -> None:
        """Repair a deleted or replaced file, and reload everything if another copy of the database is used."""
        if await self._database.follow_file() is FileChange.REPLACED:
            self.keys.invalidate()
            self.users.invalidate()
            self.budgets.invalidate()
            await self._load()
        if self._loss_unconfirmed or self._database.shared:
            await self._read_loss()

    async def _refresh_totals(self) -> None:
        """Reload the totals after midnight, and regularly for changes by other gateways."""
        every = _SHARED_SECONDS if self._database.shared else TIDY_SECONDS
        if self.totals.stale or time.monotonic() - self._totals_read >= every:
            self._totals_read = time.monotonic()
            await self.ledger.refresh(self._is_key)

    async def _delete_in_batches(self, delete: Callable[[Connection], int]) -> None:
        """Delete in batches, with pauses for other writers, until less than a batch remains."""

        async def delete_batch() -> bool:
            return await self._database.write(delete) >= DELETE_ROWS

        await self._repeat(delete_batch)

    async def _repeat(self, step: Callable[[], Awaitable[bool]]) -> None:
        more = await step()
        while more:
            await asyncio.sleep(_PAUSE_SECONDS)
            more = await step()

    def _start(self, name: str, do: Callable[[], Awaitable[None]], every: float) -> None:
        self._tasks.append(asyncio.create_task(self._run_periodically(name, do, every), name=f"zeroconf_ai {name}"))

    async def _run_periodically(self, name: str, do: Callable[[], Awaitable[None]], every: float) -> None:
        """Call `do` every `every` seconds; a failure is logged once until the next success."""
        failing = False
        while True:
            await asyncio.sleep(every)
            try:
                await do()
            except DatabaseError as err:
                if not failing:
                    _LOGGER.warning("The database %s cannot be read or written (%s): %s", self._database.name, name, err)
                failing = True
            else:
                failing = False


def _system_clock() -> float:
    return time.time()


async def _single_page(page: Rows) -> AsyncIterator[Rows]:
    yield page
