"""`AccountingStore`: the opened database with all that is kept in it."""

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
from .audit import Act, Audit
from .budgets.budget_store import BudgetStore
from .conversations import messages, sessions
from .conversations.messages import ConversationStore
from .conversations.sessions import SessionTable
from .keys.key_store import KeyStore
from .limits.rate_limits import limits_of
from .storage import loss
from .storage.database import Database, DatabaseError, FileChange
from .storage.leases import RENEW_SECONDS, Leases
from .storage.loss import Loss
from .storage.statements import DELETE_ROWS
from .storage.tables import accounts, buckets, reservations
from .storage.write_queue import WriteQueue
from .usage import export, ledger, rollups
from .usage.export import Format, Rows
from .usage.ledger import COLUMNS, Ledger
from .usage.rollups import FORGOTTEN, Group
from .usage.summary import day_of
from .usage.time_zone import local_zone
from .usage.totals import Totals

_LOGGER = logging.getLogger(__name__)

KEEP_SECONDS = 7 * 86_400.0
REFRESH_SECONDS = 0.75
"""How soon a key that another process revoked is refused here."""
TIDY_SECONDS = 3_600.0
_SHARED_SECONDS = 60.0
"""How old the totals may become of what other gateways write to the same server."""
_PAUSE_SECONDS = 0.1
"""Between two batches of deletions, for those who wait to write."""


class AccountingStore:
    """Keys, records, sums, limits, budgets and sessions. Lives on one event loop, from `open` to `close`."""

    def __init__(self, database: Database, zone: tzinfo, *, keep: float, keep_rollups: float | None, keep_bodies: bool) -> None:
        """`open` is the way in."""
        self._database = database
        self._keep = keep
        self._keep_rollups = keep_rollups
        self._batches = WriteQueue(database)
        self.keys = KeyStore(database, self._batches)
        self.totals = Totals(zone)
        self._totals_read = time.monotonic()
        self.ledger = Ledger(database, self._batches, self.totals)
        self.audit = Audit(database, self._batches)
        self.bodies = ConversationStore(database, self._batches, keep=keep_bodies)
        self.sessions = SessionTable(database, self._batches)
        self._leases = Leases(database) if database.shared else None
        self.budgets = BudgetStore(database, self._batches, zone, self._leases)
        self.limits = limits_of(database, self._batches, self.keys, self._leases)
        self.admission_control = StoreAdmissionControl(self.limits, self.budgets, self._batches)
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
        set_damaged_aside: bool = True,
        known_id: str | None = None,
        used_before: bool = False,
    ) -> AccountingStore:
        """Open the database at `url` (`sqlite:///FILE`, `postgresql://…`, or a file's path), made where there is none.

        `zone` is the home's time zone, by which days are told apart (None: this machine's). `keep` and `keep_rollups` are the
        seconds that records and the sums of days are kept (None: for ever). `keep_bodies`: whether what is asked and answered is
        kept as long as the records; False deletes what was kept of it before, None leaves that. A damaged SQLite file is set
        aside and a new one begun (`loss`), or with `set_damaged_aside` false an error. `known_id` is the `id` of the database
        that was opened there before; with `used_before`, there was one whose id is not known. Raises DatabaseError, saying what
        to do.
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
            made = cls(database, home, keep=keep, keep_rollups=keep_rollups, keep_bodies=keep_bodies is True)
            try:
                await made._load()
                if keep_bodies is False:
                    await database.write(messages.clear)
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
        store._start("budgets", store.budgets.refresh, REFRESH_SECONDS)
        if store._leases is not None:
            store._start("leases", store._leases.upkeep, RENEW_SECONDS)
        store._start("limits", store.limits.buckets.upkeep, TIDY_SECONDS / 60)
        store._start("totals", store._follow, REFRESH_SECONDS)
        store._start("retention", store.tidy, TIDY_SECONDS)
        store._start("file", store._follow_file, REFRESH_SECONDS)
        return store

    @property
    def id(self) -> str:
        """What tells this database from all others, to be remembered for the next `open`."""
        return self._database.id

    @property
    def loss(self) -> Loss | None:
        """What became of a former database that was damaged or is gone, where `open` noticed that."""
        return self._database.loss

    @property
    def loss_unconfirmed(self) -> bool:
        """Whether keys and budgets were lost, now or before, and the owner has not confirmed that yet.

        Backends that cost money answer nobody as long as it is so.
        """
        return self._loss_unconfirmed

    async def confirm_loss(self, *, actor: str = "") -> None:
        """The owner knows that keys and budgets were lost: backends that cost money answer again. Raises DatabaseError."""

        def confirm(connection: Connection) -> None:
            loss.confirm(connection)
            audit.add(connection, Act(time.time(), actor, "database.confirm", ""))

        await self._database.write(confirm)
        self._set_unconfirmed(unconfirmed=False)

    def listen_loss(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever `loss_unconfirmed` is another, through whatever process; returns what ends it."""
        self._loss_listeners.append(callback)
        return lambda: self._loss_listeners.remove(callback)

    @property
    def zone(self) -> tzinfo:
        """The home's time zone. Days and budgets begin at its midnight; those that were written before stay as they are."""
        return self.totals.zone

    @zone.setter
    def zone(self, zone: tzinfo) -> None:
        self.totals.zone = zone
        self.budgets.zone = zone

    async def flush(self) -> None:
        """Write what waits to be written."""
        await self.budgets.accounts.flush()
        await self.limits.flush()
        await self._batches.flush()

    async def tidy(self) -> None:
        """Delete what is older than it is kept, in small batches, and give the room back. Raises DatabaseError."""
        now = time.time()
        await self._by_and_by(partial(ledger.prune, until=now - self._keep))
        await self._by_and_by(partial(messages.prune, until=now - self._keep))
        await self._by_and_by(partial(audit.prune, until=now - audit.KEEP_SECONDS))
        if self._keep_rollups is not None:
            first = day_of(now - self._keep_rollups, self.totals.zone)
            await self._database.write(lambda connection: rollups.prune(connection, first))
        await self._database.write(sessions.prune)
        await self.budgets.tidy()
        await self._repeat(self._database.shrink)

    async def forget(self, *, key_id: str | None = None, user_id: str | None = None, actor: str = "") -> None:
        """Delete everything of a key or of a user, revoking the key or the user's keys.

        What was used stays in the sums, as that of nobody in particular. `actor` is who wants it so. Raises DatabaseError, and
        then it is to be done again.
        """
        if (key_id is None) == (user_id is None):
            raise TypeError("Name either a key or a user to forget")
        whose = [key for key in self.keys if (key.id == key_id if key_id is not None else key.user_id == user_id)]
        for key in whose:
            await self.keys.revoke(key.id, actor=actor)
        subjects = {*(key.id for key in whose), *(name for name in (key_id, user_id) if name is not None)}
        for budget in [budget for budget in self.budgets if budget.subject in subjects]:
            await self.budgets.remove(budget.id, actor=actor)
        await self.flush()

        def unname(connection: Connection) -> None:
            rollups.forget(connection, key_id=key_id, user_id=user_id)
            for subject in subjects:
                audit.forget(connection, subject)
                for name in (buckets.c.name, accounts.c.budget_id, reservations.c.budget_id):  # made of it, among other words
                    connection.execute(delete(name.table).where(name.contains(subject, autoescape=True)))

        await self._database.write(unname)
        await self._by_and_by(partial(ledger.forget, key_id=key_id, user_id=user_id))
        await self._by_and_by(partial(messages.forget, key_id=key_id, user_id=user_id))
        await self.ledger.refresh(self._is_key)
        self.audit.note(actor if actor != user_id else FORGOTTEN, "forget", "key" if key_id is not None else "user")
        await self.flush()

    async def export(
        self, file: Path, start: date, end: date, *, group_by: Sequence[Group] | None = None, written: Format = Format.CSV
    ) -> int:
        """Write what was used from `start` to `end`, both included, to a file; how many rows.

        With `group_by`, one row per group; without, one per request that is still kept. Raises DatabaseError, OSError.
        """
        if group_by is None:
            moments = [datetime.combine(day, datetime.min.time(), self.totals.zone) for day in (start, end + timedelta(days=1))]
            pages = self.ledger.pages(moments[0].timestamp(), moments[1].timestamp())
            return await export.write(file, COLUMNS, pages, written)
        uses = export.use_cells(await self.ledger.use(start, end, group_by))
        columns = list(uses[0]) if uses else export.columns_of_use(group_by)
        return await export.write(file, columns, _one(uses), written)

    async def close(self) -> None:
        """Write what is left and let the database go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        try:
            await self.budgets.accounts.close()
            await self.limits.close()
            await self._batches.close()
        finally:
            await self._database.close()

    def _is_key(self, key_id: str) -> bool:
        return self.keys.get(key_id) is not None

    async def _load(self) -> None:
        """Read what is kept in memory. Raises DatabaseError."""
        try:
            await self.keys.refresh()
            await self.budgets.refresh()
            await self.ledger.refresh(self._is_key)
            await self._read_loss()
        except (ValueError, TypeError) as err:
            message = f"The database {self._database.name} holds what cannot be read ({type(err).__name__})."
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
        """Mend a file that was deleted or replaced, and take over what another copy of the database says."""
        if await self._database.follow_file() is FileChange.REPLACED:
            self.keys.read_again()
            self.budgets.read_again()
            await self._load()
        if self._loss_unconfirmed or self._database.shared:
            await self._read_loss()

    async def _follow(self) -> None:
        """Read the totals again after midnight, and now and then for what others write to the same database."""
        every = _SHARED_SECONDS if self._database.shared else TIDY_SECONDS
        if self.totals.stale or time.monotonic() - self._totals_read >= every:
            self._totals_read = time.monotonic()
            await self.ledger.refresh(self._is_key)

    async def _by_and_by(self, delete: Callable[[Connection], int]) -> None:
        """Delete until little is left to delete, letting others write in between."""

        async def again() -> bool:
            return await self._database.write(delete) >= DELETE_ROWS

        await self._repeat(again)

    async def _repeat(self, step: Callable[[], Awaitable[bool]]) -> None:
        more = await step()
        while more:
            await asyncio.sleep(_PAUSE_SECONDS)
            more = await step()

    def _start(self, name: str, do: Callable[[], Awaitable[None]], every: float) -> None:
        self._tasks.append(asyncio.create_task(self._again(name, do, every), name=f"zeroconf_ai {name}"))

    async def _again(self, name: str, do: Callable[[], Awaitable[None]], every: float) -> None:
        """Do it every so many seconds; a failure is logged once, until it is over."""
        failing = False
        while True:
            await asyncio.sleep(every)
            try:
                await do()
            except DatabaseError as err:
                if not failing:
                    _LOGGER.warning("The database %s cannot be asked (%s): %s", self._database.name, name, err)
                failing = True
            else:
                failing = False


async def _one(page: Rows) -> AsyncIterator[Rows]:
    yield page
