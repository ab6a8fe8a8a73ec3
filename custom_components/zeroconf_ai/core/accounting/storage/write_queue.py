"""Writes that nobody waits for: gathered on the event loop, and written together."""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
import logging
import time

from sqlalchemy import Connection

from .database import Database, DatabaseError

_LOGGER = logging.getLogger(__name__)

FLUSH_SECONDS = 0.5
"""The longest that something waits here: with the write itself, a killed process loses less than the last second."""

type Write = Callable[[Connection], None]


class QueuedWriter(ABC):
    """Gathers what is to be written. Lives on the event loop; holds a bounded number of things."""

    @abstractmethod
    def take(self, *, last: bool) -> Write | None:
        """What to do in the database's thread with all that was gathered, or None where that is nothing.

        `last`: the database is about to be closed, so that what could have waited longer cannot.
        """

    @abstractmethod
    def done(self, *, written: bool, again: bool) -> None:
        """What was taken last was written, or is to be taken `again`, or else is lost."""


class WriteQueue:
    """Has the writers' gatherings written, each in a transaction of its own, at most `FLUSH_SECONDS` after they were told."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writers: list[QueuedWriter] = []
        self._told = asyncio.Event()
        self._closing = asyncio.Event()
        self._writing = asyncio.Lock()
        self._failing = False
        self._unwritten_since: float | None = None
        self._task = asyncio.create_task(self._run(), name="zeroconf_ai database writes")

    def add(self, writer: QueuedWriter) -> None:
        """Take a writer in."""
        self._writers.append(writer)

    def tell(self) -> None:
        """A writer has something."""
        self._told.set()

    @property
    def unwritten_seconds(self) -> float:
        """For how long the database has taken nothing, being full, locked or damaged; 0 while it takes what it is given."""
        return 0.0 if self._unwritten_since is None else time.monotonic() - self._unwritten_since

    async def flush(self) -> None:
        """Write everything now. What cannot be written is kept or dropped, which is logged; nothing is raised."""
        async with self._writing:
            for writer in self._writers:
                await self._write(writer, last=self._closing.is_set())

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Nothing is being written inside the block: what the writers gathered is in the database or still with them."""
        async with self._writing:
            yield

    async def close(self) -> None:
        """Write what is left."""
        self._closing.set()
        self._told.set()
        await self._task

    async def _run(self) -> None:
        while not self._closing.is_set():
            await self._told.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), FLUSH_SECONDS)
            self._told.clear()
            await self.flush()

    async def _write(self, writer: QueuedWriter, *, last: bool) -> None:
        write = writer.take(last=last)
        if write is None:
            return
        written = again = False
        try:
            await self._database.write(write)
            written = True
        except DatabaseError as err:
            again = err.passing
            self._failed(err)
        except asyncio.CancelledError:
            written = True  # the database does it to the end all the same
            raise
        except Exception:  # whatever one writer made of its things, the next ones are to be written
            _LOGGER.exception("A batch of records could not be written and is lost")
        finally:
            writer.done(written=written, again=again)
        if written:
            self._unwritten_since = None
        if written and self._failing:
            self._failing = False
            _LOGGER.info("The database %s is written to again", self._database.name)

    def _failed(self, error: DatabaseError) -> None:
        if error.passing:
            self._told.set()
        if self._unwritten_since is None and (error.passing or error.damage):  # else the batch itself is at fault
            self._unwritten_since = time.monotonic()
        if not self._failing:
            self._failing = True
            what = "it is tried again" if error.passing else "records are lost"
            _LOGGER.warning("The database %s cannot be written to: %s; %s", self._database.name, error, what)
