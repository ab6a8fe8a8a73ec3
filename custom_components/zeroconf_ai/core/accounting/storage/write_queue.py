"""Queued writes: collected on the event loop and written in batches."""

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
"""The maximum delay of a write, so that a killed process loses less than the last second."""

type Write = Callable[[Connection], None]


class QueuedWriter(ABC):
    """Collects a bounded number of pending changes. Not thread-safe: used on the event loop."""

    @abstractmethod
    def collect(self, *, last: bool) -> Write | None:
        """Return the write of all pending changes, to run in the database thread; None if nothing is pending.

        `last`: the database is about to close, so changes that could wait longer must be written.
        """

    @abstractmethod
    def done(self, *, written: bool, again: bool) -> None:
        """The result of the last collected write: `written`, to be collected `again`, or lost."""


class WriteQueue:
    """Writes the changes of all writers, one transaction each, within `FLUSH_SECONDS` after `request_flush`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writers: list[QueuedWriter] = []
        self._pending = asyncio.Event()
        self._closing = asyncio.Event()
        self._writing = asyncio.Lock()
        self._failing = False
        self._unwritten_since: float | None = None
        self._task = asyncio.create_task(self._run(), name="zeroconf_ai database writes")

    def add(self, writer: QueuedWriter) -> None:
        """Register a writer."""
        self._writers.append(writer)

    def request_flush(self) -> None:
        """Schedule a flush; called by a writer with pending changes."""
        self._pending.set()

    @property
    def unwritten_seconds(self) -> float:
        """How long writes have been failing because the database is full, locked or damaged; 0 while they succeed."""
        return 0.0 if self._unwritten_since is None else time.monotonic() - self._unwritten_since

    async def flush(self) -> None:
        """Write all pending changes now. Failures are logged and not raised; the changes are kept or dropped."""
        async with self._writing:
            for writer in self._writers:
                await self._write(writer, last=self._closing.is_set())

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Hold off writes: inside the block every change is either in the database or pending."""
        async with self._writing:
            yield

    async def close(self) -> None:
        """Write the remaining changes and stop."""
        self._closing.set()
        self._pending.set()
        await self._task

    async def _run(self) -> None:
        while not self._closing.is_set():
            await self._pending.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), FLUSH_SECONDS)
            self._pending.clear()
            await self.flush()

    async def _write(self, writer: QueuedWriter, *, last: bool) -> None:
        write = writer.collect(last=last)
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
            written = True  # the database completes the write anyway
            raise
        except Exception:  # a faulty writer must not stop the others
            _LOGGER.exception("A batch of records could not be written and was lost")
        finally:
            writer.done(written=written, again=again)
        if written:
            self._unwritten_since = None
        if written and self._failing:
            self._failing = False
            _LOGGER.info("Writes to the database %s succeed again", self._database.name)

    def _failed(self, error: DatabaseError) -> None:
        if error.passing:
            self._pending.set()
        if self._unwritten_since is None and (error.passing or error.damage):  # otherwise the batch itself is faulty
            self._unwritten_since = time.monotonic()
        if not self._failing:
            self._failing = True
            what = "the write will be retried" if error.passing else "records were lost"
            _LOGGER.warning("The database %s cannot be written to: %s; %s", self._database.name, error, what)
