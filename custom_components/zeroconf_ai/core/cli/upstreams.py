"""The backends of `zeroconf-ai serve`: from the configuration file, the command line and the network."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
import logging
from pathlib import Path
import signal
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
import click

from ..accounting.limits.rate_limits import RateLimiter
from ..backends.recorder import Recorder
from ..config.backend_config import BackendConfig
from ..config.backend_types import BACKEND_TYPES
from ..config.document import ConfigError
from ..config.members import ConfiguredMembers
from ..config.providers_file import Configuration, quick_config, read_config
from ..engine import Engine
from ..lan.discovery import DiscoveryManager
from ..lan.provider_cache import ProviderCache
from ..lan.trust import TrustStore
from ..presence import local_engines
from ..presence.discovered_members import DiscoveredMembers
from ..presence.household_access import HouseholdAccess
from ..presence.local_engines import HOST, LocalEngines, backend_of, url_of
from ..presence.server_kinds import LOCAL_KINDS
from ..protocol.record import Cost
from ..routing.pool.health_loop import HealthLoop
from .errors import CommandError
from .native_types import NativeTypes
from .network import open_zeroconf
from .notices import notice, warn
from .progress import progress
from .state import enrolments_folder, providers_file, trust_file

if TYPE_CHECKING:
    from ..backends.enrolments import Enrolment
    from ..presence.own_certificates import OwnCertificates

_LOGGER = logging.getLogger(__name__)
_MAX_FILE_BYTES = 4 * 1024 * 1024

START_SECONDS = 5.0
"""Maximum time for which the start waits for backends to answer. Later ones are served as soon as they do."""
POLL_SECONDS = 2.0
"""Interval between checks of the configuration file for changes."""


AUTO = "auto"
"""The word of `--upstream` for all servers and clouds that are found."""
CLOUDS = ("openai", "anthropic", "openrouter", "gemini")
"""The clouds that are found by the environment variables with their API keys."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources of backends."""

    config: Path | None = None
    quick: tuple[str, ...] = ()
    """The values of `--upstream`, without `auto`."""
    discovered: bool = False
    auto: bool = False
    """Whether to use the inference servers of this machine, and the clouds whose keys are in the environment."""
    share_clouds: bool = True
    """Whether `auto` includes clouds: not if others could use them whom their owner has not given a key."""
    spenders: str = "with --open, everybody on the network"
    """Who could spend the money of clouds then."""
    broker: bool = False
    """Whether connectors bring backends of their own, so that the file need not name any."""

    def __bool__(self) -> bool:
        """Whether any source is set."""
        return bool(self.config or self.quick or self.discovered or self.auto or self.broker)

    def read(self, environment: Mapping[str, str]) -> Configuration:
        """The configured backends, and the rules of the file. Raises ConfigError."""
        named = quick_config(self.quick, environment)
        read = Configuration()
        if self.config is not None:
            taken = [upstream.id for upstream in named]
            read = read_config(read_text(self.config), str(self.config), environment, taken)
        configured = (*named, *read.upstreams)
        return replace(read, upstreams=(*configured, *self._clouds(configured, environment)))

    def cloud_variables(self, environment: Mapping[str, str]) -> list[str]:
        """The variables with keys of clouds that `auto` would use."""
        names = [BACKEND_TYPES[name].key_variable for name in CLOUDS] if self.auto else []
        return [name for name in names if environment.get(name)]

    def _clouds(self, configured: Sequence[BackendConfig], environment: Mapping[str, str]) -> tuple[BackendConfig, ...]:
        """The clouds with a key in the environment, except those that are configured already."""
        known = {upstream.type.name for upstream in configured} | {upstream.id for upstream in configured}
        found = set(self.cloud_variables(environment)) if self.share_clouds else set()
        words = [name for name in CLOUDS if BACKEND_TYPES[name].key_variable in found and name not in known]
        return quick_config(words, environment)


def read_sources(sources: Sources, environment: Mapping[str, str]) -> Configuration:
    """Read the sources. Raises click.ClickException."""
    try:
        return sources.read(environment)
    except ConfigError as err:
        raise CommandError(str(err), kind="config_invalid") from None


class Supply:
    """Keeps an engine supplied with backends, from `start` to `close`."""

    def __init__(
        self,
        engine: Engine,
        sources: Sources,
        environment: Mapping[str, str],
        enforce_limits: Callable[[], Awaitable[None]],
        limits: RateLimiter | None = None,
        recorder: Recorder | None = None,
        reloaded: Callable[[Configuration], None] | None = None,
    ) -> None:
        """`limits` are the rate limits that the file may override. `recorder` records the exchanges with all backends.

        `enforce_limits` attaches admission control to the engine, for limits of single backends; raises click.ClickException.
        `reloaded` is called with a configuration that was read again.

        Raises click.ClickException if the sources are invalid or contain no backend.
        """
        self._engine = engine
        self._enforce_limits = enforce_limits
        self._limits = limits
        self._recorder = recorder
        self._reloaded = reloaded
        self._named = None if limits is None else (limits.per_address, limits.per_user)
        self._sources = sources
        self._environment = environment
        self._seen = _stamp(sources.config)
        try:
            self._wanted = self._read()
        except ConfigError as err:
            raise CommandError(str(err), kind="config_invalid") from None
        if not (self._wanted.upstreams or sources.discovered or sources.auto or sources.broker):
            raise CommandError("No provider is enabled.", "Enable one in the configuration file.", kind="config_invalid")
        self._own_ports: frozenset[int] = frozenset()
        self._stack = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None
        self._upstreams: ConfiguredMembers | None = None
        self._native: NativeTypes | None = None
        self._engines: LocalEngines | None = None
        self._certificates: OwnCertificates | None = None
        self._reconnecting: set[asyncio.Task[None]] = set()
        self._reload_requested = asyncio.Event()
        for warning in self._wanted.warnings:
            warn(warning)

    async def start(self) -> None:
        """Add the backends and wait up to `START_SECONDS` for them to answer; then check them, and the file, regularly."""
        await self._enforce_backend_limits(self._wanted)
        if self._sources.config is not None:
            self._listen_for_sighup()
        # The pool knows each backend's limits; aiohttp's own of 100 connections would hold streams back.
        middlewares = () if self._recorder is None else (self._recorder.middleware,)
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), middlewares=middlewares)
        self._session = await self._stack.enter_async_context(session)
        await self._use_certificates(self._session)
        self._upstreams = ConfiguredMembers(self._engine, self._session, tls_at=self._tls_at)
        self._apply_rules()
        self._stack.push_async_callback(self._engine.close)
        if self._sources.auto:
            shared = [engine for engine in LOCAL_KINDS if self._sources.share_clouds or not engine.is_proxy]
            self._engines = LocalEngines(self._session, shared)
            await self._engines.look(self._own_ports)
            self._report_found()
        self._native = NativeTypes(self._session)
        first = asyncio.create_task(self._apply(), name="zeroconf_ai first check")
        self._stack.push_async_callback(_end, first)
        with suppress(TimeoutError), progress("Asking the backends for their models"):
            await asyncio.wait_for(asyncio.shield(first), START_SECONDS)
        watch = HealthLoop(self._engine.pool, self._engine.checker)
        watch.start()
        self._stack.push_async_callback(watch.close)
        if self._sources.config is not None:
            following = asyncio.create_task(self._follow(self._sources.config), name="zeroconf_ai configuration")
            self._stack.push_async_callback(_end, following)
        if self._engines is not None:
            looking = asyncio.create_task(self._keep_looking(self._engines), name="zeroconf_ai local engines")
            self._stack.push_async_callback(_end, looking)

    def metered(self) -> list[str]:
        """The names of the configured backends whose use costs money."""
        wanted = ((upstream, upstream.type.info(upstream.id, upstream.name).cost) for upstream in self._wanted.upstreams)
        return [upstream.name for upstream, usual in wanted if (upstream.backend_overrides.cost or usual) is Cost.METERED]

    def listens_on(self, port: int) -> None:
        """Say the port of this server itself, which is not looked at."""
        self._own_ports |= {port}

    async def discover(self, own_id: str, interfaces: Sequence[str], household: HouseholdAccess | None = None) -> None:
        """Also add discovered providers, and those of the household. If multicast DNS is not available, a message is printed."""
        if not self._sources.discovered or self._session is None:
            return
        try:
            zeroconf = await self._stack.enter_async_context(open_zeroconf(interfaces))
        except click.ClickException as err:
            notice(f"Providers are not discovered: {err.message}")
            return
        manager = DiscoveryManager(zeroconf, trust=TrustStore(trust_file()), own_ids=(own_id,))
        await self._stack.enter_async_context(manager)
        neighbours = DiscoveredMembers(
            self._engine,
            manager,
            self._session,
            await asyncio.to_thread(ProviderCache, providers_file()),
            household,
            self._certificates,
        )
        neighbours.start()
        self._stack.push_async_callback(neighbours.close)

    async def close(self) -> None:
        """Stop all tasks and close the engine."""
        await self._stack.aclose()

    @property
    def _all(self) -> tuple[BackendConfig, ...]:
        """The configured backends, and the servers of this machine that are not among them."""
        wanted = self._wanted.upstreams
        if self._native is not None:
            wanted = tuple(map(self._native.of, wanted))
        if self._engines is None:
            return wanted
        ids, ports = {upstream.id for upstream in wanted}, {_local_port(upstream.endpoint) for upstream in wanted}
        found: list[BackendConfig] = []
        for engine in self._engines.present:
            if engine.port in ports:
                continue
            try:
                backend = backend_of(engine, _free_id(engine.id, ids), self._environment)
            except ConfigError as err:
                notice(f"{engine.title} is not served: {err}")
                continue
            found += [] if backend is None else [backend]
        return (*wanted, *found)

    async def _apply(self) -> None:
        """Serve what is wanted now, each server through its native API where its kind is known."""
        if self._native is not None and self._upstreams is not None:
            await self._native.look(self._wanted.upstreams)
            await self._upstreams.apply(self._all)

    async def _use_certificates(self, session: aiohttp.ClientSession) -> None:
        """Use the certificates by which other providers know this user, and renew them in time."""
        folder = enrolments_folder()
        if not self._sources.discovered and not await asyncio.to_thread(folder.is_dir):
            return
        from ..backends.enrolments import EnrolmentStore  # noqa: PLC0415 - it loads `cryptography`
        from ..presence.own_certificates import OwnCertificates  # noqa: PLC0415 - as above

        self._certificates = await OwnCertificates(session, EnrolmentStore(folder)).load()
        self._certificates.listen(self._certificate_changed)
        renewing = asyncio.create_task(self._certificates.keep_renewed(), name="zeroconf_ai client certificates")
        self._stack.push_async_callback(_end, renewing)

    def _tls_at(self, endpoint: str) -> ssl.SSLContext | None:
        held = None if self._certificates is None else self._certificates.at(endpoint)
        return None if held is None else held.context

    def _certificate_changed(self, enrolment: "Enrolment") -> None:
        if self._upstreams is not None:
            task = asyncio.get_running_loop().create_task(self._upstreams.reconnect(enrolment.is_at))
            self._reconnecting.add(task)
            task.add_done_callback(self._reconnecting.discard)

    async def _keep_looking(self, engines: LocalEngines) -> None:
        """Serve the inference servers of this machine that are started later, and no longer those that are stopped."""
        while True:
            await asyncio.sleep(local_engines.LOOK_SECONDS)
            before = set(engines.present)
            if not await engines.look(self._own_ports) or self._upstreams is None:
                continue
            for engine in engines.present:
                if engine not in before:
                    notice(f"Found {engine.title} at {url_of(engine)}")
            for engine in before - set(engines.present):
                notice(f"{engine.title} at {url_of(engine)} has stopped and is not served any more")
            await self._apply()

    def _report_found(self) -> None:
        """Print what `auto` found, or what to do if it found nothing."""
        engines = () if self._engines is None else self._engines.present
        for engine in engines:
            notice(f"Found {engine.title} at {url_of(engine)}")
        variables = self._sources.cloud_variables(self._environment)
        for name in variables:
            if self._sources.share_clouds:
                notice(f"Found {name} in the environment")
            else:
                notice(f"{name} is not used: {self._sources.spenders} could spend its money")
        if not engines and not self._wanted.upstreams:
            notice(_nothing_found())

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
        self._engine.exchange = self._wanted.exchange
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
            notice(f"Error: {err} The previous configuration stays in use.", logging.ERROR)
            return
        for warning in wanted.warnings:
            if warning not in self._wanted.warnings:
                warn(warning)
        if wanted.server != self._wanted.server or wanted.usage != self._wanted.usage:
            notice("Changes of `server:` and `usage_tracking:` apply after a restart.")
        self._wanted = wanted
        _LOGGER.info("Configuration read again: %d providers", len(self._wanted.upstreams))
        self._apply_rules()
        if self._reloaded is not None:
            self._reloaded(wanted)
        await self._apply()


def _nothing_found() -> str:
    """What was looked for, and what to do."""
    engines = ", ".join(f"{engine.title} (port {engine.port})" for engine in LOCAL_KINDS)
    variables = ", ".join(BACKEND_TYPES[name].key_variable for name in CLOUDS)
    return (
        f"No AI was found on this machine. Looked for {engines}, and for {variables} in the environment.\n"
        f"Start one of these programs: it is served within {local_engines.LOOK_SECONDS:g} seconds. For another port or machine, "
        "restart with --upstream TYPE=URL, such as --upstream ollama=http://192.0.2.20:11434; to try it, with --demo."
    )


def _local_port(endpoint: str) -> int | None:
    """The port of an endpoint on this machine; None for another machine."""
    parts = urlsplit(endpoint)
    return parts.port if parts.hostname in ("localhost", HOST, "::1") else None


def _free_id(name: str, taken: Collection[str]) -> str:
    """An id that is not taken: the name, or the name and `-local`."""
    return name if name not in taken else f"{name}-local"


def read_text(file: Path) -> str:
    """The file's text. Raises ConfigError if it cannot be read, is too large or is not UTF-8."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(_MAX_FILE_BYTES + 1)
    except OSError as err:
        raise ConfigError(f"{file} cannot be read: {err.strerror}.") from None
    if len(raw) > _MAX_FILE_BYTES:
        raise ConfigError(f"{file} is larger than {_MAX_FILE_BYTES // 1024**2} MB. Check that it is the file of providers.")
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
