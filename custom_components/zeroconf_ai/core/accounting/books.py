"""`Books`: the opened database with all that is kept in it."""

import asyncio
from collections.abc import Awaitable, Callable
import logging
from pathlib import Path
import time
from typing import Self

from . import ledger, sessions
from .batches import Batches
from .database import Database, DatabaseError
from .keys import KeyStore
from .ledger import Ledger
from .rows import DELETE_ROWS
from .sessions import SessionTable

_LOGGER = logging.getLogger(__name__)

KEEP_SECONDS = 7 * 86_400.0
REFRESH_SECONDS = 0.75
"""How soon a key that another process revoked is refused here."""
TIDY_SECONDS = 3_600.0
_PAUSE_SECONDS = 0.1
"""Between two batches of deletions, for those who wait to write."""


class Books:
    """Keys, records and sessions. Lives on one event loop, from `open` to `close`."""

    def __init__(self, database: Database, *, keep: float = KEEP_SECONDS) -> None:
        """`open` is the way in. `keep`: seconds that records are kept."""
        self._database = database
        self._keep = keep
        self._batches = Batches(database)
        self.keys = KeyStore(database, self._batches)
        self.ledger = Ledger(database, self._batches)
        self.sessions = SessionTable(database, self._batches)
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def open(cls, url: str | Path, *, keep: float = KEEP_SECONDS, set_damaged_aside: bool = True) -> Self:
        """Open the database at `url` (`sqlite:///FILE`, `postgresql://…`, or a file's path), made where there is none.

        A damaged SQLite file is set aside and a new one begun (`set_aside`), or with `set_damaged_aside` false an error.
        Raises DatabaseError, saying what to do.
        """
        database = await Database.open(url, set_damaged_aside=set_damaged_aside)
        books = cls(database, keep=keep)
        try:
            await books.keys.refresh()
        except BaseException:
            await books.close()
            raise
        books._start("keys", books.keys.refresh, REFRESH_SECONDS)
        books._start("retention", books.tidy, TIDY_SECONDS)
        return books

    @property
    def set_aside(self) -> Path | None:
        """Where a damaged database was put when this one was opened in its place."""
        return self._database.set_aside

    async def flush(self) -> None:
        """Write what waits to be written."""
        await self._batches.flush()

    async def tidy(self) -> None:
        """Delete what is older than it is kept, in small batches. Raises DatabaseError."""
        until = time.time() - self._keep
        deleted = DELETE_ROWS
        while deleted == DELETE_ROWS:
            deleted = await self._database.write(lambda connection: ledger.prune(connection, until))
            await asyncio.sleep(_PAUSE_SECONDS)
        await self._database.write(sessions.prune)

    async def close(self) -> None:
        """Write what is left and let the database go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        try:
            await self._batches.close()
        finally:
            await self._database.close()

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
