"""`SharedStore`: the accounting store of this Home Assistant, which all config entries share.

It is open while at least one entry is set up, so that the requests of Assist, AI tasks and actions are recorded with and without
a gateway. The gateway adds API keys, limits and budgets. The database is the one in the gateway's options, also while the gateway
is not loaded, else the file in the configuration folder.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
import logging
from typing import override

from homeassistant.const import EVENT_CORE_CONFIG_UPDATE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .. import issues
from ..const import DOMAIN
from ..core.accounting.storage.database import DatabaseError
from ..core.accounting.store import AccountingStore
from ..core.accounting.usage.generation import Generation, Recorder, Recorders
from ..core.accounting.usage.summary import Aggregate
from ..core.accounting.usage.totals import Subject
from ..core.engine import Engine
from ..core.routing.accounting import Accounting
from .database import StoreOptions, async_open_store, async_remove_files, remember_database

_LOGGER = logging.getLogger(__name__)

WAIT_SECONDS = 1.0
"""How long the set-up of a provider waits for the database, so that its sensors do not start as unavailable."""
RETRY_SECONDS = 30.0
"""The pause between two attempts to open the database for the providers. The gateway's set-up is retried by Home Assistant."""


class SharedStore(Recorder):
    """Opens and closes the accounting store, and attaches its ledger to the engine."""

    def __init__(self, hass: HomeAssistant, engine: Engine) -> None:
        """Closed until the first entry is added."""
        self._hass = hass
        self._engine = engine
        self.store: AccountingStore | None = None
        """None while no entry is set up, or the database cannot be opened."""
        self.error: DatabaseError | None = None
        """Why the last attempt to open the database failed; None after a success."""
        self._entries: set[str] = set()
        self._gateways: set[str] = set()
        """Entries that use the store to their very end, when Home Assistant stops."""
        self._options = StoreOptions()
        self._stopping = False
        self._lock = asyncio.Lock()
        self._attempted = asyncio.Event()
        self._opening: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._detach: Callable[[], None] | None = None
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, self._on_core_config)

    @callback
    def add(self, entry_id: str) -> None:
        """Open the store for a provider's entry, in the background: set-up must not wait for a database that does not answer."""
        self._entries.add(entry_id)
        self._start_opening()

    async def wait(self) -> None:
        """Wait for the first attempt to open the store, at most `WAIT_SECONDS`."""
        if self._opening is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(WAIT_SECONDS):
                    await self._attempted.wait()

    async def open(self, entry_id: str) -> AccountingStore:
        """Return the open store for the gateway's entry, opened anew if its options changed. Raises DatabaseError."""
        self._entries.add(entry_id)
        async with self._lock:
            options = StoreOptions.of(self._hass)
            if self.store is not None and self._options != options:
                await self._close()
            store = self.store or await self._open()
            remember_database(self._hass, store, options)
            self._gateways.add(entry_id)
            return store

    async def release(self, entry_id: str) -> None:
        """Close the store unless another entry uses it."""
        self._entries.discard(entry_id)
        self._gateways.discard(entry_id)
        await self._close_if_unused()
        if self._entries:
            self._start_opening()

    async def stop(self) -> None:
        """Home Assistant stops: close the store unless the gateway still uses it, which then releases it."""
        self._stopping = True
        self._entries &= self._gateways
        await self._close_if_unused()

    async def remove(self) -> None:
        """The gateway, or the last entry, was removed: delete the file. Other entries continue with a new one."""
        async with self._lock:
            await self._close()
            await async_remove_files(self._hass)
        if self._entries:
            self._start_opening()
            await self.wait()

    @callback
    def listen(self, backend_id: str, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` when the total of a backend may have changed; returns a function that unsubscribes."""
        listeners = self._listeners.setdefault(backend_id, [])
        listeners.append(listener)
        return lambda: listeners.remove(listener)

    def total(self, backend_id: str) -> Aggregate | None:
        """The ledger's total of a backend; None while the store is not open."""
        return None if self.store is None else self.store.totals.of(Subject.BACKEND, backend_id).total

    @override
    def record(self, generation: Generation) -> None:
        for backend_id in {generation.backend_id, *(attempt.backend_id for attempt in generation.failed_attempts)}:
            for listener in tuple(self._listeners.get(backend_id or "", ())):
                listener()

    def _start_opening(self) -> None:
        is_opening = self._opening is not None and not self._opening.done()
        if self.store is None and not is_opening and not self._stopping:
            self._attempted.clear()
            self._opening = self._hass.async_create_background_task(self._open_in_background(), f"{DOMAIN} open database")

    async def _open_in_background(self) -> None:
        """Try until the store is open."""
        failing = False
        while True:
            try:
                async with self._lock:
                    if self.store is None:
                        await self._open()
                    return
            except DatabaseError as err:
                if not failing:
                    _LOGGER.warning("Usage is not recorded, because the database cannot be opened: %s", err)
                failing = True
            finally:
                self._attempted.set()
            await asyncio.sleep(RETRY_SECONDS)

    async def _open(self) -> AccountingStore:
        options = StoreOptions.of(self._hass)
        try:
            store = await async_open_store(self._hass, options)
        except DatabaseError as err:
            self.error = err
            issues.database_unavailable(self._hass, str(err))
            raise
        try:
            self._detach = await self._engine.attach(Accounting(Recorders(store.ledger, self)))
        except BaseException:
            await store.close()
            raise
        self.store, self.error, self._options = store, None, options
        issues.database_fine(self._hass)
        self._notify_all()
        return store

    async def _close(self) -> None:
        """The lock must be held."""
        store, self.store = self.store, None
        if self._detach is not None:
            self._detach()
            self._detach = None
        if store is not None:
            if self._entries:
                self._notify_all()
            self._closing = asyncio.create_task(store.close(), name=f"{DOMAIN} close database")
        if self._closing is not None:  # Home Assistant cancels an unload when it stops; `stop` then waits here
            await asyncio.shield(self._closing)
            self._closing = None

    async def _close_if_unused(self) -> None:
        if self._entries:
            return
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        async with self._lock:
            if not self._entries:
                self.error = None
                issues.database_fine(self._hass)
                await self._close()

    def _notify_all(self) -> None:
        for listeners in tuple(self._listeners.values()):
            for listener in tuple(listeners):
                listener()

    @callback
    def _on_core_config(self, _: Event) -> None:
        """Days and budget periods begin at midnight in the home's time zone."""
        if self.store is not None:
            self.store.zone = dt_util.get_default_time_zone()


SHARED_STORE: HassKey[SharedStore] = HassKey(f"{DOMAIN}_store")
