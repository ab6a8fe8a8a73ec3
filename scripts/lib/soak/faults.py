"""What goes wrong meanwhile: each fault begins, lasts a while and is mended."""

import asyncio
from collections.abc import Awaitable, Callable
import os
from pathlib import Path
import random
import sqlite3

from devhome.namespaces import Host, Lan
from devhome.provider import DemoProvider

FAKE_TIME = "faketime/libfaketime.so.1"
"""The library of the Debian package libfaketime, below the folder of the architecture's libraries."""
MAX_STEP = 2 * 86400
"""Seconds by which the clock is stepped at most, forward or back."""


class FakeClock:
    """The wall clock of the programs that start with `environment`: the machine's, moved by `step`. Other clocks are true."""

    def __init__(self, file: Path) -> None:
        """`file` tells the programs the offset."""
        self._file = file
        self.step(0)

    def step(self, seconds: int) -> None:
        """Set the clock to the machine's plus `seconds`, within a second."""
        self._file.write_text(f"{seconds:+d}")

    def environment(self, folder: Path = Path("/usr/lib")) -> dict[str, str]:
        """The variables that put a program under this clock. Raises FileNotFoundError without the library."""
        found = next(iter(sorted(folder.glob(f"*/{FAKE_TIME}"))), None)
        if found is None:
            raise FileNotFoundError("libfaketime is not installed")
        return {
            "LD_PRELOAD": str(found),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


type Fault = Callable[[], Awaitable[None]]


class Faults:
    """The faults, one at a time in random order, from `run` until it is cancelled. All are mended at the end."""

    def __init__(
        self, lan: Lan, providers: list[tuple[DemoProvider, Host]], clock: FakeClock | None, config: Path, chance: random.Random
    ) -> None:
        """`clock`: None leaves the clock alone. `config` is Home Assistant's configuration folder, on a disk of its own."""
        self._lan = lan
        self._providers = providers
        self._clock = clock
        self._config = config
        self._chance = chance
        self.happened: list[str] = []
        """What happened, once for each time."""

    async def run(self) -> None:
        """One fault after the other, until it is cancelled; each kind once before any is repeated."""
        kinds: list[Fault] = [self.kill, self.restart, self.cut, self.fill_disk, self.lock_database]
        if self._clock is not None:
            kinds.append(self.step_clock)
        while True:
            for fault in self._chance.sample(kinds, len(kinds)):
                await fault()
                await asyncio.sleep(self._chance.uniform(1, 4))

    async def kill(self) -> None:
        """A provider ends at once, as in a power cut, and starts again."""
        provider, _ = self._any()
        self.happened.append("a provider was killed")
        provider.kill()
        try:
            await self._a_while()
        finally:
            await asyncio.shield(provider.start())

    async def restart(self) -> None:
        """A provider stops with a goodbye, and starts again."""
        provider, _ = self._any()
        self.happened.append("a provider was restarted")
        await provider.stop()
        await asyncio.shield(provider.start())

    async def cut(self) -> None:
        """A provider's network cable is pulled, and put in again."""
        _, host = self._any()
        self.happened.append("a network cable was pulled")
        self._lan.unplug(host)
        try:
            await self._a_while()
        finally:
            self._lan.plug(host)

    async def step_clock(self) -> None:
        """Home Assistant's clock is wrong, and right again."""
        assert self._clock is not None
        self.happened.append("the clock was stepped")
        self._clock.step(self._chance.randint(-MAX_STEP, MAX_STEP))
        try:
            await self._a_while()
        finally:
            self._clock.step(0)

    async def fill_disk(self) -> None:
        """No byte can be written to Home Assistant's disk, until there is room again."""
        self.happened.append("the disk was full")
        filling = self._config / "filling"
        try:
            await asyncio.to_thread(_fill, filling)
            await self._a_while()
        finally:
            filling.unlink(missing_ok=True)

    async def lock_database(self) -> None:
        """Another program holds the lock of the database of usage."""
        self.happened.append("the database was locked")
        connection = sqlite3.connect(self._config / "zeroconf_ai.db", timeout=30, isolation_level=None)
        try:
            connection.execute("BEGIN EXCLUSIVE")
            await self._a_while()
        finally:
            connection.close()

    def _any(self) -> tuple[DemoProvider, Host]:
        return self._chance.choice(self._providers)

    async def _a_while(self) -> None:
        await asyncio.sleep(self._chance.uniform(2, 10))


def _fill(path: Path) -> None:
    """Write to a file until its disk is full."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 20)):
                pass
        except OSError:
            os.fsync(file.fileno())
