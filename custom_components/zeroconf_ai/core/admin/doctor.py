"""All checks of discovery: network, firewall, providers, and the servers of this machine."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
import os
import sys

import aiohttp

from ..lan.firewall import Firewalls, Port, read_firewalls
from ..lan.host_network import MDNS_PORT, HostNetwork, read_host_network
from ..lan.interfaces import interface_addresses, reachable_addresses
from ..lan.multicast_check import InterfaceCheck, MulticastCheck
from ..lan.open_port import accepts_connections
from ..lan.providers import Provider
from ..lan.trust import Trust
from ..presence.local_engines import LocalEngines, url_of
from ..presence.server_kinds import LOCAL_KINDS, ServerKind
from ..protocol.record import Auth
from ..protocol.status import ProviderState
from ..protocol.values import clean, printable
from .discovery_check import DiscoveryCheck, Finding, described, finding, is_tunnel, listen

CONNECT_SECONDS = 2.0
_MAX_PROVIDERS = 64
_MAX_ADDRESSES = 8
_SERVICES = 12
"""Maximum number of service types in a finding."""
_SHARED_PORTS = (3000, 5000, 5001, 8000, 8080)
"""Ports on which other programs, including this one, usually listen: an open port does not show which program it is."""
NETWORK, FIREWALL, PROVIDERS, MACHINE = "network", "firewall", "providers", "machine"
SECTIONS = (NETWORK, FIREWALL, PROVIDERS, MACHINE)


@dataclass(frozen=True, slots=True)
class Serve:
    """The `zeroconf-ai serve` of this machine."""

    id: str
    running: bool


@dataclass(frozen=True, slots=True)
class SeenProvider:
    """A provider, and whether this machine reaches it."""

    provider: Provider
    interfaces: tuple[str, ...]
    """Where it was heard, if another host advertises it."""
    unreachable: tuple[str, ...]
    """Its addresses that accept no connection."""


@dataclass(frozen=True, slots=True)
class SeenEngine:
    """A server for models on this machine."""

    engine: ServerKind
    address: str | None
    """The address of this machine at which the network reaches it; None: it listens on the loopback interface only."""


@dataclass(slots=True)
class Examination:
    """Observations of the checks, and their findings."""

    checked: MulticastCheck
    check: DiscoveryCheck
    """The discovery check as the page shows it."""
    host: HostNetwork
    firewalls: Firewalls
    providers: list[SeenProvider]
    engines: list[SeenEngine]
    strangers: list[ServerKind]
    """Servers on whose port another program listens."""
    serve: Serve
    findings: list[tuple[str, Finding]] = field(default_factory=list)
    """Section and finding, in the order of `SECTIONS`."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return all(found["level"] != "problem" for _, found in self.findings)


async def examine(session: aiohttp.ClientSession, providers: Sequence[Provider], serve: Serve) -> Examination:
    """Check everything; takes some seconds. `providers` were found and probed just now.

    Other hosts get only questions by multicast DNS, and connections without data.
    """
    own = next((provider.record for provider in providers if serve.running and provider.id == serve.id), None)
    ports = [Port("udp", MDNS_PORT), *([Port("tcp", own.port)] if own is not None else [])]
    checked, host, firewalls, reached, (engines, strangers) = await asyncio.gather(
        listen(own),
        asyncio.to_thread(read_host_network),
        asyncio.to_thread(read_firewalls, ports),
        asyncio.gather(*(_reach(provider) for provider in providers[:_MAX_PROVIDERS])),
        _local_engines(session),
    )
    seen = [SeenProvider(provider, _heard(provider, checked), closed) for provider, closed in reached]
    check = described(checked, advertises=own is not None)
    return judged(Examination(checked, check, host, firewalls, seen, engines, strangers, serve))


def judged(examined: Examination) -> Examination:
    """The examination with its findings."""
    for section, judge in ((NETWORK, _network), (FIREWALL, _firewall), (PROVIDERS, _providers), (MACHINE, _machine)):
        examined.findings += ((section, found) for found in judge(examined))
    return examined


def _heard(provider: Provider, checked: MulticastCheck) -> tuple[str, ...]:
    """The interfaces on which another host advertises a provider."""
    name = f"{provider.record.name}.{provider.record.service_type}".lower()
    return tuple(found.name for found in checked.interfaces if name in (instance.lower() for instance in found.providers))


async def _reach(provider: Provider) -> tuple[Provider, tuple[str, ...]]:
    """A provider, and its addresses that accept no connection."""
    record = provider.record
    addresses = record.addresses[:_MAX_ADDRESSES]
    opened = await asyncio.gather(*(accepts_connections(str(address), record.port, CONNECT_SECONDS) for address in addresses))
    return provider, tuple(str(address) for address, accepted in zip(addresses, opened, strict=True) if not accepted)


async def _local_engines(session: aiohttp.ClientSession) -> tuple[list[SeenEngine], list[ServerKind]]:
    """The servers of this machine, and servers whose port another program uses."""
    engines = LocalEngines(session)
    await engines.look()
    own = [address for address in reachable_addresses(interface_addresses()) if not address.is_loopback]
    address = next((str(address) for address in own if isinstance(address, IPv4Address)), None)

    async def seen(engine: ServerKind) -> SeenEngine:
        is_open = address is not None and await accepts_connections(address, engine.port, CONNECT_SECONDS)
        return SeenEngine(engine, address if is_open else None)

    found = await asyncio.gather(*map(seen, engines.present))
    ports = {engine.port for engine in engines.present} | set(_SHARED_PORTS)
    others = [engine for engine in LOCAL_KINDS if engine.port not in ports]
    taken = await asyncio.gather(*(accepts_connections("127.0.0.1", engine.port, CONNECT_SECONDS) for engine in others))
    return found, [engine for engine, is_taken in zip(others, taken, strict=True) if is_taken]


def _network(seen: Examination) -> Iterator[Finding]:
    """Findings of the multicast check, combined with the system's network data."""
    host, hosts = seen.host, sum(len(interface.hosts) for interface in seen.checked.interfaces)
    found_any = any(found.interfaces for found in seen.providers)
    if host.port_busy:
        yield finding("port_busy", "problem", programs=", ".join(host.programs))
    elif len(host.programs) > 0:
        yield finding("port_shared", "ok", programs=", ".join(host.programs))
    for found in seen.check["findings"]:
        if found["code"] in ("own_off", "own_seen", "own_missing", "found"):
            continue  # in other sections
        name = str(found["values"].get("interface", ""))
        facts = host.interfaces.get(name)
        if facts is not None and not facts.up:
            yield finding("interface_down", "hint", interface=name)
        elif facts is not None and not facts.multicast and not is_tunnel(name):
            yield finding("no_multicast", "hint" if found_any else "problem", interface=name)
        elif found["code"] == "silent" and found_any:
            yield {**found, "level": "hint"}  # another interface works
        else:
            yield found
        if found["code"] == "silent" and facts is not None and facts.up:
            if facts.wireless:
                yield finding("wireless", "hint", interface=name)
            if facts.neighbours > 1:  # one is the router
                yield finding("unicast_only", "hint", interface=name, count=facts.neighbours)
    yield from _services(seen.checked.interfaces)
    yield from _addresses(seen.checked.interfaces)
    if host.wsl:
        yield finding("wsl", "hint" if hosts else "problem")
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        yield finding("kubernetes", "hint" if hosts else "problem")
    if host.default_route is not None and is_tunnel(host.default_route):
        yield finding("vpn", "hint", interface=host.default_route)
    if sys.platform == "darwin" and not hosts:
        yield finding("macos_permission", "hint")


def _services(interfaces: Sequence[InterfaceCheck]) -> Iterator[Finding]:
    """Findings about services that other hosts advertise."""
    services = sorted({name for interface in interfaces for name in interface.services})
    if services:
        more = len(services) - _SERVICES
        yield finding("services", "ok", names=", ".join(services[:_SERVICES]) + (f" and {more} more" if more > 0 else ""))


def _addresses(interfaces: Sequence[InterfaceCheck]) -> Iterator[Finding]:
    """Findings about the addresses of this machine."""
    v4 = {found.name: [address for address in found.addresses if isinstance(address, IPv4Address)] for found in interfaces}
    if interfaces and not any(v4.values()):
        yield finding("no_ipv4", "hint")
    for name, found in v4.items():
        if found and all(address.is_link_local for address in found):
            yield finding("no_lease", "hint", interface=name, address=str(found[0]))


def _firewall(seen: Examination) -> Iterator[Finding]:
    """Findings about packets that firewalls drop. If packets arrive despite a rule, the rule was misread and is left out."""
    works = any(interface.hosts for interface in seen.checked.interfaces)
    sent = any(interface.sent for interface in seen.checked.interfaces)
    named = False
    for block in seen.firewalls.blocks:
        port = block.port
        if port.protocol == "tcp" and block.direction == "in":
            code = "serve_blocked"
        elif port.protocol == "udp" and not works and not (block.direction == "out" and sent):
            code = f"mdns_blocked_{block.direction}"
        else:
            continue
        values = {"program": block.program, "direction": block.direction, "protocol": port.protocol}
        yield finding(code, "problem", port=port.number, **values)
        named = True
    if named:
        return
    if seen.firewalls.unreadable and not works:
        yield finding("unreadable", "hint", programs=", ".join(seen.firewalls.unreadable))
    elif seen.firewalls.active:
        yield finding("active", "ok", programs=", ".join(seen.firewalls.active))
    elif not seen.firewalls.unreadable and sys.platform == "linux":
        yield finding("no_block", "ok")


def _providers(seen: Examination) -> Iterator[Finding]:
    """Findings about each provider."""
    if not seen.providers:
        yield finding("none", "hint")
    for found in seen.providers:
        provider = found.provider
        values = {"name": clean(provider.record.name), "url": printable(provider.base_url)}
        where = ", ".join(found.interfaces) or "this machine"
        if provider.trust is Trust.CHANGED:
            yield finding("changed", "problem", **values)
        elif provider.trust is Trust.MOVED:
            yield finding("moved", "problem", **values)
        elif provider.state is ProviderState.UNAUTHORIZED or (
            provider.state is ProviderState.HEALTHY and provider.record.auth is not Auth.NONE
        ):
            needed = "needs_certificate" if provider.record.auth is Auth.MTLS else "needs_key"
            yield finding(needed, "ok", where=where, **values)
        elif provider.state in (ProviderState.HEALTHY, ProviderState.DEGRADED):
            level = "ok" if provider.state is ProviderState.HEALTHY else "hint"
            milliseconds = round((provider.latency or 0) * 1000)
            yield finding(provider.state.value, level, where=where, milliseconds=milliseconds, **values)
        else:
            every = len(found.unreachable) >= min(len(provider.record.addresses), _MAX_ADDRESSES)
            code = "unreachable" if every and found.unreachable else "no_answer"
            yield finding(code, "problem", reason=printable(provider.error or "no answer", 200).rstrip("."), **values)
            continue
        if found.unreachable:
            yield finding("addresses", "hint", addresses=", ".join(found.unreachable), **values)


def _machine(seen: Examination) -> Iterator[Finding]:
    """Findings about the servers of this machine: which run, and whether the network reaches them."""
    codes = {found["code"] for found in seen.check["findings"]}
    here = {address for interface in seen.checked.interfaces for address in interface.addresses}
    own: Provider | None = None
    is_shared = seen.serve.running
    for provider in (found.provider for found in seen.providers):
        if seen.serve.running and provider.id == seen.serve.id:
            own = provider
        elif here.intersection(provider.record.addresses):
            is_shared = True
            yield finding("serve_other", "ok", name=clean(provider.record.name), url=printable(provider.base_url))
    if not is_shared:
        yield finding("no_serve", "hint" if seen.engines else "ok")
    elif seen.serve.running and own is None:
        yield finding("serve_unseen", "problem")
    elif own is not None:
        values = {"name": clean(own.record.name), "url": printable(own.base_url)}
        yield finding(*(("serve_unheard", "problem") if "own_missing" in codes else ("serve_seen", "ok")), **values)
    for found in seen.engines:
        engine = found.engine
        values = {"title": engine.title, "url": url_of(engine), "engine": engine.id}
        if found.address is None:
            yield finding("loopback", "ok" if is_shared else "hint", **values)
        else:
            yield finding("open_engine", "ok", address=found.address, port=engine.port, **values)
    for stranger in seen.strangers:
        yield finding("stranger", "hint", title=stranger.title, port=stranger.port)
