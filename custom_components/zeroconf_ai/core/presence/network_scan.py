"""Finds inference servers that advertise nothing, on the usual ports of the home's own networks.

It runs only when a person starts it. Only this machine's private IPv4 networks are scanned: no names are resolved,
redirects are not followed, and a network larger than a /22 is reduced to the /22 around this machine.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Final

import aiohttp

from ..backends.bodies import read_limited
from ..protocol.errors import ApiError
from ..protocol.models import parse_models
from ..protocol.status import Health
from ..protocol.values import clean, mapping
from .server_kinds import SERVER_KINDS, UNKNOWN_KIND, Recognized, ServerKind, recognize
from .server_signatures import Page

LARGEST_PREFIX: Final = 22
"""The largest network that is asked: a /22, with 1022 addresses."""
MAX_NETWORKS: Final = 4
MAX_FOUND: Final = 64
"""Maximum servers in a result."""
MAX_MODELS: Final = 64
"""Maximum models of one server in a result."""
MAX_SILENT: Final = 64
"""Maximum other machines in a result."""
_AT_ONCE = 64
_CONNECT_SECONDS = 0.3
"""Maximum time for a connection: a machine of the same network accepts or refuses it within some milliseconds."""
_ANSWER_SECONDS = 1.0
"""Maximum time for the answer of one path."""
_PORTS_OF_SILENT = 3
"""Number of ports tried at each address on systems without a neighbour table: firewalls may drop packets to closed ports."""
_RECOGNIZE_SECONDS = 2.5
"""Maximum seconds to recognize the kind of a server."""
_MAX_BYTES = 1024 * 1024
_NEIGHBOURS = Path("/proc/net/arp")
_COMPLETE = 0x2
"""The flag of a neighbour whose hardware address is known (Linux, include/uapi/linux/if_arp.h, ATF_COM)."""


@dataclass(frozen=True, slots=True)
class FoundServer:
    """An inference server."""

    kind: ServerKind
    address: IPv4Address
    port: int
    models: tuple[str, ...]
    """The models that it lists without an API key."""
    host: str | None = None
    """The name under which the address is known, if it is."""
    is_locked: bool = False
    """Whether it requires an API key."""

    @property
    def base_url(self) -> str:
        """The base URL that a provider gets."""
        return f"http://{self.address}:{self.port}/v1"

    @property
    def title(self) -> str:
        """The kind of server and its host, such as `Ollama on gpu`."""
        return f"{self.kind.title} on {self.host or self.address}"


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What was found, in the order of the addresses."""

    networks: tuple[IPv4Network, ...]
    servers: tuple[FoundServer, ...] = ()
    silent: tuple[str, ...] = ()
    """Machines on which no inference server answers: names, else addresses."""


@dataclass(frozen=True, slots=True)
class Known:
    """The address of a known machine, and its name if known."""

    address: IPv4Address
    name: str | None = None


def home_networks(interfaces: Iterable[IPv4Interface]) -> tuple[IPv4Network, ...]:
    """The networks of this machine's interfaces that may be asked: private ones, each at most a /22."""
    found: dict[IPv4Network, None] = {}
    for interface in interfaces:
        address = interface.ip
        if not address.is_private or address.is_loopback or address.is_link_local or interface.network.prefixlen > 30:
            continue
        prefix = max(interface.network.prefixlen, LARGEST_PREFIX)
        found[IPv4Interface((address, prefix)).network] = None
    return tuple(found)[:MAX_NETWORKS]


def neighbours() -> frozenset[IPv4Address] | None:
    """The machines in this machine's neighbour table; None if the system does not show it. Reads a file."""
    try:
        lines = _NEIGHBOURS.read_text(encoding="ascii", errors="replace").splitlines()[1:]
    except OSError:
        return None
    found = set()
    for line in lines:
        fields = line.split()
        with suppress(ValueError, IndexError):
            if int(fields[2], 16) & _COMPLETE:
                found.add(IPv4Address(fields[0]))
    return frozenset(found)


@dataclass(slots=True)
class NetworkScan:
    """One scan."""

    networks: Sequence[IPv4Network]
    known: Sequence[Known] = ()
    """Machines that are known already: they are asked first, and on all ports."""
    kinds: Sequence[ServerKind] = SERVER_KINDS
    without: frozenset[tuple[IPv4Address, int]] = frozenset()
    """Servers that are not asked, such as this program's own."""
    on_progress: Callable[[float], None] = lambda _: None
    """Called with the completed share, 0 to 1."""
    table: Callable[[], frozenset[IPv4Address] | None] = neighbours
    _there: set[IPv4Address] = field(default_factory=set)
    """Addresses that accepted or refused a connection."""
    _servers: list[FoundServer] = field(default_factory=list)

    async def run(self) -> ScanResult:
        """Ask all addresses. Takes less than five seconds for a /24. A server with invalid answers is left out."""
        names = {
            known.address: (known.name and clean(known.name, 64)) or None
            for known in self.known
            if any(known.address in net for net in self.networks)
        }
        ports = tuple(dict.fromkeys((*(kind.port for kind in self.kinds), *(port for kind in self.kinds for port in kind.ports))))
        before = await asyncio.to_thread(self.table) or frozenset()
        others = [host for net in self.networks for host in net.hosts() if host not in names]
        others.sort(key=lambda host: host not in before)
        jar = aiohttp.DummyCookieJar()
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
        connector = aiohttp.TCPConnector(limit=_AT_ONCE, force_close=True)
        async with aiohttp.ClientSession(cookie_jar=jar, timeout=timeout, connector=connector, trust_env=False) as session:
            try_port = partial(self._try, session, names)
            # A machine is known by an answer, or by its entry in the neighbour table, which the first connection makes.
            await self._each(try_port, [*names, *others], ports, 0)
            table = await asyncio.to_thread(self.table)
            for index in range(1, len(ports)):
                there = self._there if table is None else self._there | table
                asks_silent = table is None and index < _PORTS_OF_SILENT
                rest = [host for host in others if asks_silent or host in there]
                await self._each(try_port, [*names, *rest], ports, index)
        self.on_progress(1.0)
        there = self._there | (frozenset() if table is None else table)
        servers = sorted(self._servers, key=lambda server: (server.address, server.port))[:MAX_FOUND]
        serving = {server.address for server in servers}
        silent = [host for host in (*names, *others) if host in there and host not in serving]
        shown = sorted(names.get(host) or str(host) for host in silent)
        return ScanResult(tuple(self.networks), tuple(servers), tuple(shown[:MAX_SILENT]))

    async def _each(
        self,
        try_port: Callable[[IPv4Address, int], Awaitable[None]],
        hosts: Sequence[IPv4Address],
        ports: Sequence[int],
        index: int,
    ) -> None:
        """Try one of the ports of all hosts, at most `_AT_ONCE` at a time."""
        waiting, done = iter(hosts), 0

        async def work() -> None:
            nonlocal done
            for host in waiting:
                await try_port(host, ports[index])
                done += 1
                self.on_progress((index + done / len(hosts)) / len(ports))

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(work())

    async def _try(
        self, session: aiohttp.ClientSession, names: dict[IPv4Address, str | None], host: IPv4Address, port: int
    ) -> None:
        if (host, port) in self.without or not await self._is_open(host, port) or len(self._servers) >= MAX_FOUND:
            return
        get = partial(_get, session, f"http://{host}:{port}")
        here = [*(kind for kind in self.kinds if port in kind.ports), UNKNOWN_KIND]
        with suppress(TimeoutError):
            async with asyncio.timeout(_RECOGNIZE_SECONDS):
                found = await recognize(get, here)
                if found is not None and not await _is_own_protocol(get):
                    models = await _models(get, found)
                    self._servers.append(FoundServer(found.kind, host, port, models, names.get(host), found.is_locked))

    async def _is_open(self, host: IPv4Address, port: int) -> bool:
        """Whether a connection is accepted. A refused connection shows that the machine exists."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, writer = await asyncio.open_connection(str(host), port)
        except ConnectionRefusedError:
            self._there.add(host)
            return False
        except OSError:  # TimeoutError is one
            return False
        self._there.add(host)
        writer.close()
        return True


async def _get(session: aiohttp.ClientSession, root: str, path: str) -> Page | None:
    try:
        async with session.get(f"{root}{path}", allow_redirects=False) as response:
            body = await read_limited(response, _MAX_BYTES)
            return Page.parse(body, response.status, response.headers.get("Server"))
    except (aiohttp.ClientError, ApiError, TimeoutError, OSError, ValueError):
        return None


async def _is_own_protocol(get: Callable[[str], Awaitable[Page | None]]) -> bool:
    """Whether it is a server of this project's protocol, which speaks other dialects too: its advertisement is discovered."""
    page = await get("/v1/health")
    return page is not None and page.status == 200 and Health.parse(page.data).id is not None


async def _models(get: Callable[[str], Awaitable[Page | None]], found: Recognized) -> tuple[str, ...]:
    page = await get(f"{found.kind.path or '/v1'}/models")
    listed = () if page is None or page.status != 200 else parse_models(page.data)
    if not listed and not found.kind.path and (tags := await get("/api/tags")) is not None:
        names = [clean(mapping(entry).get("name") or "") for entry in (tags.entries("models") or ())]
        return tuple(name for name in names if name)[:MAX_MODELS]
    return tuple(model.id for model in listed)[:MAX_MODELS]
