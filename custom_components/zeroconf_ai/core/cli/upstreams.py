"""The backends of `zeroconf-ai serve`: from the configuration file, the command line and the network."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
import logging
from pathlib import Path
import signal

import aiohttp
import click

from ..accounting.limits.rate_limits import RateLimiter
from ..config.document import ConfigError
from ..config.members import ConfiguredMembers
from ..config.providers_file import Configuration, quick_config, read_config
from ..engine import Engine
from ..lan.discovery import DiscoveryManager
from ..lan.provider_cache import ProviderCache
from ..lan.trust import TrustStore
from ..presence.discovered_members import DiscoveredMembers
from ..routing.pool.health_loop import HealthLoop
from .network import open_zeroconf
from .state import providers_file, trust_file

_LOGGER = logging.getLogger(__name__)

START_SECONDS = 5.0
"""Maximum time for which the start waits for backends to answer. Later ones are served as soon as they do."""
POLL_SECONDS = 2.0
"""Interval between checks of the configuration file for changes."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources of backends."""

    config: Path | None = None
    quick: tuple[str, ...] = ()
    discovered: bool = False

    def __bool__(self) -> bool:
        """Whether any source is set."""
        return bool(self.config or self.quick or self.discovered)

    def read(self, environment: Mapping[str, str]) -> Configuration:
        """The configured backends, and the rules of the file. Raises ConfigError."""
        named = quick_config(self.quick, environment)
        if self.config is None:
            return Configuration(named)
        taken = [upstream.id for upstream in named]
        read = read_config(_text(self.config), str(self.config), environment, taken)
        return replace(read, upstreams=(*named, *read.upstreams))


class Supply:
    """Keeps an engine supplied with backends, from `start` to `close`."""

    def __init__(
        self,
        engine: Engine,
        sources: Sources,
        environment: Mapping[str, str],
        enforce_limits: Callable[[], Awaitable[None]],
        limits: RateLimiter | None = None,
    ) -> None:
        """`limits` are the rate limits that the file may override.

        `enforce_limits` attaches admission control to the engine, for limits of single backends; raises click.ClickException.

        Raises click.ClickException if the sources are invalid or contain no backend.
        """
        self._engine = engine
        self._enforce_limits = enforce_limits
        self._limits = limits
        self._named = None if limits is None else (limits.per_address, limits.per_user)
        self._sources = sources
        self._environment = environment
        self._seen = _stamp(sources.config)
        try:
            self._wanted = self._read()
        except ConfigError as err:
            raise click.ClickException(str(err)) from None
        if not self._wanted.upstreams and not sources.discovered:
            raise click.ClickException("No provider is enabled. Enable one in the configuration file.")
        self._stack = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None
        self._upstreams: ConfiguredMembers | None = None
        self._reload_requested = asyncio.Event()

    async def start(self) -> None:
        """Add the backends and wait up to `START_SECONDS` for them to answer; then check them, and the file, regularly."""
        await self._enforce_backend_limits(self._wanted)
        if self._sources.config is not None:
            self._listen_for_sighup()
        # The pool knows each backend's limits; aiohttp's own of 100 connections would hold streams back.
        self._session = await self._stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        self._upstreams = ConfiguredMembers(self._engine, self._session)
        self._apply_rules()
        self._stack.push_async_callback(self._engine.close)
        first = asyncio.create_task(self._upstreams.apply(self._wanted.upstreams), name="zeroconf_ai first check")
        self._stack.push_async_callback(_end, first)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(first), START_SECONDS)
        watch = HealthLoop(self._engine.pool, self._engine.checker)
        watch.start()
        self._stack.push_async_callback(watch.close)
        if self._sources.config is not None:
            following = asyncio.create_task(self._follow(self._sources.config), name="zeroconf_ai configuration")
            self._stack.push_async_callback(_end, following)

    async def discover(self, own_id: str, interfaces: Sequence[str]) -> None:
        """Also add discovered providers. If multicast DNS is not available, a message is printed."""
        if not self._sources.discovered or self._session is None:
            return
        try:
            zeroconf = await self._stack.enter_async_context(open_zeroconf(interfaces))
        except click.ClickException as err:
            click.echo(f"Providers are not discovered: {err.message}", err=True)
            return
        manager = DiscoveryManager(zeroconf, trust=TrustStore(trust_file()), own_ids=(own_id,))
        await self._stack.enter_async_context(manager)
        neighbours = DiscoveredMembers(
            self._engine, manager, self._session, await asyncio.to_thread(ProviderCache, providers_file())
        )
        neighbours.start()
        self._stack.push_async_callback(neighbours.close)

    async def close(self) -> None:
        """Stop all tasks and close the engine."""
        await self._stack.aclose()

    def _read(self) -> Configuration:
        """Read the sources. Raises ConfigError."""
        read = self._sources.read(self._environment)
        if self._limits is None and (read.per_address or read.per_user):
            raise ConfigError("`limits:` require --keys (and --auth none). Pass these options, or remove `limits:`.")
        return read

    async def _enforce_backend_limits(self, wanted: Configuration) -> None:
        """Enforce limits of backends also without `--keys`. Raises click.ClickException."""
        if self._engine.admission_control is None and any(upstream.limited for upstream in wanted.upstreams):
            await self._enforce_limits()

    def _apply_rules(self) -> None:
        """Apply the rules of the file, and the limits of the command line where the file sets none."""
        self._engine.policy = self._wanted.policy
        if self._limits is not None and self._named is not None:
            self._limits.per_address = self._wanted.per_address or self._named[0]
            self._limits.per_user = self._wanted.per_user or self._named[1]

    def _listen_for_sighup(self) -> None:
        if (number := getattr(signal, "SIGHUP", None)) is None:
            return  # on Windows
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(number, self._reload_requested.set)
        self._stack.callback(loop.remove_signal_handler, number)

    async def _follow(self, file: Path) -> None:
        """Reload the file after a SIGHUP, and whenever it changes."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._reload_requested.wait()
            asked = self._reload_requested.is_set()
            self._reload_requested.clear()
            now = await asyncio.to_thread(_stamp, file)
            if not asked and now in (self._seen, None):  # editors remove a file for a moment when they save it
                continue
            self._seen = now
            await self._reload()

    async def _reload(self) -> None:
        """Use the current content of the sources; if it is invalid, print the error and keep the former configuration."""
        if self._upstreams is None:
            return
        try:
            wanted = await asyncio.to_thread(self._read)
            await self._enforce_backend_limits(wanted)
        except (ConfigError, click.ClickException) as err:
            click.echo(f"Error: {err} The previous configuration stays in use.", err=True)
            return
        self._wanted = wanted
        _LOGGER.info("Configuration read again: %d providers", len(self._wanted.upstreams))
        self._apply_rules()
        await self._upstreams.apply(self._wanted.upstreams)


def _text(file: Path) -> str:
    """The file's text. Raises ConfigError if it cannot be read or is not UTF-8."""
    try:
        raw = file.read_bytes()
    except OSError as err:
        raise ConfigError(f"{file} cannot be read: {err.strerror}.") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line, column = raw.count(b"\n", 0, err.start) + 1, err.start - raw.rfind(b"\n", 0, err.start)
        raise ConfigError(f"{file}:{line}:{column}: the file is not UTF-8. Save it in this encoding.") from None


def _stamp(file: Path | None) -> tuple[int, int, int] | None:
    """The file's modification time, size and inode, by which a change is noticed; None if there is no file."""
    if file is None:
        return None
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
